"""Programs that use a hub's directory, and what they were told, for comparing it later."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
WORKER = TARGET / "release" / "telpher-storage-worker"

# Longer than anything that works takes on a busy machine.
PATIENCE_S = 120.0


def pause(seconds: float) -> None:
    """Time passes in which others work; nothing is waited for."""
    threading.Event().wait(seconds)


class Failed(Exception):
    """Something is not as it was promised to be."""


class Skipped(Exception):
    """It can't be tried here; says why."""


def check(holds: bool, what: str) -> None:
    """Fails with these words unless it holds."""
    if not holds:
        raise Failed(what)


class Worker:
    """One running program; see worker/src/main.rs for what it understands."""

    def __init__(self, environment: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "RUST_BACKTRACE": "0", **(environment or {})},
        )
        self.buffer = b""
        self.answers: list[str] = []

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def tell(self, line: str) -> None:
        """Gives an order, without waiting."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise self.death(line) from None

    def hear(self, line: str, patience_s: float = PATIENCE_S) -> list[str]:
        """The answer, in words."""
        assert self.process.stdout is not None
        end = time.monotonic() + patience_s
        while b"\n" not in self.buffer:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise Failed(f"no answer to {line!r} within {patience_s} s: it hangs")
            part = os.read(self.process.stdout.fileno(), 65536)
            if not part:
                raise self.death(line)
            self.buffer += part
        answer, _, self.buffer = self.buffer.partition(b"\n")
        self.answers.append(answer.decode())
        return self.answers[-1].split(" ")

    def ask(self, line: str) -> list[str]:
        """Gives an order and returns the answer in words: `ok ...` or `error KIND ...`."""
        self.tell(line)
        return self.hear(line)

    def do(self, line: str) -> list[str]:
        """An order that has to be carried out; the words behind `ok`."""
        answer = self.ask(line)
        check(answer[0] == "ok", f"{line!r}: {' '.join(answer)}")
        return answer[1:]

    def death(self, line: str) -> Failed:
        """Why it is gone."""
        code = self.process.wait()
        assert self.process.stderr is not None
        said = self.process.stderr.read().decode(errors="replace")
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return Failed(f"the program died ({how}) over {line!r}: {said[-2000:]}")

    def end(self) -> None:
        """Ends it without warning."""
        self.process.kill()
        self.process.wait()

    def kill(self) -> None:
        """Ends it, and takes nothing more from it."""
        self.end()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                pass

    def said(self) -> str:
        """What it has written to its standard error, once it is dead."""
        assert self.process.stderr is not None
        return self.process.stderr.read().decode(errors="replace")


class Ledger:
    """What was sent, confirmed and settled."""

    def __init__(self) -> None:
        self.sent: set[str] = set()
        self.confirmed: set[str] = set()
        self.doomed: set[str] = set()
        self.gone: set[str] = set()
        self.count = 0

    def send(self, worker: Worker, queue: str, size: int = 50) -> list[str]:
        """Sends one message."""
        name = f"s{self.count}"
        self.count += 1
        self.sent.add(name)
        answer = worker.ask(f"send {queue} {name} {size}")
        if answer[0] == "ok":
            self.confirmed.add(name)
        return answer

    def many(self, worker: Worker, queue: str, count: int, size: int) -> list[str]:
        """Sends many without waiting for each."""
        first, self.count = self.count, self.count + count
        self.sent.update(f"m{number}" for number in range(first, first + count))
        answer = worker.ask(f"many {queue} {first} {count} {size}")
        if answer[0] == "ok":
            self.confirmed.update(answer[1:])
        return answer

    def take(self, worker: Worker, queue: str, ms: int = 5000) -> str | None:
        """Receives one message, if one comes."""
        answer = worker.ask(f"take {queue} {ms}")
        if answer[0] != "ok":
            return None
        check(answer[1] in self.sent, f"{answer[1]} was never sent")
        check(answer[1] not in self.gone, f"{answer[1]} came back")
        return answer[1]

    def acknowledge(self, worker: Worker, name: str | None) -> list[str]:
        """Settles it."""
        if name is None:
            return ["error"]
        self.doomed.add(name)
        answer = worker.ask(f"ack {name}")
        if answer[0] == "ok":
            self.gone.add(name)
        return answer

    def batch(self, worker: Worker, name: str | None, queue: str) -> None:
        """Settles it and sends another with it."""
        if name is None:
            return
        new = f"s{self.count}"
        self.count += 1
        self.sent.add(new)
        self.doomed.add(name)
        if worker.ask(f"batch {name} {queue} {new}")[0] == "ok":
            self.gone.add(name)
            self.confirmed.add(new)

    def compare(self, worker: Worker, queues: list[str], ms: int = 100) -> None:
        """Empties the queues and compares what was there."""
        found: list[str] = []
        for queue in queues:
            answer = worker.ask(f"drain {queue} {ms}")
            if answer[:2] == ["error", "NOT_FOUND"]:
                continue
            check(answer[0] == "ok", f"draining {queue}: {' '.join(answer)}")
            found.extend(answer[1:])
        check(len(found) == len(set(found)), "a message is there twice")
        there = set(found)
        check(there <= self.sent, f"nobody sent {sorted(there - self.sent)[:3]}")
        check(not there & self.gone, f"came back: {sorted(there & self.gone)[:3]}")
        lost = self.confirmed - there - self.doomed
        check(not lost, f"lost although confirmed: {sorted(lost)[:3]} of {len(self.confirmed)}")


class Background:
    """Something that goes on meanwhile; `join` raises what it has raised."""

    def __init__(self, work: Callable[[threading.Event], None]) -> None:
        self.failure: Failed | None = None
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(work,))
        self.thread.start()

    def _run(self, work: Callable[[threading.Event], None]) -> None:
        try:
            work(self.stop)
        except Failed as failure:
            self.failure = failure

    def join(self) -> None:
        """Asks it to stop, and waits for its end."""
        self.stop.set()
        self.thread.join()
        if self.failure is not None:
            raise self.failure


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A directory of one's own, by the name that the system has for it."""
    real = Path(tempfile.gettempdir()).resolve()
    return tempfile.TemporaryDirectory(prefix="telpher-storage-", dir=real)
