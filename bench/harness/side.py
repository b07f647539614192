"""One side of a comparison: the servers it needs, and what one round with them yields.

A side is started once per row, measured in rounds that alternate with the other sides', and
stopped. While another side is measured, its servers sleep in the kernel.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from . import process

ROUND_S = 0.6
WARM_UP_COUNT = 20_000
COUNT_MAX = 1_000_000  # as many as a queue may hold if it does not say: nobody waits for room


@dataclass
class Server:
    """A program that serves, and what it says once it does."""

    command: list[str]
    ready: str = "ready\n"


@contextmanager
def fresh(folder: str | None) -> Iterator[str]:
    """A new folder, for a round; it goes with it."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="round-") as made:
        yield made


class Side:
    """Servers, and clients run against them; `figure` names what is taken of a round.

    `{fresh}` in a client's command stands for a new folder, made below `folder` for each round.
    """

    folder: str | None = None
    warm_ups = 2

    def __init__(self, name: str, servers: list[Server]):
        self.name = name
        self.servers = servers
        self.running = []
        self.place = None

    def start(self, place: process.Place) -> None:
        """Starts every server, each once the one before is up."""
        self.place = place
        for server in self.servers:
            self.running.append(process.start(server.command, place.server, serving=True))
            process.await_text(self.running[-1], server.ready)

    def stop(self) -> None:
        """Ends every server, the last first."""
        while self.running:
            process.stop(self.running.pop())

    def round(self) -> float:
        """One round's figure."""
        raise NotImplementedError

    def counted_round(self) -> dict | None:
        """System calls and context switches per message, servers' and clients'."""
        raise NotImplementedError


class CallSide(Side):
    """A client that calls for a time: its median round trip, or how many it makes a second."""

    def __init__(self, name: str, servers: list[Server], client: list[str], figure: str):
        super().__init__(name, servers)
        self.client = client
        self.figure = figure

    def round(self) -> float:
        return figure_of(self.run([]), self.figure)

    def run(self, before: list[str]) -> dict:
        """The client's report."""
        with fresh(self.folder) as folder:
            client = [part.format(fresh=folder) for part in self.client]
            return process.result(process.start(before + client, self.place.client))

    def counted_round(self) -> dict:
        with tempfile.TemporaryDirectory() as folder:
            of_client, of_servers = (os.path.join(folder, name) for name in ("client", "servers"))
            before = process.counted([], of_client)
            if self.running:
                pids = [server.pid for server in self.running]
                before = process.counting(pids, of_servers, before)
            count = self.run(before)["count"]
            found = {"client": per_message(of_client, count)}
            if self.running:
                found["servers"] = per_message(of_servers, count)
            return found


class QueueSide(Side):
    """A producer and a consumer that pass `COUNT` messages; how many a second, end to end.

    Both are started for every round; `{count}` in their commands stands for the number. The first
    round is a short one, of `least`, that finds out how many make a round of the wanted length.
    """

    least = WARM_UP_COUNT
    most = COUNT_MAX

    def __init__(self, name: str, servers: list[Server], producer: list[str], consumer: list[str]):
        super().__init__(name, servers)
        self.producer = producer
        self.consumer = consumer
        self.count = 0

    def round(self) -> float:
        self.count = self.count or self.least
        made, taken = self.pass_messages([], [])
        first, last = made["start_ns"], max(made["end_ns"], taken["end_ns"])
        per_second = self.count / (last - first) * 1e9
        self.count = max(self.least, min(self.most, int(per_second * ROUND_S)))
        return per_second

    def pass_messages(self, before_producer: list[str], before_consumer: list[str]) -> tuple:
        """Runs both; the producer starts when the consumer waits."""
        with fresh(self.folder) as folder:
            producer, consumer = (
                [*before, *(part.format(count=self.count, fresh=folder) for part in command)]
                for before, command in ((before_producer, self.producer),
                                        (before_consumer, self.consumer)))
            taking = process.start(consumer, self.place.client)
            try:
                process.await_text(taking, "ready\n")
                made = process.result(process.start(producer, self.place.client))
                taken = process.result(taking)
            finally:
                process.stop(taking)
        if not made["count"] == taken["count"] == self.count:
            raise process.Failed(
                f"{self.name}: {made['count']} sent, {taken['count']} taken of {self.count}"
            )
        return made, taken

    def counted_round(self) -> dict:
        with tempfile.TemporaryDirectory() as folder:
            roles = ["producer", "consumer"] + ["servers"] * bool(self.running)
            files = [os.path.join(folder, role) for role in roles]
            producer = process.counted([], files[0])
            if self.running:
                pids = [server.pid for server in self.running]
                producer = process.counting(pids, files[2], producer)
            self.pass_messages(producer, process.counted([], files[1]))
            return {role: per_message(file, self.count) for role, file in zip(roles, files)}


class Asked(Side):
    """What is asked of a figure, as if somebody had it: Telpher's ratio to it is 1 at the bar."""

    warm_ups = 0

    def __init__(self, figure: float):
        super().__init__("what is asked, at most", [])
        self.figure = figure

    def round(self) -> float:
        return self.figure

    def counted_round(self) -> None:
        return None


def figure_of(report: dict, figure: str) -> float:
    """A figure of a client's report."""
    if figure == "per_second":
        return report["count"] / (report["end_ns"] - report["start_ns"]) * 1e9
    return report[figure]


def per_message(file: str, count: int) -> dict:
    """What perf counted, divided by the number of messages."""
    return {what: round(total / count, 3) for what, total in process.counts(file).items()}
