'use strict'

// Records of a stream, as they come. The hub sends as many as fit into `buffer` and then waits
// until the program has taken some, so that no more ever gather here.

const native = require('./native.cjs')
const { Arrivals } = require('./arrivals.cjs')
const { invalid } = require('./error.cjs')
const { Skips, begin, groupName, writeCommit } = require('./groups.cjs')
const { Content, long: joined } = require('./message.cjs')
const { flag, known, show, span, whole } = require('./options.cjs')
const { addWanted, wantedSize } = require('./properties.cjs')

const NAMES = [
  'start',
  'partition',
  'follow',
  'group',
  'buffer',
  'key',
  'headers',
  'maxProcessingMs',
  'timeoutMs',
  'signal',
]
// The part of the buffer that may be free without the addon being told.
const STEP = 8

// For the reader alone: what counts as taken with a record, and what is committed with it. For
// batches alone: the same, checked.
let weigh, placeOf, committing

class StreamRecord extends Content {
  #low
  #high
  #bytes
  #source
  #generation
  #reader

  // `source` stands for the reader.
  constructor({ body, key, encoded }, pages, at, source, skipped) {
    super(body, key, encoded)
    const { words } = pages
    this.partition = words[at + 6]
    this.timeMs = pages.number(at)
    this.#bytes = words[at + 7]
    this.#low = words[at + 8]
    this.#high = words[at + 9]
    this.#generation = { low: words[at + 10], high: words[at + 11] }
    this.#reader = { low: words[at + 14], high: words[at + 15] }
    this.#source = source
    this.skipped = skipped
  }

  get offset() {
    return joined(this.#low, this.#high)
  }

  static {
    weigh = (record) => record.#bytes
    placeOf = (record, source) => {
      if (!(record instanceof StreamRecord)) {
        throw invalid(`the record is ${show(record)}; it must be a StreamRecord`)
      }
      if (record.#source !== source) throw invalid('the record is of another reader')
      const [reader, generation] = [record.#reader, record.#generation]
      return { reader, generation, partition: record.partition, next: record.offset + 1n }
    }
  }
}

class Reader extends Arrivals {
  #core
  #source

  constructor(core, stream, options) {
    const given = known('read', options, NAMES)
    const [where, value] = begin(given.start)
    const most = native.READ_BUFFER_MAX
    const buffer = whole('buffer', given.buffer, 1, most, native.READ_BUFFER_DEFAULT)
    const partition = whole('partition', given.partition, 0, native.PARTITIONS_MAX - 1, -1)
    const follow = flag('follow', given.follow)
    const group = given.group === undefined ? '' : groupName(given.group)
    const maxProcessingMs = span('maxProcessingMs', given.maxProcessingMs, native.DELAY_MAX_MS)
    const head = new Uint8Array(new Float64Array([maxProcessingMs]).buffer)
    const source = { isMember: given.group !== undefined }
    const switches = (follow ? 1 : 0) + (source.isMember ? 2 : 0)
    const skips = new Skips()
    const write = (records, at) => {
      records.words[at + 4] = records.add(head) + records.add(group)
      addWanted(records, at, given)
      records.words[at + 7] = buffer
      records.words[at + 8] = partition + 1
      records.words[at + 9] = where + switches * native.FOLLOW
      records.long(at, value)
    }
    const more = { sizeMost: head.length + group.length * 3 + wantedSize(given), write }
    let [count, bytes] = [0, 0]
    super(core, {
      start: (entry) => core.begin(native.READ, stream, given, entry, more),
      read: (at, pages) => {
        const skipped = skips.before(pages.words[at + 6], pages.long(at + 8))
        return new StreamRecord(pages.message(at), pages, at, source, skipped)
      },
      skip: (at, pages) => skips.skip(pages.words[at + 6], pages.long(at + 8), pages.long(at + 10)),
      letGo: () => {},
      took: (record, slot) => {
        count += 1
        bytes += weigh(record)
        if (bytes * STEP < buffer) return
        core.taken(slot, count, bytes)
        count = bytes = 0
      },
      keeps: true,
    })
    this.#core = core
    this.#source = source
  }

  commit(record, options) {
    return new Promise((resolve, reject) => {
      const given = known('commit', options, ['timeoutMs', 'signal'])
      const place = committing(this, record, this.#core)
      const write = (records, at) => writeCommit(records, at, place)
      this.#core.beginUnnamed(native.COMMIT, given, { resolve, reject }, { sizeMost: 0, write })
    })
  }

  static {
    committing = (reader, record, core) => {
      if (!(reader instanceof Reader)) {
        throw invalid(`the reader is ${show(reader)}; it must be a Reader`)
      }
      if (reader.#core !== core) {
        throw invalid('the reader is of another hub, or of another handle of it')
      }
      if (!reader.#source.isMember) {
        throw invalid('the reader is in no group, so it has no place to commit')
      }
      return placeOf(record, reader.#source)
    }
  }
}

module.exports = { Reader, StreamRecord, committing }
