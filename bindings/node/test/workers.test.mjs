import assert from 'node:assert/strict'
import { once } from 'node:events'
import test from 'node:test'
import { Worker } from 'node:worker_threads'

import { openOwn } from './support.mjs'

const file = new URL('programs/worker.mjs', import.meta.url)
const url = `mem://workers-${process.pid}`

for (const drive of ['loop', 'thread', 'inline']) {
  test(
    `workers are terminated with work in flight, turned by ${drive}`,
    { timeout: 60_000 },
    async (t) => {
      const hub = await openOwn(t)
      await hub.serve('echo', (request) => request.body)
      for (let i = 0; i < 8; i++) {
        const worker = new Worker(file, { workerData: { url, drive, name: `${drive}-${i}` } })
        const [message] = await once(worker, 'message')
        assert.equal(message, 'busy')
        await worker.terminate()
        assert.equal(String(await hub.call('echo', 'alive')), 'alive')
      }
    },
  )
}

for (const drive of ['loop', 'thread']) {
  test(
    `a worker shares its parent's hub and ends by itself, turned by ${drive}`,
    { timeout: 60_000 },
    async (t) => {
      const { open } = await import('../index.mjs')
      const hub = await open(url)
      t.after(() => hub.close())
      await hub.serve('echo', (request) => request.body)
      const worker = new Worker(file, { workerData: { url, drive, ends: true } })
      // The last message may come together with the end.
      const ended = once(worker, 'exit')
      const [message] = await once(worker, 'message')
      assert.equal(message, 'from a worker')
      assert.deepEqual(await ended, [0])
    },
  )
}
