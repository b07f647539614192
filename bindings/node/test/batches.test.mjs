import assert from 'node:assert/strict'
import test from 'node:test'

import { Batch, open } from '../index.mjs'
import { fails, openOwn, temporaryDirectory } from './support.mjs'

async function openQueues(t, options, hubOptions) {
  const hub = await openOwn(t, hubOptions)
  const [todo, done] = [hub.queue('todo'), hub.queue('done')]
  await Promise.all([todo.declare(options), done.declare(options)])
  return { hub, todo, done }
}

async function figures(queue) {
  const { ready, held, sent, acknowledged } = await queue.inspect()
  return { ready, held, sent, acknowledged }
}

for (const drive of ['loop', 'thread']) {
  test(`a batch settles and sends as one, with a receipt for each send, by ${drive}`, async (t) => {
    const { hub, todo, done } = await openQueues(t, {}, { drive })
    await todo.send('work')
    const job = await todo.receive()
    const batch = hub.batch()
    batch.send('done', 'first').acknowledge(job).send('done', 'second', { key: 'k' })
    assert.equal(batch.length, 3)
    const receipts = await batch.submit()
    assert.deepEqual(
      receipts.map((receipt) => receipt.durability),
      ['memory', 'memory'],
    )
    const [first, second] = [await done.receive(), await done.receive()]
    assert.deepEqual([String(first.body), String(second.body)], ['first', 'second'])
    assert.deepEqual(
      [first.messageId, second.messageId],
      receipts.map((r) => r.messageId),
    )
    assert.equal(String(second.key), 'k')
    assert.deepEqual(await figures(todo), { ready: 0, held: 0, sent: 1, acknowledged: 1 })
    await fails(job.acknowledge(), 'STALE')
  })
}

test('a batch may reject, requeue and release, each with its reason', async (t) => {
  const { hub, todo } = await openQueues(t, { maxAttempts: 1 })
  for (const body of ['reject', 'requeue', 'release']) await todo.send(body)
  const jobs = [await todo.receive(), await todo.receive(), await todo.receive()]
  const batch = hub.batch().reject(jobs[0], 'never').requeue(jobs[1], new Error('not now'))
  assert.deepEqual(await batch.release(jobs[2]).submit(), [])
  const dead = hub.queue('todo.dead')
  const letters = [await dead.receive(), await dead.receive()]
  const told = letters.map((each) => `${each.body}: ${each.headers['telpher.error']}`)
  assert.deepEqual(told.sort(), ['reject: never', 'requeue: Error: not now'])
  assert.equal(String((await todo.receive()).body), 'release')
})

test('a batch that is refused did nothing, and its jobs can still be settled', async (t) => {
  const { hub, todo, done } = await openQueues(t)
  await todo.send('work')
  const job = await todo.receive()
  const batch = hub.batch().acknowledge(job).send('done', 'x').send('nowhere', 'x')
  const error = await fails(batch.submit(), 'NOT_FOUND', /part 2 of the batch/)
  assert.equal(error.maybeExecuted, false)
  assert.deepEqual(await figures(done), { ready: 0, held: 0, sent: 0, acknowledged: 0 })
  assert.deepEqual(await figures(todo), { ready: 0, held: 1, sent: 1, acknowledged: 0 })
  await job.acknowledge()
})

test('a queue that is full refuses a batch at once, also if sends to it wait', async (t) => {
  const { hub, todo, done } = await openQueues(t, { lengthMax: 1, overflow: 'wait' })
  await todo.send('work')
  await done.send('in the way')
  const job = await todo.receive()
  const batch = () => hub.batch().send('done', 'result').acknowledge(job)
  await fails(batch().submit(), 'FULL', /part 0 of the batch/)
  await (await done.receive()).acknowledge()
  assert.equal((await batch().submit()).length, 1)
})

