"""honker's side of a durable queue: WINDOW messages in each transaction.

    honker_side.py produce|consume FILE COUNT WINDOW
"""

import asyncio
import time

import honker
from common import BODY
from queues import passing

WORKER = "bench"
PAYLOAD = "x" * len(BODY)


def open_queue(path):
    """The queue, of a connection that syncs what it commits: honker's own choice does not."""
    hub = honker.open(path)
    queue = hub.queue("bench.work")
    with hub.transaction() as transaction:
        transaction.execute("COMMIT")  # in a transaction SQLite changes no such setting
        transaction.execute("PRAGMA synchronous = FULL")
        transaction.execute("BEGIN IMMEDIATE")
    with hub.transaction() as transaction:
        assert transaction.query("PRAGMA synchronous")[0]["synchronous"] == 2
    return hub, queue


def produce(path, count, window):
    hub, queue = open_queue(path)
    start = time.monotonic_ns()
    for first in range(0, count, window):
        size = min(window, count - first)
        if size == 1:
            queue.enqueue(PAYLOAD)
            continue
        with hub.transaction() as transaction:
            for _ in range(size):
                queue.enqueue(PAYLOAD, tx=transaction)
    return start


async def consume_all(path, count, window, ready):
    hub, queue = open_queue(path)
    updates = hub.update_events()
    ready()
    while count > 0:
        jobs = queue.claim_batch(WORKER, min(window, count))
        if not jobs:
            await updates.__anext__()
            continue
        assert queue.ack_batch([job.id for job in jobs], WORKER) == len(jobs)
        count -= len(jobs)


def consume(path, count, window, ready):
    asyncio.run(consume_all(path, count, window, ready))


passing(produce, consume)
