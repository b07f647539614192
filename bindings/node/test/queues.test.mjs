import assert from 'node:assert/strict'
import test from 'node:test'

import { fails, openOwn, until } from './support.mjs'

async function openQueue(t, options, hubOptions) {
  const hub = await openOwn(t, hubOptions)
  const queue = hub.queue('work')
  await queue.declare(options)
  return { hub, queue }
}

for (const drive of ['loop', 'thread']) {
  test(`messages are consumed in order and acknowledged, turned by ${drive}`, async (t) => {
    const { queue } = await openQueue(t, {}, { drive })
    const bodies = Array.from({ length: 2000 }, (_, i) => `message-${i}`)
    const receipts = await Promise.all(bodies.map((body) => queue.send(body)))
    assert.equal(receipts[0].durability, 'memory')
    assert.equal(new Set(receipts.map((receipt) => receipt.messageId)).size, 2000)
    const seen = []
    for await (const job of queue.consume({ prefetch: 100 })) {
      seen.push(String(job.body))
      await job.acknowledge()
      if (seen.length === bodies.length) break
    }
    assert.deepEqual(seen, bodies)
    const info = await queue.inspect()
    assert.deepEqual([info.ready, info.held, info.sent, info.acknowledged], [0, 0, 2000, 2000])
  })
}

test('a received job carries what was sent with it', async (t) => {
  const { queue } = await openQueue(t)
  const receipt = await queue.send('body', { key: 'k', headers: { h: 'v' }, priority: 9 })
  const job = await queue.receive()
  assert.equal(String(job.body), 'body')
  assert.equal(String(job.key), 'k')
  assert.equal(String(job.headers.h), 'v')
  assert.equal(job.priority, 9)
  assert.equal(job.messageId, receipt.messageId)
  assert.deepEqual([job.failures, job.redelivered], [0, false])
  await job.acknowledge()
})

test('a requeued job comes back with its failure counted, a released one without', async (t) => {
  const { queue } = await openQueue(t)
  await queue.send('again')
  await (await queue.receive()).requeue()
  const second = await queue.receive()
  assert.deepEqual([second.failures, second.redelivered], [1, true])
  await second.release()
  const third = await queue.receive()
  assert.equal(third.failures, 1)
  await third.reject()
  const info = await queue.inspect()
  assert.deepEqual([info.ready, info.rejected, info.requeued], [0, 1, 1])
})

test('receiving from an empty queue ends when its time is over', async (t) => {
  const { queue } = await openQueue(t)
  const error = await fails(queue.receive({ timeoutMs: 20 }), 'EXPIRED')
  assert.equal(error.maybeExecuted, false)
})

test('a queue that is full rejects at once, or lets the sender wait for room', async (t) => {
  const { hub, queue } = await openQueue(t, { lengthMax: 1, overflow: 'reject' })
  await queue.send('1')
  await fails(queue.send('2'), 'FULL')
  const patient = hub.queue('patient')
  await patient.declare({ lengthMax: 1, overflow: 'wait' })
  await patient.send('1')
  let sent = false
  const second = patient.send('2').then(() => (sent = true))
  await until(async () => (await patient.inspect()).sendsWaiting === 1, 'the second waits')
  assert.equal(sent, false)
  await (await patient.receive()).acknowledge()
  await second
  await fails(patient.send('3', { timeoutMs: 20 }), 'FULL')
})

test('leaving the loop gives back what was not settled', async (t) => {
  const { queue } = await openQueue(t)
  for (let i = 0; i < 10; i++) await queue.send(`${i}`)
  for await (const job of queue.consume({ prefetch: 5 })) {
    await job.acknowledge()
    break
  }
  await until(async () => (await queue.inspect()).ready === 9, 'nine are back')
  assert.equal((await queue.inspect()).consumers, 0)
})

test('consumers that come and go lose nothing and hold nothing', async (t) => {
  const { queue } = await openQueue(t)
  await Promise.all(Array.from({ length: 100 }, (_, i) => queue.send(`${i}`)))
  for (let round = 0; round < 50; round++) {
    const consumers = [queue.consume(), queue.consume({ prefetch: 3 })]
    await consumers[round % 2].started
    await Promise.all(consumers.map((consumer) => consumer.close()))
  }
  await until(async () => (await queue.inspect()).ready === 100, 'all are back')
  assert.equal((await queue.inspect()).held, 0)
})

test('a consumer holds no more than its prefetch, and others get the rest', async (t) => {
  const { queue } = await openQueue(t)
  const consumer = queue.consume({ prefetch: 2 })
  await consumer.started
  for (let i = 0; i < 5; i++) await queue.send(`${i}`)
  await until(async () => (await queue.inspect()).held === 2, 'two are held')
  assert.equal(String((await queue.receive()).body), '2')
  await consumer.close()
  assert.deepEqual(await consumer.next(), { value: undefined, done: true })
})

