// Node's witness of a change of host: `witness.mjs URL NAME`. As witness.py.

import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'

import { open } from '../../../bindings/node/index.mjs'

const SENDS = 10
const MOMENT_MS = 300

const [url, name] = process.argv.slice(2)

function say(...fields) {
  writeSync(1, `${process.hrtime.bigint() / 1000n} ${fields.join(' ')}\n`)
}

// How a promise ended, as a status and whether it may have been done.
const ending = (promise) =>
  promise.then(
    () => 'OK 0',
    (error) => `${error.code} ${Number(error.maybeExecuted)}`,
  )

async function consume() {
  for await (const job of hub.queue(`work.${name}`).consume()) {
    say('took', job.body)
    await job.acknowledge()
    say('acknowledged', job.body)
  }
}

const hub = await open(url)
hub.on('notice', ({ kind, memoryLost }) => say('notice', kind, Number(memoryLost ?? false)))
const sent = hub.queue(`sent.${name}`)
const held = await hub.queue(`held.${name}`).receive()
consume().catch((error) => say('fault', 'consume', error.code))
await hub.serve(`echo.${name}`, (request) => request.body)
ending(hub.call('never', '', { timeoutMs: 60_000 })).then((how) => say('called', how))

const told = {
  send() {
    for (let number = 0; number < SENDS; number++) {
      ending(sent.send(String(number), { timeoutMs: 20_000 })).then((how) => say('sent', how))
    }
    hub.flush()
    say('sending')
  },
  async settle() {
    say('settled', await ending(held.acknowledge()))
  },
  async ask() {
    const options = { timeoutMs: MOMENT_MS }
    const asked = [sent.send('asked', options), hub.call(`echo.${name}`, 'asked', options)]
    say('asked', ...(await Promise.all(asked.map(ending))))
  },
}

hub.flush()
say('ready')
for await (const line of createInterface(process.stdin)) await told[line]?.()
await hub.close()
say('end')
