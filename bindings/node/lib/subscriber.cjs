'use strict'

// Messages of matching topics, as they come. The hub sends as many as `buffer`, or 16 MiB, and then
// waits until the program has taken some, so that no more ever gather here. Messages are numbered
// one by one, so that a number that is missing is a loss, wherever it happened.

const native = require('./native.cjs')
const { Arrivals } = require('./arrivals.cjs')
const { TelpherError, invalid } = require('./error.cjs')
const { Message } = require('./message.cjs')
const { instanceName, known, sizeMost, text, whole, within } = require('./options.cjs')
const { PROPERTY_NAMES } = require('./properties.cjs')

const NAMES = ['buffer', 'instanceName', 'timeoutMs', 'signal']
const WHOLE_MAX = 0xffffffff
// The part of what may be on its way that may be free without the addon being told.
const STEP = 8

// For the subscriber alone: what counts as taken with a message.
let weigh

class TopicMessage extends Message {
  #core
  #bytes
  #token
  #answered = false

  // `token` names the request if an answer is gathered; else both of its words are 0. Its id is the
  // bytes that count as taken.
  constructor(core, message, topic, [number, lost], token) {
    super(message.body, message.key, message.encoded, message.priority)
    this.topic = topic
    this.number = number
    this.lost = lost
    this.#core = core
    this.#bytes = token.idLow
    if (token.low !== 0 || token.high !== 0) this.#token = { low: token.low, high: token.high }
  }

  get wantsReply() {
    return this.#token !== undefined
  }

  get cancelled() {
    return this.#token === undefined || this.#core.remainingMs(this.#token) === 0
  }

  reply(body, properties) {
    const given = properties && known('reply', properties, PROPERTY_NAMES)
    this.#answer(native.REPLY, body, 0, given)
  }

  fail(why, options) {
    const { code = 1 } = known('fail', options, ['code'])
    const most = 0x7fffffff
    this.#answer(native.REPLY_ERROR, text('the text', why), whole('code', code, -most - 1, most))
  }

  #answer(kind, body, small, properties) {
    if (this.#token === undefined) throw invalid('nobody gathers answers to this message')
    this.#core.check()
    if (this.#answered) throw new TelpherError('STALE', 'this message has been answered before')
    if (this.cancelled) throw new TelpherError('STALE', 'nobody waits for the answer any more')
    const size = sizeMost('reply', body)
    if (size > native.BODY_SIZE_MAX) within('reply', body, native.BODY_SIZE_MAX)
    this.#core.reply(kind, this.#token, body, small, properties)
    this.#answered = true
  }

  static {
    weigh = (message) => message.#bytes
  }
}

class Subscriber extends Arrivals {
  constructor(core, pattern, options) {
    within('pattern', text('the pattern', pattern), native.NAME_SIZE_MAX)
    const given = known('subscribe', options, NAMES)
    const buffer = whole('buffer', given.buffer, 0, WHOLE_MAX, native.SUBSCRIPTION_BUFFER_DEFAULT)
    const own = instanceName(given.instanceName)
    const write = (records, at) => {
      records.words[at + 4] = records.add(pattern)
      records.words[at + 7] = buffer
      if (own === undefined) return
      records.words[at + 5] = records.add(own)
      records.words[at + 8] = 1
    }
    const more = { sizeMost: (pattern.length + (own?.length ?? 0)) * 3, write }
    let [last, count, bytes] = [0, 0, 0]
    super(core, {
      start: (entry) => core.beginUnnamed(native.SUBSCRIBE, given, entry, more),
      read: (at, pages) => {
        const number = pages.number(at)
        const lost = number - last - 1
        last = number
        const [message, topic] = [pages.message(at), pages.topic(at)]
        return new TopicMessage(core, message, topic, [number, lost], pages.token(at))
      },
      letGo: () => {},
      took: (message, slot) => {
        count += 1
        bytes += weigh(message)
        if (count * STEP < buffer && bytes * STEP < native.SUBSCRIPTION_BYTES_MAX) return
        core.taken(slot, count, bytes)
        count = bytes = 0
      },
    })
  }
}

module.exports = { Subscriber, TopicMessage }
