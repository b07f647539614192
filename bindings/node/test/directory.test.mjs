import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import test from 'node:test'
import { fileURLToPath } from 'node:url'

import { open } from '../index.mjs'
import { fails, temporaryDirectory, until } from './support.mjs'

// Starts a process that hosts `directory`; `line()` is the next thing it says.
async function startHost(t, directory) {
  const file = fileURLToPath(new URL('programs/host.mjs', import.meta.url))
  const child = spawn(process.execPath, [file, directory], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const line = async () => (await lines.next()).value
  assert.equal(await line(), 'hosting')
  return { child, line }
}

test('when a host is killed, work goes on under another, and everybody is told', async (t) => {
  const directory = await temporaryDirectory(t)
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
  await fails(queue.inspect(), 'NOT_FOUND')
})

test('a directory hub refuses a queue on disk in this version, and says so', async (t) => {
  const directory = await temporaryDirectory(t)
  const hub = await open(directory)
  t.after(() => hub.close())
  await fails(hub.queue('work').declare(), 'UNSUPPORTED', /disk/)
  await hub.queue('work').declare({ durability: 'memory' })
})

test('a program that may not host has NO_HOST where nobody hosts', async (t) => {
  const directory = await temporaryDirectory(t)
  await fails(open(directory, { host: 'never', timeoutMs: 300 }), 'NO_HOST')
})
