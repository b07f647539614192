"""What is fetched from the handle only as it is asked for, in the asyncio face."""

from collections import deque
from typing import Any, TypeVar

from telpher._events import FAILED
from telpher._telpher import Command, Registration
from telpher.aio._incoming import Inbox, Incoming
from telpher.aio._starter import Starter
from telpher.errors import Error

T = TypeVar("T")


class Fetching(Inbox):
    """What has arrived, fetched when somebody waits for it, as what is fetched counts as taken.

    So what nobody asks for stays in the handle, and what the hub sends has its bound. `bounds`:
    events and bytes that are fetched together.
    """

    def __init__(self, starter: Starter, arrival: int, bounds: tuple[int, int]) -> None:
        super().__init__(starter, arrival)
        self._turner = starter.turner
        self._registration: Registration | None = None
        self._bounds = bounds

    def begin(self, command: Command[None], timeout: float | None) -> int:
        """Start it; its id."""
        self._registration = self._turner.begin(command, timeout, self)
        return self._registration.id

    def look(self) -> None:
        """Fetch, if somebody waits for it."""
        if not self.waiting and (self.waiters or not self.live.done()):
            self._fetch()

    def has_more(self) -> bool:
        if not self.waiting:
            self._fetch()
        return super().has_more()

    def end(self, failure: Error | None) -> None:
        self._registration = None
        super().end(failure)

    def _fetch(self) -> None:
        if self._registration is None:
            return
        fetched: deque[tuple[int, int, Any]] = deque()
        try:
            self._turner.core.take(self._registration.id, fetched, self._bounds)
        except Error as error:
            self.take(FAILED, error)
        for _, tag, value in fetched:
            self.take(tag, value)
        if fetched:
            self._turner.send_soon()  # The hub hears that there is room.


class Fetched(Incoming[T]):
    """An asynchronous iterator over what is fetched."""

    _inbox: Fetching

    def _register(self) -> None:
        self._id = self._inbox.begin(self._command, self._timeout)
