// Compiled, never run: what a program may write, and what the types must refuse.

import telpher, { Batch, Hub, TelpherError, codes, open } from 'telpher'
import type { Durability, Handler, Job, Notice, Receipt, TelpherErrorCode } from 'telpher'
import type { Appended, GroupInfo, GroupPlace, Reader, Start, Stream } from 'telpher'
import type { StreamRecord } from 'telpher'
import type { Subscriber, Topic, TopicMessage } from 'telpher'

const handler: Handler = async (request) => {
  const left: number = request.remainingMs
  if (request.cancelled || request.signal.aborted) return undefined
  return { body: request.body, headers: { left: `${left}` } }
}

export async function use(): Promise<void> {
  const hub: Hub = await open('mem://types', { drive: 'loop', inFlightMax: 10, listen: [] })
  hub.on('notice', (notice: Notice) => {
    if (notice.kind === 'HUB_CHANGED') console.log(notice.memoryLost)
  })
  const service = await hub.serve('echo', handler, { concurrency: 4, lineMax: 10 })
  const signal = AbortSignal.timeout(100)
  const answer: Buffer = await hub.call('echo', new Uint8Array(1), { timeoutMs: 5, signal })
  const queue = hub.queue('work')
  await queue.declare({ durability: 'memory', lengthMax: 5, overflow: 'reject' })
  await queue.declare({ maxAttempts: 3, backoffMinMs: 1, backoffMaxMs: 2, deadLetter: 'dead' })
  await queue.declare({ ackDeadlineMs: 1000, ttlMs: Infinity })
  const id: bigint = (await queue.send(answer, { key: 'k', priority: 3 })).messageId
  const job: Job = await queue.receive({ timeoutMs: Infinity })
  await job.acknowledge({ timeoutMs: 5 })
  for await (const each of queue.consume({ prefetch: 2, ackDeadlineMs: 500 })) {
    await each.extend(100)
    await each.extend(undefined, { timeoutMs: 5 })
    await each.requeue(new RangeError('not now'), { timeoutMs: 5 })
    await each.reject('never')
  }
  const waiting: number = (await queue.inspect()).ready + (await queue.purge())
  const { deadLettered, delayed, damaged, deadLetter } = await queue.inspect()
  console.log(id, waiting, telpher.version, deadLettered + delayed + damaged, deadLetter?.length)
  await again(hub, job)
  await service.close()
  await hub.close({ timeoutMs: 10 })
}

export async function listen(hub: Hub): Promise<number> {
  const subscriber: Subscriber = hub.subscribe('orders.**', { buffer: 10, timeoutMs: Infinity })
  await subscriber.started
  const topic: Topic = hub.topic('orders.eu.new')
  const published: void = await topic.publish('x', { key: 'k', headers: { h: 'v' }, timeoutMs: 5 })
  const { topic: name, number, lost }: TopicMessage = await subscriber.receive({ timeoutMs: 5 })
  for await (const message of subscriber) console.log(message.body, message.key, published, name)
  return number + lost
}

export async function keep(hub: Hub): Promise<bigint> {
  const stream: Stream = hub.stream('log')
  await stream.declare({ partitions: 2, ageMaxMs: 1000, bytesMax: 5000, recordsMax: Infinity })
  await stream.declare({ compact: true, tombstoneAgeMs: 1000, keepUnread: false })
  const options = { key: 'k', headers: { h: 'v' }, partition: 1, expect: 0n, timeoutMs: 5 }
  const { partition, offset, durability }: Appended = await stream.append('x', options)
  const starts: Start[] = ['beginning', 'end', { offset }, { offset: 5 }, { time: new Date() }]
  const reader: Reader = stream.read({ start: starts[0], partition, follow: true, buffer: 100 })
  await reader.started
  const record: StreamRecord = await reader.receive({ timeoutMs: Infinity })
  for await (const { timeMs, body, key, headers } of reader) {
    console.log(timeMs + body.length + key.length, headers.h, durability)
  }
  await stream.bind('orders.**', { timeoutMs: 100 })
  await stream.unbind('orders.**')
  const { partitions, recordsMax, bindings } = await stream.inspect()
  const bound: string[] = bindings
  console.log(partitions.length + recordsMax, bound.join(' '))
  await stream.delete({ timeoutMs: 5 })
  return record.offset + (partitions[0]?.next ?? 0n)
}

