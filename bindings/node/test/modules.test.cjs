'use strict'

const assert = require('node:assert/strict')
const test = require('node:test')

const telpher = require('../index.cjs')

test('CommonJS and ES modules give the same things', async () => {
  const module = await import('../index.mjs')
  assert.deepEqual(
    Object.keys(module)
      .filter((name) => name !== 'default')
      .sort(),
    Object.keys(telpher).sort(),
  )
  for (const name of Object.keys(telpher)) assert.equal(module[name], telpher[name], name)
  assert.equal(module.default, telpher)
})

test('the package is found by its own name, both ways', async () => {
  assert.equal(require('telpher'), telpher)
  assert.equal((await import('telpher')).open, telpher.open)
})

test('CommonJS opens, calls and disposes', async () => {
  const hub = await telpher.open(`mem://commonjs-${process.pid}`)
  await hub.serve('echo', (request) => request.body)
  assert.equal(String(await hub.call('echo', new Uint8Array([104, 105]))), 'hi')
  await hub[Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]()
  await assert.rejects(hub.call('echo', ''), { code: 'CLOSED' })
})
