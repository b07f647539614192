"""A gather, in the blocking face: the answers of many to one request, as they come."""

import contextlib
import math
import threading
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from telpher._answer import Answer, Gathered, GatheredFields, Missing, gathered
from telpher._events import ANSWER, ANY_BYTES, BATCH, DONE, FAILED
from telpher._telpher import Command
from telpher.errors import Error

if TYPE_CHECKING:
    from telpher._hub import Hub


class Gather:
    """An iterator over answers; made by `Hub.gather` and `Topic.gather`.

    It ends with the last answer, and then says who did not answer. Any thread may take from it. At
    the end of a `with` block, and when it is dropped, what is still open is cancelled.
    """

    def __init__(self, hub: "Hub", command: Command[GatheredFields], timeout: float | None) -> None:
        self._hub = hub
        self._waiting: deque[tuple[int, int, Any]] = deque()
        self._fetching = threading.Lock()
        self._ended: Gathered | Error | None = None
        self._ticket = hub._core.gather(command, timeout)

    def result(self) -> Gathered:
        """Pass over the answers that are still to come; who answered, and who did not.

        Raises why the gather failed: `NoService`, `Busy`, `TooLarge` and `Expired` if nobody was
        asked; `HostLost`, `HostUnresponsive`, `Cancelled` and `Closed` as `maybe_executed` says.
        """
        while self._next() is not None:
            pass
        if isinstance(self._ended, Error):
            raise self._ended
        assert self._ended is not None
        return self._ended

    @property
    def missing(self) -> list[Missing]:
        """Who did not answer, and why, as `result` says it."""
        return self.result().missing

    def cancel(self) -> None:
        """Ask for its end: it still ends once, and the result may win."""
        with contextlib.suppress(Error):
            self._hub._core.cancel(self._ticket.id)

    def _next(self) -> Answer | None:
        with self._fetching:
            while self._ended is None:
                if not self._waiting:
                    self._hub._core.next(
                        self._ticket.id, self._waiting, (BATCH, ANY_BYTES), math.inf
                    )
                _, tag, value = self._waiting.popleft()
                if tag == ANSWER:
                    return Answer(*value)
                if tag == DONE:
                    self._ended = gathered(value, [])
                elif tag == FAILED:
                    self._ended = value
            return None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Answer:
        answer = self._next()
        if answer is not None:
            return answer
        if isinstance(self._ended, Error):
            raise self._ended
        raise StopIteration

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cancel()
