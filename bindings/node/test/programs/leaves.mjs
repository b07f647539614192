// Calls process.exit with a call being handled, a receive waiting, and a consumer, a
// subscriber, sends and publishes in flight.
import { open } from '../../index.mjs'

const hub = await open('mem://leaves', { drive: process.argv[2] })
const queue = hub.queue('work')
await queue.declare()
let began
const running = new Promise((resolve) => (began = resolve))
await hub.serve('slow', () => (began(), new Promise(() => {})))
hub.call('slow', '').catch(() => {})
queue.receive().catch(() => {})
await queue.consume().started
await hub.subscribe('**').started
await running
for (let i = 0; i < 5000; i++) {
  queue.send(`${i}`).catch(() => {})
  hub
    .topic('news')
    .publish(`${i}`)
    .catch(() => {})
}
console.log('leaving')
process.exit(7)
