import assert from 'node:assert/strict'
import { once } from 'node:events'
import test from 'node:test'

import { Appended, Reader, Stream, StreamRecord, open } from '../index.mjs'
import { fails, openOwn, run, startHost, temporaryDirectory, until } from './support.mjs'

const DRIVES = ['loop', 'thread', 'inline']

async function declared(hub, options, name = 'log') {
  const stream = hub.stream(name)
  await stream.declare(options)
  return stream
}

// Appends the numbers from `from` to before `to`, in the order of their offsets.
async function fill(stream, from, to) {
  const appends = []
  for (let i = from; i < to; i++) appends.push(stream.append(`${i}`))
  const appended = await Promise.all(appends)
  appended.forEach(({ offset }, i) => assert.equal(offset, BigInt(from + i)))
}

// Every record that is there, each of one partition behind the one before.
async function readAll(stream, options) {
  const records = []
  const next = new Map()
  for await (const record of stream.read(options)) {
    assert.equal(record.offset, next.get(record.partition) ?? record.offset)
    next.set(record.partition, record.offset + 1n)
    records.push(record)
  }
  return records
}

const numbers = (from, to) => Array.from({ length: to - from }, (_, i) => `${from + i}`)
const bodies = (records) => records.map(({ body }) => String(body))

for (const drive of DRIVES) {
  test(`what is appended is read in its order, turned by ${drive}`, async (t) => {
    const hub = await openOwn(t, { drive })
    const stream = await declared(hub)
    await fill(stream, 0, 5000)
    const all = await readAll(stream)
    assert.deepEqual(bodies(all), numbers(0, 5000))
    assert.deepEqual(bodies(await readAll(stream, { buffer: 1 })), numbers(0, 5000))
    assert.equal(all[4999].offset, 4999n)
  })

  test(`a reader follows what is appended, turned by ${drive}`, async (t) => {
    const hub = await openOwn(t, { drive })
    const stream = await declared(hub)
    await fill(stream, 0, 10)
    const reader = stream.read({ follow: true, buffer: 100 })
    const seen = []
    const appending = (async () => {
      for (let i = 10; i < 500; i += 10) await fill(stream, i, i + 10)
    })()
    for await (const { body } of reader) if (seen.push(String(body)) === 500) break
    await appending
    assert.deepEqual(seen, numbers(0, 500))
  })

  test(`what waits for who reads nothing is bounded, turned by ${drive}`, async (t) => {
    const hub = await openOwn(t, { drive })
    const stream = await declared(hub, { recordsMax: 5 })
    const reader = stream.read({ follow: true, buffer: 50_000 })
    await reader.started
    for (let i = 0; i < 200; i++) await stream.append(Buffer.alloc(10_000, i))
    // Had more been sent than the buffer takes, it would be here.
    let count = 0
    for (;;) {
      const next = await reader.next().catch((error) => error)
      if (next instanceof Error) {
        assert.equal(next.code, 'OUT_OF_RANGE')
        assert.match(next.message, new RegExp(`offset ${count} is not kept.*has 195 up to 200`))
        break
      }
      assert.equal(next.value.offset, BigInt(count++))
    }
    assert.ok(count >= 4 && count <= 6, `${count} have come`)
    assert.deepEqual(await reader.next(), { value: undefined, done: true })
  })

  test(`an end waits for the records before it, turned by ${drive}`, async (t) => {
    const hub = await openOwn(t, { drive })
    const stream = await declared(hub)
    await fill(stream, 0, 300)
    const reader = stream.read()
    await reader.started
    // All of it has come, and its end, before the first is asked for.
    for (let i = 0; i < 20; i++) await stream.inspect()
    await fill(stream, 300, 310)
    const seen = []
    for await (const { body } of reader) {
      seen.push(String(body))
      await stream.inspect()
    }
    assert.deepEqual(seen, numbers(0, 300))
    await fails(reader.receive(), 'CLOSED', /at its end/)
    await reader.close()
  })

  test(`leaving the loop stops the reader, turned by ${drive}`, async (t) => {
    const hub = await openOwn(t, { drive })
    const stream = await declared(hub)
    await fill(stream, 0, 100)
    for (let round = 0; round < 20; round++) {
      const reader = stream.read({ follow: round % 2 === 0, buffer: 200 })
      for await (const { offset } of reader) if (offset === 3n) break
      assert.deepEqual(await reader.next(), { value: undefined, done: true })
    }
    assert.equal(hub.stats().inFlight, 0)
    assert.equal((await readAll(stream)).length, 100)
  })
}

