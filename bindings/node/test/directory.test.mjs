import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'node:test'

import { open } from '../index.mjs'
import { fails, isSilent, openOwn, startHost, temporaryDirectory, until } from './support.mjs'

test('when a host is killed, work goes on under another, and everybody is told', async (t) => {
  const directory = await temporaryDirectory()
  const { child, line } = await startHost(t, directory)
  const hub = await open(directory)
  t.after(() => hub.close())
  await hub.serve('echo', (request) => request.body)
  const queue = hub.queue('work')
  await queue.send('lost with its host')
  const notices = []
  hub.on('notice', (notice) => notices.push(notice))
  const call = hub.call('hold', '')
  const lost = fails(call, 'HOST_LOST')
  assert.equal(await line(), 'holding')
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.equal((await lost).maybeExecuted, true)
  await until(() => notices.some((notice) => notice.kind === 'HUB_CHANGED'), 'HUB_CHANGED')
  assert.equal(notices.find((notice) => notice.kind === 'HUB_CHANGED').memoryLost, true)
  assert.equal(String(await hub.call('echo', 'again')), 'again')
  const { ready, durability } = await queue.inspect()
  assert.deepEqual([ready, durability], [0, 'memory'])
})

test('a directory that is damaged is CORRUPT at once, with file and offset', async () => {
  const directory = await temporaryDirectory()
  const hub = await open(directory)
  assert.ok(hub.capabilities.includes('queues.disk'))
  await hub.close()
  await writeFile(path.join(directory, 'HUB'), 'hub zzz\n')
  await fails(open(directory), 'CORRUPT', /HUB is damaged at offset 0/)
})

test('a queue of a directory is on disk if nothing else is stated', async (t) => {
  const directory = await temporaryDirectory()
  const hub = await open(directory)
  assert.equal(hub.info.memoryOnly, false)
  const durabilities = { disk: undefined, os: 'os', memory: 'memory' }
  for (const [wanted, durability] of Object.entries(durabilities)) {
    const queue = hub.queue(wanted)
    await queue.declare({ durability })
    assert.equal((await queue.send('x')).durability, wanted)
    assert.equal((await queue.inspect()).durability, wanted)
  }
  await hub.queue('large').declare({ bytesMax: 2 ** 40 })
  await hub.close()
  const again = await open(directory)
  t.after(() => again.close())
  for (const name of ['disk', 'os']) {
    assert.equal(String((await again.queue(name).receive()).body), 'x')
  }
})

test('what was confirmed on disk, and what is held of it, outlives its host', async (t) => {
  const directory = await temporaryDirectory()
  const { child } = await startHost(t, directory)
  const hub = await open(directory)
  t.after(() => hub.close())
  const queue = hub.queue('kept')
  await queue.declare()
  for (const body of ['held', 'waiting', 'in a batch']) await queue.send(body)
  const held = await queue.receive()
  const consumer = queue.consume()
  const second = (await consumer.next()).value
  child.kill('SIGKILL')
  await once(child, 'exit')
  const send = queue.send('sent meanwhile')
  await held.acknowledge()
  await hub.batch().acknowledge(second).send('kept', 'batched meanwhile').submit()
  await send
  const rest = []
  while (rest.length < 3) {
    const job = (await consumer.next()).value
    rest.push(String(job.body))
    await job.acknowledge()
  }
  assert.deepEqual(rest.sort(), ['batched meanwhile', 'in a batch', 'sent meanwhile'])
  const info = await queue.inspect()
  assert.deepEqual([info.ready, info.held], [0, 0])
})

test('a batch that is aborted under way is done whole or not at all', async (t) => {
  const directory = await temporaryDirectory()
  const { child } = await startHost(t, directory)
  const hub = await open(directory, { host: 'never' })
  t.after(() => hub.close())
  const [queue, done] = [hub.queue('kept'), hub.queue('done')]
  await Promise.all([queue.declare(), done.declare()])
  await queue.send('work')
  const job = await queue.receive()
  const batch = hub.batch().acknowledge(job).send('done', 'result')
  child.kill('SIGSTOP')
  await until(() => isSilent(queue), 'the host stands still')
  const controller = new AbortController()
  const submitted = fails(batch.submit({ signal: controller.signal }), 'CANCELLED')
  // What is asked after it gets no answer either: it has been sent.
  assert.ok(await isSilent(queue))
  controller.abort()
  assert.equal((await submitted).maybeExecuted, true)
  child.kill('SIGCONT')
  const { acknowledged, ready, held } = await queue.inspect()
  const { sent } = await done.inspect()
  assert.deepEqual([acknowledged, ready + held], sent === 1 ? [1, 0] : [0, 1])
})

test('a hub without a directory refuses a queue on disk, and says so', async (t) => {
  const hub = await openOwn(t)
  assert.equal(hub.info.memoryOnly, true)
  for (const durability of ['os', 'disk']) {
    await fails(hub.queue('work').declare({ durability }), 'UNSUPPORTED', new RegExp(durability))
  }
})

test('a program that may not host has NO_HOST where nobody hosts', async () => {
  const directory = await temporaryDirectory()
  await fails(open(directory, { host: 'never', timeoutMs: 300 }), 'NO_HOST')
})
