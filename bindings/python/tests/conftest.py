"""What the tests share."""

import asyncio
import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import telpher
import uvloop

_NUMBERS = itertools.count()

LATE = (telpher.Expired, telpher.TimedOut, telpher.HostUnresponsive)
"""How an operation may end whose time is over; the last if a busy machine kept the hub waiting."""


@pytest.fixture
def url() -> str:
    """A hub of this process that no other test uses."""
    return f"mem://test-{next(_NUMBERS)}"


@pytest.fixture
def hub(url: str) -> Iterator[telpher.Hub]:
    """An open hub."""
    with telpher.open(url) as hub:
        yield hub


@pytest.fixture
def queue(hub: telpher.Hub) -> telpher.Queue:
    """An empty queue."""
    queue = hub.queue("work")
    queue.declare()
    return queue


@pytest.fixture
def log(hub: telpher.Hub) -> telpher.Stream:
    """An empty stream with one partition."""
    stream = hub.stream("log")
    stream.declare()
    return stream


def append_numbers(stream: telpher.Stream, numbers: range) -> list[telpher.Appended]:
    """Appends each number, all on their way at once."""
    started = [stream.start.append(b"%d" % number) for number in numbers]
    return [operation.result(20) for operation in started]


def bodies(reader: telpher.Reader) -> list[bytes]:
    """Everything up to the reader's end."""
    return [record.body for record in reader]


Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Runs a coroutine on a loop of each kind."""
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner.run


class Script:
    """A program of its own, which may be sent signals."""

    def __init__(self, code: str) -> None:
        self._errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(code)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def reads(self) -> str:
        """The next line that the program prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def tells(self, line: str) -> None:
        """Give the program a line to read."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def stop(self) -> None:
        """Pause it, and wait until the last of its threads has stopped."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

    def go(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def ends(self, timeout: float = 20) -> tuple[int, str, str]:
        """Its exit code and what else it printed; fails if it does not end in time."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        code = self.process.wait(timeout)
        self._errors.seek(0)
        return code, self.process.stdout.read(), self._errors.read()

    def close(self) -> None:
        """Makes sure that the program is gone."""
        if self.process.poll() is None:
            self.process.kill()
        with self.process, self._errors:
            pass


@pytest.fixture
def script() -> Iterator[Callable[[str], Script]]:
    """Starts programs, and makes sure that they are gone afterwards."""
    started: list[Script] = []

    def start(code: str) -> Script:
        started.append(Script(code))
        return started[-1]

    yield start
    for made in started:
        made.close()


@pytest.fixture
def directory(tmp_path: Path) -> str:
    """A directory hub that no other test uses."""
    return str(tmp_path / "hub")


@pytest.fixture
def host(script: Callable[[str], Script], directory: str) -> Script:
    """Another program, which hosts the directory."""
    host = script(f"""
        import sys, telpher
        hub = telpher.open({directory!r})
        print("hosting", flush=True)
        sys.stdin.read()
    """)
    assert host.reads() == "hosting"
    return host


class Line:
    """A connection to a Unix socket that can be cut, and mended."""

    def __init__(self, own: str, other: str) -> None:
        self._other = other
        self._ends: list[socket.socket] = []
        self._is_whole = threading.Event()
        self._is_whole.set()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(own)
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def cut(self) -> None:
        """End the connection, and let none through."""
        self._is_whole.clear()
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let the next connection through."""
        self._is_whole.set()

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self.cut()
        self.mend()
        for thread in self._threads:
            thread.join(20)
        for end in (self._listener, *self._ends):
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # The listener was shut down.
            while True:
                near, _ = self._listener.accept()
                far = socket.socket(socket.AF_UNIX)
                self._ends += [near, far]
                self._is_whole.wait()
                far.connect(self._other)
                for pair in ((near, far), (far, near)):
                    self._threads.append(threading.Thread(target=self._carry, args=pair))
                    self._threads[-1].start()

    @staticmethod
    def _carry(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)
