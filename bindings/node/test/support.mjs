// What the tests share: hubs of their own, programs in a process of their own, and errors by code.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import { TelpherError, open } from '../index.mjs'

let opened = 0

// A hub in this process that nobody else uses, closed when the test ends.
export async function openOwn(t, options) {
  const hub = await open(`mem://test-${process.pid}-${++opened}`, options)
  t.after(() => hub.close())
  return hub
}

const directories = []
process.on('exit', () => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})

// A directory that nobody else uses, removed when no hub can write to it any more.
export async function temporaryDirectory() {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'telpher-node-'))
  directories.push(directory)
  return directory
}

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

// Fails unless `promise` ends with a TelpherError of `code`; returns the error.
export async function fails(promise, code, pattern) {
  let error
  await assert.rejects(promise, (thrown) => {
    error = thrown
    return true
  })
  assert.ok(error instanceof TelpherError, `not a TelpherError: ${error?.stack}`)
  assert.equal(error.code, code, error.message)
  if (pattern) assert.match(error.message, pattern)
  return error
}

// Runs one of `programs/` to its end; returns how it ended and what it printed.
export function run(program, ...args) {
  const file = fileURLToPath(new URL(`programs/${program}`, import.meta.url))
  const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const kill = setTimeout(() => child.kill('SIGKILL'), 20_000)
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (data) => (stdout += data))
  child.stderr.on('data', (data) => (stderr += data))
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      clearTimeout(kill)
      resolve({ code, signal, stdout, stderr })
    })
  })
}

// Starts a process that hosts `directory`; `line()` is the next thing it says.
export async function startHost(t, directory) {
  const file = fileURLToPath(new URL('programs/host.mjs', import.meta.url))
  const child = spawn(process.execPath, [file, directory], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const line = async () => (await lines.next()).value
  assert.equal(await line(), 'hosting')
  return { child, line }
}

// True if the host of a queue that exists gives no answer for a while.
export function isSilent(queue) {
  return queue.inspect({ timeoutMs: 100 }).then(
    () => false,
    () => true,
  )
}

// Waits until `condition` is true, looking at every turn of the loop, for ten seconds at most.
export async function until(condition, what) {
  const end = performance.now() + 10_000
  while (!(await condition())) {
    assert.ok(performance.now() < end, `never came: ${what}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
