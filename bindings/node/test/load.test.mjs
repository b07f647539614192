import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import test from 'node:test'

import { open } from '../index.mjs'
import { openOwn } from './support.mjs'

test('timers keep ticking while calls saturate the loop', async (t) => {
  const hub = await openOwn(t, { drive: 'inline' })
  await hub.serve('echo', (request) => request.body, { concurrency: 64 })
  let [ticks, stop, calls] = [0, false, 0]
  const timer = setInterval(() => ticks++, 1)
  const caller = async () => {
    for (; !stop; calls++) await hub.call('echo', 'x'.repeat(64))
  }
  const callers = Array.from({ length: 64 }, caller)
  await new Promise((resolve) => setTimeout(resolve, 400))
  stop = true
  await Promise.all(callers)
  clearInterval(timer)
  assert.ok(ticks >= 20, `${ticks} ticks in 400 ms`)
  assert.ok(calls >= 64, `${calls} calls`)
})

test('small bodies kept for long keep what they said', async (t) => {
  const hub = await openOwn(t)
  await hub.serve('echo', (request) => request.body)
  const kept = []
  for (let i = 0; i < 3000; i++) kept.push(await hub.call('echo', `body ${i}`))
  kept.forEach((body, i) => assert.equal(String(body), `body ${i}`))
})

test('hubs opened and closed leave no descriptor behind', async () => {
  const count = () => readdirSync('/proc/self/fd').length
  const once = async (drive) => {
    const hub = await open('mem://descriptors', { drive })
    await hub.serve('echo', (request) => request.body)
    await hub.call('echo', 'x')
    await hub.close()
    await new Promise((resolve) => setImmediate(resolve))
  }
  for (const drive of ['loop', 'thread', 'inline']) {
    await once(drive)
    const before = count()
    for (let i = 0; i < 10; i++) await once(drive)
    assert.ok(count() <= before + 2, `${drive}: ${before} descriptors became ${count()}`)
  }
})

test('thousands of names in use are no trouble', async (t) => {
  const hub = await openOwn(t)
  const names = Array.from({ length: 5000 }, (_, i) => `nobody-${i}`)
  const ends = await Promise.allSettled(names.map((name) => hub.call(name, '')))
  assert.ok(ends.every((end) => end.reason.code === 'NO_SERVICE'))
})