test('several iterators over one consumer share its jobs', async (t) => {
  const { queue } = await openQueue(t)
  const consumer = queue.consume()
  const seen = []
  const work = async () => {
    for (let next; !(next = await consumer.next()).done;) {
      seen.push(String(next.value.body))
      await next.value.acknowledge()
      if (seen.length === 100) await consumer.close()
    }
  }
  const workers = [work(), work(), work()]
  for (let i = 0; i < 100; i++) await queue.send(`${i}`)
  await Promise.all(workers)
  assert.equal(new Set(seen).size, 100)
})

test('a consumer gives one job at a time, to who waits for it in time', async (t) => {
  const { queue } = await openQueue(t)
  const consumer = queue.consume()
  await fails(consumer.receive({ timeoutMs: 5 }), 'PENDING')
  const received = consumer.receive()
  await queue.send('x')
  await (await received).acknowledge()
  await consumer.close()
  await fails(consumer.receive(), 'CLOSED')
})

test('iterating a queue that does not exist fails there, once', async (t) => {
  const hub = await openOwn(t)
  const consumer = hub.queue('nowhere').consume()
  await fails(consumer.next(), 'NOT_FOUND')
  await fails(hub.queue('nowhere').consume().receive(), 'NOT_FOUND')
  assert.equal((await consumer.next()).done, true)
  await fails(consumer.started, 'NOT_FOUND')
})

test('closing the hub ends a loop over a queue without an error', async (t) => {
  const { hub, queue } = await openQueue(t)
  const loop = (async () => {
    for await (const job of queue.consume()) await job.acknowledge()
  })()
  await queue.send('x')
  await until(async () => (await queue.inspect()).acknowledged === 1, 'one is done')
  await hub.close()
  await loop
})

test('a queue is purged, inspected and deleted', async (t) => {
  const { queue } = await openQueue(t, { lengthMax: 7, bytesMax: 1000, overflow: 'reject' })
  await queue.send('1')
  await queue.send('2')
  const info = await queue.inspect()
  assert.deepEqual(
    [info.ready, info.bytes, info.lengthMax, info.bytesMax, info.overflow, info.durability],
    [2, 2, 7, 1000, 'reject', 'memory'],
  )
  assert.equal(await queue.purge(), 2)
  await queue.send('3')
  assert.equal(await queue.delete(), 1)
  await fails(queue.inspect(), 'NOT_FOUND')
})

test('what a queue is declared to be can be read back, and declared again', async (t) => {
  const hub = await openOwn(t)
  const names = ['maxAttempts', 'backoffMinMs', 'backoffMaxMs', 'ackDeadlineMs', 'ttlMs']
  const stated = async (name, options) => {
    const queue = hub.queue(name)
    await queue.declare(options)
    const info = await queue.inspect()
    const has = Object.fromEntries([...names, 'deadLetter'].map((each) => [each, info[each]]))
    await queue.declare({ ...options, ...has })
    assert.deepEqual([info.delayed, info.damaged, info.deadLettered], [0, 0, 0])
    return Object.values(has)
  }
  assert.deepEqual(await stated('a'), [20, 100, 60_000, Infinity, Infinity, 'a.dead'])
  assert.deepEqual((await stated('a.dead')).at(-1), undefined)
  const options = { maxAttempts: 3, backoffMinMs: 5, backoffMaxMs: 7, ackDeadlineMs: 86_400_000 }
  const all = await stated('b', { ...options, ttlMs: 1e12, deadLetter: 'a' })
  assert.deepEqual(all, [3, 5, 7, 86_400_000, 1e12, 'a'])
})

test('declaring twice is fine if equal, and else MISMATCH naming the difference', async (t) => {
  const { queue } = await openQueue(t, { lengthMax: 5 })
  await queue.declare({ lengthMax: 5 })
  await fails(queue.declare({ lengthMax: 6 }), 'MISMATCH', /5.*6|6.*5/)
  await fails(queue.declare({ lengthMax: 5, maxAttempts: 7 }), 'MISMATCH', /20.*7|7.*20/)
  await fails(queue.declare({ lengthMax: 5, deadLetter: 'x' }), 'MISMATCH', /x/)
})

test('a producer needs no pause: sends wait for room and keep their order', async (t) => {
  const { queue } = await openQueue(t, { lengthMax: 50 }, { inFlightMax: 16 })
  const sends = Promise.all(Array.from({ length: 3000 }, (_, i) => queue.send(`${i}`)))
  let next = 0
  for await (const job of queue.consume({ prefetch: 10 })) {
    assert.equal(String(job.body), `${next++}`)
    await job.acknowledge()
    if (next === 3000) break
  }
  await sends
})

test('consuming makes room although sends fill what may be in flight', async (t) => {
  const { queue } = await openQueue(t, { lengthMax: 1 }, { inFlightMax: 8 })
  const sends = Promise.all(Array.from({ length: 100 }, (_, i) => queue.send(`${i}`)))
  await new Promise((resolve) => setImmediate(resolve))
  let next = 0
  for await (const job of queue.consume({ prefetch: 1 })) {
    assert.equal(String(job.body), `${next++}`)
    await job.acknowledge()
    if (next === 100) break
  }
  await sends
})
