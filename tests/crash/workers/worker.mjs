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
}
const DECLARED = { ...QUEUES, poison: 'disk' }
const LOGS = { 'log.disk': 'done.disk', 'log.os': 'done.os' }
const STREAMS = { 'log.disk': 'disk', 'log.os': 'os', 'done.disk': 'disk', 'done.os': 'os' }
const PARTITIONS = 3
const GROUP = 'members'
const OPTIONS = { lengthMax: 300, maxAttempts: 3, backoffMinMs: 5, backoffMaxMs: 50 }
const LEASE_MS = 80
const WINDOW = 8
const KEPT_MAX = 2
const TURNS = 60
const IDLE = 30
const PACE_MS = 2
const APPEND_PACE_MS = 10

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

function bodyOf(number) {
  const count = Number(number.slice(number.lastIndexOf('-') + 1))
  let size = count % 90
  if (count % 17 === 0) size = 70_000
  else if (count % 5 === 0) size = (count * 37) % 6_000
  return `${number}:${String.fromCharCode(97 + (count % 26)).repeat(size)}`
}

function recordOf(number) {
  const count = Number(number.slice(number.lastIndexOf('-') + 1))
  const size = count % 50 === 0 ? 6_000 : count % 90
  return `${number}:${String.fromCharCode(97 + (count % 26)).repeat(size)}`
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
    const queue = Object.keys(QUEUES)[chance(6)]
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
      const { value, error } = await outcome(hub.queue(queue).receive({ timeoutMs: 50 }))
      if (['EXPIRED', 'HOST_UNRESPONSIVE'].includes(error?.code)) break
      if (error) throw error
      jobs.push(value)
      got(queue, value)
    }
    const numbers = [`${name}-b-${++fresh}`]
    if (chance(2)) numbers.push(`${name}-b-${++fresh}`)
    if (ends) for (const job of jobs) await settle(queue, job, 'release')
    else if (jobs.length) await batch(`${name}-x-${count}`, [queue, target, chance], jobs, numbers)
  }
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

async function append(chance) {
  const open = []
  for (let count = 1; !ends; count++) {
    const number = `${name}-a-${count}`
    const stream = Object.keys(LOGS)[chance(2)]
    say('append', number, stream)
    open.push(appended(number, stream))
    if (open.length >= WINDOW) await open.shift()
    await pause(APPEND_PACE_MS)
  }
  await Promise.all(open)
}

async function appended(number, stream) {
  const options = { key: name, timeoutMs: 20_000 }
  const { value, error } = await outcome(hub.stream(stream).append(recordOf(number), options))
  say('appended', number, ending(error), value?.partition ?? 0, value?.offset ?? 0)
}

async function read(chance) {
  let made = 0
  const fresh = () => `${name}-r-${++made}`
  while (!ends) await work(chance, Object.keys(LOGS)[chance(2)], fresh)
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
    parts.push(`take:${stream}:${record.partition}:${record.offset}`)
    parts.push(`append:${LOGS[stream]}:${number}`)
  }
  if (chance(30) === 0) batch.append('nowhere', '')
  say('commit', number, ...parts)
  const { error } = await outcome(batch.submit({ timeoutMs: 20_000 }))
  say('committed', number, ending(error))
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
for (const [stream, durability] of Object.entries(STREAMS)) {
  await hub.stream(stream).declare({ partitions: PARTITIONS, durability })
}
say('open', hub.info.epoch)
const play = { produce, consume, move, serve, call, append, read, poison }
const playing = roles.map((role, at) =>
  play[role](chanceOf(Number(seed) * 100 + at)).catch((error) => fault(role, error)),
)
await Promise.all(playing)
await hub.close()
say('end')
