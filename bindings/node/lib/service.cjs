'use strict'

// A served name: requests go to the handler, what it returns or throws goes back.

const native = require('./native.cjs')
const { invalid } = require('./error.cjs')
const { run } = require('./nesting.cjs')
const { NO_BYTES, Request, named, withdraw } = require('./message.cjs')
const { instanceName, known, show, whole } = require('./options.cjs')
const { PROPERTY_NAMES } = require('./properties.cjs')

const NAMES = ['concurrency', 'lineMax', 'instanceName', 'timeoutMs', 'signal']
const WHOLE_MAX = 0xffffffff
// What a failure is called that does not bring an integer `code`.
const CODE_DEFAULT = 1

class Service {
  #core
  #name
  #handler
  #slot
  #working = new Set()
  #closed

  constructor(core, name, handler, options, resolve, reject) {
    if (typeof handler !== 'function') {
      throw invalid(`the handler is ${show(handler)}; it must be a function`)
    }
    const given = known('serve', options, NAMES)
    const concurrency = whole(
      'concurrency',
      given.concurrency,
      0,
      WHOLE_MAX,
      native.CONCURRENCY_DEFAULT,
    )
    const lineMax = whole('lineMax', given.lineMax, 0, WHOLE_MAX, native.LINE_DEFAULT)
    const own = instanceName(given.instanceName)
    this.#core = core
    this.#name = name
    this.#handler = handler
    let ended, failed
    this.#closed = new Promise((resolveClosed, rejectClosed) => {
      ended = resolveClosed
      failed = rejectClosed
    })
    this.#closed.catch(() => {})
    const entry = {
      stops: true,
      resolve: ended,
      reject: (error) => {
        reject(error)
        if (core.ended) ended()
        else failed(error)
      },
      event: (what, at, pages) => this.#event(what, at, pages, resolve),
    }
    const write = (records, at) => {
      records.words[at + 7] = concurrency
      records.words[at + 8] = lineMax
      records.words[at + 9] = own === undefined ? 0 : 1
      if (own !== undefined) records.words[at + 4] = records.add(own)
    }
    const sizeMost = (own?.length ?? 0) * 3
    this.#slot = core.begin(native.SERVE, name, given, entry, { sizeMost, write })
  }

  get name() {
    return this.#name
  }

  get closed() {
    return this.#closed
  }

  #event(what, at, pages, started) {
    if (what === native.STARTED) return started(this)
    const token = pages.token(at)
    if (what === native.REQUEST) return this.#handle(token, pages.message(at))
    for (const { request } of this.#working) {
      if (named(request, token.low, token.high)) return withdraw(request)
    }
    return undefined
  }

  #handle(token, message) {
    const request = new Request(this.#core, this.#name, message, token)
    const work = { request, answered: false }
    this.#working.add(work)
    let result
    try {
      result = run(work, this.#handler)
    } catch (error) {
      return this.#fail(work, token, error)
    }
    if (typeof result?.then !== 'function') return this.#answer(work, token, result)
    return result.then(
      (value) => this.#answer(work, token, value),
      (error) => this.#fail(work, token, error),
    )
  }

  #answer(work, token, value) {
    this.#working.delete(work)
    work.answered = true
    try {
      if (value === undefined) value = NO_BYTES
      if (typeof value === 'string' || value instanceof Uint8Array) {
        return this.#core.reply(native.REPLY, token, value, 0)
      }
      if (value === null || typeof value !== 'object' || !('body' in value)) {
        const allowed = 'a Uint8Array, Buffer, string, undefined or { body, key, headers }'
        throw invalid(
          `the handler of "${this.#name}" returned ${show(value)}; it must be ${allowed}`,
        )
      }
      const { body, ...properties } = known('a reply', value, ['body', ...PROPERTY_NAMES])
      return this.#core.reply(native.REPLY, token, body, 0, properties)
    } catch (error) {
      return this.#fail(work, token, error)
    }
  }

  #fail(work, token, error) {
    this.#working.delete(work)
    work.answered = true
    const failure = describe(error)
    this.#core.reply(native.REPLY_ERROR, token, failure.text, failure.code)
  }

  async close() {
    if (!this.#core.closed) this.#core.detach(this.#slot)
    await this.#closed
  }
}
Service.prototype[Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')] =
  Service.prototype.close

// Code and text of whatever a handler threw, which may be anything.
function describe(error) {
  try {
    const code = Number.isInteger(error?.code) && (error.code | 0) === error.code
    const text = String(error instanceof Error ? error.message : error).slice(0, 4096)
    return { code: code ? error.code : CODE_DEFAULT, text }
  } catch {
    return { code: CODE_DEFAULT, text: 'the handler threw something that has no text' }
  }
}

// Serves a name; the promise ends with the service when it is live.
function serve(core, name, handler, options) {
  return new Promise((resolve, reject) => {
    new Service(core, name, handler, options, resolve, reject)
  })
}

module.exports = { Service, serve }
