import assert from 'node:assert/strict'
import test from 'node:test'

import { run } from './support.mjs'

for (const drive of ['loop', 'thread', 'inline']) {
  test(`a program whose hub is idle ends by itself, turned by ${drive}`, async () => {
    const ended = await run('ends.mjs', drive)
    assert.deepEqual([ended.code, ended.stdout, ended.stderr], [0, 'done\n', ''])
  })

  test(`process.exit with work in flight leaves with its code, turned by ${drive}`, async () => {
    const ended = await run('leaves.mjs', drive)
    assert.deepEqual([ended.code, ended.stdout, ended.stderr], [7, 'leaving\n', ''])
  })

  test(`an uncaught exception ends the program as ever, turned by ${drive}`, async () => {
    const ended = await run('throws.mjs', drive)
    assert.equal(ended.code, 1)
    assert.match(ended.stderr, /by intention/)
  })

  test(`an open call keeps its program alive until it ends, turned by ${drive}`, async () => {
    const ended = await run('waits.mjs', drive)
    assert.deepEqual([ended.code, ended.stdout, ended.stderr], [0, 'answered\n', ''])
  })

  for (const [what, program] of [
    ['service', 'serves.mjs'],
    ['subscription', 'subscribes.mjs'],
  ]) {
    test(`a live ${what} keeps its program alive, turned by ${drive}`, async () => {
      const ended = await run(program, drive)
      assert.deepEqual([ended.signal, ended.stdout, ended.stderr], ['SIGTERM', 'alive\n', ''])
    })
  }
}
