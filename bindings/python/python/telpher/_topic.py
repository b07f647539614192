"""The blocking face: topics."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from telpher._gather import Gather
from telpher._operation import Operation
from telpher._options import Body
from telpher._telpher import Command

if TYPE_CHECKING:
    from telpher._hub import Hub


class Topic:
    """A topic of a hub, by its dotted name; made by `Hub.topic`. It need not be declared."""

    def __init__(self, hub: "Hub", name: str) -> None:
        self.name = name
        self._hub = hub

    @property
    def start(self) -> "TopicStart":
        """The same operation, started and not waited for."""
        return TopicStart(self._hub, self.name)

    def publish(
        self,
        body: Body,
        *,
        key: Body | None = None,
        headers: Mapping[str, Body] | None = None,
        priority: int = 0,
        timeout: float | None = None,
    ) -> None:
        """Give a message to whoever is subscribed in this moment, and wait until the hub did so.

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
        self._hub._core.run(command, timeout)

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
        return Gather(self._hub, command, timeout)


class TopicStart:
    """Operations of a topic, started and not waited for; see `Topic` for each."""

    def __init__(self, hub: "Hub", name: str) -> None:
        self._hub = hub
        self._name = name

    def publish(
        self,
        body: Body,
        *,
        key: Body | None = None,
        headers: Mapping[str, Body] | None = None,
        priority: int = 0,
        timeout: float | None = None,
    ) -> Operation[None]:
        """Start to publish a message."""
        command = Command.publish(self._name, body, key, headers, priority)
        return self._hub._started(command, timeout)
