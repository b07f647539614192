'use strict'

// What arrives for a consumer, subscriber or reader, as an asynchronous iterator. An item goes to
// whoever has waited longest, or waits here itself, in its order; each is handed out once.

const native = require('./native.cjs')
const { TelpherError, cancelled } = require('./error.cjs')
const { limited } = require('./limited.cjs')
const { known, signal, time } = require('./options.cjs')

const DONE = Object.freeze({ value: undefined, done: true })

class Arrivals {
  #core
  #slot
  #letGo
  #took
  #keeps
  #items = []
  #head = 0
  #waiting = []
  #error
  #stopped = false
  #started
  #closed

  // `start(entry)` starts the operation and returns its slot; `read(at, pages)` makes an item of an
  // event. What nobody has seen at the end is let go of: `letGo(item)`. `took(item, slot)` is told
  // of each that is handed out while the operation is open. `keeps`: what has arrived is still
  // handed out when the operation has ended by itself. `skip(at, pages)` is told of what never
  // comes to a reader.
  constructor(core, options) {
    const { start, read, letGo } = options
    this.#took = options.took
    this.#keeps = options.keeps === true
    this.#core = core
    this.#letGo = letGo
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
      resolve: () => this.#end(undefined, entry, ended, failed),
      reject: (error) => this.#end(error, entry, ended, failed),
      event: (what, at, pages) => {
        if (what === native.STARTED) started()
        // Whether somebody still waits for an answer, a message says when it is asked.
        else if (what === native.SKIPPED) options.skip(at, pages)
        else if (what !== native.WITHDRAWN) this.#put(read(at, pages))
      },
    }
    this.#slot = start(entry)
  }

  get started() {
    return this.#started
  }

  #put(item) {
    if (this.#stopped) return this.#letGo(item)
    const waiter = this.#waiting.shift()
    if (waiter) return this.#give(waiter, item)
    this.#items.push(item)
    return undefined
  }

  #give(waiter, item) {
    if (!this.#stopped) this.#took?.(item, this.#slot)
    waiter.resolve({ value: item, done: false })
  }

  #take() {
    if (this.#head === this.#items.length) return undefined
    const item = this.#items[this.#head]
    this.#items[this.#head++] = undefined
    if (this.#head === this.#items.length || this.#head === 1024) {
      this.#items.splice(0, this.#head)
      this.#head = 0
    }
    return item
  }

  #end(error, { signal: aborted }, ended, reject) {
    const own = this.#stopped || this.#core.ended
    this.#stopped = true
    if (!own) this.#error = error
    if (error) reject(error)
    if (own || aborted?.aborted || !this.#keeps) {
      this.#items = []
      this.#head = 0
    }
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

  #wait(waiter) {
    const item = this.#take()
    if (item !== undefined) this.#give(waiter, item)
    else if (this.#stopped) this.#finish(waiter)
    else this.#waiting.push(waiter)
  }

  #endText() {
    return this.#keeps ? 'it was closed, or is at its end' : 'it was closed'
  }

  next() {
    return new Promise((resolve, reject) => this.#wait({ resolve, reject }))
  }

  receive(options) {
    return new Promise((resolve, reject) => {
      const given = known('receive', options, ['timeoutMs', 'signal'])
      const timeoutMs = time('timeoutMs', given.timeoutMs)
      const ms = Number.isNaN(timeoutMs) ? native.TIMEOUT_DEFAULT_MS : timeoutMs
      const aborted = signal(given.signal)
      if (aborted?.aborted) throw cancelled(aborted)
      let done
      const waiter = {
        resolve: (result) => {
          done?.()
          if (result.done) reject(new TelpherError('CLOSED', this.#endText()))
          else resolve(result.value)
        },
        reject: (error) => {
          done?.()
          reject(error)
        },
      }
      this.#wait(waiter)
      if (this.#waiting.at(-1) !== waiter) return
      done = limited(ms, aborted, (error) => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        reject(error)
      })
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
    const isOpen = !this.#stopped
    this.#stopped = true
    for (let item; (item = this.#take()) !== undefined;) this.#letGo(item)
    if (isOpen) this.#core.detach(this.#slot)
    await this.#closed
  }
}
Arrivals.prototype[Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')] =
  Arrivals.prototype.close

module.exports = { Arrivals }
