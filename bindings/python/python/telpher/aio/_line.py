"""Where operations wait while as much is in flight as may be."""

import asyncio
import math
import time
from collections import deque

from telpher.errors import Full


class Line:
    """Waits for readiness, in order."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiters: deque[asyncio.Future[None]] = deque()

    def __bool__(self) -> bool:
        return bool(self._waiters)

    def join(self) -> asyncio.Future[None]:
        """Take a place, before control goes back to the loop: it may bring the readiness."""
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiters.append(waiter)
        return waiter

    def leave(self, waiter: asyncio.Future[None]) -> None:
        """Give up a place, if it is still held."""
        if waiter in self._waiters:
            self._waiters.remove(waiter)

    async def readiness(self, waiter: asyncio.Future[None], until: float) -> None:
        """Wait at this place until the handle is ready; `Full` if the time is over first."""
        try:
            async with asyncio.timeout(None if until == math.inf else until - time.monotonic()):
                await waiter
        except TimeoutError:
            raise Full("as much was in flight as may be, until the time was over") from None
        finally:
            self.leave(waiter)

    def wake(self) -> None:
        """The handle is ready, or closed: everybody tries again."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()
