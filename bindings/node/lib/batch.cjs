'use strict'

// Sends, publishes, appends, settlements and commits that a program hands over as one: all of them
// are done, or none.
//
// Each part becomes a record when it is added, so that its bytes are copied then; a batch is one
// operation that carries these records. What is wrong with a job is told only by the hub.

const native = require('./native.cjs')
const { TelpherError, invalid } = require('./error.cjs')
const { writeCommit } = require('./groups.cjs')
const { tokenOf } = require('./job.cjs')
const { known, reason, sizeMost, within } = require('./options.cjs')
const { checkPlace, writePlace } = require('./place.cjs')
const { PROPERTY_NAMES, addProperties, propertiesSize } = require('./properties.cjs')
const { committing } = require('./reader.cjs')
const { Records } = require('./records.cjs')

const { NO_SLOT } = native
const APPEND_NAMES = ['key', 'headers', 'partition', 'expect']
const COUNT_FIRST = 16
const SIZE_FIRST = 4096
// A header has four bytes for the size of its name here, and one where it counts.
const HEADER_SIZE_MORE = 3

class Batch {
  #core
  #parts = new Records(COUNT_FIRST, SIZE_FIRST)
  #messagesSize = 0
  #submitted = false

  constructor(core) {
    this.#core = core
  }

  get length() {
    return this.#parts.count
  }

  send(queue, body, options) {
    return this.#message(native.SEND, 'send', queue, body, options)
  }

  publish(topic, body, options) {
    return this.#message(native.PUBLISH, 'publish', topic, body, options)
  }

  append(stream, body, options) {
    const given = known('append', options, APPEND_NAMES)
    checkPlace(given)
    this.#message(native.APPEND, 'append', stream, body, options, APPEND_NAMES)
    writePlace(this.#parts, (this.length - 1) * native.RECORD_WORDS, given)
    return this
  }

  #message(kind, what, name, body, options, names = PROPERTY_NAMES) {
    const given = known(what, options, names)
    const size = sizeMost('body', body)
    if (size > native.BODY_SIZE_MAX) within('body', body, native.BODY_SIZE_MAX)
    const more = propertiesSize(given)
    this.#core.check()
    this.#core.name(name, 'a name')
    const { count, used } = this.#room(name.length + size + more)
    const parts = this.#parts
    const at = parts.begin(kind, NO_SLOT, parts.add(name), NaN, 0)
    parts.words[at + 4] = parts.add(body)
    if (more !== 0) addProperties(parts, at, given)
    const headers = given.headers === undefined ? 0 : Object.keys(given.headers).length
    const total = this.#messagesSize + parts.used - used - name.length - headers * HEADER_SIZE_MORE
    if (total > native.BATCH_SIZE_MAX) {
      Object.assign(parts, { count, used })
      const text = `the batch has ${total} bytes of messages with this one`
      throw new TelpherError('TOO_LARGE', `${text}; at most ${native.BATCH_SIZE_MAX} are allowed`)
    }
    this.#messagesSize = total
    return this
  }

  commit(reader, record) {
    const place = committing(reader, record, this.#core)
    this.#core.check()
    this.#room(0)
    writeCommit(this.#parts, this.#parts.begin(native.COMMIT, NO_SLOT, 0, NaN, 0), place)
    return this
  }

  acknowledge(job) {
    return this.#settle(job, 'acknowledge')
  }

  reject(job, reason) {
    return this.#settle(job, 'reject', reason)
  }

  requeue(job, reason) {
    return this.#settle(job, 'requeue', reason)
  }

  release(job) {
    return this.#settle(job, 'release')
  }

  #settle(job, verdict, given) {
    const token = tokenOf(job, this.#core)
    const why = reason(given)
    this.#core.check()
    this.#room(sizeMost('reason', why))
    const at = this.#parts.begin(native.SETTLE, NO_SLOT, 0, NaN, 0)
    this.#parts.settle(at, token, verdict, why)
    return this
  }

  // Makes room for one more part; returns what there was before.
  #room(size) {
    this.#check()
    const most = native.BATCH_PARTS_MAX
    const count = this.length + 1
    if (count > most) {
      throw invalid(`the number of parts of the batch is ${count}; allowed are 1 to ${most}`)
    }
    this.#parts = this.#parts.grown(size)
    return this.#parts
  }

  #check() {
    if (this.#submitted) throw new TelpherError('STALE', 'the batch was submitted before')
  }

  submit(options) {
    return new Promise((resolve, reject) => {
      this.#check()
      this.#submitted = true
      const given = known('submit', options, ['timeoutMs', 'signal'])
      const parts = this.#parts
      // Its bytes go on their way; only their number is still asked for.
      this.#parts = { count: parts.count }
      const write = (records, at) => {
        records.words[at + 4] = records.add(parts.recordBytes())
        records.words[at + 5] = records.add(parts.bytes.subarray(0, parts.used))
      }
      const more = { sizeMost: parts.recordBytes().length + parts.used, write }
      this.#core.beginUnnamed(native.BATCH, given, { resolve, reject }, more)
    })
  }
}

module.exports = { Batch }
