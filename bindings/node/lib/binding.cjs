'use strict'

// Patterns of topics that are bound to a queue or a stream.

const native = require('./native.cjs')
const { known, text, within } = require('./options.cjs')

const QUEUE = 0
const STREAM = 1

// Binds a pattern, or ends a binding: `what` is 'bind' or 'unbind'.
function binding(core, what, [target, name], pattern, options) {
  return new Promise((resolve, reject) => {
    within('pattern', text('the pattern', pattern), native.NAME_SIZE_MAX)
    const given = known(what, options, ['timeoutMs', 'signal'])
    const write = (records, at) => {
      records.words[at + 4] = records.add(pattern)
      records.words[at + 8] = target
    }
    const kind = what === 'bind' ? native.BIND : native.UNBIND
    const more = { sizeMost: pattern.length * 3, write }
    core.begin(kind, name, given, { resolve, reject }, more)
  })
}

module.exports = { QUEUE, STREAM, binding }
