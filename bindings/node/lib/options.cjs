'use strict'

// Checks of what a program hands over. Limits are the core's; here only what has no meaning in
// JavaScript is refused (a wrong type, an option that does not exist), with its value.

const { isNativeError } = require('node:util').types

const native = require('./native.cjs')
const { TelpherError, invalid } = require('./error.cjs')

const encoder = new TextEncoder()
const LONG_MAX = 2n ** 64n - 1n

function show(value) {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}

// The options given, each known; `what` is the function they were given to.
function known(what, given, names) {
  if (given === undefined) return {}
  if (given === null || typeof given !== 'object') {
    throw invalid(`the options of ${what} are ${show(given)}; they must be an object`)
  }
  for (const name of Object.keys(given)) {
    if (names.includes(name)) continue
    throw invalid(`${what} has no option "${name}"; it has ${names.join(', ')}`)
  }
  return given
}

// Milliseconds as the addon takes them: NaN for the default.
function time(what, ms) {
  if (ms === undefined) return NaN
  if (typeof ms === 'number' && ms >= 0 && (ms <= native.TIMEOUT_MAX_MS || ms === Infinity)) {
    return ms
  }
  const most = native.TIMEOUT_MAX_MS
  throw invalid(`${what} is ${show(ms)}; allowed are 0 to ${most} and Infinity (none)`)
}

function whole(what, value, least, most, otherwise) {
  if (value === undefined) return otherwise
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw invalid(`${what} is ${show(value)}; allowed are ${least} to ${most}`)
}

// A whole number as the addon takes it: 0 for none.
function span(what, value, most, none = 'never') {
  if (value === undefined || value === Infinity) return 0
  if (Number.isInteger(value) && value >= 1 && value <= most) return value
  throw invalid(`${what} is ${show(value)}; allowed are 1 to ${most} and Infinity (${none})`)
}

// An unsigned number of 64 bits, given as a bigint or a whole number.
function long(what, value) {
  const whole = Number.isSafeInteger(value) ? BigInt(value) : value
  if (typeof whole === 'bigint' && whole >= 0n && whole <= LONG_MAX) return whole
  const most = `${LONG_MAX}, as a bigint or a whole number`
  throw invalid(`${what} is ${show(value)}; allowed are 0 to ${most}`)
}

function choice(what, value, allowed, otherwise) {
  if (value === undefined) return otherwise
  if (allowed.includes(value)) return value
  throw invalid(`${what} is ${show(value)}; allowed are ${allowed.join(', ')}`)
}

function flag(what, value) {
  if (value === undefined || typeof value === 'boolean') return value === true
  throw invalid(`${what} is ${show(value)}; allowed are true and false`)
}

function signal(value) {
  if (value === undefined || value instanceof AbortSignal) return value
  throw invalid(`signal is ${show(value)}; it must be an AbortSignal`)
}

function text(what, value) {
  if (typeof value === 'string') return value
  throw invalid(`${what} is ${show(value)}; it must be a string`)
}

// What an instance or subscriber calls itself, if anything; at most three bytes per unit.
function instanceName(value) {
  if (value === undefined) return undefined
  within('instanceName', text('instanceName', value), native.NAME_SIZE_MAX)
  return value
}

// Bytes of a body, key or header's value; a string is at most three bytes per unit.
function sizeMost(what, value) {
  if (typeof value === 'string') return value.length * 3
  if (value instanceof Uint8Array) return value.length
  throw invalid(`${what} is ${show(value)}; it must be a Uint8Array, Buffer or string`)
}

// Why, as text or bytes. Of an error it is name and message, cut to what may be kept, as nobody
// chose how long they are.
function reason(value) {
  if (value === undefined) return ''
  if (typeof value === 'string') {
    if (value.length > native.REASON_SIZE_MAX / 3) within('reason', value, native.REASON_SIZE_MAX)
    return value
  }
  if (!(value instanceof Error) && !isNativeError(value)) {
    throw invalid(`the reason is ${show(value)}; it must be a string or an Error`)
  }
  const bytes = Buffer.alloc(native.REASON_SIZE_MAX)
  // Only whole characters are written.
  return bytes.subarray(0, encoder.encodeInto(words(value), bytes).written)
}

function words(error) {
  try {
    return error.message === '' ? `${error.name}` : `${error.name}: ${error.message}`
  } catch {
    return 'an error that has no text'
  }
}

// Refuses what is over the limit before it is copied.
function within(what, value, most) {
  const size = typeof value === 'string' ? Buffer.byteLength(value) : value.length
  if (size <= most) return
  throw new TelpherError('TOO_LARGE', `the ${what} has ${size} bytes; at most ${most} are allowed`)
}

module.exports = {
  choice,
  flag,
  instanceName,
  known,
  long,
  reason,
  show,
  signal,
  sizeMost,
  span,
  text,
  time,
  whole,
  within,
}
