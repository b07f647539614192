import assert from 'node:assert/strict'
import test from 'node:test'

import { open } from '../index.mjs'
import { fails, freePort, openOwn, until } from './support.mjs'

for (const drive of ['loop', 'thread', 'inline']) {
  test(`a call comes back with what the handler returned, turned by ${drive}`, async (t) => {
    const hub = await openOwn(t, { drive })
    await hub.serve('reverse', (request) => Buffer.from(request.body).reverse())
    const answer = await hub.call('reverse', 'abc')
    assert.ok(Buffer.isBuffer(answer))
    assert.equal(answer.toString(), 'cba')
    const many = Array.from({ length: 500 }, (_, i) => hub.call('reverse', `${i}`))
    const answers = (await Promise.all(many)).map(String)
    assert.deepEqual(
      answers,
      Array.from({ length: 500 }, (_, i) => [...`${i}`].reverse().join('')),
    )
  })
}

test('a call over tcp reaches a hub that another handle hosts inline', async (t) => {
  const url = `tcp://127.0.0.1:${await freePort()}`
  const host = await open(url, { drive: 'inline' })
  t.after(() => host.close())
  const hub = await open(url)
  t.after(() => hub.close())
  await host.serve('echo', (request) => request.body)
  assert.equal(String(await hub.call('echo', 'over tcp')), 'over tcp')
})

test('bodies of every size come back as they were', async (t) => {
  const hub = await openOwn(t)
  await hub.serve('echo', async (request) => request.body)
  for (const size of [0, 1, 64, 4096, 16_384, 65_536, 100_001, 1 << 20, 8 << 20]) {
    const body = Buffer.alloc(size, 'x')
    if (size > 0) body[size - 1] = size % 251
    const answer = await hub.call('echo', body)
    assert.ok(answer.equals(body), `size ${size}`)
  }
})

test('a body is taken when the call is made, and later changes to it do not matter', async (t) => {
  const hub = await openOwn(t)
  await hub.serve('echo', (request) => request.body)
  const body = Buffer.from('before')
  const first = hub.call('echo', body)
  const second = hub.call('echo', body)
  body.fill('x')
  assert.equal(String(await first), 'before')
  assert.equal(String(await second), 'before')
})

test('key, headers and priority travel with a request and with its reply', async (t) => {
  const hub = await openOwn(t)
  let seen
  await hub.serve('look', (request) => {
    seen = { key: String(request.key), headers: request.headers, priority: request.priority }
    return { body: 'seen', headers: { reply: 'yes' } }
  })
  const options = { key: 'k', headers: { a: '1', ü: Buffer.from([0, 255]) }, priority: 7 }
  assert.equal(String(await hub.call('look', 'x', options)), 'seen')
  assert.equal(seen.key, 'k')
  assert.equal(String(seen.headers.a), '1')
  assert.deepEqual(seen.headers['ü'], Buffer.from([0, 255]))
  assert.equal(seen.priority, 7)
})

test('a name that nobody serves is NO_SERVICE at once, and was not run', async (t) => {
  const hub = await openOwn(t)
  const error = await fails(hub.call('nobody', ''), 'NO_SERVICE')
  assert.equal(error.maybeExecuted, false)
})

test('what a handler throws reaches the caller as REMOTE with its code and text', async (t) => {
  const hub = await openOwn(t)
  await hub.serve('fail', (request) => {
    const error = new Error('no such flight')
    if (request.body.length > 0) error.code = Number(String(request.body))
    throw error
  })
  const coded = await fails(hub.call('fail', '-42'), 'REMOTE', /no such flight/)
  assert.deepEqual([coded.remoteCode, coded.maybeExecuted], [-42, true])
  assert.equal((await fails(hub.call('fail', ''), 'REMOTE')).remoteCode, 1)
})

test('a handler that fails later, or throws nonsense, leaves the service alive', async (t) => {
  const hub = await openOwn(t)
  const nonsense = [
    null,
    undefined,
    7,
    {
      toString: () => {
        throw new Error('x')
      },
    },
  ]
  await hub.serve('fail', async (request) => {
    const index = Number(String(request.body))
    if (index < nonsense.length) throw nonsense[index]
    return 'fine'
  })
  for (let i = 0; i < nonsense.length; i++) await fails(hub.call('fail', `${i}`), 'REMOTE')
  assert.equal(String(await hub.call('fail', '99')), 'fine')
})

test('a handler that returns what is no body fails its call and says what may be', async (t) => {
  const hub = await openOwn(t)
  await hub.serve('number', () => 7)
  await fails(hub.call('number', ''), 'REMOTE', /returned 7; it must be/)
})

test('a service handles as many requests at once as it stated', async (t) => {
  const hub = await openOwn(t)
  let [running, most] = [0, 0]
  const release = []
  await hub.serve(
    'slow',
    async () => {
      most = Math.max(most, ++running)
      await new Promise((resolve) => release.push(resolve))
      running--
    },
    { concurrency: 3 },
  )
  const calls = Array.from({ length: 9 }, () => hub.call('slow', ''))
  let left = 9
  for (const call of calls) call.then(() => left--)
  await until(() => running === 3, 'three at once')
  await until(() => (release.splice(0).forEach((resolve) => resolve()), left === 0), 'all done')
  assert.equal(most, 3)
})

test('a full line is BUSY, and was not run', async (t) => {
  const hub = await openOwn(t)
  const held = []
  await hub.serve('narrow', () => new Promise((resolve) => held.push(resolve)), { lineMax: 1 })
  const calls = [hub.call('narrow', ''), hub.call('narrow', '')]
  await until(() => held.length === 1, 'the first runs')
  const error = await fails(hub.call('narrow', ''), 'BUSY')
  assert.equal(error.maybeExecuted, false)
  held.shift()()
  await calls[0]
  await until(() => held.length === 1, 'the second runs')
  held.shift()()
  await calls[1]
})

