'use strict'

// A message of a queue that a program holds.

const native = require('./native.cjs')
const { invalid } = require('./error.cjs')
const { Message, long } = require('./message.cjs')
const { known, show, whole } = require('./options.cjs')

// For the consumer alone: releases a job that nobody has seen. For batches alone: the words that
// name a job, which mean nothing to another handle.
let giveBack, tokenOf

class Job extends Message {
  #core
  #words

  constructor(core, message, words) {
    super(message.body, message.key, message.encoded, message.priority)
    this.failures = words.failures
    this.redelivered = words.redelivered
    this.#core = core
    this.#words = words
  }

  get messageId() {
    return long(this.#words.idLow, this.#words.idHigh)
  }

  acknowledge(options) {
    return this.#core.settle(this.#words, 'acknowledge', undefined, options)
  }

  reject(reason, options) {
    return this.#core.settle(this.#words, 'reject', reason, options)
  }

  requeue(reason, options) {
    return this.#core.settle(this.#words, 'requeue', reason, options)
  }

  release(options) {
    return this.#core.settle(this.#words, 'release', undefined, options)
  }

  extend(ms, options) {
    return new Promise((resolve, reject) => {
      const given = known('extend', options, ['timeoutMs'])
      const more = whole('ms', ms, 0, native.DELAY_MAX_MS, 0)
      const write = (records, at) => {
        records.words[at + 7] = more
        records.name(at, this.#words)
      }
      const entry = { resolve, reject }
      this.#core.beginUnnamed(native.EXTEND, given, entry, { sizeMost: 0, write })
    })
  }

  static {
    giveBack = (job) => job.#core.release(job.#words)
    tokenOf = (job, core) => {
      if (!(job instanceof Job)) throw invalid(`the job is ${show(job)}; it must be a Job`)
      if (job.#core !== core) throw invalid('the job is of another hub, or of another handle of it')
      return job.#words
    }
  }
}

module.exports = { Job, giveBack, tokenOf }
