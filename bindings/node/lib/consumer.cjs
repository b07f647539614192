'use strict'

// Jobs of a queue, as they come. At most `prefetch` are held at once, those that wait here
// included, so that this never grows beyond it. What nobody has seen goes back when the consumer is
// closed; a job that was handed out stays the program's to settle.

const native = require('./native.cjs')
const { Arrivals } = require('./arrivals.cjs')
const { giveBack } = require('./job.cjs')
const { known, whole } = require('./options.cjs')

const NAMES = ['prefetch', 'ackDeadlineMs', 'timeoutMs', 'signal']
const WHOLE_MAX = 0xffffffff

class Consumer extends Arrivals {
  constructor(core, queue, options) {
    const given = known('consume', options, NAMES)
    const prefetch = whole('prefetch', given.prefetch, 0, WHOLE_MAX, native.PREFETCH_DEFAULT)
    const ackDeadlineMs = whole('ackDeadlineMs', given.ackDeadlineMs, 1, native.DELAY_MAX_MS, 0)
    const write = (records, at) => {
      records.words[at + 7] = prefetch
      records.words[at + 8] = ackDeadlineMs
    }
    super(core, {
      start: (entry) => core.begin(native.CONSUME, queue, given, entry, { sizeMost: 0, write }),
      read: (at) => core.job(at),
      letGo: giveBack,
    })
  }
}

module.exports = { Consumer }
