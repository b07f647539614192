"""Turns a handle on an asyncio loop.

A turn: the handle's descriptor becomes readable, `poll` gives a list of events, each ends a future
or goes to its consumer or service, and readers and subscribers ask for theirs. What is started
meanwhile is sent once a tick, at once if nothing else is in flight. A handle that is `FULL` makes
new operations wait in line until it is ready; none overtakes. Nothing here blocks, and no event's
failure reaches the loop.
"""

import asyncio
import itertools
import threading
from functools import partial
from typing import Any

from telpher._events import BATCH
from telpher._options import OnNotice
from telpher._telpher import Command, Core, Registration
from telpher.aio._line import Line
from telpher.aio._outcomes import Outcomes, Sink, Source
from telpher.errors import Closed, Error

OPENING = 1
"""The number of the ticket that opening has."""


class Turner:
    """One handle on one loop."""

    def __init__(self, core: Core, on_notice: OnNotice | None) -> None:
        self.core = core
        self.loop = asyncio.get_running_loop()
        self.line = Line(self.loop)
        self.opening: asyncio.Future[Any] = self.loop.create_future()
        self._outcomes = Outcomes(core, self.line, on_notice)
        self._outcomes.futures[OPENING] = self.opening
        self._thread = threading.get_ident()
        self._numbers = itertools.count(OPENING + 1)
        self._flushing = False
        self._fd: int | None = core.fileno()
        self.loop.add_reader(self._fd, self._turn)
        self._send()

    def on_own_thread(self) -> bool:
        """Whether this is the thread of the loop."""
        return threading.get_ident() == self._thread

    def start(self, command: Command[Any], timeout: float | None) -> asyncio.Future[Any]:
        """Start `command`, or raise `Full`; cancelling the future cancels the operation."""
        number = next(self._numbers)
        ticket = self.core.start(command, timeout, number, False)
        future = self.loop.create_future()
        self._outcomes.futures[number] = future
        future.add_done_callback(partial(self._forward_cancel, ticket))
        self.send_soon(is_alone=len(self._outcomes.futures) == 1)
        return future

    def register(self, command: Command[Any], timeout: float | None, sink: Sink) -> int:
        """Start a consumer, service or gather whose events `sink` takes; its id."""
        number = next(self._numbers)
        ticket = self.core.start(command, timeout, number, False)
        self._outcomes.sinks[number] = sink
        self.send_soon()
        return ticket

    def begin(self, command: Command[None], timeout: float | None, source: Source) -> Registration:
        """Start a reader or subscriber, whose events `source` asks for."""
        registration = self.core.begin(command, timeout)
        self._outcomes.sources.append(source)
        self.send_soon()
        return registration

    def stop(self, ticket: int) -> None:
        """Stop a consumer, service or subscriber; nothing if it has ended."""
        try:
            self.core.detach(ticket)
        except Error:
            return
        self.send_soon()

    def abandon(self, ticket: int) -> None:
        """As `stop`, from any thread, also when the loop has ended."""
        try:
            if self.on_own_thread():
                self.stop(ticket)
            else:
                self.core.detach(ticket)
        except (Error, RuntimeError):
            pass  # The hub is closed, or its loop.

    def send_soon(self, *, is_alone: bool = False) -> None:
        """Send what was started: at once if it is alone, else with what else this tick starts."""
        if is_alone:
            self._send()
        elif not self._flushing:
            self._flushing = True
            self.loop.call_soon(self._send)

    def leave(self) -> None:
        """Let go of the loop."""
        if self._fd is not None:
            self.loop.remove_reader(self._fd)
            self._fd = None

    def end_all(self, error: Error, *, is_quiet: bool = False) -> None:
        """End everything that is still open with `error`."""
        self._outcomes.end_all(error, is_quiet)

    def _send(self) -> None:
        self._flushing = False
        try:
            self.core.flush()
        except Error:
            pass  # What cannot be sent ends with an event that says why.
        self._outcomes.look()

    def _forward_cancel(self, ticket: int, future: asyncio.Future[Any]) -> None:
        if future.cancelled():
            try:
                self.core.cancel(ticket)
            except Error:
                return  # It has just ended.
            self.send_soon()

    def _turn(self) -> None:
        try:
            events = self.core.poll(BATCH, 0.0)
        except Error as error:
            self.leave()
            self.end_all(Closed(str(error), maybe_executed=True))
            return
        for number, tag, value in events:
            self._outcomes.take(number, tag, value)
        self._outcomes.look()
