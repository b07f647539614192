'use strict'

// Answers of many to one request, as they come. The hub sends on as soon as an answer is here, so
// this is where those of a slow program gather: beyond 64 MiB they are lost, and their instances
// missing.

const native = require('./native.cjs')
const { TelpherError } = require('./error.cjs')
const { known, sizeMost, whole, within } = require('./options.cjs')
const { PROPERTY_NAMES, addProperties, propertiesSize } = require('./properties.cjs')

const NAMES = ['count', 'timeoutMs', 'signal', ...PROPERTY_NAMES]
const DONE = Object.freeze({ value: undefined, done: true })

class Gather {
  #core
  #slot
  #entry
  #answers = []
  #bytes = 0
  #lost = []
  #waiting = []
  #gathered
  #error
  #told = false
  #ended
  #end

  // `limit(timeoutMs)` is the time that there is at most.
  constructor(core, name, isTopic, body, options, limit) {
    const given = known('gather', options, NAMES)
    const count = whole('count', given.count, 0, native.GATHER_ASKED_MAX, 0)
    const size = sizeMost('body', body)
    if (size > native.BODY_SIZE_MAX) within('body', body, native.BODY_SIZE_MAX)
    const write = (records, at) => {
      records.words[at + 4] = records.add(body)
      addProperties(records, at, given)
      records.words[at + 8] = count
      records.words[at + 9] = isTopic ? 1 : 0
    }
    const more = { sizeMost: size + propertiesSize(given), write }
    this.#core = core
    this.#ended = new Promise((resolve) => (this.#end = resolve))
    this.#entry = {
      resolve: (gathered) => this.#finish(gathered, undefined),
      reject: (error) => this.#finish(undefined, error),
      event: (what, at, pages) => this.#put(pages.answer(at)),
    }
    const limited = { timeoutMs: limit(given.timeoutMs), signal: given.signal }
    this.#slot = core.begin(native.GATHER, name, limited, this.#entry, more)
  }

  #put(answer) {
    const size = answer.body?.length ?? 0
    if (answer.error?.code === 'LOST' || this.#bytes + size > native.GATHER_BYTES_MAX) {
      return void this.#lost.push(answer)
    }
    const waiter = this.#waiting.shift()
    if (waiter) return waiter.resolve({ value: answer, done: false })
    this.#answers.push(answer)
    this.#bytes += size
    return undefined
  }

  #finish(gathered, error) {
    if (gathered !== undefined) this.#gathered = this.#withoutLost(gathered)
    this.#error = error
    for (const waiter of this.#waiting.splice(0)) this.#tellEnd(waiter)
    this.#end()
  }

  #withoutLost(gathered) {
    for (const { instance, instanceName, error } of this.#lost) {
      if (error === undefined || error.code === 'LOST') gathered.answered--
      else gathered.failed--
      const options = { maybeExecuted: true }
      const text = 'the program took the answers too slowly'
      const lost = new TelpherError('LOST', text, options)
      gathered.missing.push({ instance, instanceName, error: lost })
    }
    return gathered
  }

  get #isOver() {
    return this.#gathered !== undefined || this.#error !== undefined
  }

  // A failure is told to the iterator once; after it that is at its end.
  #tellEnd(waiter) {
    if (this.#error === undefined || this.#told) return waiter.resolve(DONE)
    this.#told = true
    return waiter.reject(this.#error)
  }

  next() {
    return new Promise((resolve, reject) => {
      const answer = this.#answers.shift()
      if (answer !== undefined) {
        this.#bytes -= answer.body?.length ?? 0
        resolve({ value: answer, done: false })
      } else if (this.#isOver) this.#tellEnd({ resolve, reject })
      else this.#waiting.push({ resolve, reject })
    })
  }

  async result() {
    await this.#ended
    this.#answers = []
    if (this.#error === undefined) return this.#gathered
    throw this.#error
  }

  get missing() {
    return this.#gathered?.missing ?? []
  }

  cancel() {
    if (!this.#isOver) this.#core.cancelGather(this.#slot, this.#entry)
  }

  async return(value) {
    this.cancel()
    return { value, done: true }
  }

  [Symbol.asyncIterator]() {
    return this
  }

  async close() {
    this.cancel()
    await this.#ended
  }
}
Gather.prototype[Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')] = Gather.prototype.close

module.exports = { Gather }
