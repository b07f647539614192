"""A service, in the asyncio face: a task for each request."""

import asyncio
import inspect
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Any

from telpher._events import DONE, FAILED, REQUEST, STARTED
from telpher._request import CURRENT, Request
from telpher._telpher import Command
from telpher.aio._starter import Starter
from telpher.errors import Error

_LOG = logging.getLogger("telpher")


class Service:
    """A name that this program serves; made by `Hub.serve`."""

    def __init__(self, starter: Starter, name: str, handler: Callable[[Request], object]) -> None:
        self.name = name
        self._starter = starter
        self._handler = handler
        self._id = 0
        self._tasks: set[asyncio.Task[None]] = set()
        loop = starter.turner.loop
        self._live: asyncio.Future[None] = loop.create_future()
        self._ended: asyncio.Future[None] = loop.create_future()

    async def close(self) -> None:
        """Stop serving. Requests that wait go to other instances; handlers run to their end."""
        self._starter.turner.stop(self._id)
        await self.join()

    async def join(self) -> None:
        """Wait until the service is closed and its handlers have ended."""
        await asyncio.shield(self._ended)
        current = asyncio.current_task()
        await asyncio.gather(*(task for task in self._tasks if task is not current))

    async def __aenter__(self) -> "Service":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def take(self, tag: int, value: Any) -> None:
        """Take an event of this service."""
        if tag == REQUEST:
            turner = self._starter.turner
            request = Request(turner.core, self._fire, self.name, value)
            task = turner.loop.create_task(self._handle(request))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif tag == STARTED and not self._live.done():
            self._live.set_result(None)
        elif tag in (DONE, FAILED):
            if not self._live.done():
                self._live.set_exception(value)
            if not self._ended.done():
                self._ended.set_result(None)

    def _fire(self, command: Command[None]) -> None:
        self._starter.fire(command, is_alone=len(self._tasks) == 1)

    async def _begin(self, command: Command[None], timeout: float | None) -> None:
        turner = self._starter.turner
        self._id = turner.register(command, timeout, self)
        try:
            await self._live
        except BaseException:
            turner.stop(self._id)
            raise

    async def _handle(self, request: Request) -> None:
        CURRENT.set(request)  # In the context of this task only.
        try:
            answer = self._handler(request)
            if inspect.isawaitable(answer):
                answer = await answer
            request._take(answer)
        except asyncio.CancelledError:
            _try(request.abandon, "the handler was cancelled")
            raise
        except Exception as failure:
            _LOG.info("a handler of the service %s failed", self.name, exc_info=True)
            _try(request._fail_with, failure)


def _try(answer: Callable[[Any], None], value: Any) -> None:
    try:
        answer(value)
    except Error:
        pass  # It was answered before, or the hub is closed.
