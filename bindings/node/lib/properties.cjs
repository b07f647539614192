'use strict'

// What a message has beside its body, on its way into a record.

const { invalid } = require('./error.cjs')
const { sizeMost, whole } = require('./options.cjs')

const PROPERTY_NAMES = ['key', 'headers', 'priority']

// Bytes that properties take at most; 0 if there are none.
function propertiesSize(options) {
  let size = options.key === undefined ? 0 : sizeMost('key', options.key)
  if (whole('priority', options.priority, 0, 255, 0) !== 0) size += 1
  if (options.headers === undefined) return size
  if (options.headers === null || typeof options.headers !== 'object') {
    throw invalid('headers must be an object of names and values')
  }
  for (const name of Object.keys(options.headers)) {
    size += 8 + name.length * 3 + sizeMost(`header ${name}`, options.headers[name])
  }
  return size
}

// Adds properties behind the body of the record at `at`.
function addProperties(records, at, options) {
  if (options.key !== undefined) records.words[at + 5] = records.add(options.key)
  if (options.headers !== undefined) records.words[at + 6] = records.addHeaders(options.headers)
  records.words[at + 7] = options.priority ?? 0
}

module.exports = { PROPERTY_NAMES, addProperties, propertiesSize }
