"""Programs that run side by side in one terminal.

Each line that a program says is shown behind its name. A program has started when it says `ready`.
A thread for each program reads its lines into one queue; all else happens in the thread that calls.
Nothing waits without a bound, and no program outlives the stage.
"""

import math
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

READY_SECONDS = 60
END_SECONDS = 10
NAME_WIDTH = 9
COLOURS = {"collector": 36, "scorer": 33, "producer": 35, "worker": 32, "demo": 1}
COLOURS |= {"append": 35, "table": 36, "daily": 32, "replay": 33, "check": 34}


class Failed(Exception):
    """A program ended badly, or not in time."""


@dataclass
class Program:
    """A program that was started."""

    name: str
    process: subprocess.Popen[str]
    may_end: bool = False
    is_killed: bool = False
    lines: list[str] = field(default_factory=list)
    code: int | None = None

    def has_said(self, words: str) -> bool:
        """Whether these words stood in a line of it."""
        return any(words in line for line in self.lines)

    def tell(self, signal_number: signal.Signals | None) -> None:
        """End its input, and send it a signal."""
        self.may_end = True
        if self.process.stdin is not None:
            self.process.stdin.close()
        if self.code is None and signal_number is not None:
            self.process.send_signal(signal_number)


class Stage:
    """The programs that run, and what they say."""

    def __init__(self, seconds: float) -> None:
        self._until_when = time.monotonic() + seconds
        self._programs: list[Program] = []
        self._events: queue.SimpleQueue[tuple[Program, str | None]] = queue.SimpleQueue()
        self._painter: Program | None = None
        self._held: list[tuple[str, str]] = []

    def start(self, name: str, *command: object, paints: bool = False) -> Program:
        """Start a program.

        One that `paints` has the terminal for itself, by its standard error, from when all have
        started to its next line.
        """
        program = Program(name, _process(command, paints))
        self._programs.append(program)
        threading.Thread(target=self._read, args=(program,), daemon=True).start()
        return program

    def ready(self, *programs: Program) -> None:
        """Wait until these say that they are ready."""
        for program in programs:
            self._until(program, lambda each: each.has_said("ready"), "ready", READY_SECONDS)

    def wait_for(self, program: Program, words: str) -> None:
        """Wait for a line of `program` with these words."""
        self._until(program, lambda each: each.has_said(words), "done", math.inf)

    def finish(self, *programs: Program, by: signal.Signals | None = None) -> None:
        """End the input of programs, send them a signal, and see that they end well."""
        for program in programs:
            program.tell(by)
        for program in programs:
            self._until(program, lambda each: each.code is not None, "gone", END_SECONDS)

    def kill(self, program: Program) -> None:
        """Kill a program, which has no time to say goodbye, and see it gone."""
        program.is_killed = True
        program.process.kill()
        self._until(program, lambda each: each.code is not None, "gone", END_SECONDS)

    def hold_for(self, painter: Program) -> None:
        """Keep the lines of all others until `painter` says one, if it has a terminal."""
        if sys.stderr.isatty():
            self._painter = painter

    def end_all(self) -> None:
        """End whatever still runs, the last started first; kill what does not end."""
        try:
            for program in reversed(self._programs):
                program.tell(signal.SIGTERM)
                self._drain(program)
        finally:
            for program in self._programs:
                if program.code is None:
                    program.process.kill()
                    self.say(f"{program.name} did not end by itself, and was killed")
            self._release()

    def say(self, line: str, name: str = "demo") -> None:
        """Show a line behind a name, or keep it while a program paints."""
        if self._painter is not None:
            self._held.append((line, name))
            return
        start = f"{name:{NAME_WIDTH}} │ "
        if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
            start = f"\x1b[{COLOURS.get(name.split()[0], 0)}m{start}\x1b[0m"
        print(start + line, flush=True)

    def _read(self, program: Program) -> None:
        assert program.process.stdout is not None
        for line in program.process.stdout:
            self._events.put((program, line.rstrip("\n")))
        self._events.put((program, None))

    def _until(
        self, program: Program, holds: Callable[[Program], bool], what: str, seconds: float
    ) -> None:
        until = min(self._until_when, time.monotonic() + seconds)
        while not holds(program):
            if program.code is not None:
                raise Failed(f"{program.name} ended before it was {what}")
            try:
                self._take(*self._events.get(timeout=max(until - time.monotonic(), 0)))
            except queue.Empty:
                raise Failed(f"{program.name} was not {what} in time") from None

    def _take(self, program: Program, line: str | None) -> None:
        if line is not None:
            program.lines.append(line)
            self._show(program, line)
            return
        program.code = program.process.wait(END_SECONDS)
        if not program.is_killed and (program.code != 0 or not program.may_end):
            raise Failed(f"{program.name} ended, with exit code {program.code}")

    def _drain(self, program: Program) -> None:
        until = time.monotonic() + END_SECONDS
        while program.code is None and time.monotonic() < until:
            try:
                self._take(*self._events.get(timeout=max(until - time.monotonic(), 0)))
            except (Failed, queue.Empty):
                continue

    def _show(self, program: Program, line: str) -> None:
        if self._painter is program:
            self._release()
        self.say(line, program.name)

    def _release(self) -> None:
        self._painter = None
        held, self._held = self._held, []
        for line, name in held:
            self.say(line, name)


def _process(command: Sequence[object], paints: bool) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if paints else subprocess.STDOUT,
            text=True,
            errors="replace",
            env=_environment(),
            process_group=0,  # Ctrl-C comes to us alone, and the programs end in order.
        )
    except OSError as error:
        raise Failed(f"{command[0]} cannot be started: {error.strerror}") from None


def _environment() -> Mapping[str, str]:
    """The programs write into a pipe, but what they write is for this terminal."""
    environment = dict(os.environ)
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns - NAME_WIDTH - 3
        environment |= {"COLUMNS": str(width)}
        if "NO_COLOR" not in environment:
            environment |= {"FORCE_COLOR": "1"}
    return environment
