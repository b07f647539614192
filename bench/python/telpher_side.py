"""Telpher's side of a call, from asyncio.

    telpher_side.py serve URL
    telpher_side.py call URL SECONDS WINDOW
"""

import asyncio
import sys

import telpher
import telpher.aio
from common import BODY, call_for, report


async def serve(url):
    async def answer(request):
        return request.body

    async with await telpher.aio.open(url) as hub:
        await hub.serve("bench.echo", answer, concurrency=1024)
        print("ready", flush=True)
        await asyncio.Event().wait()


async def call(url, seconds, window):
    async with await telpher.aio.open(url) as hub:
        result = await call_for(seconds, window, lambda: hub.call("bench.echo", BODY))
    report(telpher.__build__, *result)


def main():
    role, url, *rest = sys.argv[1:]
    if role == "serve":
        asyncio.run(serve(url))
    else:
        asyncio.run(call(url, float(rest[0]), int(rest[1])))


main()