test('a job that was settled before makes its batch STALE, and frees the others', async (t) => {
  const { hub, todo } = await openQueues(t)
  await todo.send('1')
  await todo.send('2')
  const [first, second] = [await todo.receive(), await todo.receive()]
  await first.acknowledge()
  await fails(hub.batch().acknowledge(second).acknowledge(first).submit(), 'STALE')
  await fails(hub.batch().acknowledge(second).reject(second).submit(), 'STALE')
  await second.acknowledge()
})

test('a batch is submitted once, whatever comes of it', async (t) => {
  const { hub, todo } = await openQueues(t)
  const batch = hub.batch().send('todo', 'x')
  const receipts = batch.submit()
  await fails(batch.submit(), 'STALE', /submitted before/)
  assert.throws(() => batch.send('todo', 'y'), { code: 'STALE' })
  assert.equal(batch.length, 1)
  assert.equal((await receipts).length, 1)
  assert.equal((await todo.inspect()).sent, 1)
  const refused = hub.batch().send('nowhere', 'x')
  await fails(refused.submit(), 'NOT_FOUND')
  await fails(refused.submit(), 'STALE')
})

test('a batch without parts is refused with the limits', async (t) => {
  const hub = await openOwn(t)
  await fails(hub.batch().submit(), 'INVALID', /0.*1 to 1024/)
})

test('a wrong part is refused at once, and the batch is as it was', async (t) => {
  const { hub, todo } = await openQueues(t)
  const other = await openQueues(t)
  await other.todo.send('x')
  const foreign = await other.todo.receive()
  const batch = hub.batch().send('todo', 'fine')
  const invalid = (act, message) => assert.throws(act, { code: 'INVALID', message })
  invalid(() => batch.send('a/b', 'x'), /a\/b/)
  invalid(() => batch.send(7, 'x'), /a name is 7; it must be a string/)
  invalid(() => batch.send('todo', 7), /body is 7; it must be/)
  invalid(() => batch.send('todo', '', { timeoutMs: 5 }), /send has no option "timeoutMs"/)
  invalid(() => batch.send('todo', '', { priority: 256 }), /priority is 256; allowed are 0 to 255/)
  invalid(() => batch.send('todo', '', { headers: { h: 7 } }), /header h is 7/)
  invalid(() => batch.acknowledge({}), /the job is an object; it must be a Job/)
  invalid(() => batch.acknowledge(foreign), /another hub/)
  assert.throws(() => batch.send('todo', Buffer.alloc(8 * 1024 * 1024 + 1)), { code: 'TOO_LARGE' })
  await fails(batch.submit({ wait: 1 }), 'INVALID', /submit has no option "wait"/)
  await hub.batch().send('todo', 'fine').submit()
  assert.equal((await todo.inspect()).sent, 1)
  assert.throws(() => new Batch().send('todo', 'x'), TypeError)
})

test('a key or a header that is too long refuses the batch and names the part', async (t) => {
  const { hub } = await openQueues(t)
  const headers = { ['h'.repeat(256)]: 'v' }
  const batch = hub.batch().send('todo', '').send('todo', '', { headers })
  await fails(batch.submit(), 'TOO_LARGE', /part 1 of the batch.*256.*255/)
  const long = hub.batch().send('todo', '', { key: 'k'.repeat(1025) })
  await fails(long.submit(), 'TOO_LARGE', /part 0 of the batch.*1025.*1024/)
})

test('a batch has at most 1,024 parts and 8 MiB, and takes what fits', async (t) => {
  const { hub, todo } = await openQueues(t)
  const many = hub.batch()
  for (let i = 0; i < 1024; i++) many.send('todo', `${i}`)
  assert.throws(() => many.send('todo', 'x'), { code: 'INVALID', message: /1025.*1 to 1024/ })
  assert.equal(many.length, 1024)
  const large = hub.batch().send('todo', Buffer.alloc(4 * 1024 * 1024))
  const rest = 4 * 1024 * 1024 - 6
  const headers = { h: '' }
  const over = /8388609 bytes.*at most 8388608/
  assert.throws(() => large.send('todo', Buffer.alloc(rest + 1), { headers }), { message: over })
  assert.equal(large.length, 1)
  large.send('todo', Buffer.alloc(rest), { headers })
  assert.equal((await large.submit()).length, 2)
  assert.equal((await todo.inspect()).bytes, 8 * 1024 * 1024)
})

