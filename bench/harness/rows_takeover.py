"""The row of takeover: the host of a large backlog is killed; how long until another confirms.

Three processes: the host, one that waits to take over, and a sender, which never hosts. The sender
kills the host and sends; its time ends when the new host has confirmed that at `disk`. The next
round's victim is this round's new host, and a new process waits.
"""

import math
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field

from . import process
from .compare import Row
from .process import Failed, Place
from .rows_call import c

BODY = 1024
MIB = 1024 * 1024
ASKED_P50_MS, ASKED_P99_MS, ASKED_MIB = 200, 500, 512
KILLED_PER_ROUND = 3


@dataclass
class Figures:
    """What the rounds have shown: times in ms, the new hosts' greatest resident size in MiB."""

    times: list[float] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)


@dataclass
class Takeover:
    """A backlog of `backlog` MiB, and hosts that are killed one after another."""

    place: Place
    folder: str
    backlog: int
    on_disk: bool = True

    @property
    def name(self) -> str:
        """As the table has it."""
        return f"takeover, {self.backlog:,} MiB waiting"

    def measure(self, rounds: int, counting: bool) -> list[Row]:
        """Fills the queue, then kills; nothing is counted per message."""
        del counting
        url = f"file://{tempfile.mkdtemp(dir=self.folder)}"
        running = [self.host(url, "host")]
        try:
            sent = self.backlog * MIB // BODY
            self.run("fill", url, str(sent), str(BODY))
            figures = Figures()
            for _ in range(rounds * KILLED_PER_ROUND):
                running.append(self.host(url, "wait"))
                self.kill_first(url, running, figures)
                sent += 2
            if (waiting := self.run("count", url)["count"]) != sent:
                raise Failed(f"{sent} messages were confirmed, {waiting} are there")
            return self.rows(figures)
        except (Failed, OSError) as why:
            print(f"left out: {self.name}: {why}", file=sys.stderr)
            return []
        finally:
            while running:
                process.stop(running.pop())

    def measure_others(self, rounds: int) -> list[str]:
        """Nobody else does this."""
        del rounds
        return []

    def host(self, url: str, how: str) -> subprocess.Popen:
        """A process that hosts, or waits to."""
        started = process.start([c("durable"), how, url], self.place.server, serving=True)
        process.await_text(started, "ready\n")
        return started

    def run(self, *arguments: str) -> dict:
        """What a sender reports."""
        return process.result(process.start([c("durable"), *arguments], self.place.client))

    def kill_first(self, url: str, running: list[subprocess.Popen], figures: Figures) -> None:
        """One round: the first is killed, the second takes over."""
        report = self.run("takeover", url, str(BODY), str(running[0].pid))
        process.stop(running.pop(0))
        figures.times.append((report["end_ns"] - report["start_ns"]) / 1e6)
        figures.sizes.append(process.resident(running[0].pid, "VmHWM") / MIB)

    def rows(self, figures: Figures) -> list[Row]:
        """The median and the 99th percentile of the times, and the size."""
        times = sorted(figures.times)
        late = times[math.ceil(len(times) * 0.99) - 1]
        return [
            self.row("until a send is confirmed", "ms", figures.times, ASKED_P50_MS),
            self.row("the same, 99th percentile", "ms", [late], ASKED_P99_MS),
            self.row("the new host's memory", "MiB", figures.sizes, ASKED_MIB),
        ]

    def row(self, what: str, unit: str, found: list[float], asked: float) -> Row:
        """One line."""
        figure = statistics.median(found)
        return Row(f"{self.name}: {what}", unit, self.place.name, round(figure, 2),
                   "what is asked, at most", asked, round(asked / figure, 3), 1,
                   [round(asked / each, 3) for each in found])


def takeover(places: dict[str, Place], folder: str, backlog: int) -> list[Takeover]:
    """The row, for `backlog` MiB."""
    return [Takeover(places["free"], folder, backlog)]