test('a record carries what was appended with it, and says where it is', async (t) => {
  const hub = await openOwn(t)
  const before = Date.now()
  const stream = await declared(hub, { partitions: 4 })
  const appended = await stream.append('body', { key: 'k', headers: { h: 'v' } })
  assert.ok(appended instanceof Appended && stream instanceof Stream && stream.name === 'log')
  assert.deepEqual([appended.offset, appended.durability], [0n, 'memory'])
  const bare = await stream.append(new Uint8Array([1]), { partition: 2, timeoutMs: 5000 })
  assert.equal(bare.partition, 2)
  const reader = stream.read()
  assert.ok(reader instanceof Reader)
  const records = []
  for await (const record of reader) records.push(record)
  const record = records.find(({ key }) => key.length > 0)
  assert.ok(record instanceof StreamRecord)
  assert.deepEqual([record.partition, record.offset], [appended.partition, appended.offset])
  assert.deepEqual([String(record.body), String(record.key)], ['body', 'k'])
  assert.equal(String(record.headers.h), 'v')
  assert.ok(record.timeMs >= before - 1 && record.timeMs <= Date.now(), `${record.timeMs}`)
  assert.ok(!('priority' in record))
  const [only] = await readAll(stream, { partition: 2, start: { offset: bare.offset } })
  assert.deepEqual([...only.body, only.key.length, Object.keys(only.headers)], [1, 0, []])
})

test('records with one key are in one partition, and those without are spread', async (t) => {
  const hub = await openOwn(t)
  const stream = await declared(hub, { partitions: 4 })
  for (const key of ['a', 'b', 'c']) {
    const places = []
    for (let i = 0; i < 3; i++) places.push((await stream.append(`${i}`, { key })).partition)
    assert.equal(new Set(places).size, 1)
  }
  const places = new Set()
  for (let i = 0; i < 4; i++) places.add((await stream.append('x')).partition)
  assert.equal(places.size, 4)
  assert.equal((await readAll(stream)).length, 13)
})

test('reading begins where it is told to', async (t) => {
  const hub = await openOwn(t)
  const stream = await declared(hub)
  await fill(stream, 0, 3)
  const last = (await readAll(stream)).at(-1).timeMs
  await until(() => Date.now() > last + 1, 'a later millisecond')
  await fill(stream, 3, 6)
  const from = async (start) => bodies(await readAll(stream, { start }))
  assert.deepEqual(await from('beginning'), numbers(0, 6))
  assert.deepEqual(await from({ offset: 4 }), ['4', '5'])
  assert.deepEqual(await from({ offset: 4n }), ['4', '5'])
  assert.deepEqual(await from({ offset: 6 }), [])
  assert.deepEqual(await from({ time: last + 1 }), numbers(3, 6))
  assert.deepEqual(await from({ time: new Date(last + 1) }), numbers(3, 6))
  assert.deepEqual(await from('end'), [])
  const reader = stream.read({ start: 'end', follow: true })
  await reader.started
  await fill(stream, 6, 7)
  assert.equal(String((await reader.receive()).body), '6')
})

test('an append that expects another offset is a CONFLICT, and appends nothing', async (t) => {
  const hub = await openOwn(t)
  const stream = await declared(hub, { partitions: 2 })
  const expecting = (expect) => stream.append('x', { partition: 1, expect })
  assert.equal((await expecting(0)).offset, 0n)
  assert.equal((await expecting(1n)).offset, 1n)
  const text = /offset 1 is expected; the next one is 2/
  assert.equal((await fails(expecting(1), 'CONFLICT', text)).maybeExecuted, false)
  await fails(expecting(2n ** 40n), 'CONFLICT', /offset 1099511627776 is expected/)
  await fails(stream.append('x', { expect: 2 }), 'INVALID', /neither partition nor key/)
  assert.equal((await stream.inspect()).partitions[1].next, 2n)
})

