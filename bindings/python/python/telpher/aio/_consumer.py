"""A queue's messages as they come, in the asyncio face."""

import asyncio
from collections import deque
from types import TracebackType
from typing import Any

from telpher._delivery import Fields
from telpher._events import DELIVERY, DONE, FAILED, STARTED
from telpher._telpher import Command
from telpher.aio._job import Job
from telpher.aio._starter import Starter
from telpher.aio._turner import Turner
from telpher.errors import Closed, Error


class _Inbox:
    """What has arrived; the consumer may be dropped while the loop still fills this."""

    def __init__(self, turner: Turner) -> None:
        self.live: asyncio.Future[None] = turner.loop.create_future()
        self.jobs: deque[Fields] = deque()
        self.ended: Error | None = None
        self.waiters: deque[asyncio.Future[None]] = deque()
        self._core = turner.core

    def take(self, tag: int, value: Any) -> None:
        if tag == DELIVERY:
            self.jobs.append(value)
        elif tag == STARTED and not self.live.done():
            self.live.set_result(None)
        elif tag == FAILED:
            self.end(value)
        elif tag == DONE:
            self.end(Closed("the consumer is closed"))
        if self.ended is not None:
            self._core.release([fields[0] for fields in self.jobs])
            self.jobs.clear()
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(None)

    def end(self, error: Error) -> None:
        self.ended = self.ended or error
        if not self.live.done():
            self.live.set_exception(error)
            self.live.exception()  # Nobody may be waiting for it.


class Consumer:
    """An asynchronous iterator over a queue's messages; made by `Queue.consume`.

    It starts when it is entered or first asked for a message. When it is closed or dropped, what
    it has not handed out goes back to the queue; a job that was handed out is held until it is
    settled.
    """

    def __init__(self, starter: Starter, command: Command[None], timeout: float | None) -> None:
        self._starter = starter
        self._command = command
        self._timeout = timeout
        self._inbox = _Inbox(starter.turner)
        self._id = 0

    async def receive(self) -> Job:
        """The next message. A time limit: `async with asyncio.timeout(…)`."""
        await self._begin()
        inbox = self._inbox
        while not inbox.jobs:
            if inbox.ended is not None:
                raise inbox.ended
            waiter: asyncio.Future[None] = self._starter.turner.loop.create_future()
            inbox.waiters.append(waiter)
            try:
                await waiter
            finally:
                inbox.waiters.remove(waiter)
        return Job(self._starter, inbox.jobs.popleft())

    async def close(self) -> None:
        """Stop; what was not handed out goes back to the queue."""
        self._stop()

    def _stop(self) -> None:
        self._inbox.take(DONE, None)
        if self._id:
            self._starter.turner.abandon(self._id)

    async def _begin(self) -> None:
        if not self._id and self._inbox.ended is None:
            turner = self._starter.turner
            self._id = turner.register(self._command, self._timeout, self._inbox)
        await asyncio.shield(self._inbox.live)

    def __aiter__(self) -> "Consumer":
        return self

    async def __anext__(self) -> Job:
        try:
            return await self.receive()
        except Closed:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> "Consumer":
        await self._begin()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __del__(self) -> None:
        if getattr(self, "_id", 0):
            self._stop()
