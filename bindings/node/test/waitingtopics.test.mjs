import assert from 'node:assert/strict'
import test from 'node:test'

import { Topics, open } from '../index.mjs'
import { fails, openOwn, temporaryDirectory, until } from './support.mjs'

const DRIVES = ['loop', 'thread', 'inline']

async function subscribe(hub, pattern, options) {
  const subscriber = hub.subscribe(pattern, options)
  await subscriber.started
  return subscriber
}

async function bodies(subscriber, count) {
  const read = []
  while (read.length < count) {
    const { body, lost } = await subscriber.receive({ timeoutMs: 10_000 })
    assert.equal(lost, 0)
    read.push(String(body))
  }
  return read
}

for (const drive of DRIVES) {
  test(`publishers wait for who reads nothing, and nothing is lost, by ${drive}`, async (t) => {
    const hub = await openOwn(t, { drive })
    const topics = hub.topics('numbers')
    await topics.declare({ overflow: 'wait' })
    const subscriber = await subscribe(hub, 'numbers', { buffer: 4 })
    const publish = (_, i) => hub.topic('numbers').publish(`${i + 1}`)
    const published = Array.from({ length: 100 }, publish)
    // Four are here and four in the hub, however long the loop turns.
    await until(async () => (await topics.inspect()).waiting === 92, '92 that wait')
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(await topics.inspect(), { overflow: 'wait', lineMax: 1024, waiting: 92 })
    const expected = Array.from({ length: 100 }, (_, i) => `${i + 1}`)
    assert.deepEqual(await bodies(subscriber, 100), expected)
    await Promise.all(published)
  })

  test(`large messages wait for room in bytes, turned by ${drive}`, async (t) => {
    const hub = await openOwn(t, { drive })
    await hub.topics('**').declare({ overflow: 'wait' })
    const subscriber = await subscribe(hub, 'large', { buffer: 65_536 })
    const body = Buffer.alloc(4 * 1024 * 1024)
    const published = Array.from({ length: 12 }, () => hub.topic('large').publish(body))
    await until(async () => (await hub.topics('**').inspect()).waiting === 4, 'four that wait')
    assert.equal((await bodies(subscriber, 12)).length, 12)
    await Promise.all(published)
  })
}

test('a publish that waits expires, is aborted, or finds the line full', async (t) => {
  const hub = await openOwn(t)
  await hub.topics('a').declare({ overflow: 'wait', lineMax: 2 })
  const subscriber = await subscribe(hub, '*', { buffer: 1 })
  const topic = hub.topic('a')
  await topic.publish('1')
  await topic.publish('2')
  const controller = new AbortController()
  const aborted = [1, 2].map(() =>
    fails(topic.publish('aborted', { signal: controller.signal }), 'CANCELLED'),
  )
  await fails(topic.publish('too many'), 'FULL', /line_max is 2/)
  controller.abort()
  await Promise.all(aborted)
  const late = await fails(topic.publish('late', { timeoutMs: 30 }), 'EXPIRED', /given to nobody/)
  assert.equal(late.maybeExecuted, false)
  await until(async () => (await hub.topics('a').inspect()).waiting === 0, 'that nothing waits')
  const last = topic.publish('3')
  assert.deepEqual(await bodies(subscriber, 3), ['1', '2', '3'])
  await last
})

test('who waits goes on when the subscriber closes or the declaration is deleted', async (t) => {
  const hub = await openOwn(t)
  const topics = hub.topics('a')
  await topics.declare({ overflow: 'wait' })
  const publishAll = () => Array.from({ length: 10 }, (_, i) => hub.topic('a').publish(`${i}`))
  const subscriber = await subscribe(hub, 'a', { buffer: 1 })
  let published = publishAll()
  await subscriber.close()
  await Promise.all(published)
  await subscribe(hub, 'a', { buffer: 1 })
  published = publishAll()
  await topics.delete()
  await Promise.all(published)
})

test('a batch does not wait for a subscriber', async (t) => {
  const hub = await openOwn(t)
  await hub.topics('a').declare({ overflow: 'wait' })
  await subscribe(hub, 'a', { buffer: 1 })
  for (const body of ['1', '2']) await hub.topic('a').publish(body)
  const batch = hub.batch()
  batch.publish('a', '3')
  await fails(batch.submit(), 'FULL', /part 0/)
})

test('declarations are checked, looked at and deleted, and outlive their host', async (t) => {
  const directory = await temporaryDirectory()
  const first = await open(directory)
  const topics = first.topics('orders.**')
  assert.ok(topics instanceof Topics && topics.pattern === 'orders.**')
  await fails(topics.inspect(), 'NOT_FOUND', /not declared/)
  await topics.declare({ overflow: 'wait', lineMax: 5 })
  await topics.declare({ overflow: 'wait', lineMax: 5 })
  await fails(topics.declare({ overflow: 'wait' }), 'MISMATCH', /line_max 5, not 1024/)
  await fails(topics.declare(), 'MISMATCH', /overflow wait, not drop/)
  await first.close()
  const hub = await open(directory)
  t.after(() => hub.close())
  const info = await hub.topics('orders.**').inspect()
  assert.deepEqual(info, { overflow: 'wait', lineMax: 5, waiting: 0 })
  await hub.topics('orders.**').delete()
  await fails(hub.topics('orders.**').delete(), 'NOT_FOUND')
})

test('a wrong declaration is refused with the value', async (t) => {
  const hub = await openOwn(t)
  const topics = hub.topics('a')
  await fails(topics.declare({ overflow: 'keep' }), 'INVALID', /"keep"; allowed are drop, wait/)
  await fails(topics.declare({ lineMax: 0 }), 'INVALID', /lineMax is 0; allowed are 1 to 1048576/)
  await fails(topics.declare({ lineMax: 3 }), 'INVALID', /line_max is 3; nothing waits/)
  await fails(topics.declare({ other: 1 }), 'INVALID', /no option "other"/)
  await fails(hub.topics('a.b*').declare(), 'INVALID', /b\*/)
  assert.throws(() => hub.topics(7), { code: 'INVALID' })
})
