import assert from 'node:assert/strict'
import test from 'node:test'

import { fails, openOwn, until } from './support.mjs'

const OPTIONS = { backoffMinMs: 1, backoffMaxMs: 1 }

async function openQueue(t, options) {
  const hub = await openOwn(t)
  const queue = hub.queue('work')
  await queue.declare({ ...OPTIONS, ...options })
  return { hub, queue }
}

test('a job that is not settled by its deadline is taken back as a failure', async (t) => {
  const { hub, queue } = await openQueue(t, { ackDeadlineMs: 20, maxAttempts: 2 })
  await queue.send('slow')
  const late = await queue.receive()
  const again = await queue.receive()
  assert.deepEqual([again.failures, again.redelivered], [1, true])
  const error = await fails(late.acknowledge(), 'LEASE_LOST')
  assert.equal(error.maybeExecuted, false)
  await until(async () => (await queue.inspect()).deadLettered === 1, 'the second was late as well')
  await fails(again.extend(), 'LEASE_LOST')
  const letter = await hub.queue('work.dead').receive()
  assert.equal(String(letter.headers['telpher.reason']), 'late')
})

test('a batch with a job that was taken back does nothing', async (t) => {
  const { hub, queue } = await openQueue(t, { ackDeadlineMs: 20 })
  await queue.send('slow')
  const late = await queue.receive()
  await until(async () => (await queue.inspect()).requeued === 1, 'it was taken back')
  await fails(hub.batch().send('work', 'x').acknowledge(late).submit(), 'LEASE_LOST')
  assert.equal((await queue.inspect()).sent, 1)
})

test('a job whose deadline is moved is kept while another is taken back', async (t) => {
  const { hub, queue } = await openQueue(t, { ackDeadlineMs: 300 })
  const other = hub.queue('other')
  await other.declare({ ...OPTIONS, ackDeadlineMs: 300 })
  await queue.send('extended')
  await other.send('not extended')
  const kept = await queue.receive()
  await kept.extend(60_000)
  await other.receive()
  await until(async () => (await other.inspect()).requeued === 1, 'the other was taken back')
  await kept.acknowledge()
  assert.equal((await queue.inspect()).acknowledged, 1)
})

test('extending without a time gives the whole deadline again', async (t) => {
  const deadline = 1000
  const { queue } = await openQueue(t, { ackDeadlineMs: deadline })
  await queue.send('slow')
  const job = await queue.receive()
  await job.extend(60_000)
  const begun = performance.now()
  await job.extend()
  await until(async () => (await queue.inspect()).requeued === 1, 'it was taken back')
  assert.ok(performance.now() - begun >= deadline, 'it was taken back too soon')
  await fails(job.acknowledge(), 'LEASE_LOST')
})

test('a consumer may state a deadline of its own', async (t) => {
  const { queue } = await openQueue(t, { ackDeadlineMs: 60_000 })
  await queue.send('slow')
  const failures = []
  for await (const job of queue.consume({ ackDeadlineMs: 20 })) {
    failures.push(job.failures)
    if (failures.length < 2) continue
    await job.acknowledge()
    break
  }
  assert.deepEqual(failures, [0, 1])
})

test('extending without a deadline does nothing, and after a verdict it is STALE', async (t) => {
  const { queue } = await openQueue(t)
  await queue.send('x')
  const job = await queue.receive()
  await job.extend()
  await job.extend(0)
  await job.extend(1000, { timeoutMs: 5000 })
  await job.acknowledge()
  await fails(job.extend(), 'STALE')
})

test('an extension out of bounds is refused with limit and value', async (t) => {
  const { queue } = await openQueue(t)
  await queue.send('x')
  const job = await queue.receive()
  for (const ms of [-1, 1.5, Infinity, '5', 86_400_001]) {
    await fails(job.extend(ms), 'INVALID', /ms is .*; allowed are 0 to 86400000/)
  }
  await fails(job.extend(5, { signal: undefined, wait: 1 }), 'INVALID', /extend has no option/)
  await job.acknowledge()
})
