'use strict'

// The one error of the package. Codes come from the addon's table, which is every language's.

const native = require('./native.cjs')

const codes = Object.freeze(native.kinds().map((row) => Object.freeze(row)))
const byNumber = new Map(codes.map((row) => [row.number, row]))
const byCode = new Map(codes.map((row) => [row.code, row]))

function describe(code, remoteCode, detail) {
  const head = code === 'REMOTE' ? `${code} (code ${remoteCode})` : code
  return detail === '' ? head : `${head}: ${detail}`
}

class TelpherError extends Error {
  constructor(code, detail = '', options = {}) {
    if (!byCode.has(code)) throw new RangeError(`telpher has no error code ${code}`)
    const remoteCode = code === 'REMOTE' ? (options.remoteCode ?? 0) : 0
    super(describe(code, remoteCode, detail), 'cause' in options ? options : undefined)
    this.code = code
    this.detail = detail
    this.maybeExecuted = options.maybeExecuted ?? byCode.get(code).executed === 'maybe'
    this.remoteCode = remoteCode
  }
}
// On the prototype, as for built-in errors, so that printing an error does not repeat it.
Object.defineProperty(TelpherError.prototype, 'name', { value: 'TelpherError', writable: true })

function invalid(detail) {
  return new TelpherError('INVALID', detail)
}

function cancelled(signal) {
  return new TelpherError('CANCELLED', 'it was aborted', { cause: signal.reason })
}

function fromNumber(number, maybeExecuted, remoteCode, detail) {
  return new TelpherError(byNumber.get(number).code, detail, { maybeExecuted, remoteCode })
}

// What the addon throws carries its error as text; anything else is a fault of its own.
function fromThrown(error) {
  if (error instanceof TelpherError) return error
  const parts = /^(\d+);([01]);(-?\d+);([^]*)$/.exec(error?.message)
  if (!parts) return new TelpherError('INTERNAL', String(error?.message ?? error), { cause: error })
  return fromNumber(Number(parts[1]), parts[2] === '1', Number(parts[3]), parts[4])
}

module.exports = { TelpherError, cancelled, codes, fromNumber, fromThrown, invalid }
