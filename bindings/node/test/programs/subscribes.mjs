// Subscribes until it is killed: a live subscription keeps its program alive.
import { open } from '../../index.mjs'

const hub = await open('mem://subscribes', { drive: process.argv[2] })
await hub.subscribe('**').started
setTimeout(() => {
  console.log('alive')
  process.kill(process.pid, 'SIGTERM')
}, 300).unref()
