import assert from 'node:assert/strict'
import test from 'node:test'

import { open } from '../index.mjs'
import { fails, openOwn, temporaryDirectory, until } from './support.mjs'

test('aborting a call ends it as CANCELLED with the reason, and reaches the handler', async (t) => {
  const hub = await openOwn(t)
  let request
  await hub.serve('slow', (given) => {
    request = given
    return new Promise((resolve) => given.signal.addEventListener('abort', () => resolve()))
  })
  const controller = new AbortController()
  const call = hub.call('slow', '', { signal: controller.signal })
  await until(() => request, 'the handler runs')
  const reason = new Error('not wanted any more')
  controller.abort(reason)
  const error = await fails(call, 'CANCELLED')
  assert.equal(error.cause, reason)
  assert.equal(error.maybeExecuted, true)
  await until(() => request.cancelled, 'the handler hears of it')
})

test('a signal that is aborted already starts nothing', async (t) => {
  const hub = await openOwn(t)
  const before = hub.stats().started
  const error = await fails(hub.call('x', '', { signal: AbortSignal.abort() }), 'CANCELLED')
  assert.equal(error.maybeExecuted, false)
  assert.equal(hub.stats().started, before)
})

test('aborting after the end does nothing, and leaves no listener behind', async (t) => {
  const hub = await openOwn(t)
  await hub.serve('echo', (request) => request.body)
  const controller = new AbortController()
  let listeners = 0
  const { signal } = controller
  const [add, remove] = [signal.addEventListener, signal.removeEventListener]
  signal.addEventListener = (...args) => (listeners++, add.apply(signal, args))
  signal.removeEventListener = (...args) => (listeners--, remove.apply(signal, args))
  for (let i = 0; i < 50; i++) await hub.call('echo', 'x', { signal })
  assert.equal(listeners, 0)
  controller.abort()
  assert.equal(String(await hub.call('echo', 'y')), 'y')
})

test('an operation that waits for room is cancelled before it was sent', async (t) => {
  const hub = await openOwn(t, { inFlightMax: 1 })
  const queue = hub.queue('empty')
  await queue.declare()
  const holding = queue.receive({ timeoutMs: 60_000 })
  holding.catch(() => {})
  const controller = new AbortController()
  const waiting = queue.send('x', { signal: controller.signal })
  await new Promise((resolve) => setImmediate(resolve))
  controller.abort()
  const error = await fails(waiting, 'CANCELLED')
  assert.equal(error.maybeExecuted, false)
})

test('aborting a receive gives its place back', async (t) => {
  const hub = await openOwn(t)
  const queue = hub.queue('work')
  await queue.declare()
  const controller = new AbortController()
  const receive = queue.receive({ timeoutMs: Infinity, signal: controller.signal })
  await until(async () => (await queue.inspect()).consumers === 1, 'the receive waits')
  controller.abort()
  await fails(receive, 'CANCELLED')
  await queue.send('kept')
  assert.equal(String((await queue.receive()).body), 'kept')
})

test('aborting a consumer ends its loop', async (t) => {
  const hub = await openOwn(t)
  const queue = hub.queue('work')
  await queue.declare()
  const controller = new AbortController()
  const consumer = queue.consume({ signal: controller.signal })
  const next = consumer.next()
  await consumer.started
  controller.abort()
  assert.equal((await next).done, true)
  await until(async () => (await queue.inspect()).consumers === 0, 'the consumer is gone')
})

test('opening can be aborted', async () => {
  const directory = await temporaryDirectory()
  const controller = new AbortController()
  const opening = open(directory, { host: 'never', signal: controller.signal })
  controller.abort()
  await fails(opening, 'CANCELLED')
})
