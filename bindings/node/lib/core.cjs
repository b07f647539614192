'use strict'

// What stands between a hub's public face and the addon: slots, the turn, the end.
//
// Each outcome that somebody waits for has a slot. A turn takes batches of events and gives each to
// its slot; promises go on when the turn is over, and what they start goes out in one batch.
// The program is kept alive exactly while a slot other than the hub's own is taken.

const native = require('./native.cjs')
const { TelpherError, cancelled, fromThrown } = require('./error.cjs')
const { addProperties, propertiesSize } = require('./properties.cjs')
const {
  known,
  reason,
  signal: checkSignal,
  sizeMost,
  text,
  time,
  within,
} = require('./options.cjs')
const { groupsOf } = require('./groups.cjs')
const { Outbox } = require('./outbox.cjs')
const { Pages, RECORDS_MAX } = require('./pages.cjs')
const { Job } = require('./job.cjs')

const { NO_SLOT, RECORD_WORDS } = native
// Batches of one turn; then timers and other sockets have their turn first.
const BATCHES_MAX = 8
const NAMES_MAX = 4096
const STARTED_NAMES = ['timeoutMs', 'signal']

class Core {
  constructor(url, options, onNotice) {
    this.onNotice = onNotice
    this.slots = []
    this.free = []
    this.held = false
    this.turning = false
    this.names = new Map()
    // Why nothing can be started any more; `ended` if the program itself has closed the hub.
    this.closed = undefined
    this.ended = false
    this.turn = this.turn.bind(this)
    this.opened = new Promise((resolve, reject) => this.take({ resolve, reject }))
    // The opening has a fate of its own, also when nobody waits for it any more.
    this.opened.catch(() => {})
    try {
      this.handle = native.open(url, options, this.turn)
    } catch (error) {
      throw fromThrown(error)
    }
    this.pages = new Pages(this.handle)
    this.outbox = new Outbox(this.handle, this.fail.bind(this), this.turn)
    this.hold()
  }

  take(entry) {
    const slot = this.free.length > 0 ? this.free.pop() : this.slots.length
    this.slots[slot] = entry
    return slot
  }

  // Ends a slot; undefined if it has ended before.
  drop(slot) {
    const entry = this.slots[slot]
    if (entry === undefined) return undefined
    this.slots[slot] = undefined
    this.free.push(slot)
    if (entry.unwatch !== undefined) entry.unwatch()
    return entry
  }

  fail(slot, error) {
    const entry = this.drop(slot)
    if (entry !== undefined) entry.reject(error)
  }

  get open() {
    return this.slots.length - this.free.length
  }

  hold() {
    const held = this.open > 0
    if (held === this.held) return
    this.held = held
    this.handle.hold(held)
  }

  check() {
    if (this.closed !== undefined) throw this.closed
  }

  name(name, what) {
    const known = this.names.get(name)
    if (known !== undefined) return known
    text(what, name)
    if (this.names.size >= NAMES_MAX && this.outbox.drain()) {
      this.handle.forgetNames()
      this.names.clear()
    }
    try {
      const number = this.handle.intern(name)
      this.names.set(name, number)
      return number
    } catch (error) {
      throw fromThrown(error)
    }
  }

  // Starts an operation without a message; its promise ends with what the hub says.
  start(kind, what, name, options) {
    return new Promise((resolve, reject) => {
      this.begin(kind, name, known(what, options, STARTED_NAMES), { resolve, reject })
    })
  }

  // Starts an operation and returns its slot. `more` is what its record carries beside the name:
  // `write(records, at)`, which adds no more than `sizeMost` bytes.
  begin(kind, name, options, entry, more) {
    this.check()
    return this.#begin(kind, this.name(name, 'a name'), options, entry, more)
  }

  // The same for what has no name.
  beginUnnamed(kind, options, entry, more) {
    this.check()
    return this.#begin(kind, 0, options, entry, more)
  }

