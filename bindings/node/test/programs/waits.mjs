// Stays alive for a call that takes a while, though nothing else is open, then ends by itself.
import { open } from '../../index.mjs'

const host = await open('mem://waits', { drive: process.argv[2] })
const service = await host.serve('later', async () => {
  await new Promise((resolve) => setTimeout(resolve, 50).unref())
  return 'answered'
})
// The timer above keeps nobody alive: the open call has to.
host.call('later', '').then(async (answer) => {
  console.log(String(answer))
  await service.close()
})
