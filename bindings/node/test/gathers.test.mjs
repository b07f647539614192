import assert from 'node:assert/strict'
import test from 'node:test'

import { Gather, TelpherError, open } from '../index.mjs'
import { fails, openOwn, until } from './support.mjs'

const DRIVES = ['loop', 'thread', 'inline']

// Instances of `prices`, each with its own answer.
async function offers(hub, ...bodies) {
  return Promise.all(bodies.map((body) => hub.serve('prices', () => body)))
}

// An instance that keeps each request until it is told to answer.
async function keeper(hub, options) {
  const kept = []
  const handler = (request) => {
    return new Promise((resolve) => kept.push({ request, answer: resolve }))
  }
  await hub.serve('prices', handler, options)
  return kept
}

async function all(gather) {
  const answers = []
  for await (const answer of gather) answers.push(answer)
  return answers
}

for (const drive of DRIVES) {
  test(`every instance answers and says who it is, turned by ${drive}`, async (t) => {
    const hub = await openOwn(t, { drive })
    await offers(hub, 'one', 'two', 'three')
    const gather = hub.gather('prices', 'tea', { headers: { h: 'v' }, priority: 7 })
    assert.ok(gather instanceof Gather)
    const answers = await all(gather)
    assert.deepEqual(answers.map(({ body }) => String(body)).sort(), ['one', 'three', 'two'])
    assert.equal(new Set(answers.map(({ instance }) => instance)).size, 3)
    assert.ok(answers.every(({ error }) => error === undefined))
    assert.deepEqual(await gather.result(), { answered: 3, failed: 0, missing: [] })
    assert.deepEqual(gather.missing, [])
  })

  test(`the deadline ends it with what has come, turned by ${drive}`, async (t) => {
    const hub = await openOwn(t, { drive })
    await offers(hub, 'one')
    const kept = await keeper(hub)
    const gather = hub.gather('prices', 'tea', { timeoutMs: 200 })
    assert.deepEqual(
      (await all(gather)).map(({ body }) => String(body)),
      ['one'],
    )
    const [{ error, instance }] = gather.missing
    assert.ok(error instanceof TelpherError)
    assert.deepEqual([error.code, error.maybeExecuted], ['TIMED_OUT', true])
    assert.equal(typeof instance, 'bigint')
    await until(() => kept[0].request.cancelled, 'the handler hears of it')
    kept[0].answer('late')
  })

  test(`subscribers answer what is gathered and only that, turned by ${drive}`, async (t) => {
    const hub = await openOwn(t, { drive })
    const topic = hub.topic('who.is.there')
    assert.deepEqual(await topic.gather('?').result(), { answered: 0, failed: 0, missing: [] })
    const [one, other] = [hub.subscribe('who.**'), hub.subscribe('who.is.*')]
    await Promise.all([one.started, other.started])
    await topic.publish('!')
    for (const subscriber of [one, other]) {
      const message = await subscriber.receive()
      assert.deepEqual([message.wantsReply, message.cancelled], [false, true])
      assert.throws(() => message.reply('me'), { code: 'INVALID' })
    }
    const gather = topic.gather('?', { timeoutMs: 10_000 })
    const message = await one.receive()
    assert.deepEqual([message.wantsReply, message.cancelled], [true, false])
    assert.throws(() => message.reply(7), { code: 'INVALID' })
    message.reply('me', { key: 'k' })
    const { value } = await gather.next()
    assert.deepEqual([String(value.body), String(value.key)], ['me', 'k'])
    assert.throws(() => message.reply('again'), { code: 'STALE' })
    const shy = await other.receive()
    shy.fail('shy', { code: 4 })
    const failure = (await gather.next()).value
    assert.equal(failure.body, undefined)
    assert.deepEqual([failure.error.code, failure.error.remoteCode], ['REMOTE', 4])
    assert.deepEqual(await gather.result(), { answered: 1, failed: 1, missing: [] })
    await Promise.all([one.close(), other.close()])
  })

  test(`what nobody wants any more is taken back, turned by ${drive}`, async (t) => {
    const hub = await openOwn(t, { drive })
    await offers(hub, 'one')
    const kept = await keeper(hub, { concurrency: 8 })
    const [first] = await all(hub.gather('prices', 'tea', { count: 1 }))
    assert.equal(String(first.body), 'one')
    for await (const answer of hub.gather('prices', 'tea')) {
      assert.equal(String(answer.body), 'one')
      break
    }
    const controller = new AbortController()
    const aborted = hub.gather('prices', 'tea', { signal: controller.signal })
    const cancelled = hub.gather('prices', 'tea')
    await until(() => kept.length === 4, 'all are asked')
    controller.abort(new Error('enough'))
    const error = await fails(aborted.result(), 'CANCELLED')
    assert.deepEqual([error.cause.message, error.maybeExecuted], ['enough', true])
    await cancelled.close()
    await fails(cancelled.result(), 'CANCELLED')
    await until(() => kept.every(({ request }) => request.cancelled), 'the handlers hear of it')
    for (const { answer } of kept) answer('late')
  })
}

test('a handler that fails has answered, with its error', async (t) => {
  const hub = await openOwn(t)
  await hub.serve('prices', () => {
    throw Object.assign(new Error('no tea'), { code: 7 })
  })
  const [{ body, error }] = await all(hub.gather('prices', 'tea'))
  assert.equal(body, undefined)
  assert.deepEqual([error.code, error.remoteCode, error.detail], ['REMOTE', 7, 'no tea'])
})

test('without an instance it is refused, and told once where one iterates', async (t) => {
  const hub = await openOwn(t)
  const gather = hub.gather('prices', 'tea')
  const error = await fails(gather.next(), 'NO_SERVICE')
  assert.equal(error.maybeExecuted, false)
  assert.deepEqual(await gather.next(), { value: undefined, done: true })
  await fails(gather.result(), 'NO_SERVICE')
})

test('wrong input is refused with its limit', async (t) => {
  const hub = await openOwn(t)
  const wrong = [
    [{ count: -1 }, 'INVALID', /count/],
    [{ count: 4097 }, 'INVALID', /4096/],
    [{ timeout: 1 }, 'INVALID', /timeout/],
    [{ priority: 256 }, 'INVALID', /priority/],
  ]
  for (const [options, code, message] of wrong) {
    assert.throws(() => hub.gather('prices', 'tea', options), { code, message })
    assert.throws(() => hub.topic('prices').gather('tea', options), { code, message })
  }
  const large = Buffer.alloc(8 * 1024 * 1024 + 1)
  assert.throws(() => hub.gather('prices', large), { code: 'TOO_LARGE' })
  await fails(hub.gather('prices', 'tea', { timeoutMs: Infinity }).result(), 'INVALID', /time/)
  await fails(hub.topic('a..b').gather('tea').result(), 'INVALID', /empty segment/)
})

test('a closed hub ends it, and no more is started', async () => {
  const hub = await open(`mem://gathers-closed-${process.pid}`)
  await keeper(hub)
  const gather = hub.gather('prices', 'tea')
  const ended = fails(gather.result(), 'CLOSED')
  await hub.close()
  await ended
  assert.throws(() => hub.gather('prices', 'tea'), { code: 'CLOSED' })
})
