"""Where the events of an asyncio hub go: to a future, a consumer, a service, or on_notice."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol

from telpher._events import DONE, FAILED, NOTICE, READY
from telpher._options import OnNotice
from telpher.aio._line import Line
from telpher.errors import Error

Convert = Callable[[Any], Any]


class Sink(Protocol):
    """A consumer or service, which gets many events."""

    def take(self, tag: int, value: Any) -> None:
        """Take an event; `DONE` or `FAILED` is the last."""


class Outcomes:
    """What is open on one handle, by the number that its events carry."""

    def __init__(self, line: Line, on_notice: OnNotice | None) -> None:
        self.futures: dict[int, tuple[asyncio.Future[Any], Convert | None]] = {}
        self.sinks: dict[int, Sink] = {}
        self._line = line
        self._on_notice = on_notice

    def take(self, number: int, tag: int, value: Any) -> None:
        """Hand an event to whom it is for."""
        entry = self.futures.pop(number, None)
        if entry is not None:
            _end(*entry, tag, value)
        elif number:
            ended = tag in (DONE, FAILED)
            sink = self.sinks.pop(number, None) if ended else self.sinks.get(number)
            if sink is not None:
                sink.take(tag, value)
        elif tag == READY:
            self._line.wake()
        elif tag == NOTICE and self._on_notice is not None:
            try:
                self._on_notice(value)
            except Exception:
                logging.getLogger("telpher").exception("on_notice failed")

    def end_all(self, error: Error, is_quiet: bool) -> None:
        """End everything with `error`; if quiet, asyncio does not mind that nobody looks."""
        futures = [future for future, _ in self.futures.values() if not future.done()]
        for number in [*self.futures, *self.sinks]:
            self.take(number, FAILED, error)
        for future in futures if is_quiet else ():
            future.exception()
        self._line.wake()


def _end(future: asyncio.Future[Any], convert: Convert | None, tag: int, value: Any) -> None:
    if tag == DONE:
        result = value if convert is None else convert(value)
        if not future.done():
            future.set_result(result)
        elif convert is not None:
            result.let_go()  # The cancel came too late, and nobody has the message now.
    elif not future.done():
        future.set_exception(value)
