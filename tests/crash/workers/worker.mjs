// Node's program of the crash loop: `worker.mjs URL NAME SEED ROLE...`. As worker.py, with an
// asynchronous function for each role.

import { writeSync } from 'node:fs'

import { open } from '../../../bindings/node/index.mjs'

const QUEUES = {
  'disk.in': 'disk',
  'os.in': 'os',
  'disk.out': 'disk',
  'os.out': 'os',
  late: 'disk',
  spice: 'memory',
  'disk.both': 'disk',
  'os.both': 'os',
}
const DECLARED = { ...QUEUES, poison: 'disk' }
const TOPICS = { 'both.disk': 'disk.both', 'both.os': 'os.both' }
const LOGS = { 'log.disk': 'done.disk', 'log.os': 'done.os', 'log.kept': 'done.disk' }
const PARTITIONS = 3
const LOG = { partitions: PARTITIONS }
const STREAMS = {
  'log.disk': LOG,
  'log.os': LOG,
  'log.kept': { ...LOG, recordsMax: 20, keepUnread: true },
  'done.disk': LOG,
  'done.os': LOG,
  both: LOG,
  'latest.disk': { compact: true, tombstoneAgeMs: 200 },
  'latest.os': { compact: true },
}
const LATEST = ['latest.disk', 'latest.os']
const KEYS = 16
const GROUP = 'members'
const OPTIONS = { lengthMax: 300, maxAttempts: 3, backoffMinMs: 5, backoffMaxMs: 50 }
const LEASE_MS = 80
const WINDOW = 8
const KEPT_MAX = 2
const TURNS = 60
const IDLE = 30
const PACE_MS = 2
const APPEND_PACE_MS = 10
const PUBLISH_PACE_MS = 30
const LOOK_MS = 300

const [url, name, seed, ...roles] = process.argv.slice(2)
let ends = false
let hub

function say(...fields) {
  writeSync(1, `${process.hrtime.bigint() / 1000n} ${fields.join(' ')}\n`)
}

// Numbers that follow from the seed: 32 bits of a linear congruence, its high bits.
function chanceOf(start) {
  let state = BigInt(start) * 2654435761n + 12345n
  return (below) => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn
    return Number((state >> 33n) % BigInt(below))
  }
}

const countOf = (number) => Number(number.slice(number.lastIndexOf('-') + 1))
const filled = (number, size) =>
  `${number}:${String.fromCharCode(97 + (countOf(number) % 26)).repeat(size)}`

function bodyOf(number) {
  const count = countOf(number)
  let size = count % 90
  if (count % 17 === 0) size = 70_000
  else if (count % 5 === 0) size = (count * 37) % 6_000
  return filled(number, size)
}

function recordOf(number) {
  const count = countOf(number)
  return filled(number, count % 50 === 0 ? 6_000 : count % 90)
}

const keyOf = (number) => `key-${(countOf(number) * 7) % KEYS}`

