"""aio-pika's side of a durable queue: persistent messages, confirmations, acknowledgements.

    aio_pika_side.py produce|consume URL COUNT WINDOW
"""

import asyncio
import time

import aio_pika
from common import BODY
from queues import passing

QUEUE = "bench.work"


async def produce_all(url, count, window):
    async with await aio_pika.connect(url) as link:
        channel = await link.channel(publisher_confirms=True)
        await channel.declare_queue(QUEUE, durable=True)
        numbers = iter(range(count))

        async def sender():
            for _ in numbers:
                message = aio_pika.Message(BODY, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
                await channel.default_exchange.publish(message, QUEUE)

        start = time.monotonic_ns()
        await asyncio.gather(*(sender() for _ in range(window)))
    return start


async def consume_all(url, count, window, ready):
    async with await aio_pika.connect(url) as link:
        channel = await link.channel()
        await channel.set_qos(prefetch_count=window)
        queue = await channel.declare_queue(QUEUE, durable=True)
        async with queue.iterator() as messages:
            ready()
            async for message in messages:
                await message.ack()
                count -= 1
                if count == 0:
                    break


def produce(url, count, window):
    return asyncio.run(produce_all(url, count, window))


def consume(url, count, window, ready):
    asyncio.run(consume_all(url, count, window, ready))


passing(produce, consume)
