"""The asyncio face: a hub, its calls and services."""

import asyncio
import weakref
from collections.abc import Callable, Mapping
from types import TracebackType

from telpher._options import Body
from telpher._request import Request, inherited
from telpher._telpher import Command, HubInfo, Stats
from telpher.aio._batch import Batch
from telpher.aio._gather import Gather
from telpher.aio._leaving import close_turner, leave
from telpher.aio._opening import Opening
from telpher.aio._queue import Queue
from telpher.aio._service import Service
from telpher.aio._starter import Starter
from telpher.aio._stream import Stream
from telpher.aio._subscriber import Subscriber
from telpher.aio._topic import Topic
from telpher.aio._topics import Topics
from telpher.aio._turner import Turner
from telpher.errors import Forked


class Hub:
    """An open hub; made by `telpher.aio.open`. It is for the thread of its loop.

    Operations start at once and return a future; cancelling it asks for the operation's end.
    """

    def __init__(self, turner: Turner, info: HubInfo) -> None:
        self.info = info
        """Which hub was reached when it was opened."""
        self._turner = turner
        self._starter = Starter(turner)
        self._leave = weakref.finalize(self._starter, leave, turner)

    def call(
        self,
        service: str,
        body: Body = b"",
        *,
        timeout: float | None = None,
        key: Body | None = None,
        headers: Mapping[str, Body] | None = None,
    ) -> asyncio.Future[bytes]:
        """Ask `service` for a reply, which must come within `timeout` seconds (None: 30).

        Inside a handler, no longer than is left of the request being handled.
        """
        command = Command.call(service, body, key, headers)
        return self._starter.start(command, inherited(timeout))

    def serve(
        self,
        service: str,
        handler: Callable[[Request], object],
        *,
        concurrency: int = 1,
        line_max: int | None = None,
        instance_name: str | None = None,
        timeout: float | None = None,
    ) -> Opening[Service]:
        """Serve a name: `await` it, or use `async with`.

        `handler` may be `async def`; up to `concurrency` run at once as tasks. What it returns is
        the reply (None is an empty one); with `telpher.LATER` it replies later, with
        `request.reply`. What it raises becomes the caller's `Remote`. `instance_name` is what this
        instance calls itself to whoever gathers its answers, on which machine it is for example;
        two may state the same.
        """
        command = Command.serve(service, concurrency, line_max, instance_name)

        async def begin() -> Service:
            made = Service(self._starter, service, handler)
            await made._begin(command, timeout)
            return made

        return Opening(begin)

    def gather(
        self,
        service: str,
        body: Body = b"",
        *,
        count: int = 0,
        timeout: float | None = None,
        key: Body | None = None,
        headers: Mapping[str, Body] | None = None,
    ) -> Gather:
        """Ask every instance of `service` that is there, and iterate over their answers.

        It ends when all have answered, when `count` have (failures not counted; 0: all), or after
        `timeout` seconds (None: 30), with what has come. An instance that is busy is asked when it
        has room. Up to 4,096 are asked. Inside a handler, it takes no longer than is left of the
        request being handled.
        """
        command = Command.gather(service, body, count, key, headers)
        return Gather(self._starter, command, inherited(timeout))

    def queue(self, name: str) -> Queue:
        """The queue of this name; nothing is asked of the hub yet."""
        return Queue(self._starter, name)

    def topic(self, name: str) -> Topic:
        """The topic of this name, dotted as in `orders.eu.new`; nothing is asked of the hub yet."""
        return Topic(self._starter, name)

    def topics(self, pattern: str) -> Topics:
        """The topics that match `pattern`, to be declared; nothing is asked of the hub yet."""
        return Topics(self._starter, pattern)

    def subscribe(
        self,
        pattern: str,
        *,
        buffer: int = 1024,
        instance_name: str | None = None,
        timeout: float | None = None,
    ) -> Subscriber:
        """Take what is published from now on to topics that match; it is live once entered.

        In `pattern`, `*` stands for one segment of a name and `**` for any number of them. Up to
        `buffer` messages (1 to 65,536), until they are 16 MiB, wait in the iterator; as many are
        on the way, and as many wait in the hub, where the oldest are lost if more come, or
        publishers wait if the topic is declared so (`Topics.declare`). `instance_name` is what it
        calls itself to whoever gathers its answers, as in `serve`.

        `Invalid` and `TooLarge` for the pattern, with its segment, or the name: nothing was
        started.
        """
        command = Command.subscribe(pattern, buffer, instance_name)
        return Subscriber(self._starter, command, buffer, timeout)

    def stream(self, name: str) -> Stream:
        """The stream of this name; nothing is asked of the hub yet."""
        return Stream(self._starter, name)

    def batch(self, *, timeout: float | None = None) -> Batch:
        """Several changes that are done all or not at all.

        `async with hub.batch() as batch:` submits it at the end of the block; it must be done
        within `timeout` seconds (None: 30).
        """
        return Batch(self._starter, timeout)

    def flush(self) -> None:
        """Send what has been started now, not at the end of this tick."""
        self._turner.core.flush()

    def stats(self) -> Stats:
        """Counters of this handle."""
        if self._turner.core.forked():
            raise Forked("this hub was opened by the parent process; open it anew")
        return self._turner.core.stats()

    @property
    def capabilities(self) -> frozenset[str]:
        """What the hub can do, by name: `calls`, `queues.memory`, `queues.os`, `queues.disk`, …

        Without the latter two it keeps queues in memory only.
        """
        return frozenset(self._turner.core.capabilities())

    async def close(self, *, timeout: float | None = None) -> None:
        """Say goodbye: every operation that is open ends as `Closed`."""
        self._leave.detach()
        await close_turner(self._turner, timeout)

    async def __aenter__(self) -> "Hub":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
