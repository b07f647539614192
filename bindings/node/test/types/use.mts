// Compiled, never run: what a program may write, and what the types must refuse.

import telpher, { Hub, TelpherError, codes, open } from 'telpher'
import type { Handler, Job, Notice, TelpherErrorCode } from 'telpher'

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
  const id: bigint = (await queue.send(answer, { key: 'k', priority: 3 })).messageId
  const job: Job = await queue.receive({ timeoutMs: Infinity })
  await job.acknowledge({ timeoutMs: 5 })
  for await (const each of queue.consume({ prefetch: 2 })) await each.requeue()
  const waiting: number = (await queue.inspect()).ready + (await queue.purge())
  console.log(id, waiting, telpher.version)
  await service.close()
  await hub.close({ timeoutMs: 10 })
}

export function judge(error: unknown): TelpherErrorCode | undefined {
  if (!(error instanceof TelpherError)) return undefined
  return error.maybeExecuted ? error.code : codes[error.remoteCode]?.code
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
  // @ts-expect-error there is no such code
  new TelpherError('NO_SUCH_CODE')
}
