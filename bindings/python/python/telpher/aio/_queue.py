"""The asyncio face: queues and what comes out of them."""

import asyncio
from collections.abc import Mapping
from typing import Any

from telpher._options import Body, Durability, Overflow
from telpher._telpher import Command, QueueInfo, Receipt
from telpher.aio._consumer import Consumer
from telpher.aio._job import Job
from telpher.aio._starter import Starter


class Queue:
    """A queue of a hub; made by `Hub.queue`."""

    def __init__(self, starter: Starter, name: str) -> None:
        self.name = name
        self._starter = starter

    def declare(
        self,
        *,
        durability: Durability | None = None,
        length_max: int = 0,
        bytes_max: int = 0,
        overflow: Overflow = "wait",
        timeout: float | None = None,
    ) -> asyncio.Future[None]:
        """Make the queue, or check that it is as stated (`Mismatch` names a difference).

        - `durability`: how safe a confirmed message is; None is the hub's default.
        - `length_max`: messages, waiting and held; 0 is the default of 1,000,000.
        - `bytes_max`: bytes of bodies, keys and headers; 0 is the default of 256 MiB.
        - `overflow`: at a bound a send waits for room, or is rejected (`Full`).
        """
        command = Command.declare(self.name, durability, length_max, bytes_max, overflow)
        return self._starter.start(command, timeout)

    def send(
        self,
        body: Body,
        *,
        key: Body | None = None,
        headers: Mapping[str, Body] | None = None,
        priority: int = 0,
        timeout: float | None = None,
    ) -> asyncio.Future[Receipt]:
        """Put a message into the queue; it ends when that is as safe as the queue promises."""
        command = Command.send(self.name, body, key, headers, priority)
        return self._starter.start(command, timeout)

    async def receive(self, *, timeout: float | None = None) -> Job:
        """Wait for a message and hold it; `Expired` if none comes within `timeout` seconds."""
        future = self._starter.start(Command.receive(self.name), timeout)
        try:
            return Job(self._starter, await future)
        except asyncio.CancelledError:
            future.add_done_callback(self._give_back)
            raise

    def _give_back(self, future: asyncio.Future[Any]) -> None:
        """Give back what a receive got although it was cancelled."""
        if not future.cancelled() and future.exception() is None:
            self._starter.fire(Command.settle(future.result()[0], "release"))

    def consume(self, *, prefetch: int | None = None, timeout: float | None = None) -> Consumer:
        """Take messages as they come: an asynchronous iterator that holds `prefetch` (None: 64)."""
        return Consumer(self._starter, Command.consume(self.name, prefetch), timeout)

    def inspect(self, *, timeout: float | None = None) -> asyncio.Future[QueueInfo]:
        """The queue's figures."""
        return self._starter.start(Command.inspect(self.name), timeout)

    def purge(self, *, timeout: float | None = None) -> asyncio.Future[int]:
        """Remove the messages that nobody holds; their number."""
        return self._starter.start(Command.purge(self.name), timeout)

    def delete(self, *, timeout: float | None = None) -> asyncio.Future[int]:
        """Remove the queue with everything in it; the number of messages removed."""
        return self._starter.start(Command.delete(self.name), timeout)
