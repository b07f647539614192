'use strict'

// Operations on their way to the addon.
//
// They gather in a batch that is handed over once per tick, after all promises have gone on; with
// nothing else open, at once. At the bound of what may be in flight the rest waits here, in order
// and within its own time, until the hub says that there is room again. What waits is bounded.

const native = require('./native.cjs')
const { TelpherError } = require('./error.cjs')
const { Records } = require('./records.cjs')

const RECORDS_MAX = 256
const SIZE_MIN = 64 * 1024
const INDEX_MASK = native.SUBMITTED_EVENTS - 1
const WAITING_BATCHES_MAX = 1024
const WAITING_BYTES_MAX = 256 * 1024 * 1024
// How coarse the clock on waiting operations is, so that many of them cost one timer.
const EXPIRY_STEP_MS = 5

class Outbox {
  // `ended(slot, error)` is told of what ended while it waited; `arrived()` of events to be polled.
  constructor(handle, ended, arrived) {
    this.handle = handle
    this.ended = ended
    this.arrived = arrived
    this.batches = [new Records(RECORDS_MAX, SIZE_MIN)]
    this.waitingBytes = 0
    this.blocked = false
    this.scheduled = false
    this.timer = undefined
    this.expiry = Infinity
    this.flushLater = () => this.flush()
  }

  // The batch to write the next record to. `makesRoom`: it may be added while others wait.
  tail(sizeMost, makesRoom) {
    if (this.blocked && !makesRoom) this.#checkRoom()
    const batch = this.batches[this.batches.length - 1]
    if (batch.fits(sizeMost) && !isOversized(batch, sizeMost)) return batch
    return this.#next(batch, sizeMost)
  }

  #checkRoom() {
    if (this.batches.length <= WAITING_BATCHES_MAX && this.waitingBytes <= WAITING_BYTES_MAX) return
    const count = this.batches.length * RECORDS_MAX
    const text = `${count} operations with ${this.waitingBytes} bytes wait for room already`
    throw new TelpherError('FULL', `${text}; await some of them first`)
  }

  #next(batch, sizeMost) {
    this.#hand(batch, 0)
    if (batch.count === 0) {
      if (batch.fits(sizeMost) && !isOversized(batch, sizeMost)) return batch
      this.batches.pop()
    }
    const next = new Records(RECORDS_MAX, Math.max(SIZE_MIN, sizeMost))
    this.batches.push(next)
    this.#weigh()
    return next
  }

  #weigh() {
    this.waitingBytes = 0
    for (const batch of this.batches) this.waitingBytes += batch.size
  }

  // The moment that goes into a record: now if it has to wait, else 0.
  since() {
    return this.blocked ? performance.now() : 0
  }

  // Hands over what has gathered: at once if nothing else is open, else when this tick ends.
  schedule(timeoutMs, alone) {
    if (this.blocked)
      this.#armAt(
        performance.now() + (Number.isNaN(timeoutMs) ? native.TIMEOUT_DEFAULT_MS : timeoutMs),
      )
    if (this.scheduled) return
    if (alone) return void this.flush()
    this.scheduled = true
    process.nextTick(this.flushLater)
  }

  flush() {
    this.scheduled = false
    this.#hand(this.batches[this.batches.length - 1], native.SUBMIT_FLUSH)
  }

  // Submits the last batch: what is refused for the first time begins to wait.
  #hand(batch, mode) {
    this.#submit(batch, mode)
    if (this.blocked) this.#arm(batch)
  }

  #submit(batch, mode) {
    const flags = this.blocked ? mode | native.SUBMIT_BLOCKED : mode
    const now = performance.now()
    const result = this.handle.submit(batch.words, batch.bytes, batch.from, now, flags)
    batch.from = Math.min(result & INDEX_MASK, batch.count)
    if ((result & native.SUBMITTED_FULL) !== 0) this.blocked = true
    if (batch.from === batch.count) batch.clear()
    if ((result & native.SUBMITTED_EVENTS) !== 0) queueMicrotask(this.arrived)
  }

  // There is room again: what waits goes first, in its order.
  ready() {
    this.blocked = false
    while (this.batches.length > 0) {
      this.#submit(this.batches[0], native.SUBMIT_FLUSH)
      if (this.blocked || this.batches.length === 1) break
      this.batches.shift()
    }
    if (this.blocked) this.#arm(this.batches[this.batches.length - 1])
    this.#weigh()
  }

  // Takes the operation of `slot` out if it still waits here.
  withdraw(slot) {
    for (const batch of this.batches) {
      for (const record of batch.waiting(native.TIMEOUT_DEFAULT_MS)) {
        if (record.slot !== slot) continue
        batch.drop(record.at)
        return true
      }
    }
    return false
  }

  // Sees to it that a timer runs out no later than the first operation that waits in `batch`.
  #arm(batch) {
    let first = Infinity
    for (const { until } of batch.waiting(native.TIMEOUT_DEFAULT_MS)) {
      if (until < first) first = until
    }
    this.#armAt(first)
  }

  #armAt(first) {
    if (first >= this.expiry) return
    clearTimeout(this.timer)
    this.expiry = first
    const pause = Math.max(EXPIRY_STEP_MS, first - performance.now())
    // A timer cannot be set for longer than this; it is armed again when it runs out early.
    this.timer = setTimeout(() => this.#expire(), Math.min(pause, 0x7fffffff))
  }

  #expire() {
    this.expiry = Infinity
    const now = performance.now()
    for (const batch of this.batches) {
      for (const { at, slot, until } of batch.waiting(native.TIMEOUT_DEFAULT_MS)) {
        if (until > now) continue
        batch.drop(at)
        const text = 'as much as may be was in flight for the whole time of the operation'
        this.ended(slot, new TelpherError('FULL', text))
      }
      this.#arm(batch)
    }
  }

  // Hands everything over; true if nothing has to wait.
  drain() {
    this.flush()
    return this.batches.length === 1 && this.batches[0].count === 0
  }

  // Gives up; returns the slots of what still waits.
  close() {
    clearTimeout(this.timer)
    this.expiry = -Infinity
    const slots = []
    for (const batch of this.batches) {
      for (const { at, slot } of batch.waiting(0)) {
        batch.drop(at)
        slots.push(slot)
      }
    }
    return slots
  }
}

// True for what was made for one large body and is now empty: a small one shall not keep it.
function isOversized(batch, sizeMost) {
  return batch.count === 0 && batch.size > SIZE_MIN && sizeMost <= SIZE_MIN
}

module.exports = { Outbox }
