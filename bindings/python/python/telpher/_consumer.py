"""A queue's messages as they come, in the blocking face."""

from typing import TYPE_CHECKING

from telpher._events import DELIVERY
from telpher._incoming import Incoming
from telpher._job import Job
from telpher._telpher import Command

if TYPE_CHECKING:
    from telpher._hub import Hub


class Consumer(Incoming[Job]):
    """An iterator over a queue's messages; made by `Queue.consume`. Any thread may take from it.

    When it is closed or dropped, what it has not handed out goes back to the queue; a job that was
    handed out is held until it is settled.
    """

    _arrival = DELIVERY

    def __init__(self, hub: "Hub", command: Command[None], timeout: float | None) -> None:
        super().__init__(hub, command, timeout, lambda fields: Job(hub, fields))

    def _let_go(self) -> None:
        held = [value[0] for _, tag, value in self._waiting if tag == DELIVERY]
        self._hub._core.release(held)
        super()._let_go()
