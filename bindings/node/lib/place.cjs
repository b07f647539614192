'use strict'

// Where a record is to be appended: the partition, and the offset that it must get.

const native = require('./native.cjs')
const { long, whole } = require('./options.cjs')

function checkPlace({ partition, expect }) {
  whole('partition', partition, 0, native.PARTITIONS_MAX - 1)
  if (expect !== undefined) long('expect', expect)
}

function writePlace(records, at, options) {
  records.words[at + 8] = options?.partition === undefined ? 0 : options.partition + 1
  records.words[at + 9] = options?.expect === undefined ? 0 : 1
  if (options?.expect !== undefined) records.long(at, BigInt(options.expect))
}

module.exports = { checkPlace, writePlace }
