import assert from 'node:assert/strict'
import test from 'node:test'

import { fails, openOwn, until } from './support.mjs'

async function openQueue(t, options) {
  const hub = await openOwn(t)
  const queue = hub.queue('work')
  await queue.declare({ backoffMinMs: 1, backoffMaxMs: 2, ...options })
  return { hub, queue, dead: hub.queue('work.dead') }
}

// The dead letter's headers as text.
function told(job) {
  const names = ['queue', 'reason', 'error', 'failures', 'history']
  return Object.fromEntries(names.map((name) => [name, `${job.headers[`telpher.${name}`]}`]))
}

test('a rejected job is a dead letter, with where it was and why', async (t) => {
  const { queue, dead } = await openQueue(t)
  await queue.send('body', { key: 'k', headers: { own: 'kept' }, priority: 3 })
  await (await queue.receive()).reject('cannot be read')
  const letter = await dead.receive()
  assert.deepEqual([String(letter.body), String(letter.key), letter.priority], ['body', 'k', 3])
  assert.equal(String(letter.headers.own), 'kept')
  const { queue: origin, reason, error } = told(letter)
  assert.deepEqual([origin, reason, error], ['work', 'rejected', 'cannot be read'])
  const info = await queue.inspect()
  assert.deepEqual([info.rejected, info.deadLettered, info.ready, info.held], [1, 1, 0, 0])
  assert.equal((await dead.inspect()).durability, info.durability)
})

test('a job that fails at every attempt is a dead letter with its history', async (t) => {
  const { queue, dead } = await openQueue(t, { maxAttempts: 3 })
  await queue.send('poison')
  for (const failures of [0, 1, 2]) {
    const job = await queue.receive()
    assert.equal(job.failures, failures)
    await job.requeue(`attempt ${failures}`)
  }
  const { history, ...others } = told(await dead.receive())
  const wanted = { queue: 'work', reason: 'requeued', error: 'attempt 2', failures: '3' }
  assert.deepEqual(others, wanted)
  const lines = history.trimEnd().split('\n')
  assert.equal(lines.length, 3)
  lines.forEach((line, at) => assert.match(line, new RegExp(`^\\d{13} requeued: attempt ${at}$`)))
})

test('a requeued job waits for its pause', async (t) => {
  const { queue } = await openQueue(t, { backoffMinMs: 60_000, backoffMaxMs: 60_000 })
  await queue.send('later')
  await (await queue.receive()).requeue()
  const info = await queue.inspect()
  assert.deepEqual([info.delayed, info.ready, info.requeued], [1, 0, 1])
  await fails(queue.receive({ timeoutMs: 20 }), 'EXPIRED')
})

test('an error as the reason is its name and message, cut at a character', async (t) => {
  const { queue, dead } = await openQueue(t)
  const reasons = [
    [new RangeError('too far'), 'RangeError: too far'],
    [new Error(''), 'Error'],
    [new Error(`x${'\u00e9'.repeat(2000)}`), `Error: x${'\u00e9'.repeat(508)}`],
    [new Error('\u{1f600}'.repeat(1000)), `Error: ${'\u{1f600}'.repeat(254)}`],
    [Object.assign(new Error(), { name: Symbol('none') }), 'an error that has no text'],
    ['', ''],
  ]
  for (const [reason, text] of reasons) {
    await queue.send('x')
    await (await queue.receive()).reject(reason)
    const letter = await dead.receive()
    assert.equal(`${letter.headers['telpher.error'] ?? ''}`, text)
    await letter.acknowledge()
  }
})

test('a reason that is too long or no text is refused, and the job is still held', async (t) => {
  const { queue } = await openQueue(t)
  await queue.send('x')
  const job = await queue.receive()
  await fails(job.reject('x'.repeat(1025)), 'TOO_LARGE', /reason has 1025 bytes; at most 1024/)
  await fails(job.requeue('\u20ac'.repeat(342)), 'TOO_LARGE', /reason has 1026 bytes/)
  await fails(job.reject({ timeoutMs: 5 }), 'INVALID', /an object; it must be a string or an Error/)
  await fails(job.reject('x', { reason: 'y' }), 'INVALID', /reject has no option "reason"/)
  await job.acknowledge()
})

test('dead letters go to the stated queue, and from a queue of dead ones nowhere', async (t) => {
  const { hub, queue } = await openQueue(t, { deadLetter: 'graveyard.dead' })
  await queue.send('x')
  await (await queue.receive()).reject('first')
  const dead = hub.queue('graveyard.dead')
  await (await dead.receive()).reject('for good')
  const info = await dead.inspect()
  assert.deepEqual([info.ready, info.held, info.rejected, info.deadLettered], [0, 0, 1, 0])
  await fails(hub.queue('graveyard.dead.dead').inspect(), 'NOT_FOUND')
})

test('a message that nobody takes in time is a dead letter', async (t) => {
  const { queue, dead } = await openQueue(t, { ttlMs: 1 })
  await queue.send('x')
  await until(async () => (await queue.inspect()).deadLettered === 1, 'it has expired')
  const { reason, failures } = told(await dead.receive())
  assert.deepEqual([reason, failures], ['expired', '0'])
})

test('a dead letter is sent back by one batch', async (t) => {
  const { hub, queue, dead } = await openQueue(t)
  await queue.send('again', { key: 'k' })
  await (await queue.receive()).reject('not yet')
  const letter = await dead.receive()
  const { queue: origin } = told(letter)
  await hub.batch().send(origin, letter.body, { key: letter.key }).acknowledge(letter).submit()
  const job = await queue.receive()
  assert.deepEqual([String(job.body), String(job.key), job.failures], ['again', 'k', 0])
  const info = await dead.inspect()
  assert.deepEqual([info.ready, info.held, info.acknowledged], [0, 0, 1])
})
