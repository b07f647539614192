'use strict'

// Batches of events from the addon, and what their records say.
//
// Small bodies share a page of 16 KiB (as Node's own small buffers share a pool); what does not
// fit gets memory of its own. A page is never written again, so that bodies stay as they are.

const { RECORD_WORDS } = require('./native.cjs')
const { fromNumber } = require('./error.cjs')
const { Appended, NO_BYTES, Receipt, decodeHeaders, durabilities, long } = require('./message.cjs')

const RECORDS_MAX = 256
const PAGE_SIZE = 16 * 1024
const RECEIPT_SIZE = 12
const FIGURES = [
  'ready',
  'held',
  'delayed',
  'damaged',
  'bytes',
  'sendsWaiting',
  'consumers',
  'sent',
  'acknowledged',
  'rejected',
  'requeued',
  'deadLettered',
  'lengthMax',
  'bytesMax',
  'maxAttempts',
  'backoffMinMs',
  'backoffMaxMs',
  'ackDeadlineMs',
  'ttlMs',
]

// Bound patterns, with a space between two.
function patterns(bytes) {
  return bytes.length === 0 ? [] : String(bytes).split(' ')
}

class Pages {
  constructor(handle) {
    this.handle = handle
    this.words = new Uint32Array((RECORDS_MAX + 1) * RECORD_WORDS)
    this.doubles = new Float64Array(this.words.buffer)
    this.used = 0
    this.page = Buffer.allocUnsafeSlow(PAGE_SIZE)
  }

  // Takes the next batch; returns how many events it has. `more` tells if others are left.
  next() {
    this.handle.poll(this.words, this.page, this.used)
    const [count, used, need, more] = this.words
    this.count = count
    this.used = used
    this.need = need
    this.more = more !== 0
    return count
  }

  // Makes room for an event that did not fit. Called when the batch before it was read.
  renew() {
    if (this.need === 0) return
    this.page = Buffer.allocUnsafeSlow(Math.max(PAGE_SIZE, this.need))
    this.used = 0
    this.need = 0
  }

  body(at) {
    return this.#bytes(this.words[at + 2], this.words[at + 3])
  }

