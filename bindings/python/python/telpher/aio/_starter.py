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
        return self.turner.loop.create_task(self._start_in_line(command, timeout))

    def fire(self, command: Command[None], *, is_alone: bool = False) -> None:
        """Start what nobody waits for, from any thread; its failure is logged."""
        turner = self.turner
        if not turner.on_own_thread():
            turner.loop.call_soon_threadsafe(self.fire, command)
            return
        try:
            turner.core.fire(command, False)
        except Full:
            task = turner.loop.create_task(self._start_in_line(command, None))
            self._unseen.add(task)
            task.add_done_callback(self._unseen.discard)
            return
        turner.send_soon(is_alone=is_alone)

    async def _start_in_line(self, command: Command[Any], timeout: float | None) -> Any:
        seconds = TIMEOUT_DEFAULT if timeout is None else check_timeout(timeout)
        until = time.monotonic() + seconds
        while True:
            await self.turner.line.readiness(until)
            left = max(until - time.monotonic(), 0.0)
            try:
                started = self.turner.start(command, left)
            except Full:
                continue
            return await started
