// What instances and subscribers call themselves, as whoever gathers sees it.

import assert from 'node:assert/strict'
import test from 'node:test'

import { fails, openOwn } from './support.mjs'

const DRIVES = ['loop', 'thread', 'inline']
const names = (of) => of.map(({ instanceName }) => instanceName)

async function all(gather) {
  const answers = []
  for await (const answer of gather) answers.push(answer)
  return answers
}

for (const drive of DRIVES) {
  test(`answers, failures and missing ones carry names, turned by ${drive}`, async (t) => {
    const hub = await openOwn(t, { drive })
    const fail = () => {
      throw new Error('no tea')
    }
    const silent = () => new Promise(() => {})
    await hub.serve('prices', () => 'one', { instanceName: 'berlin-1' })
    await hub.serve('prices', fail, { instanceName: 'oslo' })
    await hub.serve('prices', () => 'two')
    await hub.serve('prices', silent, { instanceName: 'lisbon' })
    await hub.serve('prices', silent)
    const gather = hub.gather('prices', 'tea', { timeoutMs: 300 })
    const answers = await all(gather)
    const said = answers.map(({ body, instanceName }) => [body && String(body), instanceName])
    assert.deepEqual(
      said.sort(),
      [
        ['one', 'berlin-1'],
        ['two', undefined],
        [undefined, 'oslo'],
      ].sort(),
    )
    assert.deepEqual(names(gather.missing), ['lisbon', undefined])
    assert.deepEqual(names((await gather.result()).missing), ['lisbon', undefined])
  })
}

test('two instances may state one name', async (t) => {
  const hub = await openOwn(t)
  for (let at = 0; at < 2; at++) await hub.serve('prices', () => 'one', { instanceName: 'berlin' })
  const answers = await all(hub.gather('prices', 'tea'))
  assert.deepEqual(names(answers), ['berlin', 'berlin'])
  assert.notEqual(answers[0].instance, answers[1].instance)
})

test('subscribers answer under their names', async (t) => {
  const hub = await openOwn(t)
  const berlin = hub.subscribe('news.*', { instanceName: 'berlin' })
  const oslo = hub.subscribe('news.*', { instanceName: 'oslo' })
  const next = [berlin, oslo].map((one) => one.receive())
  const gather = hub.topic('news.x').gather('who?', { count: 1 })
  ;(await next[0]).reply('me')
  assert.deepEqual(names(await all(gather)), ['berlin'])
  assert.deepEqual(names(gather.missing), ['oslo'])
  await Promise.all([berlin.close(), oslo.close()])
})

test('a wrong name is refused with what is wrong', async (t) => {
  const hub = await openOwn(t)
  const serve = (instanceName) => hub.serve('prices', () => 'one', { instanceName })
  await fails(serve('rack 4'), 'INVALID', /instance_name: .*has ' ' at byte 4/)
  await fails(serve(''), 'INVALID', /instance_name: a name is empty/)
  await fails(serve('n'.repeat(256)), 'TOO_LARGE', /instanceName has 256 bytes/)
  await fails(serve(4), 'INVALID', /instanceName is 4; it must be a string/)
  const subscriber = hub.subscribe('news', { instanceName: 'rack 4' })
  await fails(subscriber.receive(), 'INVALID', /instance_name: .*has ' ' at byte 4/)
})
