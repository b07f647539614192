"""Messages of topics as they come, in the asyncio face."""

from telpher._events import PUBLISHED
from telpher._message import Fields, Numbers, TopicMessage
from telpher._telpher import SUBSCRIPTION_BYTES_MAX, Command
from telpher.aio._incoming import Inbox, Incoming
from telpher.aio._starter import Starter


class _Inbox(Inbox):
    """Messages: beyond `buffer`, or beyond the bytes that may wait in the hub too, the oldest go.

    The loop takes whatever comes, read or not, and the hub sends as much again. So it is this that
    bounds what waits.
    """

    def __init__(self, starter: Starter, buffer: int) -> None:
        super().__init__(starter, PUBLISHED)
        self._buffer = buffer
        self._bytes = 0

    def add(self, value: Fields) -> None:
        self._bytes += _size(value)
        super().add(value)
        while len(self.waiting) > self._buffer or self._bytes > SUBSCRIPTION_BYTES_MAX:
            self.pop()

    def pop(self) -> Fields:
        oldest: Fields = super().pop()
        self._bytes -= _size(oldest)
        return oldest

    def let_go(self) -> None:
        super().let_go()
        self._bytes = 0


def _size(fields: Fields) -> int:
    _, _, body, key, headers, _, _ = fields
    return len(body) + len(key) + sum(len(name) + len(value) for name, value in headers.items())


class Subscriber(Incoming[TopicMessage]):
    """An asynchronous iterator over messages of topics; made by `Hub.subscribe`.

    It starts when it is entered or first asked for a message, and is live in the hub then. It goes
    on by itself when the connection breaks or another host takes over. A program that is too slow
    for it loses the oldest messages, and the next one says in `lost` how many. When it is closed or
    dropped, what it has not handed out is gone.
    """

    def __init__(self, starter: Starter, pattern: str, buffer: int, timeout: float | None) -> None:
        command = Command.subscribe(pattern, buffer)
        make = Numbers(starter.turner.core, starter.fire).message
        super().__init__(starter, command, timeout, make, _Inbox(starter, buffer))
