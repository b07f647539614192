"""nats-py's side of a call.

    nats_side.py serve URL
    nats_side.py call URL SECONDS WINDOW
"""

import asyncio
import sys

import nats
from common import BODY, call_for, report


async def serve(url):
    client = await nats.connect(url)

    async def answer(message):
        await message.respond(message.data)

    await client.subscribe("bench.echo", queue="bench", cb=answer)
    await client.flush()
    print("ready", flush=True)
    await asyncio.Event().wait()


async def call(url, seconds, window):
    client = await nats.connect(url)

    async def one():
        return (await client.request("bench.echo", BODY, timeout=10)).data

    report("release", *await call_for(seconds, window, one))
    await client.close()


def main():
    role, url, *rest = sys.argv[1:]
    if role == "serve":
        asyncio.run(serve(url))
    else:
        asyncio.run(call(url, float(rest[0]), int(rest[1])))


main()
