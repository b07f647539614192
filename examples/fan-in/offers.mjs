// Offers tea at a price, in Node: one instance of the service `offers`.
//
//     node offers.mjs URL NAME PRICE [DELAY_MS]        e.g.  node offers.mjs ./data ferry 395
//
// It states its name as that of the instance. With a delay it looks the price up slowly, and stops
// when nobody waits for it any more. SIGINT or SIGTERM ends it.

import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'

import telpher from 'telpher'

const [url, name, price, delayMs = '0'] = process.argv.slice(2)
if (!price) {
  console.error('usage: node offers.mjs URL NAME PRICE [DELAY_MS]')
  process.exit(2)
}

const hub = await telpher.open(url)
async function offer({ signal }) {
  await pause(Number(delayMs), undefined, { signal })
  return price
}
const service = await hub.serve('offers', offer, { instanceName: name })
console.log(`ready: ${name} ${price}`)
await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
await service.close()
await hub.close()