test('a call ends at its deadline as TIMED_OUT, and the handler hears of it', async (t) => {
  const hub = await openOwn(t)
  let withdrawn
  const heard = new Promise((resolve) => (withdrawn = resolve))
  await hub.serve('slow', async (request) => {
    assert.ok(request.remainingMs > 0 && request.remainingMs <= 50, `${request.remainingMs}`)
    assert.equal(request.cancelled, false)
    await new Promise((resolve) => request.signal.addEventListener('abort', resolve))
    withdrawn(request.cancelled)
  })
  const begin = performance.now()
  const error = await fails(hub.call('slow', '', { timeoutMs: 50 }), 'TIMED_OUT')
  assert.equal(error.maybeExecuted, true)
  assert.ok(performance.now() - begin < 5_000)
  assert.equal(await heard, true)
})

test('a call without a time limit is refused, saying why', async (t) => {
  const hub = await openOwn(t)
  await fails(hub.call('x', '', { timeoutMs: Infinity }), 'INVALID', /time limit/)
})

test('a call made while handling a request has no more time than is left of that', async (t) => {
  const hub = await openOwn(t)
  await hub.serve('inner', (request) => `${request.remainingMs}`, { concurrency: 8 })
  await hub.serve('outer', async (request) => {
    await null
    return hub.call('inner', '', String(request.body) === 'stated' ? { timeoutMs: 10 } : {})
  })
  const left = Number(await hub.call('outer', '', { timeoutMs: 2_000 }))
  assert.ok(left > 0 && left <= 2_000, `${left}`)
  assert.ok(Number(await hub.call('outer', 'stated', { timeoutMs: 2_000 })) <= 10)
  const free = Number(await hub.call('inner', ''))
  assert.ok(free > 2_000, `${free}`)
})

test('a closed service takes nothing more, and still answers what it is handling', async (t) => {
  const hub = await openOwn(t)
  let answer
  const service = await hub.serve('gone', () => new Promise((resolve) => (answer = resolve)))
  const call = hub.call('gone', '')
  await until(() => answer, 'the handler runs')
  await service.close()
  await service.closed
  await fails(hub.call('gone', ''), 'NO_SERVICE')
  answer('late')
  assert.equal(String(await call), 'late')
})

test('a request whose handler goes away unanswered is ABANDONED', async (t) => {
  const url = `mem://abandoned-${process.pid}`
  const [hub, other] = [await open(url), await open(url)]
  t.after(() => hub.close())
  let began
  const running = new Promise((resolve) => (began = resolve))
  await other.serve('leaver', () => (began(), new Promise(() => {})))
  const call = fails(hub.call('leaver', ''), 'ABANDONED')
  await running
  await other.close()
  assert.equal((await call).maybeExecuted, true)
})

test('what exceeds the bound in flight waits for room and then goes out', async (t) => {
  const hub = await openOwn(t, { inFlightMax: 8 })
  const order = []
  await hub.serve('echo', (request) => (order.push(String(request.body)), request.body))
  const wanted = Array.from({ length: 1000 }, (_, i) => `${i}`)
  const answers = await Promise.all(wanted.map((body) => hub.call('echo', body)))
  assert.deepEqual(answers.map(String), wanted)
  assert.deepEqual(order, wanted)
})

test('an operation that finds no room within its own time is FULL', async (t) => {
  const hub = await openOwn(t, { inFlightMax: 1 })
  const queue = hub.queue('empty')
  await queue.declare()
  const holding = queue.receive({ timeoutMs: 60_000 })
  holding.catch(() => {})
  const error = await fails(hub.call('nobody', '', { timeoutMs: 30 }), 'FULL')
  assert.equal(error.maybeExecuted, false)
})

test('notices come as events of the hub', async (t) => {
  const port = await freePort()
  const host = await open(`tcp://127.0.0.1:${port}`, { drive: 'inline' })
  const hub = await open(`tcp://127.0.0.1:${port}`)
  t.after(() => hub.close())
  const notice = new Promise((resolve) => hub.once('notice', resolve))
  await host.close()
  const { kind, reason } = await notice
  assert.equal(kind, 'DISCONNECTED')
  assert.equal(typeof reason, 'string')
})

test('a hub tells what it is and what it can do', async (t) => {
  const hub = await openOwn(t)
  assert.match(hub.info.hubId, /^[0-9a-f]{32}$/)
  assert.equal(typeof hub.info.sessionId, 'bigint')
  assert.equal(hub.info.memoryOnly, true)
  const able = ['calls', 'queues.memory', 'batches', 'dead_letters', 'topics', 'bindings']
  able.push('gather', 'streams')
  assert.deepEqual(hub.capabilities, able)
  await hub.serve('echo', (request) => request.body)
  await hub.call('echo', '')
  assert.ok(hub.stats().started >= 2)
})

test('what begins to wait while others wait already ends within its own time too', async (t) => {
  const hub = await openOwn(t, { inFlightMax: 1 })
  const queue = hub.queue('empty')
  await queue.declare()
  const controller = new AbortController()
  const { signal } = controller
  const holding = fails(queue.receive({ timeoutMs: Infinity, signal }), 'CANCELLED')
  const waiting = Array.from({ length: 600 }, (_, i) =>
    fails(hub.call('nobody', `${i}`, { timeoutMs: 20 + (i % 50) }), 'FULL'),
  )
  await new Promise((resolve) => setImmediate(resolve))
  waiting.push(fails(hub.call('nobody', 'late', { timeoutMs: 5 }), 'FULL'))
  await Promise.all(waiting)
  controller.abort()
  await holding
})
