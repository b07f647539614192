import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import test from 'node:test'
import { fileURLToPath } from 'node:url'

import { Subscriber, Topic, TopicMessage, open } from '../index.mjs'
import { fails, isSilent, openOwn, run, startHost, temporaryDirectory, until } from './support.mjs'

const DRIVES = ['loop', 'thread', 'inline']
// What is kept of a buffer of 10: on the way to the program, and in the hub.
const KEPT_MAX = 20

async function subscribe(hub, pattern, options) {
  const subscriber = hub.subscribe(pattern, options)
  await subscriber.started
  return subscriber
}

// Receives until the message of this number is there; each has to follow the one before, but for
// what it says was lost.
async function receiveUntil(subscriber, number, before = 0) {
  const messages = []
  for (let last = before; last < number;) {
    const message = await subscriber.receive({ timeoutMs: 10_000 })
    assert.equal(message.number, last + message.lost + 1)
    last = message.number
    messages.push(message)
  }
  return messages
}

for (const drive of DRIVES) {
  test(`a message reaches the patterns that match its topic, turned by ${drive}`, async (t) => {
    const hub = await openOwn(t, { drive })
    const topics = ['orders', 'orders.eu', 'orders.eu.new', 'orders.us.new', 'others.eu.new']
    const matching = {
      'orders.eu.new': [2],
      'orders.*.new': [2, 3],
      'orders.*': [1],
      'orders.**': [0, 1, 2, 3],
      '**.new': [2, 3, 4],
      '*': [0],
      '**': [0, 1, 2, 3, 4],
    }
    const subscribers = Object.keys(matching).map((pattern) => hub.subscribe(pattern))
    await Promise.all(subscribers.map((subscriber) => subscriber.started))
    for (const topic of topics) await hub.topic(topic).publish(topic)
    for (const [index, wanted] of Object.values(matching).entries()) {
      const messages = await receiveUntil(subscribers[index], wanted.length)
      const seen = messages.map(({ topic, number, lost }) => [topic, number, lost])
      assert.deepEqual(
        seen,
        wanted.map((which, i) => [topics[which], i + 1, 0]),
      )
      await subscribers[index].close()
    }
  })

  test(`who reads nothing is told how much it has lost, turned by ${drive}`, async (t) => {
    const hub = await openOwn(t, { drive })
    const subscriber = await subscribe(hub, 'numbers', { buffer: 10 })
    const topic = hub.topic('numbers')
    for (let i = 1; i <= 10_000; i++) await topic.publish(`${i}`)
    const messages = await receiveUntil(subscriber, 10_000)
    assert.deepEqual(
      messages.map(({ body, lost }) => [Number(body), lost]),
      Array.from({ length: 20 }, (_, i) => [i < 10 ? i + 1 : 9981 + i, i === 10 ? 9980 : 0]),
    )
    await topic.publish('next')
    const { number, lost } = await subscriber.receive()
    assert.deepEqual([number, lost], [10_001, 0])
  })

  test(`what waits for who reads nothing is bounded in bytes, turned by ${drive}`, async (t) => {
    const hub = await openOwn(t, { drive })
    const subscriber = await subscribe(hub, 'large')
    const topic = hub.topic('large')
    const body = Buffer.alloc(4 * 1024 * 1024)
    for (let i = 0; i < 12; i++) await topic.publish(body)
    const messages = await receiveUntil(subscriber, 12)
    // 16 MiB wait where they are read, and as many in the hub.
    assert.ok(messages.length <= 8, `${messages.length} were kept`)
    const lost = messages.reduce((sum, message) => sum + message.lost, 0)
    assert.equal(lost + messages.length, 12)
  })

  test(`the numbers of a burst tell what was lost, turned by ${drive}`, async (t) => {
    const hub = await openOwn(t, { drive })
    const subscriber = await subscribe(hub, 'numbers', { buffer: 10 })
    const topic = hub.topic('numbers')
    const publishes = Array.from({ length: 10_000 }, (_, i) => topic.publish(`${i + 1}`))
    await Promise.all(publishes)
    const messages = await receiveUntil(subscriber, 10_000)
    assert.ok(messages.length <= KEPT_MAX, `${messages.length} were kept`)
    for (const { body, number } of messages) assert.equal(Number(body), number)
  })

  test(`what fits the buffer arrives in order, turned by ${drive}`, async (t) => {
    const hub = await openOwn(t, { drive })
    const subscriber = await subscribe(hub, 'numbers', { buffer: 5000 })
    const topic = hub.topic('numbers')
    const publishes = Array.from({ length: 5000 }, (_, i) => topic.publish(`${i + 1}`))
    const messages = await receiveUntil(subscriber, 5000)
    assert.equal(messages.length, 5000)
    for (const { body, number } of messages) assert.equal(Number(body), number)
    await Promise.all(publishes)
  })
}

