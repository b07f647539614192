'use strict'

// A hub handle, as a program has it.

const { EventEmitter } = require('node:events')

const native = require('./native.cjs')
const { Batch } = require('./batch.cjs')
const { Core } = require('./core.cjs')
const { TelpherError, invalid } = require('./error.cjs')
const { Gather } = require('./gather.cjs')
const { timeLeft } = require('./nesting.cjs')
const { choice, flag, known, show, signal, text, time, whole } = require('./options.cjs')
const { PROPERTY_NAMES } = require('./properties.cjs')
const { Queue } = require('./queue.cjs')
const { serve } = require('./service.cjs')
const { Stream } = require('./stream.cjs')
const { Subscriber } = require('./subscriber.cjs')
const { Topic } = require('./topic.cjs')
const { Topics } = require('./topics.cjs')

const CALL_NAMES = ['timeoutMs', 'signal', ...PROPERTY_NAMES]
const OPEN_NAMES = [
  'drive',
  'host',
  'timeoutMs',
  'inFlightMax',
  'listen',
  'insecure',
  'sessionGraceMs',
  'signal',
]
// A goodbye that takes longer is given up, as the loop stands still for it.
const CLOSE_DEFAULT_MS = 2000
const EXIT_MS = 500
const SECRET = Symbol('telpher')

// The handles that are open, so that a program that leaves says goodbye.
const openCores = new Set()
let leaving = false

function leaveWith(core) {
  openCores.add(core)
  if (leaving) return
  leaving = true
  process.once('exit', () => {
    for (const each of openCores) each.close(EXIT_MS)
  })
}

class Hub extends EventEmitter {
  #core
  #info
  #closing

  constructor(secret, core) {
    super()
    if (secret !== SECRET) throw invalid('a Hub is made by telpher.open(url)')
    this.#core = core
  }

  static async open(url, options) {
    const given = openOptions(url, options)
    const aborted = signal(given.signal)
    if (aborted?.aborted) throw abortedOpen(aborted)
    let hub
    const tell = (notice) => process.nextTick(() => hub?.emit('notice', notice))
    const core = new Core(url, given.native, tell)
    hub = new Hub(SECRET, core)
    leaveWith(core)
    const abort = () => {
      core.fail(0, abortedOpen(aborted))
      hub.#end(0)
    }
    aborted?.addEventListener('abort', abort, { once: true })
    try {
      hub.#info = await core.opened
      return hub
    } catch (error) {
      hub.#end(0)
      throw error
    } finally {
      aborted?.removeEventListener('abort', abort)
    }
  }

  get info() {
    return this.#info
  }

  get capabilities() {
    return this.#core.handle.capabilities()
  }

  stats() {
    return this.#core.handle.stats()
  }

  call(service, body, options) {
    return new Promise((resolve, reject) => {
      let timeoutMs = NaN
      if (options !== undefined) {
        timeoutMs = time('timeoutMs', known('call', options, CALL_NAMES).timeoutMs)
      }
      const entry = { resolve, reject, unwatch: undefined }
      this.#core.message(native.CALL, service, body, options, timeLeft(timeoutMs), entry)
    })
  }

  serve(name, handler, options) {
    return serve(this.#core, name, handler, options)
  }

  gather(service, body, options) {
    const limit = (timeoutMs) => left(timeLeft(time('timeoutMs', timeoutMs)))
    return new Gather(this.#core, service, false, body, options, limit)
  }

  queue(name) {
    return new Queue(this.#core, text('a name', name))
  }

  stream(name) {
    return new Stream(this.#core, text('a name', name))
  }

  topic(name) {
    return new Topic(this.#core, text('a name', name))
  }

  topics(pattern) {
    return new Topics(this.#core, pattern)
  }

  subscribe(pattern, options) {
    return new Subscriber(this.#core, pattern, options)
  }

  batch() {
    return new Batch(this.#core)
  }

  flush() {
    this.#core.check()
    this.#core.outbox.flush()
  }

  async close(options) {
    const ms = time('timeoutMs', known('close', options, ['timeoutMs']).timeoutMs)
    this.#closing ??= this.#end(Number.isNaN(ms) ? CLOSE_DEFAULT_MS : ms)
    await this.#closing
  }

  async #end(timeoutMs) {
    openCores.delete(this.#core)
    this.#core.close(timeoutMs)
  }
}
Hub.prototype[Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')] = function dispose() {
  return this.close()
}

// Milliseconds as an option states them.
function left(ms) {
  return Number.isNaN(ms) ? undefined : ms
}

function abortedOpen(aborted) {
  return new TelpherError('CANCELLED', 'opening was aborted', { cause: aborted.reason })
}

// Where libuv's loop cannot be had, a thread turns the handle.
function driveDefault() {
  const foreign = process.versions.bun !== undefined || process.versions.deno !== undefined
  return !foreign && native.loopAvailable() ? 'loop' : 'thread'
}

function openOptions(url, options) {
  text('the URL', url)
  const given = known('open', options, OPEN_NAMES)
  const listen = given.listen ?? []
  if (!Array.isArray(listen))
    throw invalid(`listen is ${show(listen)}; it must be an array of URLs`)
  const graceMs = time('sessionGraceMs', given.sessionGraceMs)
  return {
    signal: given.signal,
    native: {
      drive: choice('drive', given.drive, ['loop', 'inline', 'thread'], driveDefault()),
      host: choice('host', given.host, ['auto', 'never', 'always'], 'auto'),
      timeoutMs: time('timeoutMs', given.timeoutMs),
      inFlightMax: whole('inFlightMax', given.inFlightMax, 1, native.IN_FLIGHT_MAX, 0),
      listen: listen.map((each) => text('an address of listen', each)),
      insecure: flag('insecure', given.insecure),
      sessionGraceMs: Number.isNaN(graceMs) ? -1 : Math.min(graceMs, native.TIMEOUT_MAX_MS),
    },
  }
}

module.exports = { Hub }
