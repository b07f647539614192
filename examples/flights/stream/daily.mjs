// Sums up each day of the stream `flights`, and appends the sums, keyed by day, to `daily`.
//
//     node daily.mjs URL
//
// The latest record of a day in `daily` is what counts. New sums and how far the group `daily` has
// read are one batch: whenever this is killed, either both are there or neither. It keeps nothing
// else, and begins with what stands in `daily`. That a partition of `flights` has ended is written
// there, too, so that it knows when all is done.

import telpher from 'telpher'

// How `daily` is kept: the latest record of each key is of use, and older ones may go.
const DAILY = { partitions: 1, compact: true }

// A batch that ends so was refused as a whole, and what was summed up for it is void: another one
// has written to `daily` or has a partition now.
const REFUSED = ['CONFLICT', 'LEASE_LOST']

// Records that are summed up before something is written.
const RECORDS_MAX = 64

const [url] = process.argv.slice(2)
if (!url) {
  console.error('usage: node daily.mjs URL')
  process.exit(2)
}
const hub = await telpher.open(url)
const flights = hub.stream('flights')
const daily = hub.stream('daily')
await daily.declare(DAILY)

// What stands in `daily`: the latest value of each key, and the offset that the next record gets.
async function written() {
  const values = new Map()
  let next = 0n
  for await (const record of daily.read()) {
    values.set(String(record.key), JSON.parse(record.body))
    next = record.offset + 1n
  }
  return { values, next }
}

// What has arrived by now, and one record at least.
async function take(reader) {
  const records = [await reader.receive({ timeoutMs: Infinity })]
  try {
    while (records.length < RECORDS_MAX) records.push(await reader.receive({ timeoutMs: 0 }))
  } catch (error) {
    if (error.code !== 'PENDING') throw error
  }
  return records
}

// Adds a record to the values; the key of what it has changed.
function add(values, record) {
  if (record.body.length === 0) {
    const key = `end of partition ${record.partition}`
    values.set(key, { ended: true })
    return key
  }
  const { date, delay } = JSON.parse(record.body)
  const key = date.slice(0, 10)
  const sum = values.get(key) ?? { flights: 0, delay: 0 }
  values.set(key, { flights: sum.flights + 1, delay: sum.delay + delay })
  return key
}

// Begins with what stands in `daily`, and reads on until every partition has ended.
async function follow(partitions) {
  const reader = flights.read({ group: 'daily' })
  try {
    await reader.started
    let { values, next } = await written()
    say('ready', values)
    while (count(values).ended < partitions) {
      const records = await take(reader)
      const latest = new Map(records.map((record) => [record.partition, record]))
      const batch = hub.batch()
      for (const key of new Set(records.map((record) => add(values, record)))) {
        batch.append('daily', JSON.stringify(values.get(key)), { key, expect: next++ })
      }
      for (const record of latest.values()) batch.commit(reader, record)
      await batch.submit()
    }
    say('done', values)
  } finally {
    await reader.close()
  }
}

function count(values) {
  const total = { days: 0, flights: 0, ended: 0 }
  for (const value of values.values()) {
    total.ended += value.ended ? 1 : 0
    total.days += value.ended ? 0 : 1
    total.flights += value.flights ?? 0
  }
  return total
}

function say(start, values) {
  const { days, flights } = count(values)
  console.log(`${start}: ${days} days, ${flights.toLocaleString('en-US')} flights`)
}

async function main() {
  const { partitions } = await flights.inspect()
  for (;;) {
    try {
      return await follow(partitions.length)
    } catch (error) {
      if (!REFUSED.includes(error.code)) throw error
    }
  }
}

try {
  await main()
} catch (error) {
  if (error.code !== 'NOT_FOUND') throw error
  console.error(`${error.message}: start append.py first`)
  process.exitCode = 1
}
await hub.close()
