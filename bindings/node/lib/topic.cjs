'use strict'

// A topic of a hub, by name.

const native = require('./native.cjs')
const { Gather } = require('./gather.cjs')
const { known, time } = require('./options.cjs')
const { PROPERTY_NAMES } = require('./properties.cjs')

const PUBLISH_NAMES = ['timeoutMs', 'signal', ...PROPERTY_NAMES]

class Topic {
  #core
  #name

  constructor(core, name) {
    this.#core = core
    this.#name = name
  }

  get name() {
    return this.#name
  }

  publish(body, options) {
    return new Promise((resolve, reject) => {
      let timeoutMs = NaN
      if (options !== undefined) {
        timeoutMs = time('timeoutMs', known('publish', options, PUBLISH_NAMES).timeoutMs)
      }
      const entry = { resolve, reject, unwatch: undefined }
      this.#core.message(native.PUBLISH, this.#name, body, options, timeoutMs, entry)
    })
  }

  gather(body, options) {
    return new Gather(this.#core, this.#name, true, body, options, (timeoutMs) => timeoutMs)
  }
}

module.exports = { Topic }
