import assert from 'node:assert/strict'
import { once } from 'node:events'
import test from 'node:test'

import { open } from '../index.mjs'
import { fails, openOwn, startHost, temporaryDirectory, until } from './support.mjs'

const PARTITIONS = 4

async function declared(hub, options = { partitions: PARTITIONS }, name = 'log') {
  const stream = hub.stream(name)
  await stream.declare(options)
  return stream
}

// Appends `count` records to each of the partitions.
async function fill(stream, count, partitions = PARTITIONS) {
  const appends = []
  for (let i = 0; i < count; i++) {
    for (let partition = 0; partition < partitions; partition++) {
      appends.push(stream.append(`${partition}/${i}`, { partition }))
    }
  }
  await Promise.all(appends)
}

async function take(reader, count) {
  const records = []
  while (records.length < count) records.push(await reader.receive())
  return records
}

const partitionsOf = (records) => [...new Set(records.map(({ partition }) => partition))].sort()

async function places(stream) {
  const [group] = await stream.groups()
  return group.places.map(({ next, lag }) => [Number(next), lag])
}

const every = (next, lag) => Array.from({ length: PARTITIONS }, () => [next, lag])

for (const drive of ['loop', 'thread', 'inline']) {
  test(`two members share the partitions, turned by ${drive}`, async (t) => {
    const hub = await openOwn(t, { drive })
    const stream = await declared(hub)
    const [first, second] = [stream.read({ group: 'g' }), stream.read({ group: 'g' })]
    await Promise.all([first.started, second.started])
    await fill(stream, 50)
    const [one, other] = await Promise.all([take(first, 100), take(second, 100)])
    const all = [...partitionsOf(one), ...partitionsOf(other)]
    assert.deepEqual(all.sort(), [0, 1, 2, 3])
    assert.equal(partitionsOf(one).length, 2)
    const commits = one.map((record) => first.commit(record))
    assert.deepEqual(await Promise.all(commits), Array(100).fill(undefined))
    for (const record of other) await second.commit(record)
    const [group] = await stream.groups()
    assert.deepEqual([group.name, group.members], ['g', 2])
    assert.deepEqual(group.places, Array(4).fill({ next: 50n, lag: 0, isRead: true }))
  })

  test(`the next record tells what the limits have taken, turned by ${drive}`, async (t) => {
    const hub = await openOwn(t, { drive })
    const stream = await declared(hub, { recordsMax: 3 })
    const reader = stream.read({ group: 'slow', buffer: 1 })
    await reader.started
    for (let i = 0; i < 10; i++) await stream.append(`${i}`)
    const records = await take(reader, 4)
    const told = records.map(({ offset, skipped }) => [Number(offset), skipped])
    const missed = told.find(([, skipped]) => skipped > 0)
    assert.ok(missed, 'nothing was skipped')
    assert.equal(told.at(-1)[0], 9)
    let next = 0
    for (const [offset, skipped] of told) {
      assert.equal(offset, next + skipped)
      next = offset + 1
    }
    await reader.commit(records.at(-1))
    assert.deepEqual(await places(stream), [[10, 0]])
  })
}

