"""Operations of a queue, started and not waited for, in the blocking face."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from telpher._job import Job
from telpher._operation import Operation
from telpher._options import Body, Durability, Overflow, QueueOptions
from telpher._telpher import Command, QueueInfo, Receipt

if TYPE_CHECKING:
    from telpher._hub import Hub


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
        max_attempts: int = 0,
        backoff_min: float | None = None,
        backoff_max: float | None = None,
        ack_deadline: float | None = None,
        ttl: float | None = None,
        dead_letter: str | None = None,
        timeout: float | None = None,
    ) -> Operation[None]:
        """Start to make the queue."""
        options = QueueOptions(
            durability=durability,
            length_max=length_max,
            bytes_max=bytes_max,
            overflow=overflow,
            max_attempts=max_attempts,
            backoff_min=backoff_min,
            backoff_max=backoff_max,
            ack_deadline=ack_deadline,
            ttl=ttl,
            dead_letter=dead_letter,
        )
        return self._hub._started(Command.declare(self._name, options), timeout)

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

    def bind(self, pattern: str, *, timeout: float | None = None) -> Operation[None]:
        """Start to bind a pattern of topics."""
        return self._hub._started(Command.bind(pattern, self._name), timeout)

    def unbind(self, pattern: str, *, timeout: float | None = None) -> Operation[None]:
        """Start to end a binding."""
        return self._hub._started(Command.unbind(pattern, self._name), timeout)

    def purge(self, *, timeout: float | None = None) -> Operation[int]:
        """Start to remove the messages that nobody holds."""
        return self._hub._started(Command.purge(self._name), timeout)

    def delete(self, *, timeout: float | None = None) -> Operation[int]:
        """Start to remove the queue."""
        return self._hub._started(Command.delete(self._name), timeout)
