// What a program, a peer or a stranger can do wrong, a test per line: each gets a clear error with
// limit and value, and everything else goes on.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import test from 'node:test'
import { promisify } from 'node:util'
import { fileURLToPath } from 'node:url'

import { Hub, Queue, TelpherError, codes, open } from '../index.mjs'
import { fails, freePort, openOwn, until } from './support.mjs'

test('a wrong URL is refused with its text', async () => {
  for (const url of ['', 'nonsense://x', 'tcp://', 'tcp://127.0.0.1:99999', 'mem://']) {
    const error = await open(url).then(
      async (hub) => (await hub.close(), undefined),
      (thrown) => thrown,
    )
    assert.ok(error instanceof TelpherError, `${url} was opened`)
    assert.ok(['INVALID', 'UNSUPPORTED'].includes(error.code), `${url}: ${error}`)
  }
  await fails(open(undefined), 'INVALID', /the URL is undefined; it must be a string/)
})

test('an empty, too long or ill-spelt name is refused with limit and value', async (t) => {
  const hub = await openOwn(t)
  await fails(hub.call('', 'x'), 'INVALID', /1 to 255/)
  await fails(hub.call('n'.repeat(256), 'x'), 'TOO_LARGE', /256.*255/)
  await fails(hub.queue('a/b').send('x'), 'INVALID', /a\/b/)
  await fails(hub.queue('q'.repeat(251)).declare(), 'TOO_LARGE', /251 bytes.*250/)
  await hub.queue('q'.repeat(251)).declare({ deadLetter: 'q' })
  await hub.queue('q'.repeat(250)).declare()
  await fails(
    hub.serve('na\u00efve', () => {}),
    'INVALID',
  )
  await fails(hub.call(7, 'x'), 'INVALID', /a name is 7; it must be a string/)
  assert.throws(() => hub.queue(null), { code: 'INVALID' })
})

test('an unknown option is refused by name, in every function', async (t) => {
  const hub = await openOwn(t)
  const queue = hub.queue('work')
  await queue.declare()
  await fails(open('mem://x', { timeout: 1 }), 'INVALID', /open has no option "timeout"; it has/)
  await fails(hub.call('x', '', { timeout: 1 }), 'INVALID', /"timeout"/)
  await fails(
    hub.serve('x', () => {}, { parallel: 1 }),
    'INVALID',
    /"parallel"/,
  )
  await fails(queue.send('', { ttl: 1 }), 'INVALID', /"ttl"/)
  await fails(queue.declare({ max: 1 }), 'INVALID', /"max"/)
  await fails(queue.receive({ wait: 1 }), 'INVALID', /"wait"/)
  await fails(queue.declare({ ackDeadline: 1 }), 'INVALID', /has.*ackDeadlineMs, ttlMs, deadLetter/)
  await fails(hub.close({ force: true }), 'INVALID', /"force"/)
  await fails(hub.call('x', '', 'fast'), 'INVALID', /must be an object/)
  assert.throws(() => queue.consume({ credit: 1 }), { code: 'INVALID' })
})

