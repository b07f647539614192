"""A gather, in the asyncio face: the answers of many to one request, as they come."""

import asyncio
import time
from collections import deque
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from telpher._answer import Answer, Gathered, GatheredFields, Missing, gathered
from telpher._events import ANSWER, DONE, FAILED
from telpher._telpher import GATHER_BYTES_MAX, TIMEOUT_DEFAULT, Command, check_timeout
from telpher.aio._starter import Starter
from telpher.errors import Cancelled, Error, Full


class _Inbox:
    """What has arrived. The loop takes whatever comes, so it is this that bounds what waits."""

    def __init__(self, starter: Starter) -> None:
        self.waiting: deque[Answer] = deque()
        self.ended: Gathered | Error | None = None
        self.waiters: deque[asyncio.Future[None]] = deque()
        self.loop = starter.turner.loop
        self._bytes = 0
        self._lost: list[Answer] = []

    def take(self, tag: int, value: Any) -> None:
        """Take an event; `DONE` or `FAILED` is the last."""
        if tag == ANSWER:
            self._add(Answer(*value))
        elif self.ended is None and tag == DONE:
            self.ended = gathered(value, self._lost)
        elif self.ended is None and tag == FAILED:
            self.ended = value
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(None)

    def pop(self) -> Answer:
        """Take out the oldest."""
        answer = self.waiting.popleft()
        self._bytes -= _size(answer)
        return answer

    def _add(self, answer: Answer) -> None:
        if self._bytes + _size(answer) > GATHER_BYTES_MAX:
            self._lost.append(replace(answer, body=None, key=b"", headers={}))
            return
        self._bytes += _size(answer)
        self.waiting.append(answer)


def _size(answer: Answer) -> int:
    headers = sum(len(name) + len(value) for name, value in answer.headers.items())
    return len(answer.body or b"") + len(answer.key) + headers


class Gather:
    """An asynchronous iterator over answers; made by `Hub.gather` and `Topic.gather`.

    It asks when it is entered or first asked for an answer. It ends with the last one, and then
    says who did not answer. At the end of an `async with` block, when the task that takes from it
    is cancelled, and when it is dropped, what is still open is cancelled.
    """

    def __init__(
        self, starter: Starter, command: Command[GatheredFields], timeout: float | None
    ) -> None:
        seconds = TIMEOUT_DEFAULT if timeout is None else check_timeout(timeout)
        self._until = time.monotonic() + seconds
        self._starter = starter
        self._command = command
        self._inbox = _Inbox(starter)
        self._beginning = asyncio.Lock()
        self._id = 0

    async def result(self) -> Gathered:
        """Pass over the answers that are still to come; who answered, and who did not.

        Raises why the gather failed: `NoService`, `Busy`, `TooLarge` and `Expired` if nobody was
        asked; `HostLost`, `HostUnresponsive`, `Cancelled` and `Closed` as `maybe_executed` says.
        """
        while await self._next() is not None:
            pass
        if isinstance(self._inbox.ended, Error):
            raise self._inbox.ended
        assert self._inbox.ended is not None
        return self._inbox.ended

    @property
    def missing(self) -> list[Missing]:
        """Who did not answer, and why, once it has ended; until then nobody is known to be."""
        ended = self._inbox.ended
        return ended.missing if isinstance(ended, Gathered) else []

    def cancel(self) -> None:
        """Ask for its end: what is open is taken back."""
        if self._inbox.ended is None:
            asked = bool(self._id)
            self._inbox.take(FAILED, Cancelled("cancelled by the program", maybe_executed=asked))
        if self._id:
            self._starter.turner.abandon(self._id)

    async def _begin(self) -> None:
        async with self._beginning:
            turner = self._starter.turner
            while not self._id and self._inbox.ended is None:
                try:
                    left = max(self._until - time.monotonic(), 0.0)
                    self._id = turner.register(self._command, left, self._inbox)
                except Full:
                    await turner.line.readiness(turner.line.join(), self._until)

    async def _next(self) -> Answer | None:
        await self._begin()
        inbox = self._inbox
        while not inbox.waiting:
            if inbox.ended is not None:
                return None
            waiter: asyncio.Future[None] = inbox.loop.create_future()
            inbox.waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                self.cancel()
                raise
            finally:
                inbox.waiters.remove(waiter)
        return inbox.pop()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Answer:
        answer = await self._next()
        if answer is not None:
            return answer
        if isinstance(self._inbox.ended, Error):
            raise self._inbox.ended
        raise StopAsyncIteration

    async def __aenter__(self) -> Self:
        await self._begin()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._inbox.ended is None:
            self.cancel()

    def __del__(self) -> None:
        if getattr(self, "_id", 0) and self._inbox.ended is None:
            self._starter.turner.abandon(self._id)
