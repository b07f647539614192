"""A queue's messages as they come, in the asyncio face."""

from telpher._events import DELIVERY
from telpher._telpher import Command
from telpher.aio._incoming import Inbox, Incoming
from telpher.aio._job import Job
from telpher.aio._starter import Starter


class _Inbox(Inbox):
    """Deliveries: at most as many as the consumer's `prefetch`."""

    def __init__(self, starter: Starter) -> None:
        super().__init__(starter, DELIVERY)
        self._core = starter.turner.core

    def let_go(self) -> None:
        self._core.release([fields[0] for fields in self.waiting])
        super().let_go()


class Consumer(Incoming[Job]):
    """An asynchronous iterator over a queue's messages; made by `Queue.consume`.

    It starts when it is entered or first asked for a message. When it is closed or dropped, what
    it has not handed out goes back to the queue; a job that was handed out is held until it is
    settled.
    """

    def __init__(self, starter: Starter, command: Command[None], timeout: float | None) -> None:
        super().__init__(
            starter, command, timeout, lambda fields: Job(starter, fields), _Inbox(starter)
        )
