// Serves until it is killed: a live service keeps its program alive.
import { open } from '../../index.mjs'

const hub = await open('mem://serves', { drive: process.argv[2] })
await hub.serve('echo', (request) => request.body)
setTimeout(() => {
  console.log('alive')
  process.kill(process.pid, 'SIGTERM')
}, 300).unref()
