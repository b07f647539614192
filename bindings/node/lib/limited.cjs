'use strict'

// The end of a wait that no operation stands behind.

const { TelpherError, cancelled } = require('./error.cjs')

// A timer cannot be set for longer than this.
const TIMER_MAX_MS = 0x7fffffff

// Calls `end` with the reason when the time is over or `signal` is aborted, unless the function
// that this returns was called before.
function limited(ms, signal, end) {
  const until = performance.now() + ms
  let timer
  const arm = (left) => (timer = setTimeout(look, Math.min(left, TIMER_MAX_MS)))
  const look = () => {
    const left = until - performance.now()
    if (left > 0) arm(left)
    else finish(new TelpherError('PENDING', `nothing came within ${ms} ms`))
  }
  const abort = () => finish(cancelled(signal))
  const stop = () => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
  const finish = (error) => {
    stop()
    end(error)
  }
  signal?.addEventListener('abort', abort, { once: true })
  if (ms !== Infinity) arm(ms)
  return stop
}

module.exports = { limited }
