"""Telpher's side of a durable queue: blocking with one in flight, from asyncio with more.

    telpher_queue.py produce|consume URL COUNT WINDOW
"""

import asyncio
import time
from collections import deque

import telpher
import telpher.aio
from common import BODY
from queues import passing

QUEUE = {"durability": "disk"}
HOST = {"host": "never"}


def produce(url, count, window):
    return produce_one(url, count) if window == 1 else asyncio.run(produce_many(url, count, window))


def consume(url, count, window, ready):
    if window == 1:
        consume_one(url, count, ready)
    else:
        asyncio.run(consume_many(url, count, window, ready))


def produce_one(url, count):
    with telpher.open(url, **HOST) as hub:
        queue = hub.queue("bench.work")
        queue.declare(**QUEUE)
        start = time.monotonic_ns()
        for _ in range(count):
            queue.send(BODY)
    return start


def consume_one(url, count, ready):
    with telpher.open(url, **HOST) as hub:
        queue = hub.queue("bench.work")
        queue.declare(**QUEUE)
        with queue.consume(prefetch=1) as jobs:
            ready()
            for _ in range(count):
                jobs.receive().acknowledge()


async def produce_many(url, count, window):
    async with await telpher.aio.open(url, **HOST) as hub:
        queue = hub.queue("bench.work")
        await queue.declare(**QUEUE)
        numbers = iter(range(count))

        async def sender():
            for _ in numbers:
                await queue.send(BODY)

        start = time.monotonic_ns()
        await asyncio.gather(*(sender() for _ in range(window)))
    return start


async def consume_many(url, count, window, ready):
    async with await telpher.aio.open(url, **HOST) as hub:
        queue = hub.queue("bench.work")
        await queue.declare(**QUEUE)
        async with queue.consume(prefetch=window) as jobs:
            ready()
            unsettled = deque()
            for _ in range(count):
                unsettled.append((await jobs.receive()).acknowledge())
                if len(unsettled) > window:
                    await unsettled.popleft()
            await asyncio.gather(*unsettled)


passing(produce, consume, telpher.__build__)
