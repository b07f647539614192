// Opens a hub, uses it, and simply comes to its end with everything still open but idle.
import { open } from '../../index.mjs'

const hub = await open('mem://ends', { drive: process.argv[2] })
const queue = hub.queue('work')
await queue.declare()
await queue.send('x')
await (await queue.receive()).acknowledge()
console.log('done')
