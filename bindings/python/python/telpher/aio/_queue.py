"""The asyncio face: queues and what comes out of them."""

import asyncio
from collections.abc import Mapping
from typing import Any

from telpher._options import Body, Durability, Overflow, QueueOptions
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
        max_attempts: int = 0,
        backoff_min: float | None = None,
        backoff_max: float | None = None,
        ack_deadline: float | None = None,
        ttl: float | None = None,
        dead_letter: str | None = None,
        timeout: float | None = None,
    ) -> asyncio.Future[None]:
        """Make the queue, or check that it is as stated (`Mismatch` names a difference).

        - `durability`: how safe a confirmed message is: `memory`, lost with the process that hosts
          the hub; `os`, survives the processes; `disk`, survives the machine. None is `disk` where
          the hub has a directory, else `memory`, and then the others are `Unsupported`.
        - `length_max`: messages, waiting and held; 0 is the default of 1,000,000.
        - `bytes_max`: bytes of bodies, keys and headers; 0 is the default of 256 MiB. At most 1 GiB
          in memory, else 1 TiB.
        - `overflow`: at a bound a send waits for room, or is rejected (`Full`).
        - `max_attempts`: failed attempts after which a message goes to the dead-letter queue, 1 to
          1,000; 0 is the default of 20.
        - `backoff_min`, `backoff_max`: the pause after the first failed attempt (None: 0.1), which
          doubles with each further one, and the longest (None: 60). Each is drawn at random between
          half and all of its value.
        - `ack_deadline`: time after which a message that was handed over and not settled is taken
          back as a failed attempt; None: never.
        - `ttl`: time after which a message that nobody holds goes to the dead-letter queue; None:
          never.
        - `dead_letter`: the queue of dead letters, made when it is first needed; None is this name
          with `.dead` behind it, and then this name has at most 250 bytes. It has the same
          durability, or `disk` for `os` (else `Mismatch`); its `ttl` counts from a message's death.
          A queue whose name ends with `.dead` has none if none is stated: what is rejected there is
          gone.

        Times are in seconds, from 0.001, and at most a day except for `ttl`.
        """
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
        return self._starter.start(Command.declare(self.name, options), timeout)

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

    def consume(
        self,
        *,
        prefetch: int | None = None,
        ack_deadline: float | None = None,
        timeout: float | None = None,
    ) -> Consumer:
        """Take messages as they come: an asynchronous iterator that holds `prefetch` (None: 64).

        `ack_deadline`: seconds, at most a day, after which a message that was handed over and not
        settled is taken back as a failed attempt; None is the queue's. Messages that wait in the
        iterator count as handed over, so that a short one wants a small `prefetch`.
        """
        command = Command.consume(self.name, prefetch, ack_deadline)
        return Consumer(self._starter, command, timeout)

    def inspect(self, *, timeout: float | None = None) -> asyncio.Future[QueueInfo]:
        """The queue's figures."""
        return self._starter.start(Command.inspect(self.name), timeout)

    def bind(self, pattern: str, *, timeout: float | None = None) -> asyncio.Future[None]:
        """Bind a pattern of topics: `*` stands for one segment, `**` for any number of them.

        From then on each message that is published to a topic that matches is stored in this queue,
        once, whether anybody is there or not; the header `telpher.topic` names its topic. A binding
        lives as long as the queue, and binding what is bound changes nothing. `Full` at the limit
        of 256 patterns for a queue, and of 10,000 for a hub.
        """
        return self._starter.start(Command.bind(pattern, self.name), timeout)

    def unbind(self, pattern: str, *, timeout: float | None = None) -> asyncio.Future[None]:
        """End a binding; what was stored stays. `NotFound` if the pattern is not bound."""
        return self._starter.start(Command.unbind(pattern, self.name), timeout)

    def purge(self, *, timeout: float | None = None) -> asyncio.Future[int]:
        """Remove the messages that nobody holds; their number."""
        return self._starter.start(Command.purge(self.name), timeout)

    def delete(self, *, timeout: float | None = None) -> asyncio.Future[int]:
        """Remove the queue with everything in it; the number of messages removed."""
        return self._starter.start(Command.delete(self.name), timeout)
