'use strict'

// Messages of matching topics, as they come. The hub sends on as soon as a message is here, so this
// is where the messages of a slow program gather: beyond `buffer`, or 16 MiB, the oldest are lost,
// and the next one tells how many. Messages are numbered one by one, so that a number that is
// missing is a loss, wherever it happened.

const native = require('./native.cjs')
const { Arrivals } = require('./arrivals.cjs')
const { Message } = require('./message.cjs')
const { known, text, whole, within } = require('./options.cjs')

const NAMES = ['buffer', 'timeoutMs', 'signal']
const WHOLE_MAX = 0xffffffff

class TopicMessage extends Message {
  constructor(message, topic, number, lost) {
    super(message.body, message.key, message.encoded, message.priority)
    this.topic = topic
    this.number = number
    this.lost = lost
  }
}

class Subscriber extends Arrivals {
  constructor(core, pattern, options) {
    within('pattern', text('the pattern', pattern), native.NAME_SIZE_MAX)
    const given = known('subscribe', options, NAMES)
    const buffer = whole('buffer', given.buffer, 0, WHOLE_MAX, native.SUBSCRIPTION_BUFFER_DEFAULT)
    const write = (records, at) => {
      records.words[at + 4] = records.add(pattern)
      records.words[at + 7] = buffer
    }
    const more = { sizeMost: pattern.length * 3, write }
    let last = 0
    super(core, {
      start: (entry) => core.beginUnnamed(native.SUBSCRIBE, given, entry, more),
      read: (at, pages) => {
        const number = pages.number(at)
        const lost = number - last - 1
        last = number
        return new TopicMessage(pages.message(at), pages.topic(at), number, lost)
      },
      letGo: (message, next) => {
        if (next !== undefined) next.lost += message.lost + 1
      },
      most: buffer,
      bytesMost: native.SUBSCRIPTION_BYTES_MAX,
      size: (message) => message.body.length,
    })
  }
}

module.exports = { Subscriber, TopicMessage }
