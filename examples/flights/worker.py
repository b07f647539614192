"""Scores flights: takes them from one queue, asks the scorer, puts the result into another.

    python worker.py URL

Start as many as there is work for: those on the same queue share it. A flight is acknowledged only
once its result is confirmed. Until then this worker holds it, and it goes back to the queue if the
worker ends, however that comes. SIGINT or SIGTERM: finish what is held, and end.
"""

import asyncio
import json
import signal
import struct
import sys

import telpher.aio

PREFETCH = 256
"""Flights held at once: each spends its time waiting for the scorer or the hub, so many can."""

SCORE_REQUEST = struct.Struct("<ii")
SCORE_REPLY = struct.Struct("<i")


async def handle(job: telpher.aio.Job, hub: telpher.aio.Hub) -> None:
    """Score one flight."""
    flight = json.loads(job.body)
    reply = await hub.call("score", SCORE_REQUEST.pack(flight["delay"], flight["distance"]))
    (flight["score"],) = SCORE_REPLY.unpack(reply)
    await hub.queue("scored").send(json.dumps(flight).encode(), key=job.key)
    await job.acknowledge()


async def work(url: str) -> int:
    """Handle flights until told to stop; their number."""
    handled = 0
    async with (
        telpher.aio.open(url) as hub,
        hub.queue("flights").consume(prefetch=PREFETCH) as flights,
        asyncio.TaskGroup() as group,  # waits for what is held before the hub is closed
    ):

        async def take() -> None:
            nonlocal handled
            async for job in flights:
                group.create_task(handle(job, hub))
                handled += 1

        taking = group.create_task(take())
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, taking.cancel)
        print("ready: waiting for flights", flush=True)
    return handled


def main() -> None:
    """Run until told to stop."""
    if len(sys.argv) != 2:
        sys.exit("usage: worker.py URL")
    try:
        print(f"scored {asyncio.run(work(sys.argv[1])):,} flights", flush=True)
    except* telpher.NoService:
        sys.exit("nobody serves `score`: start the scorer first")
    except* telpher.NotFound:
        sys.exit("there is no queue `flights`: start the collector first")


if __name__ == "__main__":
    main()
