'use strict'

// Which request a piece of asynchronous code is working for, so that its calls inherit the time.

const { AsyncLocalStorage } = require('node:async_hooks')
const { TIMEOUT_DEFAULT_MS } = require('./native.cjs')

const storage = new AsyncLocalStorage()
// Following asynchronous code costs time, so that programs without services do not pay for it.
let used = false

// Runs `handler` for `work`, which is `{ request, answered }`.
function run(work, handler) {
  used = true
  return storage.run(work, handler, work.request)
}

// The time that a call has: no more than what is left of the request it is made for.
function timeLeft(timeoutMs) {
  if (!used) return timeoutMs
  const work = storage.getStore()
  if (work === undefined || work.answered) return timeoutMs
  const stated = Number.isNaN(timeoutMs) ? TIMEOUT_DEFAULT_MS : timeoutMs
  const left = work.request.remainingMs
  if (left === Infinity) return timeoutMs
  return Math.min(stated, left)
}

module.exports = { run, timeLeft }