test('a message carries what was published with it, and publishing says nothing', async (t) => {
  const hub = await openOwn(t)
  const subscriber = await subscribe(hub, 'a.*')
  const topic = hub.topic('a.b')
  const properties = { key: 'k', headers: { h: 'v' }, priority: 9 }
  assert.equal(await topic.publish('body', properties), undefined)
  await topic.publish(new Uint8Array([1]), { timeoutMs: 5000 })
  const message = await subscriber.receive()
  assert.ok(message instanceof TopicMessage)
  assert.ok(subscriber instanceof Subscriber && topic instanceof Topic && topic.name === 'a.b')
  assert.deepEqual([String(message.body), String(message.key)], ['body', 'k'])
  assert.deepEqual([String(message.headers.h), message.priority], ['v', 9])
  const bare = await subscriber.receive()
  assert.deepEqual([...bare.body, bare.key.length, Object.keys(bare.headers)], [1, 0, []])
  assert.deepEqual([bare.topic, bare.number, bare.lost, bare.priority], ['a.b', 2, 0, 0])
})

test('a large message arrives whole, between small ones', async (t) => {
  const hub = await openOwn(t)
  const subscriber = await subscribe(hub, '**')
  const bodies = ['small', 'x'.repeat(1 << 20), 'small again']
  for (const body of bodies) await hub.topic('sizes').publish(body)
  for (const body of bodies) assert.ok(String((await subscriber.receive()).body) === body)
})

test('a subscription hears nothing of what was published before it', async (t) => {
  const hub = await openOwn(t)
  const topic = hub.topic('news')
  await topic.publish('to nobody')
  const subscriber = await subscribe(hub, 'news')
  await topic.publish('to somebody')
  const message = await subscriber.receive()
  assert.deepEqual([String(message.body), message.number, message.lost], ['to somebody', 1, 0])
})

test('one who reads nothing costs the others nothing', async (t) => {
  const hub = await openOwn(t)
  await subscribe(hub, 'numbers', { buffer: 1 })
  const reader = await subscribe(hub, 'numbers', { buffer: 1 })
  for (let i = 1; i <= 1000; i++) {
    await hub.topic('numbers').publish(`${i}`)
    const { number, lost } = await reader.receive()
    assert.deepEqual([number, lost], [i, 0])
  }
})

test('several iterators over one subscriber share its messages', async (t) => {
  const hub = await openOwn(t)
  const subscriber = await subscribe(hub, 'numbers')
  const seen = []
  const work = async () => {
    for (let next; !(next = await subscriber.next()).done;) {
      seen.push(next.value.number)
      if (seen.length === 100) await subscriber.close()
    }
  }
  const workers = [work(), work(), work()]
  for (let i = 0; i < 100; i++) await hub.topic('numbers').publish(`${i}`)
  await Promise.all(workers)
  assert.equal(new Set(seen).size, 100)
})

test('leaving the loop ends the subscription, and what waits is gone', async (t) => {
  const hub = await openOwn(t)
  const subscriber = await subscribe(hub, 'news')
  for (const body of ['1', '2', '3']) await hub.topic('news').publish(body)
  for await (const message of subscriber) {
    assert.equal(String(message.body), '1')
    break
  }
  await hub.topic('news').publish('4')
  assert.deepEqual(await subscriber.next(), { value: undefined, done: true })
  await fails(subscriber.receive(), 'CLOSED')
  await subscriber.close()
})

test('closing a subscriber ends whoever waits for its next message', async (t) => {
  const hub = await openOwn(t)
  const subscriber = await subscribe(hub, 'news')
  const [next, received] = [subscriber.next(), fails(subscriber.receive(), 'CLOSED')]
  await subscriber[Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]()
  assert.equal((await next).done, true)
  await received
})

