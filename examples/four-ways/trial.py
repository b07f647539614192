"""One trial: one way under one fault, with a worker and a shop of its own, and what came of it."""

import contextlib
import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import telpher

import clock
from ledger import Ledger
from order import CHARGE, HANDS, LIMIT_S, SHIP

HERE = Path(__file__).parent
PATIENCE_S = 30
LOOK_S = 0.01


@dataclass(frozen=True)
class Way:
    """A way for an order to get from the shop to the worker."""

    name: str
    shop: str
    worker: str


BLOCKING = Way("blocking calls", "blocking", "calls")
FLYING = Way("non-blocking calls", "flying", "calls")
QUEUE = Way("queue", "queue", "queue")
STREAM = Way("event stream", "stream", "stream")
WAYS = (BLOCKING, FLYING, QUEUE, STREAM)


@dataclass(frozen=True)
class Fault:
    """What goes wrong, for all ways alike."""

    name: str
    says: str
    per_second: float = 100.0
    length: float = 1.0
    """How long orders come in, in units of the run."""
    slow_every: int = 0
    twice_every: int = 0
    outage: float | None = None
    """How long the worker is dead after it was killed, in the same units; None: it is not."""
    has_ids: bool = True

    def options(self, seconds: float) -> list[str]:
        """What the shop is told."""
        orders = max(round(self.per_second * self.length * seconds), 3)
        figures = {
            "--orders": orders,
            "--per-second": self.per_second,
            "--slow-every": self.slow_every,
            "--twice-every": self.twice_every,
        }
        return [str(word) for option in figures.items() for word in option]


@dataclass(frozen=True)
class Row:
    """What was measured."""

    way: str
    fault: str
    orders: int
    done: int
    in_time: int
    seconds: float
    p50_ms: float | None
    p99_ms: float | None
    threads: int
    broken: int
    """Orders that were never done though the shop was told that they were done, or safe."""
    half: int
    """Orders that were charged and never shipped."""
    unsure: int
    """Orders of which the shop was told no more than that the work may have been done."""
    twice: int
    """Orders that were charged or shipped more than once."""
    sent_twice: int
    errors: dict[str, int]
    """How many requests ended with an error of which kind."""

    @property
    def lost(self) -> int:
        """Orders that were never done."""
        return self.orders - self.done

    @property
    def late(self) -> int:
        """Orders that were done when the customer had gone."""
        return self.done - self.in_time

    @property
    def goodput(self) -> float:
        """Orders done in time, for each second in which orders came in."""
        return self.in_time / self.seconds


class Program:
    """A program of the example, and what it prints."""

    def __init__(self, file: str, *arguments: object) -> None:
        command = [sys.executable, HERE / file, *arguments]
        self._process = subprocess.Popen(
            [str(word) for word in command],
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,  # Ctrl-C comes to us alone.
        )

    def line(self) -> str:
        """The next line that it prints; it fails if there is none."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended with {self._process.wait()}")
        return line.rstrip("\n")

    def expect(self, text: str) -> None:
        """Wait for this line, which must be the next."""
        if (line := self.line()) != text:
            raise RuntimeError(f"{text!r} was expected, and not {line!r}")

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it with SIGKILL, and wait until it is gone."""
        self._process.kill()
        self._process.wait(PATIENCE_S)

    def stop(self) -> None:
        """End it when it has done what it has in hand, and wait until it is gone."""
        self._process.terminate()
        if code := self._process.wait(PATIENCE_S):
            raise RuntimeError(f"{self._process.args!r} ended with {code}")

    def close(self) -> None:
        """Let nothing of it stay."""
        self._process.kill()
        self._process.communicate()


@contextlib.contextmanager
def running(file: str, *arguments: object) -> Iterator[Program]:
    """A program, until the end of the block at the latest."""
    program = Program(file, *arguments)
    try:
        yield program
    finally:
        program.close()