export async function share(hub: Hub, stream: Stream): Promise<boolean> {
  const wanted = { key: 'k', headers: { kind: Buffer.from('new') } }
  const reader: Reader = stream.read({ group: 'workers', maxProcessingMs: 5000, ...wanted })
  for await (const record of reader) {
    await reader.commit(record, { timeoutMs: 5 })
    const options = { key: 'k', headers: { h: 'v' }, partition: 1, expect: 0n }
    const batch: Batch = hub.batch().append('log', record.body, options).commit(reader, record)
    if (record.skipped > 0) await batch.submit()
  }
  await stream.resetGroup('workers', { start: { offset: 5n }, partition: 1, timeoutMs: 5 })
  await stream.deleteGroup('workers', { timeoutMs: 5 })
  const [group]: GroupInfo[] = await stream.groups()
  const place: GroupPlace | undefined = group?.places[0]
  console.log(group?.name, (group?.members ?? 0) + (place?.lag ?? 0), (place?.next ?? 0n) + 1n)
  return place?.isRead ?? false
}

// Sends a dead letter back to where it came from.
async function again(hub: Hub, job: Job): Promise<Durability | undefined> {
  const origin = `${job.headers['telpher.queue']}`
  const batch: Batch = hub.batch().send(origin, job.body, { key: job.key }).acknowledge(job)
  if (batch.length > 1000) batch.requeue(job).reject(job, 'why').release(job)
  const receipts: Receipt[] = await batch.submit({ timeoutMs: 5 })
  return receipts[0]?.durability
}

export function judge(error: unknown): TelpherErrorCode | undefined {
  if (!(error instanceof TelpherError)) return undefined
  return error.maybeExecuted ? error.code : codes[error.remoteCode]?.code
}

export async function gathers(hub: Hub): Promise<number> {
  await hub.serve('x', () => 'y', { instanceName: 'me' })
  hub.subscribe('x', { instanceName: 'me' })
  const options = { count: 2, timeoutMs: 5 }
  for await (const { instance, instanceName, body, error } of hub.gather('x', 'y', options)) {
    console.log(instance + 1n, instanceName?.length, body?.length, error?.code)
  }
  const { answered, failed, missing } = await hub.topic('x').gather('y').result()
  console.log(missing[0]?.instanceName?.length)
  return answered + failed + missing.filter(({ error }) => error.maybeExecuted).length
}

export async function refused(hub: Hub): Promise<void> {
  // @ts-expect-error a hub is made by open
  new Hub()
  // @ts-expect-error a body is bytes or text
  await hub.call('x', 7)
  // @ts-expect-error there is no such option
  await hub.call('x', '', { timeout: 7 })
  // @ts-expect-error there is no such overflow
  await hub.queue('x').declare({ overflow: 'drop' })
  // @ts-expect-error a time has its unit in its name
  await hub.queue('x').declare({ ttl: 5 })
  // @ts-expect-error a reason is text or an error
  await (await hub.queue('x').receive()).reject({ timeoutMs: 5 })
  // @ts-expect-error a bound has this name
  hub.subscribe('x', { prefetch: 5 })
  // @ts-expect-error a count is a number
  hub.gather('x', '', { count: '2' })
  // @ts-expect-error a message of a topic is not settled
  await (await hub.subscribe('x').receive()).acknowledge()
  // @ts-expect-error where reading begins has one of these forms
  hub.stream('x').read({ start: 'latest' })
  // @ts-expect-error a record has no priority
  await hub.stream('x').append('', { priority: 5 })
  // @ts-expect-error a part of a batch has no time of its own
  hub.batch().append('x', '', { timeoutMs: 5 })
  // @ts-expect-error a record is committed, not an offset
  await hub.stream('x').read({ group: 'g' }).commit(5n)
  // @ts-expect-error a batch is made by its hub
  new Batch()
  // @ts-expect-error a part of a batch has no time of its own
  hub.batch().send('x', '', { timeoutMs: 5 })
  // @ts-expect-error there is no such code
  new TelpherError('NO_SUCH_CODE')
}