test('who follows a member that left goes on behind what is committed', async (t) => {
  const hub = await openOwn(t)
  const stream = await declared(hub)
  await fill(stream, 3)
  const first = stream.read({ group: 'g' })
  const records = await take(first, 12)
  for (const record of records) if (record.offset === 1n) await first.commit(record)
  assert.deepEqual(await places(stream), every(2, 1))
  const second = stream.read({ group: 'g', start: 'end' })
  await second.started
  await first.close()
  const again = await take(second, 4)
  assert.deepEqual(partitionsOf(again), [0, 1, 2, 3])
  assert.ok(again.every(({ offset }) => offset === 2n))
  await fails(first.commit(records[11]), 'LEASE_LOST', /not this reader's any more/)
  await fails(second.commit(records[11]), 'INVALID', /the record is of another reader/)
  for (const record of again) await second.commit(record)
  assert.deepEqual(await places(stream), every(3, 0))
})

test('members of several handles share a group, and leave it with their handle', async (t) => {
  const directory = await temporaryDirectory()
  const [one, other] = [await open(directory), await open(directory)]
  t.after(() => one.close())
  const stream = await declared(one)
  const first = stream.read({ group: 'g' })
  const second = other.stream('log').read({ group: 'g' })
  await Promise.all([first.started, second.started])
  await fill(stream, 1)
  const [[record]] = await Promise.all([take(first, 2), take(second, 2)])
  assert.throws(() => other.batch().commit(first, record), { code: 'INVALID', message: /handle/ })
  await other.close()
  const rest = await take(first, 2)
  assert.equal(partitionsOf(rest).length, 2)
})

test('a commit survives the host', async (t) => {
  const directory = await temporaryDirectory()
  const { child } = await startHost(t, directory)
  const hub = await open(directory)
  t.after(() => hub.close())
  const stream = await declared(hub, { durability: 'disk' })
  const reader = stream.read({ group: 'g' })
  for (let i = 0; i < 10; i++) await stream.append(`${i}`)
  const records = await take(reader, 10)
  await reader.commit(records[6])
  const changed = once(hub, 'notice')
  child.kill('SIGKILL')
  await changed
  assert.deepEqual(await places(stream), [[7, 3]])
  await reader.commit(records[7])
  await reader.close()
  const next = await stream.read({ group: 'g' }).receive()
  assert.deepEqual([next.offset, String(next.body), next.skipped], [8n, '8', 0])
})

test('a group that is reset reads again, and what was read before is LEASE_LOST', async (t) => {
  const hub = await openOwn(t)
  const stream = await declared(hub, { partitions: 2 })
  await fill(stream, 5, 2)
  const reader = stream.read({ group: 'g' })
  const records = await take(reader, 10)
  for (const record of records) await reader.commit(record)
  await stream.resetGroup('g', { start: { offset: 3 }, partition: 1 })
  const again = await take(reader, 2)
  assert.deepEqual(
    again.map(({ partition, offset }) => [partition, offset]),
    [
      [1, 3n],
      [1, 4n],
    ],
  )
  const old = records.find(({ partition, offset }) => partition === 1 && offset === 4n)
  await fails(reader.commit(old), 'LEASE_LOST', /partition 1/)
  assert.deepEqual(await places(stream), [
    [5, 0],
    [3, 2],
  ])
  await reader.commit(again[1])
  await stream.resetGroup('g')
  assert.deepEqual(partitionsOf(await take(reader, 10)), [0, 1])
  await stream.resetGroup('g', { start: 'end' })
  assert.deepEqual(await places(stream), [
    [5, 0],
    [5, 0],
  ])
  await fails(stream.resetGroup('g', { start: { offset: 9n } }), 'OUT_OF_RANGE', /9/)
})

test('a group begins where its first member says, and is removed with its readers', async (t) => {
  const hub = await openOwn(t)
  const stream = await declared(hub)
  assert.deepEqual(await stream.groups(), [])
  await fill(stream, 2)
  const reader = stream.read({ group: 'late', start: 'end' })
  await reader.started
  await fill(stream, 1)
  assert.ok((await take(reader, 4)).every(({ offset }) => offset === 2n))
  const early = stream.read({ group: 'early', start: { time: new Date(0) } })
  assert.equal((await early.receive()).offset, 0n)
  const names = (await stream.groups()).map(({ name }) => name)
  assert.deepEqual(names.sort(), ['early', 'late'])
  await stream.deleteGroup('late')
  await fails(reader.next(), 'NOT_FOUND')
  await fails(stream.deleteGroup('late'), 'NOT_FOUND')
  assert.equal((await stream.groups()).length, 1)
})

test('many groups of many partitions are listed whole', async (t) => {
  const hub = await openOwn(t)
  const stream = await declared(hub, { partitions: 300 })
  for (let i = 0; i < 20; i++) await stream.read({ group: `group-${i}` }).started
  await stream.append('x', { partition: 299 })
  const groups = await stream.groups()
  assert.deepEqual(new Set(groups.map(({ name }) => name)).size, 20)
  for (const { members, places: all } of groups) {
    assert.deepEqual([members, all.length], [1, 300])
    assert.deepEqual(all[299], { next: 0n, lag: 1, isRead: true })
  }
})

test('what one batch sends, appends and commits is done whole or not at all', async (t) => {
  const hub = await openOwn(t)
  const stream = await declared(hub, { partitions: 2 }, 'in')
  const out = await declared(hub, {}, 'out')
  const queue = hub.queue('queue')
  await queue.declare()
  await fill(stream, 2, 2)
  const reader = stream.read({ group: 'g' })
  const records = await take(reader, 4)
  const first = records.find(({ partition, offset }) => partition === 1 && offset === 0n)
  const batch = (expect) => {
    const parts = hub.batch().send('queue', 'sent', { key: 'k' }).commit(reader, first)
    return parts.append('out', 'a', { key: 'k', headers: { h: 'v' } }).append('out', 'b', {
      partition: 0,
      expect,
    })
  }
  const error = await fails(batch(0).submit(), 'CONFLICT', /part 3 of the batch/)
  assert.equal(error.maybeExecuted, false)
  assert.equal((await queue.inspect()).sent, 0)
  assert.equal((await out.inspect()).partitions[0].next, 0n)
  const before = await places(stream)
  assert.deepEqual(before[1], [0, 2])
  const whole = batch(1n)
  assert.equal(whole.length, 4)
  const receipts = await whole.submit()
  assert.equal(receipts.length, 1)
  assert.equal((await queue.inspect()).sent, 1)
  const kept = []
  for await (const record of out.read()) kept.push(record)
  assert.deepEqual(
    kept.map(({ body, key, headers }) => [body, key, headers.h ?? ''].map(String)),
    [
      ['a', 'k', 'v'],
      ['b', '', ''],
    ],
  )
  assert.deepEqual((await places(stream))[1], [1, 1])
  await stream.resetGroup('g')
  const late = hub.batch().send('queue', 'x').commit(reader, first)
  await fails(late.submit(), 'LEASE_LOST', /part 1 of the batch: partition 1/)
  assert.equal((await queue.inspect()).sent, 1)
})

test('a batch keeps to what it was given when its bytes have to grow', async (t) => {
  const hub = await openOwn(t)
  const stream = await declared(hub, {}, 'out')
  const batch = hub.batch()
  for (let i = 0; i < 500; i++) {
    batch.append('out', `${i}`.repeat(50), { partition: 0, expect: i, key: `${i}` })
  }
  assert.deepEqual(await batch.submit(), [])
  let next = 0
  for await (const { body, key, offset } of stream.read()) {
    assert.deepEqual(
      [String(body), String(key), offset],
      [`${next}`.repeat(50), `${next}`, BigInt(next)],
    )
    next++
  }
  assert.equal(next, 500)
})

test('a wrong group, record or reader is refused with its value', async (t) => {
  const hub = await openOwn(t)
  const stream = await declared(hub)
  await fill(stream, 1)
  const invalid = (message) => ({ code: 'INVALID', message })
  assert.throws(() => stream.read({ group: 7 }), invalid(/the group is 7; it must be a string/))
  const long = 'g'.repeat(256)
  assert.throws(() => stream.read({ group: long }), { code: 'TOO_LARGE', message: /256.*255/ })
  await fails(stream.read({ group: '' }).started, 'INVALID')
  await fails(stream.read({ group: 'a/b' }).next(), 'INVALID', /a\/b/)
  await fails(stream.read({ group: 'g', partition: 0 }).next(), 'INVALID', /group and a partition/)
  await fails(hub.stream('none').read({ group: 'g' }).next(), 'NOT_FOUND')
  for (const promise of [
    hub.stream('none').groups(),
    hub.stream('none').resetGroup('g'),
    stream.resetGroup('none'),
    stream.deleteGroup('none'),
  ]) {
    await fails(promise, 'NOT_FOUND')
  }
  const reader = stream.read({ group: 'g' })
  const record = await reader.receive()
  await fails(stream.resetGroup('g', { partition: 4 }), 'INVALID', /partition is 4/)
  await fails(stream.resetGroup('g', { partition: 1024 }), 'INVALID', /1024; allowed are 0 to 1023/)
  await fails(stream.resetGroup('g', { start: 'latest' }), 'INVALID', /start is "latest"/)
  await fails(stream.resetGroup('g', { from: 'end' }), 'INVALID', /no option "from"; it has start/)
  await fails(stream.resetGroup(7), 'INVALID', /the group is 7/)
  await fails(stream.deleteGroup(''), 'INVALID')
  await fails(stream.groups({ group: 'g' }), 'INVALID', /groups has no option "group"/)
  await fails(reader.commit(5n), 'INVALID', /the record is 5; it must be a StreamRecord/)
  await fails(reader.commit(record, { at: 1 }), 'INVALID', /commit has no option "at"/)
  await fails(reader.commit(record, { signal: AbortSignal.abort() }), 'CANCELLED')
  const plain = stream.read()
  const other = await plain.receive()
  assert.equal(other.skipped, 0)
  await fails(plain.commit(other), 'INVALID', /in no group/)
  await fails(reader.commit(other), 'INVALID', /of another reader/)
  const batch = hub.batch()
  assert.throws(() => batch.commit(7, record), invalid(/the reader is 7; it must be a Reader/))
  assert.throws(() => batch.commit(plain, other), invalid(/in no group/))
  assert.throws(() => batch.commit(reader, {}), invalid(/the record is an object/))
  assert.throws(() => batch.append('log', 7), invalid(/body is 7/))
  assert.throws(() => batch.append('log', '', { priority: 1 }), invalid(/no option "priority"/))
  assert.throws(() => batch.append('log', '', { expect: -1 }), invalid(/expect is -1/))
  assert.throws(() => batch.append('log', '', { partition: 1024 }), invalid(/partition is 1024/))
  assert.equal(batch.length, 0)
  await fails(batch.append('none', 'x').submit(), 'NOT_FOUND', /part 0 of the batch/)
  await reader.close()
  await until(async () => (await stream.groups())[0].members === 0, 'that it left')
  await fails(reader.commit(record), 'LEASE_LOST')
  await hub.close()
  await fails(reader.commit(record), 'CLOSED')
  assert.throws(() => hub.batch().commit(reader, record), { code: 'CLOSED' })
})

test('a member gets what has its key and headers, and the rest counts as done', async (t) => {
  const hub = await openOwn(t)
  const stream = await declared(hub, {})
  for (let i = 0; i < 8; i++) {
    const kind = i % 2 === 0 ? 'even' : Buffer.from('odd')
    await stream.append(`${i}`, { key: i < 6 ? 'a' : 'b', headers: { kind } })
  }
  const offsets = async (options) => {
    const all = []
    for await (const { offset } of stream.read(options)) all.push(Number(offset))
    return all
  }
  assert.deepEqual(await offsets({ key: Buffer.from('a') }), [0, 1, 2, 3, 4, 5])
  assert.deepEqual(await offsets({ headers: { kind: 'odd' } }), [1, 3, 5, 7])
  const reader = stream.read({ group: 'g', key: 'a', headers: { kind: 'odd' } })
  const read = await take(reader, 3)
  assert.deepEqual(
    read.map(({ offset }) => Number(offset)),
    [1, 3, 5],
  )
  await reader.commit(read[2])
  await until(async () => (await places(stream))[0][0] === 8, 'the place behind the rest')
  assert.deepEqual(await places(stream), [[8, 0]])
})

test('a member that commits nothing for its maxProcessingMs ends as LEASE_LOST', async (t) => {
  const hub = await openOwn(t)
  const stream = await declared(hub, {})
  await stream.append('x')
  const reader = stream.read({ group: 'g', maxProcessingMs: 50 })
  const record = await reader.receive()
  await fails(reader.next(), 'LEASE_LOST', /max_processing is 50 ms/)
  await fails(reader.commit(record), 'LEASE_LOST')
  const again = stream.read({ group: 'g', maxProcessingMs: 3_600_000 })
  await again.commit(await again.receive())
  assert.deepEqual(await places(stream), [[1, 0]])
})

test('what a reader wants is checked, with limit and value', async (t) => {
  const hub = await openOwn(t)
  const stream = await declared(hub, {})
  const invalid = (message) => ({ code: 'INVALID', message })
  const many = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`h${i}`, 'x']))
  await fails(stream.read({ headers: many }).next(), 'INVALID', /headers is 9; allowed are 0 to 8/)
  const large = stream.read({ key: 'k'.repeat(1025) })
  await fails(large.next(), 'INVALID', /key is 1025; allowed are 1 to 1024/)
  assert.throws(() => stream.read({ key: '' }), invalid(/key is 0; allowed are 1 to 1024/))
  assert.throws(() => stream.read({ key: 7 }), invalid(/the key is 7|key is 7/))
  assert.throws(() => stream.read({ headers: 'x' }), invalid(/headers must be an object/))
  const limits = /maxProcessingMs is 86400001; allowed are 1 to 86400000/
  assert.throws(() => stream.read({ group: 'g', maxProcessingMs: 86_400_001 }), invalid(limits))
  const alone = stream.read({ maxProcessingMs: 5 })
  await fails(alone.next(), 'INVALID', /max_processing_ms is 5, and no group is stated/)
})
