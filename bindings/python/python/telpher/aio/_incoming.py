"""What the hub sends as it comes, in the asyncio face: below consumers, readers and the like."""

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from telpher._events import DONE, FAILED, STARTED
from telpher._telpher import Command
from telpher.aio._starter import Starter
from telpher.errors import Closed, Error

T = TypeVar("T")


class Inbox:
    """What has arrived; who takes from it may be dropped while the loop still fills it."""

    def __init__(self, starter: Starter, arrival: int) -> None:
        self.live: asyncio.Future[None] = starter.turner.loop.create_future()
        self.waiting: deque[Any] = deque()
        self.ended: Error | None = None
        self.waiters: deque[asyncio.Future[None]] = deque()
        self._arrival = arrival

    def take(self, tag: int, value: Any) -> None:
        """Take an event; `DONE` or `FAILED` is the last."""
        if tag == self._arrival:
            self.add(value)
        elif tag == STARTED and not self.live.done():
            self.live.set_result(None)
        elif tag == FAILED:
            self.end(value)
        elif tag == DONE:
            self.end(None)
        if self.ended is not None:
            self.let_go()
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(None)

    def add(self, value: Any) -> None:
        """Keep what has arrived."""
        self.waiting.append(value)

    def pop(self) -> Any:
        """Take out the oldest."""
        return self.waiting.popleft()

    def let_go(self) -> None:
        """Nobody will take what waits."""
        self.waiting.clear()

    def has_more(self) -> bool:
        """Whether there is something to take out."""
        return bool(self.waiting)

    def close(self) -> None:
        """Nobody asks for more."""
        self.take(DONE, None)

    def end(self, failure: Error | None) -> None:
        """Nothing more comes, as it was stopped or has failed."""
        self.ended = self.ended or failure or Closed("the iterator is closed")
        if not self.live.done():
            self.live.set_exception(self.ended)
            self.live.exception()  # Nobody may be waiting for it.


class Incoming(Generic[T]):
    """An asynchronous iterator over what the hub sends.

    It starts when it is entered or first asked for a message.
    """

    def __init__(
        self,
        starter: Starter,
        command: Command[None],
        timeout: float | None,
        make: Callable[[Any], T],
        inbox: Inbox,
    ) -> None:
        self._starter = starter
        self._command = command
        self._timeout = timeout
        self._make = make
        self._inbox = inbox
        self._id = 0

    async def receive(self) -> T:
        """The next message. A time limit: `async with asyncio.timeout(…)`."""
        await self._begin()
        inbox = self._inbox
        while not inbox.has_more():
            if inbox.ended is not None:
                raise inbox.ended
            waiter: asyncio.Future[None] = self._starter.turner.loop.create_future()
            inbox.waiters.append(waiter)
            try:
                await waiter
            finally:
                inbox.waiters.remove(waiter)
        return self._make(inbox.pop())

    async def close(self) -> None:
        """Stop; what was not handed out goes back to its queue, and a subscriber's is gone."""
        self._stop()

    def _stop(self) -> None:
        self._inbox.close()
        if self._id:
            self._starter.turner.abandon(self._id)

    async def _begin(self) -> None:
        if not self._id and self._inbox.ended is None:
            self._register()
        await asyncio.shield(self._inbox.live)

    def _register(self) -> None:
        turner = self._starter.turner
        self._id = turner.register(self._command, self._timeout, self._inbox)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        try:
            return await self.receive()
        except Closed:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
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