  #begin(kind, number, options, entry, more) {
    const timeoutMs = time('timeoutMs', options.timeoutMs)
    const signal = checkSignal(options.signal)
    if (signal?.aborted) throw cancelled(signal)
    const batch = this.outbox.tail(more === undefined ? 0 : more.sizeMost, kind >= native.SERVE)
    const alone = this.open === 0
    const slot = this.take(entry)
    if (signal !== undefined) this.#watch(slot, entry, signal)
    const at = batch.begin(kind, slot, number, timeoutMs, this.outbox.since())
    more?.write(batch, at)
    if (!this.held) this.hold()
    this.outbox.schedule(timeoutMs, alone)
    return slot
  }

  // Starts a call, send, publish or append. This is the hot path: one record, no further objects.
  // `write(records, at, options)` adds what only an append has.
  message(kind, name, body, options, timeoutMs, entry, write) {
    this.check()
    const number = this.names.get(name) ?? this.name(name, 'a name')
    const size = sizeMost('body', body)
    if (size > native.BODY_SIZE_MAX) within('body', body, native.BODY_SIZE_MAX)
    const signal = options === undefined ? undefined : checkSignal(options.signal)
    if (signal?.aborted) throw cancelled(signal)
    const more = options === undefined ? 0 : propertiesSize(options)
    const batch = this.outbox.tail(size + more, false)
    const alone = this.open === 0
    const slot = this.take(entry)
    if (signal !== undefined) this.#watch(slot, entry, signal)
    const at = batch.begin(kind, slot, number, timeoutMs, this.outbox.since())
    batch.words[at + 4] = batch.add(body)
    if (more !== 0) addProperties(batch, at, options)
    if (write !== undefined) write(batch, at, options)
    if (!this.held) this.hold()
    this.outbox.schedule(timeoutMs, alone)
  }

  // Ends `slot` when `signal` is aborted.
  #watch(slot, entry, signal) {
    const abort = () => this.cancel(slot, entry, signal)
    signal.addEventListener('abort', abort, { once: true })
    entry.signal = signal
    entry.unwatch = () => signal.removeEventListener('abort', abort)
  }

  cancel(slot, entry, signal) {
    if (this.slots[slot] !== entry) return
    this.outbox.flush()
    if (this.outbox.withdraw(slot)) {
      this.fail(slot, cancelled(signal))
      this.hold()
    } else if (entry.stops) {
      this.handle.detach(slot)
    } else {
      this.handle.cancel(slot)
    }
  }

  // Ends a gather whose answers nobody wants any more.
  cancelGather(slot, entry) {
    if (this.slots[slot] !== entry || this.closed !== undefined) return
    this.outbox.flush()
    if (this.outbox.withdraw(slot))
      this.fail(slot, new TelpherError('CANCELLED', 'it was cancelled'))
    else this.handle.cancel(slot)
    this.hold()
  }

  settle(token, verdict, given, options) {
    return new Promise((resolve, reject) => {
      const { timeoutMs } = known(verdict, options, ['timeoutMs'])
      const ms = time('timeoutMs', timeoutMs)
      const why = reason(given)
      this.check()
      const batch = this.outbox.tail(sizeMost('reason', why), true)
      const slot = this.take({ resolve, reject })
      const at = batch.begin(native.SETTLE, slot, 0, ms, this.outbox.since())
      batch.settle(at, token, verdict, why)
      if (!this.held) this.hold()
      this.outbox.schedule(ms, false)
    })
  }

  // Gives a message back untouched, that the program was never shown.
  release(token) {
    if (this.closed !== undefined) return
    const batch = this.outbox.tail(0, true)
    const at = batch.begin(native.SETTLE, NO_SLOT, 0, NaN, this.outbox.since())
    batch.settle(at, token, 'release', '')
    this.outbox.schedule(NaN, false)
  }

  // Answers a request; nobody waits for the outcome.
  reply(kind, token, body, small, options) {
    if (this.closed !== undefined) return
    const more = options === undefined ? 0 : propertiesSize(options)
    const batch = this.outbox.tail(sizeMost('the reply', body) + more, true)
    const at = batch.begin(kind, NO_SLOT, 0, NaN, this.outbox.since())
    batch.words[at + 4] = batch.add(body)
    if (more !== 0) addProperties(batch, at, options)
    if (small !== 0) batch.words[at + 7] = small
    batch.name(at, token)
    this.outbox.schedule(NaN, false)
  }

  // Stops a consumer, subscriber or service; what was started before goes out first.
  detach(slot) {
    this.outbox.flush()
    if (this.outbox.withdraw(slot)) this.fail(slot, new TelpherError('CANCELLED', 'it was closed'))
    else this.handle.detach(slot)
  }

  // The program has taken what came for the reader or subscriber of `slot`.
  taken(slot, count, bytes) {
    if (this.closed === undefined) this.handle.taken(slot, count, bytes)
  }

  remainingMs(token) {
    return this.closed === undefined ? this.handle.remainingMs(token.low, token.high) : 0
  }

  // Takes what has arrived. What handlers do meanwhile may not start a second turn.
  turn() {
    if (this.turning) return
    this.turning = true
    try {
      for (let batches = 0; this.#batch();) {
        if (++batches < BATCHES_MAX) continue
        if (this.pages.more) setImmediate(this.turn)
        break
      }
    } catch (error) {
      this.#fall(fromThrown(error))
    } finally {
      this.turning = false
    }
    if (this.held && this.open === 0) this.hold()
  }

  // True if there may be more.
  #batch() {
    const count = this.pages.next()
    for (let index = 1; index <= count; index++) this.#event(index * RECORD_WORDS)
    this.pages.renew()
    return this.pages.more || count === RECORDS_MAX
  }

  #event(at) {
    const what = this.pages.words[at]
    const slot = this.pages.words[at + 1]
    if (slot === NO_SLOT) return this.#own(what, at)
    if (what > native.ERROR) return this.slots[slot]?.event(what, at, this.pages)
    const entry = this.drop(slot)
    if (entry === undefined) return undefined
    if (what !== native.ERROR) return entry.resolve(this.#value(what, at))
    const error = this.pages.error(at)
    if (error.code === 'CANCELLED' && entry.signal?.aborted) error.cause = entry.signal.reason
    return entry.reject(error)
  }

  #value(what, at) {
    switch (what) {
      case native.REPLIED:
        return this.pages.body(at)
      case native.RECEIPT:
        return this.pages.receipt(at)
      case native.RECEIVED:
        return this.job(at)
      case native.COUNT:
        return this.pages.number(at)
      case native.QUEUE_INFO:
        return this.pages.queueInfo(at)
      case native.RECEIPTS:
        return this.pages.receipts(at)
      case native.APPENDED:
        return this.pages.appended(at)
      case native.STREAM_INFO:
        return this.pages.streamInfo(at)
      case native.TOPIC_INFO:
        return this.pages.topicInfo(at)
      case native.GROUPS:
        return groupsOf(this.pages.body(at))
      case native.GATHERED:
        return this.pages.gathered(at)
      case native.OPENED:
        return this.pages.hubInfo(at)
      default:
        return undefined
    }
  }

  job(at) {
    return new Job(this, this.pages.message(at), this.pages.token(at))
  }

  // Something of the handle itself: readiness, a notice, or its fault.
  #own(what, at) {
    if (what === native.READY) this.outbox.ready()
    else if (what === native.NOTICE) this.onNotice(this.pages.notice(at))
    else if (what === native.ERROR) this.#fall(this.pages.error(at))
  }

  // The handle does not work any more: everything that is open ends with the reason.
  #fall(error) {
    this.closed ??= error
    for (let slot = 0; slot < this.slots.length; slot++) this.fail(slot, error)
  }

  // Says goodbye; everything that is still open ends as CLOSED.
  close(timeoutMs) {
    if (this.closed === undefined) this.outbox.flush()
    this.ended = true
    this.closed ??= new TelpherError('CLOSED', 'the hub was closed')
    for (const slot of this.outbox.close()) {
      this.fail(slot, new TelpherError('CLOSED', 'the hub was closed before it was started'))
    }
    this.handle.close(timeoutMs)
    this.turn()
    while (this.pages.more && !this.turning) this.turn()
    const text = 'the hub was closed while the operation was open'
    this.#fall(new TelpherError('CLOSED', text, { maybeExecuted: true }))
    this.handle.free()
  }
}

module.exports = { Core }
