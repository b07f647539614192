"""The blocking face: a hub, its calls and services."""

import weakref
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TypeVar

from telpher._batch import Batch
from telpher._gather import Gather
from telpher._hub_start import HubStart
from telpher._leaving import leave
from telpher._operation import Failed, Operation, Outcomes
from telpher._options import Body, OnNotice
from telpher._queue import Queue
from telpher._request import Request, inherited
from telpher._service import Service
from telpher._stream import Stream
from telpher._subscriber import Subscriber
from telpher._telpher import Command, Core, HubInfo, Stats
from telpher._topic import Topic
from telpher._topics import Topics
from telpher.errors import Forked

T = TypeVar("T")


class Hub:
    """An open hub; made by `telpher.open`. Any thread may use it."""

    def __init__(self, core: Core, info: HubInfo, on_notice: OnNotice | None) -> None:
        self.info = info
        """Which hub was reached when it was opened."""
        self._core = core
        self._outcomes = Outcomes(core, on_notice)
        self._threads = [self._outcomes.thread]
        self._leave = weakref.finalize(self, leave, core, self._threads)

    @property
    def start(self) -> HubStart:
        """The same operations, started and not waited for."""
        return HubStart(self)

    def call(
        self,
        service: str,
        body: Body = b"",
        *,
        timeout: float | None = None,
        key: Body | None = None,
        headers: Mapping[str, Body] | None = None,
    ) -> bytes:
        """Ask `service` and wait for its reply, at most `timeout` seconds (None: 30).

        Inside a handler, no longer than is left of the request being handled.
        """
        return self._core.run(Command.call(service, body, key, headers), inherited(timeout))

    def serve(
        self,
        service: str,
        handler: Callable[[Request], Body | object],
        *,
        concurrency: int = 1,
        line_max: int | None = None,
        instance_name: str | None = None,
        timeout: float | None = None,
    ) -> Service:
        """Serve a name: `handler` runs on `concurrency` threads, one request each.

        What it returns is the reply (None is an empty one); with `telpher.LATER` it replies later,
        with `request.reply`. What it raises becomes the caller's `Remote`. `line_max` requests may
        wait in line (None: 1,024). `instance_name` is what this instance calls itself to whoever
        gathers its answers, on which machine it is for example; two may state the same.
        """
        command = Command.serve(service, concurrency, line_max, instance_name)
        return Service(self, service, handler, command, timeout)

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
        """Ask every instance of `service` that is there now, and iterate over their answers.

        It ends when all have answered, when `count` have (failures not counted; 0: all), or after
        `timeout` seconds (None: 30), with what has come. An instance that is busy is asked when it
        has room. Up to 4,096 are asked. Inside a handler, it takes no longer than is left of the
        request being handled.
        """
        command = Command.gather(service, body, count, key, headers)
        return Gather(self, command, inherited(timeout))

    def queue(self, name: str) -> Queue:
        """The queue of this name; nothing is asked of the hub yet."""
        return Queue(self, name)

    def topic(self, name: str) -> Topic:
        """The topic of this name, dotted as in `orders.eu.new`; nothing is asked of the hub yet."""
        return Topic(self, name)

    def topics(self, pattern: str) -> Topics:
        """The topics that match `pattern`, to be declared; nothing is asked of the hub yet."""
        return Topics(self, pattern)

    def subscribe(
        self,
        pattern: str,
        *,
        buffer: int = 1024,
        instance_name: str | None = None,
        timeout: float | None = None,
    ) -> Subscriber:
        """Take what is published from now on to topics that match; it is live when this returns.

        In `pattern`, `*` stands for one segment of a name and `**` for any number of them. Up to
        `buffer` messages (1 to 65,536), until they are 16 MiB, wait in the iterator; as many are
        on the way, and as many wait in the hub, where the oldest are lost if more come, or
        publishers wait if the topic is declared so (`Topics.declare`). `instance_name` is what it
        calls itself to whoever gathers its answers, as in `serve`.

        `Invalid` and `TooLarge` for the pattern, with its segment, or the name: nothing was
        started.
        """
        command = Command.subscribe(pattern, buffer, instance_name)
        return Subscriber(self, command, buffer, timeout)

    def stream(self, name: str) -> Stream:
        """The stream of this name; nothing is asked of the hub yet."""
        return Stream(self, name)

    def batch(self, *, timeout: float | None = None) -> Batch:
        """Several changes that are done all or not at all.

        `with hub.batch() as batch:` submits it at the end of the block, and waits for it at most
        `timeout` seconds (None: 30).
        """
        return Batch(self, timeout)

    def flush(self) -> None:
        """Send what has been started, without waiting."""
        self._core.flush()

    def stats(self) -> Stats:
        """Counters of this handle."""
        if self._core.forked():
            raise Forked("this hub was opened by the parent process; open it anew")
        return self._core.stats()

    @property
    def capabilities(self) -> frozenset[str]:
        """What the hub can do, by name: `calls`, `queues.memory`, `queues.os`, `queues.disk`, …

        Without the latter two it keeps queues in memory only.
        """
        return frozenset(self._core.capabilities())

    def close(self, *, timeout: float | None = None) -> None:
        """Say goodbye: every operation that is open ends as `Closed`, every waiter wakes."""
        self._leave.detach()
        self._core.close(timeout)

    def __enter__(self) -> "Hub":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _started(
        self,
        command: Command[Any],
        timeout: float | None,
        convert: Callable[[Any], T] | None = None,
        failed: Failed | None = None,
    ) -> Operation[T]:
        return self._outcomes.start(command, timeout, convert, failed)
