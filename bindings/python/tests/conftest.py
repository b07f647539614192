"""What the tests share."""

import asyncio
import itertools
import subprocess
import sys
import textwrap
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import telpher
import uvloop

_NUMBERS = itertools.count()


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


Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Runs a coroutine on a loop of each kind."""
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner.run


class Script:
    """A program of its own, which may be sent signals."""

    def __init__(self, code: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(code)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def reads(self) -> str:
        """The next line that the program prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ends(self, timeout: float = 20) -> tuple[int, str, str]:
        """Its exit code and what else it printed; fails if it does not end in time."""
        out, err = self.process.communicate(timeout=timeout)
        return self.process.returncode, out, err


@pytest.fixture
def script() -> Iterator[Callable[[str], Script]]:
    """Starts programs, and makes sure that they are gone afterwards."""
    started: list[Script] = []

    def start(code: str) -> Script:
        started.append(Script(code))
        return started[-1]

    yield start
    for made in started:
        if made.process.poll() is None:
            made.process.kill()
        made.process.communicate()


@pytest.fixture
def directory(tmp_path: Path) -> str:
    """A directory hub that no other test uses."""
    return str(tmp_path / "hub")
