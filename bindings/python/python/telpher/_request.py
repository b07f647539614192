"""A request, as handlers see it in both faces of the package."""

import contextvars
import math
import time
from collections.abc import Callable
from typing import Any, Final

from telpher._options import Body
from telpher._telpher import TIMEOUT_DEFAULT, Command, Core
from telpher.errors import Error, Expired, Remote, Stale

_Fields = tuple[int, float | None, Any, bytes, dict[str, bytes]]
_Fire = Callable[[Command[None]], None]

CURRENT: contextvars.ContextVar["Request | None"] = contextvars.ContextVar("telpher", default=None)
"""The request that is being handled here."""


class Later:
    """What a handler returns if the reply follows later."""

    def __repr__(self) -> str:
        return "telpher.LATER"


LATER: Final = Later()
"""Returned by a handler that keeps the request and replies later, from any thread."""


class Request:
    """A request to a service. If it is dropped unanswered, its caller gets `Abandoned`."""

    def __init__(self, core: Core, fire: _Fire, service: str, fields: _Fields) -> None:
        self._core = core
        self._fire = fire
        self.service = service
        self._token, self._deadline, self.body, self.key, self.headers = fields
        self._open = [True]

    @property
    def remaining(self) -> float:
        """Seconds that are left until the caller stops waiting; `math.inf` if it never does."""
        return math.inf if self._deadline is None else max(self._deadline - time.monotonic(), 0.0)

    @property
    def cancelled(self) -> bool:
        """Whether the caller no longer waits: it cancelled, its time ran out, or it is gone."""
        return self._core.request_cancelled(self._token)

    def reply(self, body: Body = b"") -> None:
        """Answer, from any thread. `Stale` if that was done before."""
        self._answer(Command.reply(self._token, body))

    def fail(self, text: str, *, code: int = 1) -> None:
        """Answer with a failure: the caller gets `Remote` with this code and text."""
        self._answer(Command.fail(self._token, code, text))

    def abandon(self, text: str = "") -> None:
        """Let go of the request: the caller gets `Abandoned`."""
        self._answer(Command.abandon(self._token, text))

    def _answer(self, command: Command[None]) -> None:
        try:
            self._open.pop()
        except IndexError:
            raise Stale("this request has been answered before") from None
        self._fire(command)

    def _take(self, answer: Any) -> None:
        """Answer with what the handler returned, unless it has answered, or will."""
        if answer is LATER or (answer is None and not self._open):
            return
        self.reply(b"" if answer is None else answer)

    def _fail_with(self, failure: BaseException) -> None:
        """Answer with what the handler raised, unless it has answered before."""
        if not self._open:
            return
        if isinstance(failure, Remote):
            self.fail(failure.detail, code=failure.code)
            return
        code = getattr(failure, "code", 1)
        fits = isinstance(code, int) and -(2**31) <= code < 2**31
        self.fail(f"{type(failure).__name__}: {failure}", code=code if fits else 1)

    def __del__(self) -> None:
        if getattr(self, "_open", None):
            try:
                self.abandon("the handler let go of the request")
            except (Error, RuntimeError):
                pass  # The hub is closed, and with it the request; or the loop is.


def inherited(timeout: float | None) -> float | None:
    """The time for a call made here: no more than is left of the request being handled."""
    request = CURRENT.get()
    if request is None or request._deadline is None:
        return timeout
    left = request.remaining
    if left == 0.0:
        raise Expired("the request being handled has run out of time")
    return min(left, TIMEOUT_DEFAULT if timeout is None else timeout)