test('an option out of bounds is refused with limit and value', async (t) => {
  const hub = await openOwn(t)
  const queue = hub.queue('work')
  await fails(hub.call('x', '', { timeoutMs: -5 }), 'INVALID', /timeoutMs is -5/)
  await fails(hub.call('x', '', { timeoutMs: '5' }), 'INVALID', /timeoutMs is "5"/)
  await fails(hub.call('x', '', { timeoutMs: 1e13 }), 'INVALID', /1000000000000/)
  await fails(hub.call('x', '', { signal: {} }), 'INVALID', /AbortSignal/)
  await fails(hub.call('x', '', { priority: 256 }), 'INVALID', /priority is 256.*0 to 255/)
  await fails(
    hub.serve('x', () => {}, { concurrency: 0 }),
    'INVALID',
    /concurrency is 0/,
  )
  await fails(
    hub.serve('x', () => {}, { concurrency: 70_000 }),
    'INVALID',
    /65536/,
  )
  await fails(queue.declare({ overflow: 'drop' }), 'INVALID', /overflow is "drop"/)
  await fails(queue.declare({ durability: 'tape' }), 'INVALID', /durability is "tape"/)
  await fails(queue.declare({ maxAttempts: 1001 }), 'INVALID', /maxAttempts is 1001.*1 to 1000/)
  await fails(queue.declare({ backoffMinMs: 0 }), 'INVALID', /backoffMinMs is 0.*1 to 86400000/)
  await fails(queue.declare({ backoffMaxMs: Infinity }), 'INVALID', /backoffMaxMs is Infinity/)
  await fails(queue.declare({ backoffMinMs: 9, backoffMaxMs: 8 }), 'INVALID', /8.*9/)
  await fails(queue.declare({ ackDeadlineMs: 86_400_001 }), 'INVALID', /and Infinity \(never\)/)
  await fails(queue.declare({ ttlMs: 1.5 }), 'INVALID', /ttlMs is 1.5; allowed are 1 to 10{12} and/)
  await fails(queue.declare({ deadLetter: 7 }), 'INVALID', /deadLetter is 7; it must be a string/)
  await fails(queue.declare({ deadLetter: 'a/b' }), 'INVALID', /a\/b/)
  await fails(queue.declare({ deadLetter: '' }), 'INVALID', /empty/)
  await fails(queue.declare({ deadLetter: 'work' }), 'INVALID', /own dead-letter queue/)
  await fails(queue.declare({ durability: 'memory', bytesMax: 2 ** 31 }), 'INVALID', /1073741824/)
  await fails(open('mem://x', { inFlightMax: 1e6 }), 'INVALID', /inFlightMax is 1000000/)
  await fails(open('mem://x', { drive: 'warp' }), 'INVALID', /drive is "warp"/)
  await queue.declare()
  await fails(queue.consume({ prefetch: 70_000 }).next(), 'INVALID', /65536/)
  assert.throws(() => queue.consume({ ackDeadlineMs: 0 }), { message: /allowed are 1 to 86400000/ })
})

test('an oversized body, key or header is refused with limit and value', async (t) => {
  const hub = await openOwn(t)
  await hub.serve('echo', (request) => request.body)
  const large = Buffer.alloc(8 * 1024 * 1024 + 1)
  await fails(hub.call('echo', large), 'TOO_LARGE', /8388609 bytes; at most 8388608/)
  await fails(hub.call('echo', 'x'.repeat(large.length)), 'TOO_LARGE', /8388609/)
  await fails(hub.call('echo', '', { key: 'k'.repeat(1025) }), 'TOO_LARGE', /1025.*1024/)
  const headers = { ['h'.repeat(256)]: 'v' }
  await fails(hub.call('echo', '', { headers }), 'TOO_LARGE', /256.*255/)
  await fails(hub.call('echo', '', { headers: { h: 'v'.repeat(70_000) } }), 'TOO_LARGE', /65536/)
  await fails(hub.call('echo', '', { headers: 'x' }), 'INVALID', /headers/)
  assert.equal(String(await hub.call('echo', 'fine')), 'fine')
})

test('a body that is neither bytes nor text is refused', async (t) => {
  const hub = await openOwn(t)
  for (const body of [7, null, undefined, {}, [1], new ArrayBuffer(1)]) {
    await fails(hub.call('x', body), 'INVALID', /body is .*; it must be/)
  }
})

test('a reply that is too large fails its call, and the service goes on', async (t) => {
  const hub = await openOwn(t)
  await hub.serve('grow', (request) => Buffer.alloc(Number(String(request.body))))
  await fails(hub.call('grow', `${8 * 1024 * 1024 + 1}`), 'REMOTE', /8388609/)
  assert.equal((await hub.call('grow', '3')).length, 3)
})

test('a hub, queue or job is not made by hand, and a foreign `this` is an error', async () => {
  assert.throws(() => new Hub(), { code: 'INVALID', message: /telpher.open/ })
  await assert.rejects(Hub.prototype.call.call(null, 'x', ''), TypeError)
  assert.throws(
    () => Object.getOwnPropertyDescriptor(Queue.prototype, 'name').get.call({}),
    TypeError,
  )
})

