"""A message held from a queue, in the asyncio face."""

import asyncio
from types import TracebackType

from telpher._delivery import Delivery, Fields, verdict_after
from telpher._telpher import Command
from telpher.aio._starter import Starter


class Job(Delivery):
    """A message, held until it is settled.

    `async with job:` acknowledges it at the end of the block, and rejects it on an exception; a
    block that is cancelled gives it back untouched.
    """

    __slots__ = ("_starter",)

    def __init__(self, starter: Starter, fields: Fields) -> None:
        super().__init__(fields)
        self._starter = starter

    def acknowledge(self, *, timeout: float | None = None) -> asyncio.Future[None]:
        """It is done: the message leaves the queue. `Stale` if it was settled before."""
        return self._settle("acknowledge", timeout)

    def reject(self, *, timeout: float | None = None) -> asyncio.Future[None]:
        """It can never be done: the message leaves the queue, counted as rejected."""
        return self._settle("reject", timeout)

    def requeue(self, *, timeout: float | None = None) -> asyncio.Future[None]:
        """Try it again: back to its place, with one more failure."""
        return self._settle("requeue", timeout)

    def release(self, *, timeout: float | None = None) -> asyncio.Future[None]:
        """It was not touched: back to its place, with no failure."""
        return self._settle("release", timeout)

    def _let_go(self) -> None:
        self._settled = True
        self._starter.fire(Command.settle(self._token, "release"))

    def _settle(self, verdict: str, timeout: float | None) -> asyncio.Future[None]:
        self._settled = True
        return self._starter.start(Command.settle(self._token, verdict), timeout)

    async def __aenter__(self) -> "Job":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._settled:
            return
        if isinstance(error, asyncio.CancelledError):
            self._let_go()
        else:
            await self._settle(verdict_after(error), None)
