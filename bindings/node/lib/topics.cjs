'use strict'

// Topics of a hub by a pattern that they match: how they are declared.

const native = require('./native.cjs')
const { choice, known, text, whole, within } = require('./options.cjs')

const DECLARE_NAMES = ['overflow', 'lineMax', 'timeoutMs', 'signal']

class Topics {
  #core
  #pattern

  constructor(core, pattern) {
    within('pattern', text('the pattern', pattern), native.NAME_SIZE_MAX)
    this.#core = core
    this.#pattern = pattern
  }

  get pattern() {
    return this.#pattern
  }

  declare(options) {
    return new Promise((resolve, reject) => {
      const given = known('declare', options, DECLARE_NAMES)
      const overflow = choice('overflow', given.overflow, ['drop', 'wait'], 'drop')
      const lineMax = whole('lineMax', given.lineMax, 1, native.LINE_MAX, 0)
      this.#begin(native.DECLARE_TOPIC, given, { resolve, reject }, (words, at) => {
        words[at + 7] = lineMax
        words[at + 8] = overflow === 'wait' ? 1 : 0
      })
    })
  }

  inspect(options) {
    return this.#ask(native.INSPECT_TOPIC, 'inspect', options)
  }

  delete(options) {
    return this.#ask(native.DELETE_TOPIC, 'delete', options)
  }

  #ask(kind, what, options) {
    return new Promise((resolve, reject) => {
      const given = known(what, options, ['timeoutMs', 'signal'])
      this.#begin(kind, given, { resolve, reject })
    })
  }

  #begin(kind, given, entry, writeMore) {
    const write = (records, at) => {
      records.words[at + 4] = records.add(this.#pattern)
      writeMore?.(records.words, at)
    }
    this.#core.beginUnnamed(kind, given, entry, { sizeMost: this.#pattern.length * 3, write })
  }
}

module.exports = { Topics }
