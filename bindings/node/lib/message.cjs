'use strict'

// What a program receives: messages, requests, receipts and where records are. Ids and offsets are
// 64 bits wide, so they stay two words until somebody asks.

const NO_BYTES = Buffer.alloc(0)

function long(low, high) {
  return (BigInt(high) << 32n) | BigInt(low)
}

// Headers as the core encodes them: for each a length byte, the name, four bytes of length, the
// value. The first value of a name wins.
function decodeHeaders(bytes) {
  const headers = Object.create(null)
  for (let at = 0; at < bytes.length;) {
    const nameEnd = at + 1 + bytes[at]
    const name = bytes.toString('utf8', at + 1, nameEnd)
    const valueEnd = nameEnd + 4 + bytes.readUInt32LE(nameEnd)
    if (!(name in headers)) headers[name] = bytes.subarray(nameEnd + 4, valueEnd)
    at = valueEnd
  }
  return headers
}

class Content {
  #encoded
  #headers

  constructor(body, key, encoded) {
    this.body = body
    this.key = key
    this.#encoded = encoded
  }

  get headers() {
    return (this.#headers ??= decodeHeaders(this.#encoded ?? NO_BYTES))
  }
}

class Message extends Content {
  constructor(body, key, encoded, priority) {
    super(body, key, encoded)
    this.priority = priority
  }
}

// For the service alone: whether a token names this request, and that its caller is gone.
let named, withdraw

class Request extends Message {
  #core
  #words
  #controller
  #cancelled = false

  constructor(core, service, message, words) {
    super(message.body, message.key, message.encoded, message.priority)
    this.service = service
    this.#core = core
    this.#words = words
  }

  get remainingMs() {
    return this.#core.remainingMs(this.#words)
  }

  get cancelled() {
    return this.#cancelled
  }

  get signal() {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#cancelled) this.#controller.abort()
    }
    return this.#controller.signal
  }

  static {
    named = (request, low, high) => request.#words.low === low && request.#words.high === high
    withdraw = (request) => {
      request.#cancelled = true
      request.#controller?.abort()
    }
  }
}

const durabilities = [undefined, 'memory', 'os', 'disk']

class Receipt {
  #low
  #high

  constructor(low, high, durability) {
    this.#low = low
    this.#high = high
    this.durability = durabilities[durability]
  }

  get messageId() {
    return long(this.#low, this.#high)
  }
}

// Where a record is.
class Appended {
  #low
  #high

  constructor(low, high, partition, durability) {
    this.#low = low
    this.#high = high
    this.partition = partition
    this.durability = durabilities[durability]
  }

  get offset() {
    return long(this.#low, this.#high)
  }
}

module.exports = {
  Appended,
  Content,
  Message,
  NO_BYTES,
  Receipt,
  Request,
  decodeHeaders,
  durabilities,
  long,
  named,
  withdraw,
}
