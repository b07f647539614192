"""What the hub sends as it comes, in the blocking face: below consumers, readers and the like."""

import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

from telpher._events import ANY_BYTES, BATCH, DONE, FAILED
from telpher._telpher import TIMEOUT_DEFAULT, Command, check_timeout
from telpher.errors import Closed, Error, Pending, Stale

if TYPE_CHECKING:
    from telpher._hub import Hub

T = TypeVar("T")


class Incoming(Generic[T]):
    """An iterator over what the hub sends. Any thread may take from it."""

    _arrival: ClassVar[int]
    """The tag of the events that are handed out."""

    def __init__(
        self,
        hub: "Hub",
        command: Command[None],
        timeout: float | None,
        make: Callable[[Any], T],
        *,
        waiting_max: int = BATCH,
        bytes_max: int = ANY_BYTES,
    ) -> None:
        self._hub = hub
        self._make = make
        self._waiting: deque[tuple[int, int, Any]] = deque()
        self._bounds = (min(waiting_max, BATCH), bytes_max)
        self._fetching = threading.Lock()
        self._ended: Error | None = None
        self._registration = hub._core.register(command, timeout)

    def receive(self, *, timeout: float | None = None) -> T:
        """The next message; `Pending` if none comes within `timeout` seconds (None: 30)."""
        seconds = TIMEOUT_DEFAULT if timeout is None else check_timeout(timeout)
        until = math.inf if seconds == math.inf else time.monotonic() + seconds
        # One thread fetches for all, so that none waits for what another has fetched already.
        if not self._fetching.acquire(timeout=min(seconds, threading.TIMEOUT_MAX)):
            raise Pending(f"no message came within {seconds} s")
        try:
            while True:
                if self._waiting:
                    _, tag, value = self._waiting.popleft()
                    if tag == self._arrival:
                        return self._make(value)
                    self._note(tag, value)
                    continue
                if self._ended is not None:
                    raise self._ended
                left = math.inf if until == math.inf else max(until - time.monotonic(), 0.0)
                self._fetch(left)
        finally:
            self._fetching.release()

    def _note(self, tag: int, value: Any) -> None:
        """Hear of what is not handed out, in its turn."""

    def _fetch(self, timeout: float) -> None:
        waiting = self._waiting
        self._hub._core.next(self._registration.id, waiting, self._bounds, timeout)
        _, tag, value = waiting[-1]  # The end is the last of all.
        if tag in (DONE, FAILED):
            self._end(value if tag == FAILED else None)

    def close(self) -> None:
        """Stop; what was not handed out goes back to its queue, and a subscriber's is gone."""
        with contextlib.suppress(Stale, Closed):
            self._hub._core.detach(self._registration.id)
        with contextlib.suppress(Error), self._fetching:  # Whoever fetches gets the end first.
            while self._ended is None:
                self._fetch(math.inf)

    def _end(self, failure: Error | None) -> None:
        """Nothing more comes, as it was stopped or has failed."""
        self._ended = failure or Closed("the iterator is closed")
        self._let_go()

    def _let_go(self) -> None:
        """Nobody will take what waits."""
        self._waiting.clear()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        try:
            return self.receive(timeout=math.inf)
        except (Closed, Stale):
            raise StopIteration from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_registration") and self._ended is None:
            with contextlib.suppress(Error):
                self.close()