test('the largest batch comes through whole', async (t) => {
  const { hub, todo } = await openQueues(t)
  const batch = hub.batch()
  for (let i = 0; i < 1024; i++) {
    batch.send('todo', `body ${i}`, { key: `key ${i}`, headers: { n: `${i}` }, priority: i % 2 })
  }
  const receipts = await batch.submit()
  assert.equal(new Set(receipts.map((receipt) => receipt.messageId)).size, 1024)
  for (const first of [1, 0]) {
    for (let i = first; i < 1024; i += 2) {
      const job = await todo.receive()
      const seen = [job.body, job.key, job.headers.n].map(String)
      assert.deepEqual(seen, [`body ${i}`, `key ${i}`, `${i}`])
      assert.equal(job.messageId, receipts[i].messageId)
    }
  }
})

test('bytes are copied when they are added', async (t) => {
  const { hub, todo } = await openQueues(t)
  const body = Buffer.from('before')
  const batch = hub.batch().send('todo', body)
  body.fill('x')
  await batch.submit()
  assert.equal(String((await todo.receive()).body), 'before')
})

test('names may be forgotten between adding and submitting', async (t) => {
  const { hub, todo } = await openQueues(t)
  const batch = hub.batch().send('todo', 'x')
  const names = Array.from({ length: 5000 }, (_, i) => `nobody-${i}`)
  await Promise.allSettled(names.map((name) => hub.call(name, '')))
  assert.equal((await batch.submit()).length, 1)
  assert.equal((await todo.inspect()).ready, 1)
})

test('a batch waits for room when as much as may be is in flight', async (t) => {
  const { hub, todo, done } = await openQueues(t, {}, { inFlightMax: 1 })
  const controller = new AbortController()
  const waiting = fails(todo.receive({ timeoutMs: 60_000, signal: controller.signal }), 'CANCELLED')
  const never = new AbortController()
  const aborted = hub.batch().send('done', 'x').submit({ signal: never.signal })
  const batch = hub.batch().send('done', 'y').submit()
  await new Promise((resolve) => setImmediate(resolve))
  never.abort()
  assert.equal((await fails(aborted, 'CANCELLED')).maybeExecuted, false)
  controller.abort()
  await waiting
  assert.equal((await batch).length, 1)
  assert.equal((await done.inspect()).sent, 1)
})

test('a batch that is aborted already starts nothing, and its jobs stay held', async (t) => {
  const { hub, todo } = await openQueues(t)
  await todo.send('x')
  const job = await todo.receive()
  const batch = hub.batch().acknowledge(job)
  await fails(batch.submit({ signal: AbortSignal.abort() }), 'CANCELLED')
  await job.acknowledge()
})

test('a closed hub refuses batches as CLOSED', async (t) => {
  const { hub } = await openQueues(t)
  const batch = hub.batch().send('todo', 'x')
  await hub.close()
  assert.throws(() => batch.send('todo', 'y'), { code: 'CLOSED' })
  assert.equal((await fails(batch.submit(), 'CLOSED')).maybeExecuted, false)
})

test('a queue in memory does not share a batch with one on disk', async (t) => {
  const hub = await open(await temporaryDirectory())
  t.after(() => hub.close())
  await hub.queue('disk').declare()
  await hub.queue('memory').declare({ durability: 'memory' })
  const mixed = hub.batch().send('disk', 'x').send('memory', 'x')
  await fails(mixed.submit(), 'UNSUPPORTED', /memory/)
  assert.equal((await hub.queue('disk').inspect()).sent, 0)
  const [receipt] = await hub.batch().send('disk', 'x').submit()
  assert.equal(receipt.durability, 'disk')
})