test('closing the hub ends a loop over a subscription without an error', async (t) => {
  const hub = await openOwn(t)
  const subscriber = await subscribe(hub, 'news')
  let seen = 0
  const loop = (async () => {
    for await (const { number } of subscriber) seen = number
  })()
  await hub.topic('news').publish('x')
  await until(() => seen === 1, 'the message is there')
  await hub.close()
  await loop
})

test('subscribers that come and go while much is published hurt nobody', async (t) => {
  for (const drive of DRIVES) {
    const hub = await openOwn(t, { drive })
    const steady = await subscribe(hub, 'numbers')
    for (let round = 1; round <= 50; round++) {
      const others = [hub.subscribe('**'), hub.subscribe('*', { buffer: 1 })]
      const published = [hub.topic('numbers').publish('a'), hub.topic('numbers').publish('b')]
      await others[round % 2].started
      await Promise.all(others.map((other) => other.close()))
      await Promise.all(published)
    }
    const messages = await receiveUntil(steady, 100)
    assert.equal(messages.length, 100)
  }
})

test('aborting a publish ends it as CANCELLED, and says whether it was sent', async (t) => {
  const hub = await openOwn(t, { inFlightMax: 1 })
  const subscriber = await subscribe(hub, '**')
  const topic = hub.topic('news')
  const reason = new Error('not wanted any more')
  const before = await fails(topic.publish('x', { signal: AbortSignal.abort(reason) }), 'CANCELLED')
  assert.deepEqual([before.cause, before.maybeExecuted], [reason, false])
  const queue = hub.queue('empty')
  await queue.declare()
  const holding = fails(queue.receive({ timeoutMs: Infinity }), 'CLOSED')
  const controller = new AbortController()
  const waiting = topic.publish('x', { signal: controller.signal })
  await new Promise((resolve) => setImmediate(resolve))
  controller.abort()
  assert.equal((await fails(waiting, 'CANCELLED')).maybeExecuted, false)
  assert.equal(hub.stats().inFlight, 1)
  await hub.close()
  await holding
  assert.equal((await subscriber.next()).done, true)
})

test('a receive that is aborted or late takes no message away', async (t) => {
  const hub = await openOwn(t)
  const subscriber = await subscribe(hub, 'news')
  const controller = new AbortController()
  const aborted = fails(subscriber.receive({ signal: controller.signal }), 'CANCELLED')
  controller.abort(new Error('by intention'))
  assert.match((await aborted).cause.message, /by intention/)
  await fails(subscriber.receive({ timeoutMs: 5 }), 'PENDING', /5 ms/)
  await fails(subscriber.receive({ signal: AbortSignal.abort() }), 'CANCELLED')
  const patient = subscriber.receive({ timeoutMs: Infinity, signal: new AbortController().signal })
  await hub.topic('news').publish('kept')
  assert.equal(String((await patient).body), 'kept')
})

test('aborting a subscription ends its loop', async (t) => {
  const hub = await openOwn(t)
  const controller = new AbortController()
  const subscriber = await subscribe(hub, 'news', { signal: controller.signal })
  const next = subscriber.next()
  controller.abort()
  assert.equal((await next).done, true)
})

for (const drive of ['loop', 'thread']) {
  test(`a loop that stands still is told what it lost, turned by ${drive}`, async (t) => {
    const directory = await temporaryDirectory()
    const hub = await open(directory, { drive })
    t.after(() => hub.close())
    const [all, few] = [await subscribe(hub, '**'), await subscribe(hub, 'a.b', { buffer: 10 })]
    const file = fileURLToPath(new URL('programs/publishes.mjs', import.meta.url))
    const { stdout } = spawnSync(process.execPath, [file, directory, 'a.b', '1000'])
    assert.equal(String(stdout), 'published\n')
    assert.equal((await receiveUntil(all, 1000)).length, 1000)
    const messages = await receiveUntil(few, 1000)
    assert.ok(messages.length <= KEPT_MAX, `${messages.length} were kept`)
    for (const { body, number } of messages) assert.equal(Number(body), number - 1)
  })
}