test('what the limits have taken is OUT_OF_RANGE, with what is kept', async (t) => {
  const hub = await openOwn(t)
  const stream = await declared(hub, { recordsMax: 3, ageMaxMs: 60_000, bytesMax: 5000 })
  for (let i = 0; i < 10; i++) await fill(stream, i, i + 1)
  const { partitions, durability, ageMaxMs, bytesMax, recordsMax } = await stream.inspect()
  assert.deepEqual([partitions.length, partitions[0].first, partitions[0].next], [1, 7n, 10n])
  assert.deepEqual([durability, ageMaxMs, bytesMax, recordsMax], ['memory', 60_000, 5000, 3])
  assert.ok(partitions[0].bytes > 0)
  for (const offset of [6, 11]) {
    const reader = stream.read({ start: { offset } })
    await fails(reader.started, 'OUT_OF_RANGE', /partition 0 has 7 up to 10/)
    await fails(reader.next(), 'OUT_OF_RANGE', new RegExp(`offset ${offset} is not kept`))
    assert.equal((await reader.next()).done, true)
  }
  assert.deepEqual(bodies(await readAll(stream)), numbers(7, 10))
  await fails(stream.append('x'.repeat(5001)), 'TOO_LARGE', /keeps at most 5000/)
  const bare = await declared(hub, {}, 'bare')
  const info = await bare.inspect()
  assert.deepEqual([info.ageMaxMs, info.recordsMax, info.bytesMax], [Infinity, Infinity, 2 ** 26])
})

test('of each key the latest record is kept', async (t) => {
  const hub = await openOwn(t)
  const stream = await declared(hub, { compact: true, tombstoneAgeMs: 3_600_000 })
  const { compact, tombstoneAgeMs, keepUnread } = await stream.inspect()
  assert.deepEqual([compact, tombstoneAgeMs, keepUnread], [true, 3_600_000, false])
  await fails(stream.append('x'), 'INVALID', /a record has no key/)
  const appends = []
  for (let i = 0; i < 300; i++) {
    appends.push(stream.append(`${i}`.padEnd(2000), { key: `${i % 3}` }))
  }
  await Promise.all(appends)
  await stream.append('', { key: '2' })
  const state = new Map()
  let count
  do {
    count = 0
    for await (const { key, body } of stream.read()) {
      state.set(String(key), String(body).trim())
      count++
    }
  } while (count > 200)
  const expected = [...state].sort()
  assert.deepEqual(expected, [
    ['0', '297'],
    ['1', '298'],
    ['2', ''],
  ])
  assert.equal((await stream.inspect()).partitions[0].next, 301n)
  const other = hub.stream('other')
  await fails(other.declare({ tombstoneAgeMs: 5 }), 'INVALID', /compact is not stated/)
  await fails(other.declare({ compact: 1 }), 'INVALID', /compact is 1/)
  await fails(stream.declare(), 'MISMATCH', /compact true, not false/)
})

for (const compression of ['lz4', 'zstd']) {
  test(`records packed as ${compression} take less room and are read as they were`, async (t) => {
    const hub = await openOwn(t)
    const stream = await declared(hub, { compression })
    const sent = Array.from({ length: 50 }, (_, i) => `${i} `.repeat(500))
    await Promise.all(sent.map((body) => stream.append(body)))
    assert.deepEqual(bodies(await readAll(stream)), sent)
    const info = await stream.inspect()
    assert.equal(info.compression, compression)
    assert.ok(info.partitions[0].bytes * 5 < sent.join('').length)
    const wrong = hub.stream('other').declare({ compression: 'tar' })
    await fails(wrong, 'INVALID', /compression is "tar"; allowed are lz4, zstd/)
  })
}

test('what a group has not read stays if the stream says so', async (t) => {
  const hub = await openOwn(t)
  const stream = await declared(hub, { recordsMax: 2, keepUnread: true })
  const reader = stream.read({ group: 'slow' })
  await reader.started
  await fill(stream, 0, 2)
  await fails(stream.append('2'), 'FULL', /has not read 2 records of partition 0/)
  await reader.commit((await reader.next()).value)
  await fill(stream, 2, 3)
  await reader.close()
})