  #bytes(from, size) {
    return size === 0 ? NO_BYTES : Buffer.from(this.page.buffer, from, size)
  }

  text(at) {
    const from = this.words[at + 2]
    return this.page.toString('utf8', from, from + this.words[at + 3])
  }

  // The unsigned number of 64 bits whose first word is at `at`.
  long(at) {
    return long(this.words[at], this.words[at + 1])
  }

  number(at) {
    return this.doubles[(at + 12) >> 1]
  }

  flag(at) {
    return this.words[at + 14] !== 0
  }

  message(at) {
    const keyAt = this.words[at + 2] + this.words[at + 3]
    const keySize = this.words[at + 4]
    return {
      body: this.body(at),
      key: this.#bytes(keyAt, keySize),
      encoded: this.#bytes(keyAt + keySize, this.words[at + 5]),
      priority: this.words[at + 6],
    }
  }

  // What a published message has behind its headers.
  topic(at) {
    return this.#behind(at, this.words[at + 7])
  }

  #behind(at, size) {
    const words = this.words
    const from = words[at + 2] + words[at + 3] + words[at + 4] + words[at + 5]
    return this.page.latin1Slice(from, from + size)
  }

  // The words that name a delivery or request.
  token(at) {
    const words = this.words
    return {
      low: words[at + 8],
      high: words[at + 9],
      idLow: words[at + 10],
      idHigh: words[at + 11],
      failures: words[at + 7],
      redelivered: this.flag(at),
    }
  }

  receipt(at) {
    return new Receipt(this.words[at + 10], this.words[at + 11], this.words[at + 6])
  }

  receipts(at) {
    const body = this.body(at)
    return Array.from({ length: body.length / RECEIPT_SIZE }, (_, index) => {
      const [low, high, durability] = [0, 4, 8].map((from) =>
        body.readUInt32LE(index * RECEIPT_SIZE + from),
      )
      return new Receipt(low, high, durability)
    })
  }

  // An answer to a gather.
  answer(at) {
    const words = this.words
    const instance = long(words[at + 8], words[at + 9])
    const instanceName = this.#behind(at, words[at + 10]) || undefined
    const who = { instance, instanceName }
    if (this.flag(at)) {
      const error = fromNumber(words[at + 6], true, words[at + 7] | 0, this.text(at))
      return { ...who, body: undefined, key: NO_BYTES, headers: {}, priority: 0, error }
    }
    const { body, key, encoded, priority } = this.message(at)
    return { ...who, body, key, headers: decodeHeaders(encoded), priority, error: undefined }
  }

  // Who has answered a gather, and who has not.
  gathered(at) {
    const body = this.body(at)
    const word = (from) => body.readUInt32LE(from)
    const missing = []
    for (let from = 8; from < body.length;) {
      const [kind, maybe, size, nameSize] = [8, 12, 16, 20].map((more) => word(from + more))
      const behind = from + 24 + size
      const error = fromNumber(kind, maybe !== 0, 0, body.toString('utf8', from + 24, behind))
      const instance = long(word(from), word(from + 4))
      const instanceName = body.latin1Slice(behind, behind + nameSize) || undefined
      missing.push({ instance, instanceName, error })
      from = behind + nameSize
    }
    return { answered: word(0), failed: word(4), missing }
  }

  error(at) {
    const [number, code] = [this.words[at + 6], this.words[at + 7] | 0]
    return fromNumber(number, this.flag(at), code, this.text(at))
  }

  hubInfo(at) {
    return {
      hubId: this.body(at).toString('hex'),
      epoch: this.number(at),
      sessionId: long(this.words[at + 8], this.words[at + 9]),
      memoryOnly: this.words[at + 6] !== 0,
    }
  }

  queueInfo(at) {
    const body = this.body(at)
    const info = {}
    FIGURES.forEach((name, index) => (info[name] = body.readDoubleLE(index * 8)))
    for (const name of ['ackDeadlineMs', 'ttlMs']) if (info[name] === 0) info[name] = Infinity
    info.overflow = this.words[at + 7] === 0 ? 'wait' : 'reject'
    info.durability = durabilities[this.words[at + 6]]
    const deadLetter = this.#bytes(this.words[at + 2] + body.length, this.words[at + 4])
    info.deadLetter = deadLetter.length === 0 ? undefined : String(deadLetter)
    const behind = this.words[at + 2] + body.length + deadLetter.length
    info.bindings = patterns(this.#bytes(behind, this.words[at + 5]))
    return info
  }

  topicInfo(at) {
    const [lineMax, waits] = [this.words[at + 6], this.words[at + 7] !== 0]
    return { overflow: waits ? 'wait' : 'drop', lineMax, waiting: this.number(at) }
  }

  appended(at) {
    const words = this.words
    return new Appended(words[at + 8], words[at + 9], words[at + 7], words[at + 6])
  }

  streamInfo(at) {
    const body = this.body(at)
    const numbers = [0, 8, 16, 24, 32, 40, 48].map((from) => body.readDoubleLE(from))
    const [ageMaxMs, bytesMax, recordsMax, tombstoneAgeMs, compact, keepUnread, packed] = numbers
    const partitions = []
    const behind = 56 + this.words[at + 7] * 24
    for (let from = 56; from < behind; from += 24) {
      partitions.push({
        first: body.readBigUInt64LE(from),
        next: body.readBigUInt64LE(from + 8),
        bytes: Number(body.readBigUInt64LE(from + 16)),
      })
    }
    return {
      partitions,
      durability: durabilities[this.words[at + 6]],
      ageMaxMs: ageMaxMs === 0 ? Infinity : ageMaxMs,
      bytesMax,
      recordsMax: recordsMax === 0 ? Infinity : recordsMax,
      compact: compact !== 0,
      tombstoneAgeMs: tombstoneAgeMs === 0 ? undefined : tombstoneAgeMs,
      keepUnread: keepUnread !== 0,
      compression: [undefined, 'lz4', 'zstd'][packed],
      bindings: patterns(body.subarray(behind)),
    }
  }

  notice(at) {
    switch (this.words[at + 6]) {
      case 1:
        return { kind: 'DISCONNECTED', reason: this.text(at) }
      case 2:
        return { kind: 'RESUMED' }
      default:
        return { kind: 'HUB_CHANGED', epoch: this.number(at), memoryLost: this.flag(at) }
    }
  }
}

module.exports = { Pages, RECORDS_MAX }
