'use strict'

// Reader groups: what a program commits, where a group goes on, and how far each has come. The
// addon's `groups.rs` has the layout of the figures.

const native = require('./native.cjs')
const { invalid } = require('./error.cjs')
const { long, show, text, within } = require('./options.cjs')

const PLACE_SIZE = 17

// Each group of an answer.
function groupsOf(bytes) {
  const groups = []
  for (let at = 0; at < bytes.length;) {
    const [size, members, count] = [0, 4, 8].map((more) => bytes.readUInt32LE(at + more))
    const name = bytes.toString('utf8', at + 12, at + 12 + size)
    const from = at + 12 + size
    const places = Array.from({ length: count }, (_, i) => placeOf(bytes, from + i * PLACE_SIZE))
    groups.push({ name, members, places })
    at = from + count * PLACE_SIZE
  }
  return groups
}

function placeOf(bytes, at) {
  const lag = Number(bytes.readBigUInt64LE(at + 8))
  return { next: bytes.readBigUInt64LE(at), lag, isRead: bytes[at + 16] !== 0 }
}

// A group's name, checked as far as it is copied.
function groupName(group) {
  within('name of the group', text('the group', group), native.NAME_SIZE_MAX)
  return group
}

// Where reading begins, as the addon takes it.
function begin(start) {
  if (start === undefined || start === 'beginning') return [native.START_BEGINNING, 0n]
  if (start === 'end') return [native.START_END, 0n]
  const [name, ...others] = start !== null && typeof start === 'object' ? Object.keys(start) : []
  if (others.length === 0 && name === 'offset') {
    return [native.START_OFFSET, long('the offset', start.offset)]
  }
  if (others.length === 0 && name === 'time') {
    const ms = start.time instanceof Date ? start.time.getTime() : start.time
    return [native.START_TIME, long('the time in ms', ms)]
  }
  const allowed = "'beginning', 'end', { offset } and { time }"
  throw invalid(`start is ${show(start)}; allowed are ${allowed}`)
}

// Writes where a group's reader is to be.
function writeCommit(records, at, { reader, partition, generation, next }) {
  const { words } = records
  words[at + 4] = partition
  words[at + 5] = generation.low
  words[at + 6] = generation.high
  words[at + 8] = reader.low
  words[at + 9] = reader.high
  records.long(at, next)
}

// Which records of one reader come right behind some that never will.
class Skips {
  #ranges = new Map()

  skip(partition, first, last) {
    const known = this.#ranges.get(partition)
    const begin = known?.end === first ? known.begin : first
    this.#ranges.set(partition, { begin, end: last + 1n })
  }

  // How many were skipped right before this record, which comes next of its partition.
  before(partition, offset) {
    if (this.#ranges.size === 0) return 0
    const known = this.#ranges.get(partition)
    this.#ranges.delete(partition)
    return known?.end === offset ? Number(known.end - known.begin) : 0
  }
}

module.exports = { Skips, begin, groupName, groupsOf, writeCommit }