test('bodies are views of the page they came in, and stay as they are', async (t) => {
  const hub = await openOwn(t)
  const stream = await declared(hub)
  await fill(stream, 0, 20_000)
  const large = Buffer.alloc(3_000_000, 7)
  await stream.append(large)
  await stream.append(large)
  const records = await readAll(stream, { buffer: 100_000 })
  assert.equal(records[1].body.buffer, records[2].body.buffer)
  assert.deepEqual(bodies(records.slice(0, 20_000)), numbers(0, 20_000))
  assert.ok(records.length === 20_002 && records.slice(-2).every(({ body }) => body.equals(large)))
})

test('several iterators over one reader share its records', async (t) => {
  const hub = await openOwn(t)
  const stream = await declared(hub)
  await fill(stream, 0, 1000)
  const reader = stream.read({ buffer: 1000 })
  const seen = []
  const work = async () => {
    for (let next; !(next = await reader.next()).done;) seen.push(next.value.offset)
  }
  await Promise.all([work(), work(), work()])
  assert.equal(new Set(seen).size, 1000)
})

test('closing a reader or its hub ends whoever waits for a record', async (t) => {
  const hub = await openOwn(t)
  const stream = await declared(hub)
  const reader = stream.read({ follow: true })
  const [next, received] = [reader.next(), fails(reader.receive(), 'CLOSED')]
  await reader[Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]()
  assert.equal((await next).done, true)
  await received
  const loop = readAll(stream, { follow: true })
  await stream.append('x')
  await hub.close()
  await loop
})

test('aborting a reader ends its loop, and a receive takes no record away', async (t) => {
  const hub = await openOwn(t)
  const stream = await declared(hub)
  await fill(stream, 0, 10)
  const controller = new AbortController()
  const reader = stream.read({ follow: true, signal: controller.signal })
  assert.equal(String((await reader.receive()).body), '0')
  controller.abort()
  await until(async () => (await reader.next()).done, 'its end')
  const other = stream.read({ start: 'end', follow: true })
  const aborter = new AbortController()
  const aborted = fails(other.receive({ signal: aborter.signal }), 'CANCELLED')
  await fails(other.receive({ timeoutMs: 5 }), 'PENDING', /5 ms/)
  aborter.abort(new Error('by intention'))
  assert.match((await aborted).cause.message, /by intention/)
  await stream.append('kept')
  assert.equal(String((await other.receive()).body), 'kept')
  assert.throws(() => stream.read({ signal: AbortSignal.abort() }), { code: 'CANCELLED' })
})

test('an append that is aborted before it was sent is not appended', async (t) => {
  const hub = await openOwn(t)
  const stream = await declared(hub)
  await fill(stream, 0, 1)
  const reason = new Error('not wanted any more')
  const signal = AbortSignal.abort(reason)
  const before = await fails(stream.append('x', { signal }), 'CANCELLED')
  assert.deepEqual([before.cause, before.maybeExecuted], [reason, false])
  await fill(stream, 1, 2)
})

test('a stream that is deleted ends its readers, and a new one begins anew', async (t) => {
  const hub = await openOwn(t)
  const stream = await declared(hub)
  await fails(stream.declare({ partitions: 2 }), 'MISMATCH', /partitions/)
  await fill(stream, 0, 3)
  const reader = stream.read({ follow: true })
  for (let i = 0; i < 3; i++) await reader.receive()
  await stream.delete()
  await fails(reader.next(), 'NOT_FOUND')
  for (const promise of [stream.delete(), stream.inspect(), stream.append('x')]) {
    await fails(promise, 'NOT_FOUND')
  }
  await stream.declare({ partitions: 2 })
  assert.equal((await readAll(stream)).length, 0)
})

