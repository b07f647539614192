// Publishes to topics of a directory's hub: in the process, not the order, of its own.
import { open } from '../../index.mjs'

const [, , directory, topic, count] = process.argv
const hub = await open(directory, { host: 'never' })
for (let i = 0; i < count; i++) await hub.topic(topic).publish(`${i}`, { key: `${process.pid}` })
console.log('published')
