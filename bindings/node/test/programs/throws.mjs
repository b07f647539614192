// Dies of an exception in the midst of its work.
import { open } from '../../index.mjs'

const hub = await open('mem://throws', { drive: process.argv[2] })
await hub.serve('slow', () => new Promise(() => {}))
hub.call('slow', '').catch(() => {})
setImmediate(() => {
  throw new Error('by intention')
})
