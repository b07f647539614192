'use strict'

// A queue of a hub, by name.

const native = require('./native.cjs')
const { Consumer } = require('./consumer.cjs')
const { PROPERTY_NAMES } = require('./core.cjs')
const { choice, known, time, whole } = require('./options.cjs')

const SEND_NAMES = ['timeoutMs', 'signal', ...PROPERTY_NAMES]
const DECLARE_NAMES = ['durability', 'lengthMax', 'bytesMax', 'overflow', 'timeoutMs', 'signal']
const DURABILITIES = ['memory', 'os', 'disk']

class Queue {
  #core
  #name

  constructor(core, name) {
    this.#core = core
    this.#name = name
  }

  get name() {
    return this.#name
  }

  declare(options) {
    return new Promise((resolve, reject) => {
      const given = known('declare', options, DECLARE_NAMES)
      const most = Number.MAX_SAFE_INTEGER
      const lengthMax = whole('lengthMax', given.lengthMax, 1, most, 0)
      const bytesMax = whole('bytesMax', given.bytesMax, 1, most, 0)
      const durability = choice('durability', given.durability, DURABILITIES)
      const overflow = choice('overflow', given.overflow, ['wait', 'reject'], 'wait')
      this.#core.begin(native.DECLARE, this.#name, given, { resolve, reject }, (batch, at) => {
        batch.words[at + 4] = batch.add(
          new Uint8Array(new Float64Array([lengthMax, bytesMax]).buffer),
        )
        batch.words[at + 7] = DURABILITIES.indexOf(durability) + 1
        batch.words[at + 8] = overflow === 'reject' ? 1 : 0
      })
    })
  }

  send(body, options) {
    return new Promise((resolve, reject) => {
      let timeoutMs = NaN
      if (options !== undefined) {
        timeoutMs = time('timeoutMs', known('send', options, SEND_NAMES).timeoutMs)
      }
      const entry = { resolve, reject, unwatch: undefined }
      this.#core.message(native.SEND, this.#name, body, options, timeoutMs, entry)
    })
  }

  receive(options) {
    return this.#core.start(native.RECEIVE, 'receive', this.#name, options)
  }

  consume(options) {
    return new Consumer(this.#core, this.#name, options)
  }

  inspect(options) {
    return this.#core.start(native.INSPECT, 'inspect', this.#name, options)
  }

  purge(options) {
    return this.#core.start(native.PURGE, 'purge', this.#name, options)
  }

  delete(options) {
    return this.#core.start(native.DELETE, 'delete', this.#name, options)
  }
}

module.exports = { Queue }