test('a stream on disk goes on under the next host when its host is killed', async (t) => {
  const directory = await temporaryDirectory()
  const { child } = await startHost(t, directory)
  const hub = await open(directory)
  t.after(() => hub.close())
  const stream = await declared(hub, { durability: 'disk' })
  const reader = stream.read({ follow: true })
  await fill(stream, 0, 100)
  const changed = once(hub, 'notice')
  child.kill('SIGKILL')
  const appends = fill(stream, 100, 200)
  await changed
  await appends
  for (let i = 0; i < 200; i++) assert.equal(String((await reader.receive()).body), `${i}`)
  assert.deepEqual(bodies(await readAll(stream)), numbers(0, 200))
  const { durability } = await stream.append('last')
  assert.equal(durability, 'disk')
})

test('a program whose reader is at its end ends by itself', async () => {
  const { code, stdout, stderr } = await run('reads.mjs')
  assert.deepEqual([code, stdout, stderr], [0, '3 records\n', ''])
})

test('a wrong name, option or value is refused with limit and value', async (t) => {
  const hub = await openOwn(t)
  assert.throws(() => hub.stream(7), { code: 'INVALID', message: /a name is 7/ })
  await fails(hub.stream('a/b').declare(), 'INVALID', /a\/b/)
  await fails(hub.stream('s'.repeat(256)).append('x'), 'TOO_LARGE', /256.*255/)
  const stream = hub.stream('log')
  const wrong = [
    [{ partitions: 1025 }, /partitions is 1025; allowed are 1 to 1024/],
    [{ partitions: 0 }, /partitions is 0/],
    [{ ageMaxMs: 0 }, /ageMaxMs is 0.*Infinity \(never\)/],
    [{ recordsMax: 1.5 }, /recordsMax is 1.5.*Infinity \(any number\)/],
    [{ durability: 'memory', bytesMax: 2 ** 31 }, /bytes_?[mM]ax.*1073741824/],
    [{ durability: 'tape' }, /durability is "tape"/],
    [{ retention: 1 }, /declare has no option "retention"; it has partitions/],
  ]
  for (const [options, text] of wrong) await fails(stream.declare(options), 'INVALID', text)
  await fails(stream.declare({ durability: 'disk' }), 'UNSUPPORTED')
  await stream.declare()
  await fails(stream.append(7), 'INVALID', /body is 7/)
  await fails(stream.append('', { priority: 1 }), 'INVALID', /append has no option "priority"/)
  await fails(stream.append('', { partition: -1 }), 'INVALID', /partition is -1.*0 to 1023/)
  await fails(stream.append('', { partition: 1 }), 'INVALID', /partition is 1; the stream/)
  await fails(stream.append('', { expect: -1 }), 'INVALID', /expect is -1; allowed are 0 to/)
  await fails(stream.append('', { expect: 2n ** 64n }), 'INVALID', /18446744073709551616/)
  await fails(stream.append('', { expect: '0' }), 'INVALID', /expect is "0"/)
  await fails(stream.append('', { timeoutMs: Infinity }), 'INVALID', /time limit/)
  const large = Buffer.alloc(8 * 1024 * 1024 + 1)
  await fails(stream.append(large), 'TOO_LARGE', /8388609 bytes; at most 8388608/)
  const starts = ['start', 7, null, {}, { offset: 1, time: 2 }, { key: 1 }, [0]]
  for (const start of starts) {
    assert.throws(() => stream.read({ start }), { code: 'INVALID', message: /start is .*offset/ })
  }
  assert.throws(() => stream.read({ start: { offset: -1 } }), { message: /the offset is -1/ })
  assert.throws(() => stream.read({ start: { time: new Date(NaN) } }), { message: /is NaN/ })
  assert.throws(() => stream.read({ start: { time: 0.5 } }), { message: /the time in ms is 0.5/ })
  assert.throws(() => stream.read({ buffer: 0 }), { message: /buffer is 0.*1 to 67108864/ })
  assert.throws(() => stream.read({ follow: 1 }), { message: /follow is 1/ })
  assert.throws(() => stream.read({ from: 'end' }), { message: /no option "from"; it has start/ })
  await fails(stream.read({ partition: 1 }).next(), 'INVALID', /partition is 1; the stream/)
  await fails(hub.stream('none').read().next(), 'NOT_FOUND')
  await fill(stream, 0, 1)
  await hub.close()
  await fails(stream.append(''), 'CLOSED')
  assert.throws(() => stream.read(), { code: 'CLOSED' })
})
