// Compares index.d.ts, and what it takes in, with what the package really has: every
// export, every member, every code.

import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

import ts from 'typescript'

const root = fileURLToPath(new URL('../../', import.meta.url))
const declared = { values: new Map(), codes: [] }
const FILES = ['index', 'batches', 'errors', 'gathers', 'streams', 'topics']
for (const name of FILES.map((file) => `${file}.d.ts`)) {
  const text = readFileSync(path.join(root, name), 'utf8')
  ts.createSourceFile(name, text, ts.ScriptTarget.ES2022, true).forEachChild(declare)
}

function declare(node) {
  const exported = ts.canHaveModifiers(node) && ts.getModifiers(node)?.length
  if (!exported) return
  if (ts.isClassDeclaration(node)) declared.values.set(node.name.text, members(node))
  if (ts.isFunctionDeclaration(node)) declared.values.set(node.name.text, undefined)
  if (ts.isVariableStatement(node)) {
    for (const each of node.declarationList.declarations) {
      declared.values.set(each.name.text, undefined)
    }
  }
  if (ts.isTypeAliasDeclaration(node) && node.name.text === 'TelpherErrorCode') {
    declared.codes = node.type.types.map((each) => each.literal.text)
  }
}

function members(node) {
  const named = node.members.filter((each) => each.name && ts.isIdentifier(each.name))
  return new Set(named.map((each) => each.name.text))
}

// Methods and accessors that the package's own classes have, those that they inherit from one
// another included.
function real(value) {
  const found = Object.getOwnPropertyNames(value)
  const foreign = [Object.prototype, Error.prototype, EventEmitter.prototype]
  for (
    let proto = value.prototype;
    !foreign.includes(proto);
    proto = Object.getPrototypeOf(proto)
  ) {
    found.push(...Object.getOwnPropertyNames(proto))
  }
  const builtin = ['constructor', 'prototype', 'length', 'name']
  return found.filter((name) => !builtin.includes(name))
}

const telpher = await import(path.join(root, 'index.mjs'))
const names = Object.keys(telpher).filter((name) => name !== 'default')
assert.deepEqual([...declared.values.keys()].sort(), names.sort(), 'exports')
assert.deepEqual(
  [...declared.codes].sort(),
  telpher.codes.map((row) => row.code).sort(),
  'error codes',
)
for (const [name, listed] of declared.values) {
  if (listed === undefined) continue
  for (const member of real(telpher[name])) {
    assert.ok(listed.has(member), `index.d.ts does not list ${name}.${member}`)
  }
}
console.log(`index.d.ts lists all ${names.length} exports and ${telpher.codes.length} codes`)
