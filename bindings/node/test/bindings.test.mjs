import assert from 'node:assert/strict'
import test from 'node:test'

import { open } from '../index.mjs'
import { fails, openOwn, temporaryDirectory } from './support.mjs'

for (const drive of ['loop', 'thread', 'inline']) {
  test(`what is published is kept where its topic is bound, turned by ${drive}`, async (t) => {
    const hub = await openOwn(t, { drive })
    const audit = hub.queue('audit')
    await audit.declare()
    assert.deepEqual((await audit.inspect()).bindings, [])
    for (const pattern of ['orders.**', 'orders.*', 'orders.*']) await audit.bind(pattern)
    const info = await audit.inspect()
    assert.deepEqual(info.bindings, ['orders.*', 'orders.**'])
    assert.equal(info.deadLetter, 'audit.dead')
    const options = { key: 'k', headers: { h: 'v' }, priority: 3 }
    await hub.topic('orders.new').publish('body', options)
    await hub.topic('others').publish('nobody listens')
    const job = await audit.receive()
    assert.equal(`${job.body} ${job.key} ${job.priority}`, 'body k 3')
    assert.equal(`${job.headers.h} ${job.headers['telpher.topic']}`, 'v orders.new')
    await job.acknowledge()
    assert.equal((await audit.inspect()).ready, 0, 'once, though two patterns match')
    for (const pattern of ['orders.**', 'orders.*']) await audit.unbind(pattern)
    await hub.topic('orders.new').publish('nobody listens')
    assert.equal((await audit.inspect()).ready, 0)
  })
}

test('what is not there is not found, and a wrong pattern is refused', async (t) => {
  const hub = await openOwn(t)
  await fails(hub.queue('nowhere').bind('a'), 'NOT_FOUND', /nowhere/)
  await hub.queue('jobs').declare()
  await fails(hub.queue('jobs').unbind('a'), 'NOT_FOUND', /not bound/)
  await fails(hub.queue('jobs').bind('a.b*'), 'INVALID', /b\*/)
  await assert.rejects(hub.queue('jobs').bind(7))
  await fails(hub.queue('jobs').bind('a'.repeat(256)), 'TOO_LARGE', /255/)
})

test('a full queue that is bound refuses a publish as a whole', async (t) => {
  const hub = await openOwn(t)
  await hub.queue('tight').declare({ lengthMax: 1, overflow: 'reject' })
  await hub.queue('roomy').declare()
  for (const queue of ['tight', 'roomy']) await hub.queue(queue).bind('a')
  await hub.topic('a').publish('1')
  await fails(hub.topic('a').publish('2'), 'FULL', /tight/)
  assert.equal((await hub.queue('roomy').inspect()).ready, 1)
})

test('bindings outlive every handle', async (t) => {
  const directory = await temporaryDirectory()
  for (const body of ['first', 'second']) {
    const hub = await open(directory)
    const audit = hub.queue('audit')
    await audit.declare()
    if (body === 'first') await audit.bind('a.*')
    await hub.topic('a.b').publish(body)
    assert.deepEqual((await audit.inspect()).bindings, ['a.*'])
    const job = await audit.receive()
    assert.equal(`${job.body}`, body)
    await job.acknowledge()
    await hub.close()
  }
})

test('the publishes of a batch happen with it or not at all', async (t) => {
  const hub = await openOwn(t)
  await hub.queue('audit').declare()
  await hub.queue('audit').bind('a')
  const live = hub.subscribe('**')
  await live.started
  const batch = hub.batch()
  batch.publish('a', '1', { key: 'k', headers: { h: 'v' } }).send('audit', '2')
  assert.equal((await batch.submit()).length, 1)
  const message = await live.receive()
  assert.equal(`${message.topic} ${message.body} ${message.key}`, 'a 1 k')
  const refused = hub.batch().publish('a', '3').send('nowhere', '4')
  await fails(refused.submit(), 'NOT_FOUND', /part 1/)
  await fails(hub.batch().publish('a..b', 'x').submit(), 'INVALID', /empty segment/)
  await fails(live.receive({ timeoutMs: 0 }), 'PENDING', /./)
  assert.equal((await hub.queue('audit').inspect()).ready, 2)
  await live.close()
})

for (const drive of ['loop', 'thread', 'inline']) {
  test(`what is published is appended where its topic is bound, turned by ${drive}`, async (t) => {
    const hub = await openOwn(t, { drive })
    const log = hub.stream('log')
    await log.declare({ partitions: 3 })
    assert.deepEqual((await log.inspect()).bindings, [])
    for (const pattern of ['orders.**', 'orders.*', 'orders.*']) await log.bind(pattern)
    const info = await log.inspect()
    assert.deepEqual(info.bindings, ['orders.*', 'orders.**'])
    assert.equal(info.partitions.length, 3)
    await hub.topic('orders.new').publish('body', { key: 'k', headers: { h: 'v' } })
    await hub.topic('others').publish('nobody listens')
    for (const pattern of ['orders.**', 'orders.*']) await log.unbind(pattern)
    await hub.topic('orders.new').publish('nobody listens')
    const records = []
    for await (const record of log.read()) records.push(record)
    assert.equal(records.length, 1)
    const [{ body, key, headers }] = records
    assert.equal(`${body} ${key}`, 'body k')
    assert.equal(`${headers.h} ${headers['telpher.topic']}`, 'v orders.new')
  })
}

test('a stream that is not there is not found, and a wrong pattern is refused', async (t) => {
  const hub = await openOwn(t)
  await fails(hub.stream('nowhere').bind('a'), 'NOT_FOUND', /no stream is named/)
  const log = hub.stream('log')
  await log.declare({ compact: true })
  await fails(log.unbind('a'), 'NOT_FOUND', /not bound to the stream/)
  await fails(log.bind('a.b*'), 'INVALID', /b\*/)
  await assert.rejects(log.bind(7))
  await assert.rejects(log.bind('a', { durability: 'disk' }))
  await log.bind('a')
  await fails(hub.topic('a').publish('keyless'), 'INVALID', /needs one/)
})
