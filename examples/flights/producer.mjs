// Sends every flight of a file to the queue `flights`, each confirmed by the hub.
//
//     node producer.mjs URL FILE [COUNT]        COUNT: only that many, evenly taken from the file
//
// A flight's key is its place in the file, by which the collector counts it once even if it is
// delivered twice. The queue is bounded: when the workers fall behind, the hub lets our sends wait
// for room, and so we wait too. Nothing here sleeps, retries or counts.

import { readFile } from 'node:fs/promises'
import telpher from 'telpher'

// Sends on their way at once: enough to fill batches, few enough to follow the queue's pace.
const IN_FLIGHT = 512

const [url, file, count] = process.argv.slice(2)
if (!file) {
  console.error('usage: node producer.mjs URL FILE [COUNT]')
  process.exit(2)
}

const flights = JSON.parse(await readFile(file, 'utf8'))
const total = Math.min(Number(count ?? flights.length), flights.length)
if (!Number.isInteger(total) || total < 1) {
  console.error(`COUNT is ${count}; it must be a whole number from 1 up`)
  process.exit(2)
}
const hub = await telpher.open(url)
const queue = hub.queue('flights')
const whole = (number) => Math.round(number).toLocaleString('en-US')
console.log(`ready: ${whole(total)} of ${whole(flights.length)} flights to send`)

const started = performance.now()
const sends = new Array(IN_FLIGHT)
for (let sent = 0; sent < total; sent++) {
  await sends[sent % IN_FLIGHT] // confirmed: the send that was made IN_FLIGHT flights ago
  const place = Math.floor((sent * flights.length) / total)
  sends[sent % IN_FLIGHT] = queue.send(JSON.stringify(flights[place]), { key: String(place) })
}
await Promise.all(sends)

const seconds = (performance.now() - started) / 1000
const rate = `${whole(total / seconds)} per second`
console.log(`sent ${whole(total)} flights, each confirmed, in ${seconds.toFixed(1)} s (${rate})`)
await hub.close()
