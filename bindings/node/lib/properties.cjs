'use strict'

// What a message has beside its body, on its way into a record.

const native = require('./native.cjs')
const { invalid } = require('./error.cjs')
const { sizeMost, whole } = require('./options.cjs')

const PROPERTY_NAMES = ['key', 'headers', 'priority']

// Bytes that properties take at most; 0 if there are none.
function propertiesSize(options) {
  const size = whole('priority', options.priority, 0, 255, 0) === 0 ? 0 : 1
  return size + wordsSize(options)
}

// Bytes that key and headers take at most.
function wordsSize(options) {
  let size = options.key === undefined ? 0 : sizeMost('key', options.key)
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
  addWords(records, at, options)
  records.words[at + 7] = options.priority ?? 0
}

function addWords(records, at, options) {
  if (options.key !== undefined) records.words[at + 5] = records.add(options.key)
  if (options.headers !== undefined) records.words[at + 6] = records.addHeaders(options.headers)
}

// Bytes that what a reader wants takes at most. Of nothing the addon would make no key at all.
function wantedSize(options) {
  if (options.key?.length === 0) {
    throw invalid(`the size of key is 0; allowed are 1 to ${native.KEY_SIZE_MAX}`)
  }
  return wordsSize(options)
}

module.exports = { PROPERTY_NAMES, addProperties, addWanted: addWords, propertiesSize, wantedSize }
