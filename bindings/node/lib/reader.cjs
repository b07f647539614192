'use strict'

// Records of a stream, as they come. The hub sends as many as fit into `buffer` and then waits
// until the program has taken some, so that no more ever gather here.

const native = require('./native.cjs')
const { Arrivals } = require('./arrivals.cjs')
const { invalid } = require('./error.cjs')
const { Content, long: joined } = require('./message.cjs')
const { flag, known, long, show, whole } = require('./options.cjs')

const NAMES = ['start', 'partition', 'follow', 'buffer', 'timeoutMs', 'signal']
// The part of the buffer that may be free without the addon being told.
const STEP = 8

// For the reader alone: what counts as taken with a record.
let weigh

class StreamRecord extends Content {
  #low
  #high
  #bytes

  constructor({ body, key, encoded }, pages, at) {
    super(body, key, encoded)
    const { words } = pages
    this.partition = words[at + 6]
    this.timeMs = pages.number(at)
    this.#bytes = words[at + 7]
    this.#low = words[at + 8]
    this.#high = words[at + 9]
  }

  get offset() {
    return joined(this.#low, this.#high)
  }

  static {
    weigh = (record) => record.#bytes
  }
}

class Reader extends Arrivals {
  constructor(core, stream, options) {
    const given = known('read', options, NAMES)
    const [where, value] = begin(given.start)
    const most = native.READ_BUFFER_MAX
    const buffer = whole('buffer', given.buffer, 1, most, native.READ_BUFFER_DEFAULT)
    const partition = whole('partition', given.partition, 0, native.PARTITIONS_MAX - 1, -1)
    const follow = flag('follow', given.follow)
    const write = (records, at) => {
      records.words[at + 5] = follow ? 1 : 0
      records.words[at + 7] = buffer
      records.words[at + 8] = partition + 1
      records.words[at + 9] = where
      records.long(at, value)
    }
    let [count, bytes] = [0, 0]
    super(core, {
      start: (entry) => core.begin(native.READ, stream, given, entry, { sizeMost: 0, write }),
      read: (at, pages) => new StreamRecord(pages.message(at), pages, at),
      letGo: () => {},
      took: (record, slot) => {
        count += 1
        bytes += weigh(record)
        if (bytes * STEP < buffer) return
        core.taken(slot, count, bytes)
        count = bytes = 0
      },
      keeps: true,
    })
  }
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

module.exports = { Reader, StreamRecord }
