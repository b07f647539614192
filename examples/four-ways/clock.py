"""Time that must pass: customers come at their moments, work and outages last as long as they do.

Moments are seconds of the clock that all processes of a machine share. Whoever waits for something
else than a moment waits for that itself.
"""

import asyncio
import threading
import time

_NEVER = threading.Event()


def pause(seconds: float) -> None:
    """Block for so long."""
    _NEVER.wait(max(seconds, 0.0))


def reach(moment_s: float) -> None:
    """Block until this moment."""
    pause(moment_s - time.monotonic())


async def reached(moment_s: float) -> None:
    """Wait for this moment."""
    loop = asyncio.get_running_loop()
    here = loop.create_future()
    loop.call_at(moment_s, here.set_result, None)  # A loop counts by the same clock.
    await here
