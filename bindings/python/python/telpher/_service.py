"""A service, in the blocking face: threads that take requests and run the handler."""

import contextlib
import logging
import math
import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from telpher._events import ANY_BYTES, DONE, FAILED, REQUEST
from telpher._request import CURRENT, Request
from telpher._telpher import Command
from telpher.errors import Closed, Error, Forked, Stale

if TYPE_CHECKING:
    from telpher._hub import Hub

_LOG = logging.getLogger("telpher")


class Service:
    """A name that this program serves; made by `Hub.serve`."""

    def __init__(
        self,
        hub: "Hub",
        name: str,
        handler: Callable[[Request], object],
        command: Command[None],
        timeout: float | None,
    ) -> None:
        self.name = name
        self._hub = hub
        self._handler = handler
        self._registration = hub._core.register(command, timeout)
        self._id = self._registration.id
        self._threads = [
            threading.Thread(target=self._work, name=f"telpher-{name}-{number}", daemon=True)
            for number in range(command.concurrency)
        ]
        try:
            for thread in self._threads:
                thread.start()
        except BaseException:
            self.close()
            raise
        hub._threads.extend(self._threads)

    def close(self) -> None:
        """Stop serving. Requests that wait go to other instances; handlers run to their end."""
        with contextlib.suppress(Stale, Closed):
            self._hub._core.detach(self._id)

    def join(self, timeout: float | None = None) -> None:
        """Block until the service is closed and its handlers have ended, or Ctrl-C."""
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(timeout)

    def __enter__(self) -> "Service":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _work(self) -> None:
        core = self._hub._core
        events: deque[tuple[int, int, Any]] = deque()
        try:
            while True:
                core.next(self._id, events, (1, ANY_BYTES), math.inf)
                _, tag, value = events.popleft()
                if tag == REQUEST:
                    self._handle(Request(core, self._fire, self.name, value))
                elif tag in (DONE, FAILED):
                    return
        except (Closed, Forked, Stale):
            return  # The service is closed; another thread took its end.
        except Error:
            _LOG.exception("a thread of the service %s ended", self.name)

    def _handle(self, request: Request) -> None:
        token = CURRENT.set(request)
        try:
            request._take(self._handler(request))
        except BaseException as failure:
            _LOG.info("a handler of the service %s failed", self.name, exc_info=True)
            with contextlib.suppress(Error):
                request._fail_with(failure)
        finally:
            CURRENT.reset(token)

    def _fire(self, command: Command[None]) -> None:
        self._hub._core.fire(command, True)
