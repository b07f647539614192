"""What the Python sides share: a number of callers in flight for a time, and the report."""

import asyncio
import json
import resource
import time

BODY = bytes(64)


async def call_for(seconds, window, call):
    """Keeps `window` calls in flight, each awaiting `call()`; how many ended, from when to when."""
    start = time.monotonic_ns()
    until = start + int(seconds * 1e9)
    counts = [0] * window

    async def caller(index):
        while time.monotonic_ns() < until:
            reply = await call()
            assert len(reply) == len(BODY)
            counts[index] += 1

    await asyncio.gather(*(caller(index) for index in range(window)))
    return sum(counts), start, time.monotonic_ns()


def report(build, count, start_ns, end_ns):
    """The line that the harness reads."""
    use = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({
        "build": build, "count": count, "start_ns": start_ns, "end_ns": end_ns,
        "switches": use.ru_nvcsw + use.ru_nivcsw,
    }), flush=True)
