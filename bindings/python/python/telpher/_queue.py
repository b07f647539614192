"""The blocking face: queues and what comes out of them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from telpher._consumer import Consumer
from telpher._job import Job
from telpher._operation import Operation
from telpher._options import Body, Durability, Overflow
from telpher._telpher import Command, QueueInfo, Receipt

if TYPE_CHECKING:
    from telpher._hub import Hub


class Queue:
    """A queue of a hub; made by `Hub.queue`."""

    def __init__(self, hub: "Hub", name: str) -> None:
        self.name = name
        self._hub = hub

    @property
    def start(self) -> "QueueStart":
        """The same operations, started and not waited for."""
        return QueueStart(self._hub, self.name)

    def declare(
        self,
        *,
        durability: Durability | None = None,
        length_max: int = 0,
        bytes_max: int = 0,
        overflow: Overflow = "wait",
        timeout: float | None = None,
    ) -> None:
        """Make the queue, or check that it is as stated (`Mismatch` names a difference).

        - `durability`: how safe a confirmed message is; None is the hub's default.
        - `length_max`: messages, waiting and held; 0 is the default of 1,000,000.
        - `bytes_max`: bytes of bodies, keys and headers; 0 is the default of 256 MiB.
        - `overflow`: at a bound a send waits for room, or is rejected (`Full`).
        """
        command = Command.declare(self.name, durability, length_max, bytes_max, overflow)
        self._hub._core.run(command, timeout)

    def send(
        self,
        body: Body,
        *,
        key: Body | None = None,
        headers: Mapping[str, Body] | None = None,
        priority: int = 0,
        timeout: float | None = None,
    ) -> Receipt:
        """Put a message into the queue, and wait until it is as safe as the queue promises."""
        command = Command.send(self.name, body, key, headers, priority)
        return self._hub._core.run(command, timeout)

    def receive(self, *, timeout: float | None = None) -> Job:
        """Wait for a message and hold it; `Expired` if none comes within `timeout` seconds."""
        return Job(self._hub, self._hub._core.run(Command.receive(self.name), timeout))

    def consume(self, *, prefetch: int | None = None, timeout: float | None = None) -> Consumer:
        """Take messages as they come: an iterator that holds up to `prefetch` (None: 64)."""
        return Consumer(self._hub, Command.consume(self.name, prefetch), timeout)

    def inspect(self, *, timeout: float | None = None) -> QueueInfo:
        """The queue's figures."""
        return self._hub._core.run(Command.inspect(self.name), timeout)

    def purge(self, *, timeout: float | None = None) -> int:
        """Remove the messages that nobody holds; their number."""
        return self._hub._core.run(Command.purge(self.name), timeout)

    def delete(self, *, timeout: float | None = None) -> int:
        """Remove the queue with everything in it; the number of messages removed."""
        return self._hub._core.run(Command.delete(self.name), timeout)


class QueueStart:
    """Operations of a queue, started and not waited for; see `Queue` for each."""

    def __init__(self, hub: "Hub", name: str) -> None:
        self._hub = hub
        self._name = name

    def declare(
        self,
        *,
        durability: Durability | None = None,
        length_max: int = 0,
        bytes_max: int = 0,
        overflow: Overflow = "wait",
        timeout: float | None = None,
    ) -> Operation[None]:
        """Start to make the queue."""
        command = Command.declare(self._name, durability, length_max, bytes_max, overflow)
        return self._hub._started(command, timeout)

    def send(
        self,
        body: Body,
        *,
        key: Body | None = None,
        headers: Mapping[str, Body] | None = None,
        priority: int = 0,
        timeout: float | None = None,
    ) -> Operation[Receipt]:
        """Start to send a message."""
        command = Command.send(self._name, body, key, headers, priority)
        return self._hub._started(command, timeout)

    def receive(self, *, timeout: float | None = None) -> Operation[Job]:
        """Start to wait for a message; who gets the job settles it."""
        hub = self._hub

        def job(fields: Any) -> Job:
            return Job(hub, fields)

        return hub._started(Command.receive(self._name), timeout, job)

    def inspect(self, *, timeout: float | None = None) -> Operation[QueueInfo]:
        """Start to ask for the queue's figures."""
        return self._hub._started(Command.inspect(self._name), timeout)

    def purge(self, *, timeout: float | None = None) -> Operation[int]:
        """Start to remove the messages that nobody holds."""
        return self._hub._started(Command.purge(self._name), timeout)

    def delete(self, *, timeout: float | None = None) -> Operation[int]:
        """Start to remove the queue."""
        return self._hub._started(Command.delete(self._name), timeout)