test('a subscription goes on under the next host when its host is killed', async (t) => {
  const directory = await temporaryDirectory()
  const { child } = await startHost(t, directory)
  const hub = await open(directory)
  t.after(() => hub.close())
  const subscriber = await subscribe(hub, 'news.*')
  await hub.topic('news.a').publish('before')
  assert.equal((await subscriber.receive()).number, 1)
  const changed = once(hub, 'notice')
  child.kill('SIGKILL')
  await changed
  await hub.topic('news.b').publish('after')
  const { topic, number, lost } = await subscriber.receive()
  assert.deepEqual([topic, number, lost], ['news.b', 2, 0])
  const other = await run('publishes.mjs', directory, 'news.c', '3')
  assert.deepEqual([other.code, other.stdout, other.stderr], [0, 'published\n', ''])
  assert.equal((await receiveUntil(subscriber, 5, 2)).length, 3)
})

test('a publish whose host is killed under way is INDETERMINATE and not repeated', async (t) => {
  const directory = await temporaryDirectory()
  const { child } = await startHost(t, directory)
  const hub = await open(directory)
  t.after(() => hub.close())
  const subscriber = await subscribe(hub, 'news')
  child.kill('SIGSTOP')
  await until(() => isSilent(hub.queue('work')), 'the host stands still')
  const published = fails(hub.topic('news').publish('lost'), 'INDETERMINATE')
  hub.flush()
  child.kill('SIGKILL')
  assert.equal((await published).maybeExecuted, true)
  await hub.topic('news').publish('next')
  const message = await subscriber.receive()
  assert.deepEqual([String(message.body), message.number], ['next', 1])
})

test('a wrong topic, pattern or option is refused with limit and value', async (t) => {
  const hub = await openOwn(t)
  for (const name of ['', '.', 'a..b', 'a.', '.a']) {
    await fails(hub.topic(name).publish('x'), 'INVALID', /empty|1 to 255/)
  }
  await fails(hub.topic('a/b').publish('x'), 'INVALID', /a\/b/)
  await fails(hub.topic('a.*').publish('x'), 'INVALID', /a\.\*/)
  await fails(hub.topic('t'.repeat(256)).publish('x'), 'TOO_LARGE', /256.*255/)
  assert.throws(() => hub.topic(7), { code: 'INVALID', message: /a name is 7/ })
  for (const [pattern, said] of Object.entries({ '': /empty/, 'a..b': /empty/, 'a.b*': /b\*/ })) {
    const subscriber = hub.subscribe(pattern)
    await fails(subscriber.next(), 'INVALID', said)
    await fails(subscriber.started, 'INVALID', said)
    assert.equal((await subscriber.next()).done, true)
  }
  assert.throws(() => hub.subscribe(), { code: 'INVALID', message: /pattern is undefined/ })
  assert.throws(() => hub.subscribe('p'.repeat(256)), { code: 'TOO_LARGE', message: /256.*255/ })
  assert.throws(() => hub.subscribe('p', { prefetch: 1 }), { message: /no option "prefetch"/ })
  assert.throws(() => hub.subscribe('p', { buffer: -1 }), { message: /buffer is -1/ })
  for (const buffer of [0, 65_537]) {
    await fails(hub.subscribe('p', { buffer }).receive(), 'INVALID', /1 to 65536/)
  }
  const { publish } = Topic.prototype
  await fails(publish.call(hub.topic('x'), 7), 'INVALID', /body is 7/)
  await fails(hub.topic('x').publish('', { ttl: 1 }), 'INVALID', /publish has no option "ttl"/)
  await fails(hub.topic('x').publish('', { timeoutMs: -1 }), 'INVALID', /timeoutMs is -1/)
  const large = Buffer.alloc(8 * 1024 * 1024 + 1)
  await fails(hub.topic('x').publish(large), 'TOO_LARGE', /8388609 bytes; at most 8388608/)
  const subscriber = await subscribe(hub, 'x')
  await fails(subscriber.receive({ wait: 1 }), 'INVALID', /receive has no option "wait"/)
  await hub.topic('x').publish('fine')
  assert.equal(String((await subscriber.receive()).body), 'fine')
  await hub.close()
  await fails(hub.topic('x').publish(''), 'CLOSED')
  assert.throws(() => hub.subscribe('x'), { code: 'CLOSED' })
})
