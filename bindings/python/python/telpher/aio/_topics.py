"""The asyncio face: declarations of topics."""

import asyncio

from telpher._options import TopicOverflow
from telpher._telpher import Command, TopicInfo
from telpher.aio._starter import Starter


class Topics:
    """Topics of a hub, by a pattern that they match; made by `Hub.topics`.

    What nobody declares is as by default.
    """

    def __init__(self, starter: Starter, pattern: str) -> None:
        self.pattern = pattern
        self._starter = starter

    def declare(
        self,
        *,
        overflow: TopicOverflow = "drop",
        line_max: int | None = None,
        timeout: float | None = None,
    ) -> asyncio.Future[None]:
        """Say how these topics are, or check that it is as stated (`Mismatch` names a difference).

        - `overflow`: what happens while the buffer that a subscriber has in the hub is full: with
          `drop` it loses its oldest messages; with `wait` in any declaration that matches a topic,
          a publish to it waits in line until every subscriber that matches has room, so that none
          of them loses it for being slow. Meanwhile nobody has got it, and it is stored nowhere; at
          its deadline it is `Expired`.
        - `line_max`: with `wait`, publishes that may wait, 1 to 1,048,576 (None: 1,024); beyond
          these one is `Full`.

        Publishes to one topic go on in the order in which they came. A publish of a batch does not
        wait: without room the batch is `Full`. Nor does a gather, whose request a slow subscriber
        may lose. A declaration outlives the hosts of a hub with a directory. `Full` at the limit of
        10,000 for a hub, `NoSpace` on a full disk: nothing was declared.
        """
        command = Command.declare_topic(self.pattern, overflow, line_max)
        return self._starter.start(command, timeout)

    def inspect(self, *, timeout: float | None = None) -> asyncio.Future[TopicInfo]:
        """How they are declared, and how many publishes wait in line.

        `NotFound` if this very pattern is not declared.
        """
        return self._starter.start(Command.inspect_topic(self.pattern), timeout)

    def delete(self, *, timeout: float | None = None) -> asyncio.Future[None]:
        """Remove the declaration. What waits in line because of it alone is published.

        `NotFound` if this very pattern is not declared.
        """
        return self._starter.start(Command.delete_topic(self.pattern), timeout)
