// Applies each payment of the queue `payments` to SQLite exactly once.
//
//     node consumer.mjs URL DATABASE          e.g.  node consumer.mjs ./data bank.db
//
// A queue delivers at least once. The message's id goes into SQLite in the transaction that changes
// the balance, and only then is the message acknowledged; README.md says why that is enough.
// A payment is text: an account, a space, a whole number. Stop it however you like, kill -9
// included.

// Node 18 and 20 have no SQLite of their own; better-sqlite3 has the same calls as this one.
import Database from 'libsql'
import telpher from 'telpher'

const SCHEMA = `
CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, balance INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS seen (hub TEXT, message INTEGER, PRIMARY KEY (hub, message));
`
const APPLY = `
INSERT INTO accounts VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET balance = balance + excluded.balance
`
const SEE = 'INSERT INTO seen VALUES (?, ?) ON CONFLICT DO NOTHING'
const FORGET = 'DELETE FROM seen WHERE hub = ? AND message = ?'
const PAYMENT = /^([a-z]{1,32}) (-?[0-9]{1,15})$/

// What runs as one transaction: changes the balance unless this message has done so before, and
// tells whether it was new. `done` is a message of which the hub has confirmed that it left the
// queue, so its id is needed no more.
function applier(database) {
  const [see, apply, forget] = [SEE, APPLY, FORGET].map((sql) => database.prepare(sql))
  return database.transaction((hub, message, payment, done) => {
    const isNew = see.run(hub, message).changes === 1
    if (isNew) apply.run(...payment)
    forget.run(hub, done)
    return isNew
  })
}

const [url, path] = process.argv.slice(2)
if (!path) {
  console.error('usage: node consumer.mjs URL DATABASE')
  process.exit(2)
}
const database = new Database(path)
database.exec('PRAGMA busy_timeout = 5000')
database.exec(SCHEMA)
const apply = applier(database)
const hub = await telpher.open(url)
const payments = hub.queue('payments')
await payments.declare()
let done = null
console.log('ready')
for await (const job of payments.consume()) {
  const payment = PAYMENT.exec(String(job.body))
  if (!payment) {
    await job.reject('not a payment')
    continue
  }
  const isNew = apply(hub.info.hubId, job.messageId, [payment[1], BigInt(payment[2])], done)
  console.log(isNew ? 'applied' : 'seen', String(job.messageId))
  await job.acknowledge() // after the commit; ends when the hub has written it down
  done = job.messageId
}
