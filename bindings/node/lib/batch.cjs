'use strict'

// One batch of operations: fixed records, and the bytes of bodies, keys and headers beside them.
// The layout is stated in the addon's `layout.rs`.

const { RECORD_WORDS, NO_SLOT } = require('./native.cjs')

const RECORDS_MAX = 256
const BYTES_MIN = 64 * 1024

class Batch {
  constructor(sizeLeast) {
    this.size = Math.max(BYTES_MIN, sizeLeast)
    this.words = new Uint32Array(RECORDS_MAX * RECORD_WORDS)
    this.doubles = new Float64Array(this.words.buffer)
    this.bytes = Buffer.allocUnsafeSlow(this.size)
    this.clear()
  }

  clear() {
    this.from = 0
    this.count = 0
    this.used = 0
  }

  fits(sizeMost) {
    return this.count < RECORDS_MAX && this.used + sizeMost <= this.size
  }

  // True if this was made for one large body and is now empty: a small one shall not keep it.
  oversized(sizeMost) {
    return this.count === 0 && this.size > BYTES_MIN && sizeMost <= BYTES_MIN
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

module.exports = { Batch, RECORDS_MAX }