test('a closed hub refuses everything as CLOSED, and closing again is fine', async (t) => {
  const hub = await openOwn(t)
  const queue = hub.queue('work')
  await queue.declare()
  await queue.send('x')
  const job = await queue.receive()
  await hub.close()
  await hub.close()
  for (const promise of [
    hub.call('x', ''),
    queue.send(''),
    queue.receive(),
    queue.inspect(),
    queue.declare(),
    hub.serve('x', () => {}),
    job.acknowledge(),
    job.reject('why'),
    job.extend(),
  ]) {
    assert.equal((await fails(promise, 'CLOSED')).maybeExecuted, false)
  }
  assert.throws(() => hub.flush(), { code: 'CLOSED' })
  assert.throws(() => queue.consume(), { code: 'CLOSED' })
})

test('a job settled twice is STALE the second time', async (t) => {
  const hub = await openOwn(t)
  const queue = hub.queue('work')
  await queue.declare()
  await queue.send('x')
  const job = await queue.receive()
  await job.acknowledge()
  await fails(job.acknowledge(), 'STALE')
  await fails(job.requeue(), 'STALE')
})

test('a child process opens hubs of its own while its parent uses one', async (t) => {
  const hub = await openOwn(t)
  await hub.serve('echo', (request) => request.body)
  const file = fileURLToPath(new URL('programs/ends.mjs', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [file])
  assert.match(stdout, /done/)
  assert.equal(String(await hub.call('echo', 'still here')), 'still here')
})

test('a handler that is no function, or that throws, hurts nobody else', async (t) => {
  const hub = await openOwn(t)
  await fails(hub.serve('x', 'not a function'), 'INVALID', /handler is "not a function"/)
  await hub.serve('x', () => JSON.parse('{'))
  await fails(hub.call('x', ''), 'REMOTE', /JSON/)
  await fails(hub.call('x', ''), 'REMOTE', /JSON/)
})

const attacks = {
  'sends garbage': (socket) => socket.write(Buffer.alloc(512, 0xa5)),
  'sends a length of 4 GiB': (socket) => socket.write(Buffer.alloc(64, 0xff)),
  'sends half a frame': (socket) => socket.write(Buffer.from([1])),
  'sends one byte a second': (socket) => {
    const timer = setInterval(() => socket.write(Buffer.from([0])), 1000)
    socket.on('close', () => clearInterval(timer))
  },
}

for (const [what, attack] of Object.entries(attacks)) {
  test(`a stranger who ${what} is cut off, and everybody else is served`, async (t) => {
    const port = await freePort()
    const host = await open(`tcp://127.0.0.1:${port}`, { drive: 'inline' })
    t.after(() => host.close())
    const hub = await open(`tcp://127.0.0.1:${port}`)
    t.after(() => hub.close())
    await host.serve('echo', (request) => request.body)
    const socket = net.connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.resume()
    attack(socket)
    const cut = once(socket, 'close')
    for (let i = 0; i < 100; i++) assert.equal(String(await hub.call('echo', `${i}`)), `${i}`)
    await cut
    assert.equal(String(await hub.call('echo', 'after')), 'after')
  })

  test(`a server that ${what} makes opening fail in time, and says why`, async (t) => {
    const server = net.createServer((socket) => {
      socket.on('error', () => {})
      socket.resume()
      attack(socket)
    })
    t.after(() => server.close())
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const error = await open(`tcp://127.0.0.1:${server.address().port}`, { timeoutMs: 700 }).then(
      () => undefined,
      (thrown) => thrown,
    )
    assert.ok(error instanceof TelpherError, 'it was opened')
    assert.ok(['PROTOCOL', 'NO_HOST', 'HOST_UNRESPONSIVE'].includes(error.code), `${error}`)
  })
}

test('nobody at an address is NO_HOST within the time', async () => {
  const port = await freePort()
  const begin = performance.now()
  await fails(open(`tcp://127.0.0.1:${port}`, { timeoutMs: 200 }), 'NO_HOST')
  assert.ok(performance.now() - begin < 5_000)
})

test('every code of the table makes an error, and no other does', () => {
  for (const { code, executed } of codes) {
    assert.equal(new TelpherError(code).maybeExecuted, executed === 'maybe')
  }
  assert.throws(() => new TelpherError('NO_SUCH_CODE'), RangeError)
  assert.equal(codes.length, 34)
})
