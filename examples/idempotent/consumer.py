"""Applies each payment of the queue `payments` to SQLite exactly once.

    python consumer.py URL DATABASE          e.g.  python consumer.py ./data bank.db

A queue delivers at least once. The message's id goes into SQLite in the transaction that changes
the balance, and only then is the message acknowledged; README.md says why that is enough.
A payment is text: an account, a space, a whole number. Stop it however you like, kill -9 included.
"""

import contextlib
import re
import sqlite3
import sys

import telpher

SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, balance INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS seen (hub TEXT, message INTEGER, PRIMARY KEY (hub, message));
"""
APPLY = """
INSERT INTO accounts VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET balance = balance + excluded.balance
"""
SEE = "INSERT INTO seen VALUES (?, ?) ON CONFLICT DO NOTHING"
FORGET = "DELETE FROM seen WHERE hub = ? AND message = ?"
PAYMENT = re.compile(rb"([a-z]{1,32}) (-?[0-9]{1,15})")

Payment = tuple[str, int]


def apply(
    database: sqlite3.Connection, hub: str, message: int, payment: Payment, done: int | None
) -> bool:
    """Change the balance, unless this message has done so before; whether it was new."""
    with database:  # one transaction: commits at the end, or rolls all of it back
        is_new = database.execute(SEE, (hub, message)).rowcount == 1
        if is_new:
            database.execute(APPLY, payment)
        # The hub has confirmed that this one left the queue, so its id is needed no more.
        database.execute(FORGET, (hub, done))
    return is_new


def consume(hub: telpher.Hub, database: sqlite3.Connection) -> None:
    """Take payments as they come."""
    payments = hub.queue("payments")
    payments.declare()
    done = None
    print("ready", flush=True)
    for job in payments.consume():
        payment = PAYMENT.fullmatch(job.body)
        if payment is None:
            job.reject("not a payment")
            continue
        values = (payment[1].decode(), int(payment[2]))
        is_new = apply(database, hub.info.hub_id, job.message_id, values, done)
        print("applied" if is_new else "seen", job.message_id, flush=True)
        job.acknowledge()  # after the commit; returns when the hub has written it down
        done = job.message_id


def main() -> None:
    """Consume until stopped."""
    if len(sys.argv) != 3:
        sys.exit("usage: consumer.py URL DATABASE")
    url, path = sys.argv[1:]
    with contextlib.closing(sqlite3.connect(path)) as database, telpher.open(url) as hub:
        database.executescript(SCHEMA)
        consume(hub, database)


if __name__ == "__main__":
    main()
