"""Processes of the crash loop: started, listened to, killed by their number, never left behind."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from history import HARNESS, History

TOP = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", TOP / "target"))
HERE = TOP / "tests" / "crash"
PYTHON = str(TOP / ".venv" / "bin" / "python")
PYTHON_MAIN = f"import sys; sys.path[:0] = [{str(HERE)!r}]; import {{0}}; {{0}}.main()"
WORKERS = {
    "c": [str(TARGET / "c" / "release" / "telpher-crash-worker")],
    "python": [PYTHON, "-c", PYTHON_MAIN.format("workers.worker")],
    "node": ["node", str(HERE / "workers" / "worker.mjs")],
}
WITNESSES = {
    "c": [str(TARGET / "c" / "release" / "telpher-crash-witness")],
    "python": [PYTHON, "-c", PYTHON_MAIN.format("workers.witness")],
    "node": ["node", str(HERE / "workers" / "witness.mjs")],
}
LANGUAGES = tuple(WORKERS)
PATIENCE_S = 30.0
"""For anything that a program is to do: the work of milliseconds, on a machine that is busy."""
LOOK_S = 0.002
CONFIRMED = (b"sent", b"settled", b"batched", b"appended", b"committed", b"published")


class Failed(Exception):
    """Something that must not be, or that must be and did not come."""


class Program:
    """One process. Its lines go to the history as they come."""

    def __init__(self, world: "World", process: str, command: list[str]) -> None:
        self.process = process
        self.world = world
        self.words: dict[str, int] = {}
        self.lines: list[str] = []
        self.errors = world.directory / f"{process}.stderr"
        with open(self.errors, "wb") as errors:
            self.popen = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self.popen.pid

    def _read(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self.world.history.add(self.process, line)
            words = line.split(b" ")
            if len(words) < 2:
                continue  # The last line of one that was killed may be cut.
            word = words[1].strip()
            with self.world.changed:
                name = word.decode()
                self.words[name] = self.words.get(name, 0) + 1
                if self.world.keeps_lines:
                    self.lines.append(line.decode().strip())
                if word in CONFIRMED and b" OK " in line:
                    self.world.confirmed += 1
                if word == b"fault":
                    self.world.faults.append(f"{self.process}: {line.decode().strip()}")
                self.world.changed.notify_all()
        self.world.history.close(self.process)

    def waits_for(self, word: str, count: int = 1) -> None:
        """Wait until it has said a word so often."""
        self.world.until(lambda: self.words.get(word, 0) >= count, f"{self.process} says {word}")

    def asks(self, text: str) -> None:
        """Write a line to its standard input."""
        assert self.popen.stdin is not None
        self.popen.stdin.write(text.encode() + b"\n")
        self.popen.stdin.flush()

    def signal(self, which: signal.Signals) -> None:
        """Send a signal; the process is ours and not yet waited for, so the number is its own."""
        self.popen.send_signal(which)

    def kill(self) -> None:
        """End it at once, wherever it is."""
        role = "host" if self.world.host() is self else "other"
        self.world.note("kill", self.process, role)
        if self.popen.poll() is not None:
            return self.reap()  # It had ended before.
        self.signal(signal.SIGKILL)
        return self.reap()

    def stop(self) -> None:
        """Pause it."""
        self.world.note("stop", self.process)
        self.signal(signal.SIGSTOP)
        # Its threads stop one after the other; this is told when the last one has.
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)

    def go(self) -> None:
        """Let it go on."""
        self.world.note("go", self.process)
        self.signal(signal.SIGCONT)

    def end(self) -> None:
        """Ask for its good end."""
        role = "host" if self.world.host() is self else "other"
        self.world.note("ends", self.process, role)
        assert self.popen.stdin is not None
        self.popen.stdin.close()

    def ends_well(self) -> None:
        """Wait for that."""
        try:
            code = self.popen.wait(PATIENCE_S * 2)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.process} does not end") from None
        self.reap()
        if code != 0:
            raise Failed(f"{self.process} ended with code {code}")

    def reap(self) -> None:
        """Wait for its end, and for the last of what it has said."""
        self.popen.wait(PATIENCE_S)
        self.reader.join(PATIENCE_S)
        assert self.popen.stdin is not None
        if not self.popen.stdin.closed:
            self.popen.stdin.close()

    def abandon(self) -> None:
        """Make sure that it is gone."""
        if self.popen.poll() is None:
            self.popen.kill()
        self.reap()


class World:
    """A directory, the programs that share it, and their history."""

    def __init__(self, directory: Path, *, keeps_lines: bool = False) -> None:
        self.directory = directory
        directory.mkdir(parents=True)
        self.hub = directory / "hub"
        self.history = History(directory / "history")
        self.changed = threading.Condition()
        self.confirmed = 0
        self.faults: list[str] = []
        self.keeps_lines = keeps_lines
        self.programs: list[Program] = []

    def note(self, *fields: str) -> None:
        """Add a line of the harness's own."""
        line = f"{time.monotonic_ns() // 1000} {' '.join(fields)}\n"
        self.history.add(HARNESS, line.encode())

    def start(self, process: str, command: list[str]) -> Program:
        """Start a program."""
        program = Program(self, process, command)
        self.programs.append(program)
        return program

    def worker(self, language: str, process: str, seed: int, *roles: str) -> Program:
        """Start a worker."""
        command = [*WORKERS[language], str(self.hub), process, str(seed), *roles]
        return self.start(process, command)

    def host_pid(self) -> int:
        """The process that says in the lock that it hosts; 0 if none ever has."""
        try:
            return int((self.hub / "LOCK").read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def host(self) -> Program | None:
        """The program that hosts; None while nobody does, or nobody has said so."""
        pid = self.host_pid()
        running = (each for each in self.programs if each.popen.returncode is None)
        return next((each for each in running if each.pid == pid), None)

    def until(self, condition: Callable[[], bool], what: str, limit_s: float = PATIENCE_S) -> None:
        """Wait until something is so. A program that has met a fault ends every wait."""
        end = time.monotonic() + limit_s
        with self.changed:
            while not condition():
                if self.faults:
                    raise Failed("; ".join(self.faults))
                left = end - time.monotonic()
                if left <= 0:
                    raise Failed(f"never came: {what}")
                # Not everything that is waited for wakes this.
                self.changed.wait(min(left, LOOK_S))

    def forget(self, program: Program) -> None:
        """It has ended."""
        self.programs.remove(program)

    def close(self) -> None:
        """End every program that is left."""
        for program in self.programs:
            program.abandon()
        self.programs.clear()
        self.history.close(HARNESS)
