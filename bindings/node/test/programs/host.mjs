// Hosts the hub of a directory until it is killed.
import { open } from '../../index.mjs'

const hub = await open(process.argv[2], { host: 'always' })
await hub.queue('work').declare({ durability: 'memory' })
await hub.serve('hold', () => (console.log('holding'), new Promise(() => {})))
console.log('hosting')
