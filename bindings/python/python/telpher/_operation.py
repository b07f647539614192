"""Operations that were started and not waited for, as futures.

One thread for each hub takes the outcomes, many at a time, and ends their futures. It starts with
the first such operation, and ends with the hub.
"""

import itertools
import logging
import math
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from telpher._events import BATCH, DONE, FAILED, NOTICE
from telpher._options import OnNotice
from telpher._telpher import Command, Core
from telpher.errors import Cancelled, Closed, Error, WouldDeadlock

T = TypeVar("T")
Failed = Callable[[Error], None]


class Operation(Future[T]):
    """A started operation: a `concurrent.futures.Future`, except that its end is the hub's to say.

    `cancel` is a request: the operation still ends once, and its result may win.
    """

    def __init__(
        self, outcomes: "Outcomes", convert: Callable[[Any], T] | None, failed: Failed | None
    ) -> None:
        super().__init__()
        self._outcomes = outcomes
        self._convert = convert
        self._failed = failed
        self._id = 0

    def cancel(self) -> bool:
        """Ask for the end of the operation; False if it has ended."""
        try:
            if not self.done():
                self._outcomes.core.cancel(self._id)
                return True
        except Error:
            pass  # It has just ended.
        return self.cancelled()

    def cancelled(self) -> bool:
        """Whether the operation ended because it was cancelled."""
        return self.done() and isinstance(super().exception(), Cancelled)

    def running(self) -> bool:
        """Whether the operation has yet to end."""
        return not self.done()

    def result(self, timeout: float | None = None) -> T:
        """Block for the result, at most `timeout` seconds (`TimeoutError`)."""
        self._outcomes.check_may_wait(self)
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Block for the exception, or None if the operation ends well."""
        self._outcomes.check_may_wait(self)
        return super().exception(timeout)

    def _end(self, tag: int, value: Any) -> None:
        if tag == DONE:
            self.set_result(self._convert(value) if self._convert else value)
        else:
            if self._failed:
                self._failed(value)
            self.set_exception(value)


class Outcomes:
    """Takes the outcomes of one hub's operations, on a thread of its own."""

    def __init__(self, core: Core, on_notice: OnNotice | None) -> None:
        self.core = core
        self._on_notice = on_notice
        self._open: dict[int, Operation[Any]] = {}
        self._numbers = itertools.count(1)
        self._starting = threading.Lock()
        self.thread = threading.Thread(target=self._run, name="telpher-outcomes", daemon=True)
        if on_notice is not None:
            self.thread.start()

    def start(
        self,
        command: Command[Any],
        timeout: float | None,
        convert: Callable[[Any], T] | None = None,
        failed: Failed | None = None,
    ) -> Operation[T]:
        """Start `command`; its outcome ends the future, and goes before to one of the two."""
        with self._starting:
            if self.thread.ident is None:
                self.thread.start()
        operation = Operation(self, convert, failed)
        number = next(self._numbers)
        self._open[number] = operation
        try:
            operation._id = self.core.start(command, timeout, number, True)
        except BaseException:
            self._open.pop(number, None)
            raise
        return operation

    def check_may_wait(self, operation: Operation[Any]) -> None:
        """Refuse to wait on the very thread that would end the wait."""
        if threading.get_ident() == self.thread.ident and not operation.done():
            raise WouldDeadlock("a callback of an operation waits for another operation")

    def _run(self) -> None:
        try:
            while True:
                for number, tag, value in self.core.poll(BATCH, math.inf):
                    if tag in (DONE, FAILED):
                        self._open.pop(number)._end(tag, value)
                    elif tag == NOTICE:
                        self._tell(value)
        except Error:
            pass  # The hub is closed.
        for number in list(self._open):
            left = self._open.pop(number)
            left._end(FAILED, Closed("the hub was closed", maybe_executed=True))

    def _tell(self, notice: Any) -> None:
        if self._on_notice is None:
            return
        try:
            self._on_notice(notice)
        except Exception:
            logging.getLogger("telpher").exception("on_notice failed")
