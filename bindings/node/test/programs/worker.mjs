// A worker thread with work in flight: it says when that is so, and then never ends by itself.
import { parentPort, workerData } from 'node:worker_threads'

import { open } from '../../index.mjs'

const hub = await open(workerData.url, { drive: workerData.drive })
if (workerData.ends) {
  parentPort.postMessage(String(await hub.call('echo', 'from a worker')))
} else {
  await hub.serve(workerData.name, () => new Promise(() => {}))
  for (let i = 0; i < 100; i++) hub.call(workerData.name, `${i}`).catch(() => {})
  setImmediate(() => parentPort.postMessage('busy'))
}
