"""Starts operations of an asyncio hub: at once, or in line while the handle is `FULL`."""

import asyncio
import time
from typing import Any

from telpher._telpher import TIMEOUT_DEFAULT, Command, check_timeout
from telpher.aio._turner import Turner
from telpher.errors import Full


class Starter:
    """Starts operations on one handle."""

    def __init__(self, turner: Turner) -> None:
        self.turner = turner
        self._unseen: set[asyncio.Future[Any]] = set()

    def start(self, command: Command[Any], timeout: float | None) -> asyncio.Future[Any]:
        """Start `command`; the future ends with its outcome."""
        if not self.turner.line:
            try:
                return self.turner.start(command, timeout)
            except Full:
                pass
        return self._join(command, timeout)

    def fire(self, command: Command[None], *, is_alone: bool = False) -> None:
        """Start what nobody waits for, from any thread; its failure is logged."""
        turner = self.turner
        if not turner.on_own_thread():
            turner.loop.call_soon_threadsafe(self.fire, command)
            return
        try:
            turner.core.fire(command, False)
        except Full:
            task = self._join(command, None)
            self._unseen.add(task)
            task.add_done_callback(self._unseen.discard)
            return
        turner.send_soon(is_alone=is_alone)

    def _join(self, command: Command[Any], timeout: float | None) -> asyncio.Task[Any]:
        place = self.turner.line.join()
        started = self._start_in_line(command, timeout, place)
        task = self.turner.loop.create_task(started)
        # It may be cancelled before it begins.
        task.add_done_callback(lambda _: self.turner.line.leave(place))
        return task

    async def _start_in_line(
        self, command: Command[Any], timeout: float | None, place: asyncio.Future[None]
    ) -> Any:
        seconds = TIMEOUT_DEFAULT if timeout is None else check_timeout(timeout)
        until = time.monotonic() + seconds
        while True:
            await self.turner.line.readiness(place, until)
            left = max(until - time.monotonic(), 0.0)
            try:
                started = self.turner.start(command, left)
            except Full:
                place = self.turner.line.join()
                continue
            return await started
