// Reads a stream to its end, leaves a record unread and closes nothing.
import { open } from '../../index.mjs'

const hub = await open(`mem://reads-${process.pid}`)
const stream = hub.stream('log')
await stream.declare()
for (let i = 0; i < 4; i++) await stream.append(`${i}`)
const reader = stream.read()
for (let i = 0; i < 3; i++) await reader.receive()
console.log('3 records')
