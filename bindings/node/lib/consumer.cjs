'use strict'

// Jobs of a queue, as an asynchronous iterator. At most `prefetch` are held at once, those that
// wait here included, so that this never grows beyond it. What nobody has seen goes back when the
// consumer is closed; a job that was handed out stays the program's to settle.

const native = require('./native.cjs')
const { giveBack } = require('./job.cjs')
const { known, whole } = require('./options.cjs')

const NAMES = ['prefetch', 'ackDeadlineMs', 'timeoutMs', 'signal']
const DONE = Object.freeze({ value: undefined, done: true })
const WHOLE_MAX = 0xffffffff

class Consumer {
  #core
  #slot
  #jobs = []
  #head = 0
  #waiting = []
  #error
  #stopped = false
  #started
  #closed

  constructor(core, queue, options) {
    const given = known('consume', options, NAMES)
    const prefetch = whole('prefetch', given.prefetch, 0, WHOLE_MAX, native.PREFETCH_DEFAULT)
    const ackDeadlineMs = whole('ackDeadlineMs', given.ackDeadlineMs, 1, native.DELAY_MAX_MS, 0)
    this.#core = core
    let ended, started, failed
    this.#closed = new Promise((resolve) => (ended = resolve))
    this.#started = new Promise((resolve, reject) => {
      started = resolve
      failed = reject
    })
    // Whoever iterates is told of a failure there, also when nobody awaits `started`.
    this.#started.catch(() => {})
    const entry = {
      stops: true,
      resolve: () => this.#end(undefined, ended, failed),
      reject: (error) => this.#end(error, ended, failed),
      event: (what, at) => (what === native.STARTED ? started() : this.#put(core.job(at))),
    }
    const write = (records, at) => {
      records.words[at + 7] = prefetch
      records.words[at + 8] = ackDeadlineMs
    }
    this.#slot = core.begin(native.CONSUME, queue, given, entry, { sizeMost: 0, write })
  }

  get started() {
    return this.#started
  }

  #put(job) {
    if (this.#stopped) return giveBack(job)
    const waiter = this.#waiting.shift()
    if (waiter) waiter.resolve({ value: job, done: false })
    else this.#jobs.push(job)
  }

  #take() {
    if (this.#head === this.#jobs.length) return undefined
    const job = this.#jobs[this.#head]
    this.#jobs[this.#head++] = undefined
    if (this.#head === this.#jobs.length || this.#head === 1024) {
      this.#jobs.splice(0, this.#head)
      this.#head = 0
    }
    return job
  }

  #end(error, ended, reject) {
    const own = this.#stopped || this.#core.ended
    this.#stopped = true
    if (!own) this.#error = error
    if (error) reject(error)
    this.#jobs = []
    this.#head = 0
    for (const waiter of this.#waiting.splice(0)) this.#finish(waiter)
    ended()
  }

  // A failure is told once; after it the iterator is at its end.
  #finish(waiter) {
    const error = this.#error
    this.#error = undefined
    if (error) waiter.reject(error)
    else waiter.resolve(DONE)
  }

  next() {
    const job = this.#take()
    if (job !== undefined) return Promise.resolve({ value: job, done: false })
    return new Promise((resolve, reject) => {
      if (this.#stopped) this.#finish({ resolve, reject })
      else this.#waiting.push({ resolve, reject })
    })
  }

  async return(value) {
    await this.close()
    return { value, done: true }
  }

  [Symbol.asyncIterator]() {
    return this
  }

  async close() {
    if (!this.#stopped) {
      this.#stopped = true
      for (const job of this.#jobs.splice(0).slice(this.#head)) giveBack(job)
      this.#head = 0
      this.#core.detach(this.#slot)
    }
    await this.#closed
  }
}
Consumer.prototype[Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')] =
  Consumer.prototype.close

module.exports = { Consumer }
