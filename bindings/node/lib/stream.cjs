'use strict'

// A stream of a hub, by name.

const native = require('./native.cjs')
const { STREAM, binding } = require('./binding.cjs')
const { choice, flag, known, span, time, whole } = require('./options.cjs')
const { begin, groupName } = require('./groups.cjs')
const { checkPlace, writePlace } = require('./place.cjs')
const { Reader } = require('./reader.cjs')

const APPEND_NAMES = ['key', 'headers', 'partition', 'expect', 'timeoutMs', 'signal']
const DECLARE_NAMES = [
  'partitions',
  'durability',
  'ageMaxMs',
  'bytesMax',
  'recordsMax',
  'compact',
  'tombstoneAgeMs',
  'keepUnread',
  'compression',
  'timeoutMs',
  'signal',
]
const RESET_NAMES = ['start', 'partition', 'timeoutMs', 'signal']
const DURABILITIES = ['memory', 'os', 'disk']
const COMPRESSIONS = ['lz4', 'zstd']

class Stream {
  #core
  #name

  constructor(core, name) {
    this.#core = core
    this.#name = name
  }

  get name() {
    return this.#name
  }

  declare(options) {
    return new Promise((resolve, reject) => {
      const given = known('declare', options, DECLARE_NAMES)
      const numbers = new Uint8Array(new Float64Array(limitsOf(given)).buffer)
      const durability = choice('durability', given.durability, DURABILITIES)
      const partitions = whole('partitions', given.partitions, 1, native.PARTITIONS_MAX, 0)
      const write = (records, at) => {
        records.words[at + 4] = records.add(numbers)
        records.words[at + 7] = DURABILITIES.indexOf(durability) + 1
        records.words[at + 8] = partitions
      }
      const more = { sizeMost: numbers.length, write }
      this.#core.begin(native.DECLARE_STREAM, this.#name, given, { resolve, reject }, more)
    })
  }

  append(body, options) {
    return new Promise((resolve, reject) => {
      let timeoutMs = NaN
      if (options !== undefined) {
        timeoutMs = time('timeoutMs', known('append', options, APPEND_NAMES).timeoutMs)
        checkPlace(options)
      }
      const entry = { resolve, reject, unwatch: undefined }
      this.#core.message(native.APPEND, this.#name, body, options, timeoutMs, entry, writePlace)
    })
  }

  read(options) {
    return new Reader(this.#core, this.#name, options)
  }

  bind(pattern, options) {
    return binding(this.#core, 'bind', [STREAM, this.#name], pattern, options)
  }

  unbind(pattern, options) {
    return binding(this.#core, 'unbind', [STREAM, this.#name], pattern, options)
  }

  groups(options) {
    return this.#core.start(native.LIST_GROUPS, 'groups', this.#name, options)
  }

  resetGroup(group, options) {
    return new Promise((resolve, reject) => {
      const given = known('resetGroup', options, RESET_NAMES)
      const [where, value] = begin(given.start)
      const partition = whole('partition', given.partition, 0, native.PARTITIONS_MAX - 1, -1)
      const write = (records, at) => {
        records.words[at + 8] = partition + 1
        records.words[at + 9] = where
        records.long(at, value)
      }
      this.#group(native.RESET_GROUP, group, given, { resolve, reject }, write)
    })
  }

  deleteGroup(group, options) {
    return new Promise((resolve, reject) => {
      const given = known('deleteGroup', options, ['timeoutMs', 'signal'])
      this.#group(native.DELETE_GROUP, group, given, { resolve, reject })
    })
  }

  #group(kind, group, given, entry, writeMore) {
    const sizeMost = groupName(group).length * 3
    const write = (records, at) => {
      records.words[at + 4] = records.add(group)
      writeMore?.(records, at)
    }
    this.#core.begin(kind, this.#name, given, entry, { sizeMost, write })
  }

  inspect(options) {
    return this.#core.start(native.INSPECT_STREAM, 'inspect', this.#name, options)
  }

  delete(options) {
    return this.#core.start(native.DELETE_STREAM, 'delete', this.#name, options)
  }
}

// The limits of a declaration, in the order that the addon reads; 0 for what is not stated.
function limitsOf(given) {
  return [
    span('ageMaxMs', given.ageMaxMs, native.TIMEOUT_MAX_MS),
    whole('bytesMax', given.bytesMax, 1, Number.MAX_SAFE_INTEGER, 0),
    span('recordsMax', given.recordsMax, Number.MAX_SAFE_INTEGER, 'any number'),
    whole('tombstoneAgeMs', given.tombstoneAgeMs, 1, native.TIMEOUT_MAX_MS, 0),
    Number(flag('compact', given.compact)),
    Number(flag('keepUnread', given.keepUnread)),
    COMPRESSIONS.indexOf(choice('compression', given.compression, COMPRESSIONS)) + 1,
  ]
}

module.exports = { Stream }
