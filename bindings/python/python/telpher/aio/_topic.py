"""The asyncio face: topics."""

import asyncio
from collections.abc import Mapping

from telpher._options import Body
from telpher._telpher import Command
from telpher.aio._gather import Gather
from telpher.aio._starter import Starter


class Topic:
    """A topic of a hub, by its dotted name; made by `Hub.topic`. It need not be declared."""

    def __init__(self, starter: Starter, name: str) -> None:
        self.name = name
        self._starter = starter

    def publish(
        self,
        body: Body,
        *,
        key: Body | None = None,
        headers: Mapping[str, Body] | None = None,
        priority: int = 0,
        timeout: float | None = None,
    ) -> asyncio.Future[None]:
        """Give a message to whoever is subscribed in this moment; it ends when the hub did so.

        It is delivered at most once to each of them, and stored in every queue and stream to which
        the topic is bound (`Queue.bind`, `Stream.bind`), in all or in none: then it ends when it is
        as safe as the safest of these promises. A body has at most 8 MiB, a key 1,024 bytes.
        `priority` is for queues. It must be done within `timeout` seconds (None: 30).

        `Invalid` for an empty segment of the name, or without a key where such a stream needs one;
        `TooLarge`, `Full` (such a queue or stream had no room in time, or as many wait for slow
        subscribers as may) and `NoSpace`: nothing was stored, and nobody got it. Nor with
        `Expired`: the time ran out on its way, or as it waited for a slow subscriber
        (`Topics.declare`). `Indeterminate` (the hub has changed its host, and the topic is not
        bound) and `HostUnresponsive`: it may have been published.
        """
        command = Command.publish(self.name, body, key, headers, priority)
        return self._starter.start(command, timeout)

    def gather(
        self,
        body: Body,
        *,
        count: int = 0,
        timeout: float | None = None,
        key: Body | None = None,
        headers: Mapping[str, Body] | None = None,
    ) -> Gather:
        """Publish a message, and iterate over the answers of those who are subscribed now.

        It ends when all have answered, when `count` have (failures not counted; 0: all), or after
        `timeout` seconds (None: 30), with what has come. Without a subscriber it is empty.
        """
        command = Command.gather_topic(self.name, body, count, key, headers)
        return Gather(self._starter, command, timeout)