function valueOf(number) {
  const count = countOf(number)
  return count % 11 === 0 ? '' : filled(number, 2_000 + (count % 90) * 10)
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const numberOf = (body) => body.subarray(0, body.indexOf(':')).toString()
const ending = (error) => (error ? `${error.code} ${Number(error.maybeExecuted)}` : 'OK 0')

// Errors of Telpher are outcomes; any other is a fault.
async function outcome(promise) {
  try {
    return { value: await promise }
  } catch (error) {
    if (typeof error.maybeExecuted !== 'boolean') throw error
    return { error }
  }
}

function declare(queue) {
  const ackDeadlineMs = queue === 'late' ? LEASE_MS : Infinity
  return hub.queue(queue).declare({ durability: DECLARED[queue], ackDeadlineMs, ...OPTIONS })
}

async function declareStreams() {
  for (const [stream, options] of Object.entries(STREAMS)) {
    const durability = stream.endsWith('os') ? 'os' : 'disk'
    await hub.stream(stream).declare({ durability, ...options })
  }
  await hub.stream('both').bind('both.*')
  for (const [topic, queue] of Object.entries(TOPICS)) await hub.queue(queue).bind(topic)
  // Its group is there before anything is appended.
  if ((await hub.stream('log.kept').groups()).length > 0) return
  const reader = hub.stream('log.kept').read({ group: GROUP })
  await outcome(reader.receive({ timeoutMs: 0 }))
  await reader.close()
}

async function produce(chance) {
  const open = []
  for (let count = 1; !ends; count++) {
    const number = `${name}-s-${count}`
    const queue = ['disk.in', 'disk.in', 'os.in', 'os.in', 'late', 'spice'][chance(6)]
    say('send', number, queue)
    open.push(sent(number, queue))
    if (open.length >= WINDOW) await open.shift()
  }
  await Promise.all(open)
}

async function sent(number, queue) {
  const { value, error } = await outcome(
    hub.queue(queue).send(bodyOf(number), { timeoutMs: 20_000 }),
  )
  say('sent', number, ending(error), value?.messageId ?? 0)
  if (error?.code === 'NOT_FOUND' && queue === 'spice') await declare(queue)
}

async function consume(chance) {
  while (!ends) {
    const queue = Object.keys(QUEUES)[chance(8)]
    const consumer = hub.queue(queue).consume({ prefetch: [1, 4, 16][chance(3)] })
    const { error } = await outcome(take(chance, queue, consumer))
    await consumer.close()
    if (error && error.code !== 'NOT_FOUND') throw error
    if (error) say('gone', queue)
    if (queue === 'spice') await declare(queue)
  }
}

async function take(chance, queue, consumer) {
  const kept = []
  let next = consumer.next()
  for (let turn = 0; turn < TURNS && !ends; turn++) {
    const came = await soon(next)
    if (came?.done) break
    if (came === undefined) {
      turn += IDLE
      while (kept.length) await settle(queue, kept.pop(), 'acknowledge')
      continue
    }
    const job = came.value
    next = consumer.next()
    got(queue, job)
    const drawn = chance(100)
    if (drawn < 8 && kept.length < KEPT_MAX) kept.push(job)
    else if (drawn < 22) await settle(queue, job, 'requeue')
    else if (drawn < 26) await settle(queue, job, 'reject')
    else if (drawn < 33) await settle(queue, job, 'release')
    else await settle(queue, job, 'acknowledge')
  }
  for (const job of kept) await settle(queue, job, 'acknowledge')
  next.then(
    ({ value }) => value?.release().catch(() => {}),
    () => {},
  )
}

// The promise's outcome, or nothing if that takes more than a moment.
function soon(promise) {
  let timer
  const moment = new Promise((resolve) => (timer = setTimeout(resolve, 100)))
  return Promise.race([promise, moment]).finally(() => clearTimeout(timer))
}

function got(queue, job) {
  const number = numberOf(job.body)
  const whole = String(job.body) === bodyOf(number) ? 'whole' : 'damaged'
  say('got', queue, job.messageId, number, job.failures, Number(job.redelivered), whole)
  return number
}

async function settle(queue, job, verdict) {
  const what = [queue, job.messageId, numberOf(job.body), verdict]
  say('settle', ...what)
  const options = { timeoutMs: 20_000 }
  const given = ['acknowledge', 'release'].includes(verdict)
    ? job[verdict](options)
    : job[verdict]('so it was drawn', options)
  const { error } = await outcome(given)
  say('settled', ...what, ending(error))
}

async function move(chance) {
  let fresh = 0
  for (let count = 1; !ends; count++) {
    const queue = ['disk.in', 'os.in'][chance(2)]
    const target = ['disk.out', 'os.out'][chance(2)]
    const jobs = []
    const wanted = 1 + chance(3)
    while (jobs.length < wanted && !ends) {
      const job = await one(queue)
      if (job === undefined) break
      jobs.push(job)
    }
    const numbers = [`${name}-b-${++fresh}`]
    if (chance(2)) numbers.push(`${name}-b-${++fresh}`)
    if (ends) for (const job of jobs) await settle(queue, job, 'release')
    else if (jobs.length) await batch(`${name}-x-${count}`, [queue, target, chance], jobs, numbers)
  }
}

// A message of a queue, if there is one soon.
async function one(queue) {
  const { value, error } = await outcome(hub.queue(queue).receive({ timeoutMs: 50 }))
  if (['EXPIRED', 'HOST_UNRESPONSIVE'].includes(error?.code)) return undefined
  if (error) throw error
  got(queue, value)
  return value
}

async function batch(which, [queue, target, chance], jobs, numbers) {
  const batch = hub.batch()
  const parts = []
  for (const job of jobs) {
    batch.acknowledge(job)
    parts.push(`take:${queue}:${job.messageId}:${numberOf(job.body)}`)
  }
  for (const number of numbers) {
    batch.send(target, bodyOf(number))
    parts.push(`send:${target}:${number}`)
  }
  if (chance(20) === 0) batch.send('nowhere', '')
  say('batch', which, ...parts)
  const { value, error } = await outcome(batch.submit({ timeoutMs: 20_000 }))
  say('batched', which, ending(error), ...(value ?? []).map((receipt) => receipt.messageId))
  if (error && !error.maybeExecuted) for (const job of jobs) await settle(queue, job, 'release')
}

async function serve(chance) {
  const handler = (request) => {
    say('run', request.body)
    return request.body
  }
  const service = await hub.serve('echo', handler, { concurrency: [1, 4][chance(2)] })
  await stopped
  await service.close()
}

async function call(chance) {
  const open = []
  for (let count = 1; !ends; count++) {
    const number = `${name}-c-${count}`
    say('call', number)
    open.push(called(number, [1_000, 5_000][chance(2)]))
    if (open.length >= WINDOW / 2) await open.shift()
    await pause(PACE_MS)
  }
  await Promise.all(open)
}

async function called(number, timeoutMs) {
  const { value, error } = await outcome(hub.call('echo', number, { timeoutMs }))
  const right = error || String(value) === number
  say('called', number, ending(error), right ? 'right' : 'wrong')
}

// Starts one operation after the other, some at once, at a pace.
async function keepUp(letter, paceMs, start) {
  const open = []
  for (let count = 1; !ends; count++) {
    open.push(start(`${name}-${letter}-${count}`))
    if (open.length >= WINDOW) await open.shift()
    await pause(paceMs)
  }
  await Promise.all(open)
}

function append(chance) {
  return keepUp('a', APPEND_PACE_MS, (number) => {
    const stream = Object.keys(LOGS)[chance(3)]
    say('append', number, stream)
    return appended(number, stream, recordOf(number), { key: name })
  })
}

function publish(chance) {
  return keepUp('p', PUBLISH_PACE_MS, async (number) => {
    const topic = Object.keys(TOPICS)[chance(2)]
    say('publish', number, TOPICS[topic], 'both')
    const options = { key: name, timeoutMs: 20_000 }
    const { error } = await outcome(hub.topic(topic).publish(bodyOf(number), options))
    say('published', number, ending(error))
  })
}

function put(chance) {
  return keepUp('k', APPEND_PACE_MS, (number) => {
    const [stream, key, value] = [LATEST[chance(2)], keyOf(number), valueOf(number)]
    say('put', number, stream, key, value ? 'value' : 'tombstone')
    return appended(number, stream, value, { key, headers: { number } })
  })
}

async function appended(number, stream, body, properties) {
  const options = { ...properties, timeoutMs: 20_000 }
  const { value, error } = await outcome(hub.stream(stream).append(body, options))
  say('appended', number, ending(error), value?.partition ?? 0, value?.offset ?? 0)
}

// Reads again and again what is left of what has keys.
async function look(chance) {
  while (!ends) {
    const stream = LATEST[chance(2)]
    say('look', stream)
    for await (const { partition, offset, key, headers, body } of hub.stream(stream).read()) {
      const number = String(headers.number)
      const isWhole = String(key) === keyOf(number) && String(body) === valueOf(number)
      say('saw', stream, partition, offset, number, isWhole ? 'whole' : 'damaged')
    }
    say('looked', stream)
    await pause(LOOK_MS)
  }
}

async function read(chance) {
  let made = 0
  const fresh = () => `${name}-r-${++made}`
  while (!ends) await work(chance, Object.keys(LOGS)[chance(3)], fresh)
}

// Takes records and commits each with what is made of it. Who has not committed what it took
// leaves: then it comes to a member again.
async function work(chance, stream, fresh) {
  say('join', stream)
  const reader = hub.stream(stream).read({ group: GROUP })
  for (let turn = 0; turn < TURNS && !ends; turn++) {
    const records = await recordsOf(reader, 1 + chance(3))
    if (records.length === 0) turn += IDLE
    for (const { partition, offset, body } of records) {
      const whole = String(body) === recordOf(numberOf(body)) ? 'whole' : 'damaged'
      say('read', stream, partition, offset, numberOf(body), whole)
    }
    if (records.length && !(await commit(chance, stream, [reader, records], fresh))) break
  }
  await reader.close()
}

// One record as soon as there is one, and more if they are there.
async function recordsOf(reader, most) {
  const records = []
  while (records.length < most) {
    const options = { timeoutMs: records.length ? 0 : 100 }
    const { value, error } = await outcome(reader.receive(options))
    if (error?.code === 'PENDING') break
    if (error) throw error
    records.push(value)
  }
  return records
}

async function commit(chance, stream, [reader, records], fresh) {
  const batch = hub.batch()
  const parts = []
  let number
  for (const record of records) {
    number = fresh()
    batch.append(LOGS[stream], recordOf(number), { key: name }).commit(reader, record)
    parts.push(`read:${stream}:${record.partition}:${record.offset}`)
    parts.push(`append:${LOGS[stream]}:${number}`)
  }
  // Now and then it also acknowledges a message, and sends one.
  const queue = ['disk.in', 'os.in'][chance(2)]
  const job = chance(10) < 3 ? await one(queue) : undefined
  if (job) {
    const [target, sent] = [['disk.out', 'os.out'][chance(2)], number.replace('-r-', '-m-')]
    batch.acknowledge(job).send(target, bodyOf(sent))
    parts.push(`take:${queue}:${job.messageId}:${numberOf(job.body)}`, `send:${target}:${sent}`)
  }
  if (chance(30) === 0) batch.append('nowhere', '')
  say('commit', number, ...parts)
  const { value, error } = await outcome(batch.submit({ timeoutMs: 20_000 }))
  say('committed', number, ending(error), ...(value ?? []).map((receipt) => receipt.messageId))
  if (job && error && !error.maybeExecuted) await settle(queue, job, 'release')
  return !error
}

async function poison() {
  const consumer = hub.queue('poison').consume({ prefetch: 8 })
  const held = []
  let next = consumer.next()
  while (!ends) {
    const came = await soon(next)
    if (came === undefined) {
      while (held.length) await settle('poison', held.shift(), 'acknowledge')
      continue
    }
    const job = came.value
    next = consumer.next()
    if (got('poison', job).includes('poison')) {
      say('dies')
      process.kill(process.pid, 'SIGKILL')
    }
    held.push(job)
  }
}

function fault(role, error) {
  say('fault', role, error.code ?? error.name, String(error.message).replaceAll('\n', ' '))
  process.exit(3)
}

const stopped = new Promise((resolve) => {
  process.stdin.on('end', () => resolve((ends = true))).resume()
})
process.on('unhandledRejection', (error) => fault('unhandled', error))
hub = await open(url, { timeoutMs: 30_000 })
for (const queue of Object.keys(DECLARED)) await declare(queue)
await declareStreams()
say('open', hub.info.epoch)
const play = {
  ...{ produce, consume, move, serve, call, poison },
  ...{ append, read, publish, put, look },
}
const playing = roles.map((role, at) =>
  play[role](chanceOf(Number(seed) * 100 + at)).catch((error) => fault(role, error)),
)
await Promise.all(playing)
await hub.close()
say('end')
