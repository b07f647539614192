"""The shop: places orders as customers come, in one of the four ways, and says how each ended.

    python shop.py URL NAME WAY [options]     WAY: blocking, flying, queue or stream

Customers come when they come, whether the shop keeps up or not. It prints `placed: third` when a
third of them has come, and at the end one line of JSON.
"""

import argparse
import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field

import telpher
import telpher.aio

import clock
from order import CHARGE_S, LIMIT_S, SLOW_S, Order

THREADS_MAX = 64
"""Threads that the blocking shop has at most, each for one order that it waits for."""

COPY_AFTER_S = 0.05
"""An order that is sent twice is sent again so much later."""


@dataclass(frozen=True)
class Request:
    """An order that is placed at a certain time; the same order may be placed twice."""

    due_s: float
    order: Order

    def left_s(self) -> float:
        """How long its customer still waits."""
        return max(self.due_s + LIMIT_S - time.monotonic(), 0.001)


@dataclass
class Report:
    """What the shop has seen."""

    threads: int = 0
    answers: list[tuple[int, float, str, bool]] = field(default_factory=list)
    """Of each request: the order's number, when it was placed, `OK` or the kind of its error, and
    whether the error says that the work may have been done."""

    def look(self) -> None:
        """Count the threads of this process."""
        self.threads = max(self.threads, len(os.listdir("/proc/self/task")))

    def add(self, request: Request, error: telpher.Error | None) -> None:
        """A request has ended."""
        kind, maybe = (error.kind, error.maybe_executed) if error else ("OK", False)
        self.answers.append((request.order.number, request.due_s, kind, maybe))


def requests(given: argparse.Namespace) -> list[Request]:
    """Every request, in the order of time."""
    begin = time.monotonic()
    every = []
    for number in range(given.orders):
        due_s = begin + number / given.per_second
        is_slow = given.slow_every > 0 and number % given.slow_every == 0
        order = Order(number, SLOW_S if is_slow else CHARGE_S)
        every.append(Request(due_s, order))
        if given.twice_every > 0 and number % given.twice_every == 0:
            every.append(Request(due_s + COPY_AFTER_S, order))
    return sorted(every, key=lambda request: request.due_s)


def told(every: list[Request]) -> Iterator[Request]:
    """The same requests; says when a third of them has passed."""
    for count, request in enumerate(every, start=1):
        yield request
        if count == len(every) // 3:
            print("placed: third", flush=True)


def place_blocking(given: argparse.Namespace, report: Report) -> None:
    """Blocking calls: a thread waits for each order that is under way."""

    def place(request: Request) -> None:
        try:
            hub.call(given.name, request.order.body(), timeout=request.left_s())
        except telpher.Error as error:
            report.add(request, error)
        else:
            report.add(request, None)

    with telpher.open(given.url, host="never") as hub, ThreadPoolExecutor(THREADS_MAX) as pool:
        for request in told(requests(given)):
            clock.reach(request.due_s)
            pool.submit(place, request)
            report.look()


Start = Callable[[telpher.aio.Hub, str, Request], Awaitable[object]]


def call(hub: telpher.aio.Hub, name: str, request: Request) -> Awaitable[object]:
    """Non-blocking calls: ends with the answer, when the order is done."""
    return hub.call(name, request.order.body(), timeout=request.left_s())


def send(hub: telpher.aio.Hub, name: str, request: Request) -> Awaitable[object]:
    """A queue: ends when the order is safe, and nobody has touched it yet."""
    return hub.queue(name).send(request.order.body(), timeout=request.left_s())


def append(hub: telpher.aio.Hub, name: str, request: Request) -> Awaitable[object]:
    """A stream: ends when the order is safe, in the partition that its number says."""
    key = str(request.order.number).encode()
    body = request.order.body()
    return hub.stream(name).append(body, key=key, timeout=request.left_s())


async def place_started(start: Start, given: argparse.Namespace, report: Report) -> None:
    """Everything but blocking calls: one thread starts all of them, and hears of each."""

    async def place(request: Request) -> None:
        try:
            await start(hub, given.name, request)
        except telpher.Error as error:
            report.add(request, error)
        else:
            report.add(request, None)

    async with telpher.aio.open(given.url, host="never") as hub, asyncio.TaskGroup() as group:
        for request in told(requests(given)):
            await clock.reached(request.due_s)
            group.create_task(place(request))
            report.look()


STARTS: dict[str, Start] = {"flying": call, "queue": send, "stream": append}


def main() -> None:
    """Place all orders, and report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("name")
    parser.add_argument("way", choices=["blocking", *STARTS])
    parser.add_argument("--orders", type=int, default=100)
    parser.add_argument("--per-second", type=float, default=100.0)
    parser.add_argument("--slow-every", type=int, default=0, help="each so many-th is slow")
    parser.add_argument("--twice-every", type=int, default=0, help="each so many-th is sent twice")
    given = parser.parse_args()
    report = Report()
    if given.way == "blocking":
        place_blocking(given, report)
    else:
        asyncio.run(place_started(STARTS[given.way], given, report))
    print(json.dumps(asdict(report)), flush=True)


if __name__ == "__main__":
    main()
