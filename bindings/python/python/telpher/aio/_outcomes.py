"""Where the events of an asyncio hub go: to a future, a consumer, a service, or on_notice."""

import asyncio
import logging
from typing import Any, Protocol

from telpher._events import DELIVERY, DONE, FAILED, NOTICE, READY, REQUEST
from telpher._options import OnNotice
from telpher._telpher import Command, Core
from telpher.aio._line import Line
from telpher.errors import Error


class Sink(Protocol):
    """A consumer, service or gather, which gets many events."""

    def take(self, tag: int, value: Any) -> None:
        """Take an event; `DONE` or `FAILED` is the last."""


class Source(Protocol):
    """A reader or subscriber: it asks for its events, so that no more comes than is read."""

    ended: Error | None

    def look(self) -> None:
        """Ask, if somebody waits for it: there may be something now."""

    def take(self, tag: int, value: Any) -> None:
        """Take an event; `FAILED` is the last."""


class Outcomes:
    """What is open on one handle, by the number that its events carry."""

    def __init__(self, core: Core, line: Line, on_notice: OnNotice | None) -> None:
        self.futures: dict[int, asyncio.Future[Any]] = {}
        self.sinks: dict[int, Sink] = {}
        self.sources: list[Source] = []
        self._core = core
        self._line = line
        self._on_notice = on_notice

    def take(self, number: int, tag: int, value: Any) -> None:
        """Hand an event to whom it is for."""
        future = self.futures.pop(number, None)
        if future is not None:
            self._end(future, tag, value)
        elif number:
            ended = tag in (DONE, FAILED)
            sink = self.sinks.pop(number, None) if ended else self.sinks.get(number)
            if sink is not None:
                sink.take(tag, value)
            elif tag == DELIVERY:
                self._core.release([value[0]])  # Its consumer has ended.
            elif tag == REQUEST:
                self._core.fire(Command.abandon(value[0], "the service was closed"), False)
        elif tag == READY:
            self._line.wake()
        elif tag == NOTICE and self._on_notice is not None:
            try:
                self._on_notice(value)
            except Exception:
                logging.getLogger("telpher").exception("on_notice failed")

    def look(self) -> None:
        """Let readers and subscribers ask for what has arrived."""
        for source in self.sources:
            source.look()
        self.sources = [source for source in self.sources if source.ended is None]

    def end_all(self, error: Error, is_quiet: bool) -> None:
        """End everything with `error`; if quiet, asyncio does not mind that nobody looks."""
        futures = [future for future in self.futures.values() if not future.done()]
        for number in [*self.futures, *self.sinks]:
            self.take(number, FAILED, error)
        for source in self.sources:
            source.take(FAILED, error)
        self.sources.clear()
        for future in futures if is_quiet else ():
            future.exception()
        self._line.wake()

    def _end(self, future: asyncio.Future[Any], tag: int, value: Any) -> None:
        if not future.done():
            (future.set_result if tag == DONE else future.set_exception)(value)
        elif tag == DONE and isinstance(value, tuple):
            self._core.release([value[0]])  # The cancel of a receive came too late.
