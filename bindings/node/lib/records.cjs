'use strict'

// A batch of operations, or of parts of one: fixed records, and beside them the bytes of bodies,
// keys and headers. The layout is stated in the addon's `layout.rs`.

const native = require('./native.cjs')

const { RECORD_WORDS, NO_SLOT } = native
const VERDICTS = {
  acknowledge: native.ACKNOWLEDGE,
  reject: native.REJECT,
  requeue: native.REQUEUE,
  release: native.RELEASE,
}

class Records {
  constructor(countMax, size) {
    this.countMax = countMax
    this.size = size
    this.words = new Uint32Array(countMax * RECORD_WORDS)
    this.doubles = new Float64Array(this.words.buffer)
    this.bytes = Buffer.allocUnsafeSlow(size)
    this.clear()
  }

  clear() {
    this.from = 0
    this.count = 0
    this.used = 0
  }

  fits(sizeMost) {
    return this.count < this.countMax && this.used + sizeMost <= this.size
  }

  // The same records where there is room for one more, with up to `sizeMost` bytes.
  grown(sizeMost) {
    if (this.fits(sizeMost)) return this
    const countMax = this.count < this.countMax ? this.countMax : this.countMax * 2
    const larger = new Records(countMax, Math.max(this.size, (this.used + sizeMost) * 2))
    larger.words.set(this.words)
    larger.bytes.set(this.bytes.subarray(0, this.used))
    larger.count = this.count
    larger.used = this.used
    return larger
  }

  // Begins a record and returns the index of its first word.
  begin(kind, slot, name, timeoutMs, since) {
    const at = this.count++ * RECORD_WORDS
    const words = this.words
    words[at] = kind
    words[at + 1] = slot
    words[at + 2] = name
    words[at + 3] = this.used
    words[at + 4] = 0
    words[at + 5] = 0
    words[at + 6] = 0
    words[at + 7] = 0
    words[at + 8] = 0
    this.doubles[(at + 12) >> 1] = timeoutMs
    this.doubles[(at + 14) >> 1] = since
    return at
  }

  // Fills in a record that names a delivery or request.
  name(at, token) {
    this.words[at + 10] = token.low
    this.words[at + 11] = token.high
  }

  // Fills in an offset or a time.
  long(at, value) {
    this.words[at + 10] = Number(value & 0xffffffffn)
    this.words[at + 11] = Number(value >> 32n)
  }

  // Fills in the record of a verdict; `why` is text or bytes.
  settle(at, token, verdict, why) {
    if (why.length !== 0) this.words[at + 4] = this.add(why)
    this.words[at + 7] = VERDICTS[verdict]
    this.name(at, token)
  }

  // The records as bytes.
  recordBytes() {
    return new Uint8Array(this.words.buffer, 0, this.count * RECORD_WORDS * 4)
  }

  // Adds text or bytes and returns their size.
  add(value) {
    const size = typeof value === 'string' ? this.bytes.write(value, this.used) : this.#copy(value)
    this.used += size
    return size
  }

  #copy(bytes) {
    this.bytes.set(bytes, this.used)
    return bytes.length
  }

  // Adds headers: each name and value after its size in four bytes; returns the size of all.
  addHeaders(headers) {
    const begin = this.used
    for (const name of Object.keys(headers)) {
      for (const part of [name, headers[name]]) {
        const at = this.used
        this.used += 4
        this.bytes.writeUInt32LE(this.add(part), at)
      }
    }
    return this.used - begin
  }

  // The slots of operations that are here, each with the moment when its time is over: never for
  // one that was not refused yet.
  *waiting(defaultMs) {
    for (let index = this.from; index < this.count; index++) {
      const at = index * RECORD_WORDS
      if (this.words[at] === 0) continue
      const stated = this.doubles[(at + 12) >> 1]
      const timeoutMs = Number.isNaN(stated) ? defaultMs : stated
      const since = this.doubles[(at + 14) >> 1]
      yield { at, slot: this.words[at + 1], until: since === 0 ? Infinity : since + timeoutMs }
    }
  }

  // Takes the waiting record at `at` out.
  drop(at) {
    this.words[at] = 0
    this.words[at + 1] = NO_SLOT
  }
}

module.exports = { Records }