def declare(hub: telpher.Hub, way: Way, name: str) -> None:
    """Make what the way needs, on disk. A service needs nothing: it is there when it is served."""
    if way is QUEUE:
        hub.queue(name).declare()
    elif way is STREAM:
        hub.stream(name).declare(partitions=HANDS)


def is_worked_off(hub: telpher.Hub, way: Way, name: str) -> bool:
    """Whether nothing waits for the worker any more. A call that waits is over with its caller."""
    if way is QUEUE:
        info = hub.queue(name).inspect()
        return info.ready + info.held + info.delayed == 0
    if way is STREAM:
        return all(place.lag == 0 for group in hub.stream(name).groups() for place in group.places)
    return True


def until(holds: Callable[[], bool]) -> None:
    """Look again and again until something is so."""
    ends = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > ends:
            raise RuntimeError(f"not within {PATIENCE_S} seconds")
        clock.pause(LOOK_S)


def attempt(hub: telpher.Hub, directory: Path, way: Way, fault: Fault, seconds: float) -> Row:
    """Let orders come in for so many seconds, and the fault strike, in one way."""
    name = re.sub(r"\W+", "-", f"{way.name} {fault.name}")
    url, path = directory / "data", directory / f"{name}.db"
    declare(hub, way, name)
    worker = [url, name, way.worker, path, *([] if fault.has_ids else ["--no-ids"])]
    with contextlib.ExitStack() as programs:
        working = programs.enter_context(running("worker.py", *worker))
        working.expect("ready")
        options = fault.options(seconds)
        shop = programs.enter_context(running("shop.py", url, name, way.shop, *options))
        shop.expect("placed: third")
        if fault.outage is not None:
            working.kill()
            clock.pause(fault.outage * seconds)  # So long nobody starts it again.
            working = programs.enter_context(running("worker.py", *worker))
            working.expect("ready")
        report = json.loads(shop.line())
        until(lambda: is_worked_off(hub, way, name))
        working.stop()
    with contextlib.closing(Ledger(str(path), notes_ids=False)) as ledger:
        return measure(way, fault, report, ledger)


def measure(way: Way, fault: Fault, report: dict[str, Any], ledger: Ledger) -> Row:
    """The figures of a trial, from what the shop saw and what the worker recorded."""
    placed: dict[int, float] = {}
    told_done, told_maybe = set(), set()
    for number, due_s, kind, maybe in report["answers"]:
        placed[number] = min(due_s, placed.get(number, due_s))
        if kind == "OK":
            told_done.add(number)
        elif maybe:
            told_maybe.add(number)
    charges, shipments = ledger.effects(CHARGE), ledger.effects(SHIP)
    done = dict(reversed(shipments))  # When each order was shipped first.
    latencies = sorted(at_s - placed[number] for number, at_s in done.items())
    return Row(
        way=way.name,
        fault=fault.name,
        orders=len(placed),
        done=len(done),
        in_time=sum(latency <= LIMIT_S for latency in latencies),
        seconds=len(placed) / fault.per_second,
        p50_ms=percentile_ms(latencies, 50),
        p99_ms=percentile_ms(latencies, 99),
        threads=report["threads"],
        broken=len(told_done - done.keys()),
        half=len({number for number, _ in charges} - done.keys()),
        unsure=len(told_maybe - told_done),
        twice=len(repeated(charges) | repeated(shipments)),
        sent_twice=len(repeated(report["answers"])),
        errors=dict(Counter(kind for *_, kind, _ in report["answers"] if kind != "OK")),
    )


def repeated(rows: Sequence[Sequence[Any]]) -> set[int]:
    """The numbers with which several rows begin."""
    counts = Counter(row[0] for row in rows)
    return {number for number, count in counts.items() if count > 1}


def percentile_ms(ordered_s: list[float], percent: int) -> float | None:
    """What so many of a hundred do not exceed; None of nothing."""
    if not ordered_s:
        return None
    return ordered_s[-(-len(ordered_s) * percent // 100) - 1] * 1000
