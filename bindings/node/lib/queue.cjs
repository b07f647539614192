'use strict'

// A queue of a hub, by name.

const native = require('./native.cjs')
const { QUEUE, binding } = require('./binding.cjs')
const { Consumer } = require('./consumer.cjs')
const { PROPERTY_NAMES } = require('./properties.cjs')
const { choice, known, span, time, whole } = require('./options.cjs')

const SEND_NAMES = ['timeoutMs', 'signal', ...PROPERTY_NAMES]
const DECLARE_NAMES = [
  'durability',
  'lengthMax',
  'bytesMax',
  'overflow',
  'maxAttempts',
  'backoffMinMs',
  'backoffMaxMs',
  'ackDeadlineMs',
  'ttlMs',
  'deadLetter',
  'timeoutMs',
  'signal',
]
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
      const numbers = new Uint8Array(new Float64Array(figures(given)).buffer)
      const durability = choice('durability', given.durability, DURABILITIES)
      const overflow = choice('overflow', given.overflow, ['wait', 'reject'], 'wait')
      const deadLetter = given.deadLetter ?? ''
      if (given.deadLetter !== undefined) this.#core.name(given.deadLetter, 'deadLetter')
      const write = (records, at) => {
        records.words[at + 4] = records.add(numbers)
        records.words[at + 5] = records.add(deadLetter)
        records.words[at + 7] = DURABILITIES.indexOf(durability) + 1
        records.words[at + 8] = overflow === 'reject' ? 1 : 0
      }
      const more = { sizeMost: numbers.length + deadLetter.length, write }
      this.#core.begin(native.DECLARE, this.#name, given, { resolve, reject }, more)
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

  bind(pattern, options) {
    return binding(this.#core, 'bind', [QUEUE, this.#name], pattern, options)
  }

  unbind(pattern, options) {
    return binding(this.#core, 'unbind', [QUEUE, this.#name], pattern, options)
  }

  purge(options) {
    return this.#core.start(native.PURGE, 'purge', this.#name, options)
  }

  delete(options) {
    return this.#core.start(native.DELETE, 'delete', this.#name, options)
  }
}

// The numbers of a declaration, in the order that the addon reads; 0 for what is not stated.
function figures(given) {
  const number = (what, most) => whole(what, given[what], 1, most, 0)
  return [
    number('lengthMax', Number.MAX_SAFE_INTEGER),
    number('bytesMax', Number.MAX_SAFE_INTEGER),
    number('maxAttempts', native.ATTEMPTS_MAX),
    number('backoffMinMs', native.DELAY_MAX_MS),
    number('backoffMaxMs', native.DELAY_MAX_MS),
    span('ackDeadlineMs', given.ackDeadlineMs, native.DELAY_MAX_MS),
    span('ttlMs', given.ttlMs, native.TIMEOUT_MAX_MS),
  ]
}

module.exports = { Queue }
