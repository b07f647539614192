"""Consumers of four languages killed with `kill -9`; `make idempotent` builds what it needs."""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import telpher

IDEMPOTENT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ["IDEMPOTENT_BUILD"])
COMMANDS: dict[str, list[str | Path]] = {
    "python": [sys.executable, IDEMPOTENT / "consumer.py"],
    "node": ["node", IDEMPOTENT / "consumer.mjs"],
    "c": [BUILD / "consumer"],
    "rust": [BUILD / "idempotent"],
}
LANGUAGES = os.environ["IDEMPOTENT_LANGUAGES"].split()
"""Those that could be built here; the makefile says which could not."""

READER = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN")
database.execute("SELECT * FROM seen").fetchall()
print("reading", flush=True)
sys.stdin.read()
"""
"""A program of its own: SQLite takes all connections of a process for one, as locks go."""

HOST = """
import sys, telpher
with telpher.open(sys.argv[1]):
    print("hosting", flush=True)
    sys.stdin.read()
"""

PATIENCE_S = 30
LOOK_S = 0.002
NO_PAYMENTS = [b"", b"ada", b"ada ", b"ada much", b"Ada 5", b"ada 5 ", b"ada  5", b"ada 5-5"]
NO_PAYMENTS += [b"ada +5", b"ada 5\n", b"ada 5\x006", b"ada 1234567890123456", b"a" * 33 + b" 1"]
KILLS = 8
PAYMENTS = 160
LINES_MAX = 16
PAUSE_S_MAX = 0.004


class Consumer:
    """A consumer that runs."""

    def __init__(self, language: str, directory: Path) -> None:
        arguments = [directory / "data", directory / "bank.db"]
        command = [str(word) for word in [*COMMANDS[language], *arguments]]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def line(self) -> str:
        """The next line that it says."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")

    def kill(self) -> None:
        """End it without a chance to do anything more."""
        self._process.kill()
        assert self._process.wait(PATIENCE_S) == -signal.SIGKILL

    def close(self) -> None:
        """The end of the test."""
        self._process.kill()
        self._process.communicate()


Start = Callable[[str], Consumer]


class Bank:
    """What the consumers have written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def rows(self, table: str) -> list[Any]:
        """What stands in one of its tables."""
        with contextlib.closing(sqlite3.connect(self._path)) as database:
            return database.execute(f"SELECT * FROM {table}").fetchall()

    def seen(self) -> list[int]:
        """The ids of messages that it keeps."""
        return [message for _, message in self.rows("seen")]

    def is_committing(self) -> bool:
        """Whether somebody waits for readers to leave, to commit: new ones are not let in."""
        with contextlib.closing(sqlite3.connect(self._path, timeout=0)) as database:
            try:
                database.execute("SELECT * FROM seen").fetchall()
            except sqlite3.OperationalError as error:
                return "locked" in str(error)
        return False

    @contextlib.contextmanager
    def read(self) -> Iterator[None]:
        """A reader, before whom nobody can commit."""
        with program(READER, self._path):
            yield


@contextlib.contextmanager
def program(text: str, argument: Path) -> Iterator[subprocess.Popen[str]]:
    """A program of ours that has said its first line, and ends when its input does."""
    command = [sys.executable, "-c", text, str(argument)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as running:
        assert running.stdout is not None
        running.stdout.readline()
        try:
            yield running
        finally:
            running.communicate()


def until(holds: Callable[[], bool]) -> None:
    """Wait until something is so."""
    ends = time.monotonic() + PATIENCE_S
    never = threading.Event()
    while not holds():
        assert time.monotonic() < ends, "not in time"
        never.wait(LOOK_S)


def is_empty(queue: telpher.Queue) -> bool:
    """Whether all that was in the queue has been acknowledged."""
    info = queue.inspect()
    return info.ready + info.held + info.delayed == 0


def other(language: str) -> str:
    """Another language, if there is one."""
    return LANGUAGES[(LANGUAGES.index(language) + 1) % len(LANGUAGES)]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts consumers, which end with the test."""
    with contextlib.ExitStack() as all_of_them:

        def start_one(language: str) -> Consumer:
            consumer = Consumer(language, tmp_path)
            all_of_them.callback(consumer.close)
            assert consumer.line() == "ready"
            return consumer

        yield start_one


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[telpher.Queue]:
    """The queue of payments, in a hub that this process hosts."""
    with telpher.open(str(tmp_path / "data")) as hub:
        payments = hub.queue("payments")
        payments.declare()
        yield payments


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_payment_counts_once_though_consumers_that_host_the_hub_are_killed(
    language: str, tmp_path: Path, start: Start
) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    expected = dict.fromkeys(("ada", "bob", "cyd"), 0)
    consumer = start(language)
    with telpher.open(str(tmp_path / "data"), host="never") as hub:
        payments, sends = hub.queue("payments"), []
        for _ in range(PAYMENTS):
            account, amount = chance.choice(list(expected)), chance.randint(-99, 999)
            expected[account] += amount
            sends.append(payments.start.send(f"{account} {amount}".encode(), timeout=PATIENCE_S))
        for _ in range(KILLS):
            for _ in range(chance.randint(1, LINES_MAX)):
                consumer.line()
            threading.Event().wait(chance.uniform(0, PAUSE_S_MAX))
            consumer.kill()
            consumer = start(language)
        for send in sends:
            send.result()
        until(lambda: is_empty(payments))
        consumer.kill()
    bank = Bank(tmp_path / "bank.db")
    assert dict(bank.rows("accounts")) == expected
    assert len(bank.seen()) <= KILLS + 1, "one id is left of each consumer that was killed"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_consumer_killed_between_commit_and_acknowledgement_has_paid_once(
    language: str, tmp_path: Path, start: Start
) -> None:
    bank = Bank(tmp_path / "bank.db")
    with (
        program(HOST, tmp_path / "data") as host,
        telpher.open(str(tmp_path / "data"), host="never") as hub,
    ):
        queue = hub.queue("payments")
        killed = start(language)
        with bank.read():
            first = queue.send(b"ada 5").message_id
            until(bank.is_committing)
            host.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, host.pid, os.WSTOPPED | os.WNOWAIT)
        until(lambda: bank.seen() == [first])
        killed.kill()  # what it has said to the hub since the commit, nobody has read
        host.kill()
        assert bank.rows("accounts") == [("ada", 5)]
        following = start(other(language))
        assert following.line() == f"seen {first}"
        second = queue.send(b"ada 7").message_id
        assert following.line() == f"applied {second}"
        until(lambda: is_empty(queue))
        following.kill()
    assert bank.rows("accounts") == [("ada", 12)]
    assert bank.seen() == [second], "the first is acknowledged, and its id forgotten"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_consumer_killed_before_the_commit_has_not_paid_and_the_next_one_does(
    language: str, tmp_path: Path, queue: telpher.Queue, start: Start
) -> None:
    bank = Bank(tmp_path / "bank.db")
    killed = start(language)
    with bank.read():
        sent = queue.send(b"ada 5").message_id
        until(bank.is_committing)
        killed.kill()
    assert bank.rows("accounts") == bank.rows("seen") == []
    following = start(other(language))
    assert following.line() == f"applied {sent}"
    until(lambda: is_empty(queue))
    following.kill()
    assert bank.rows("accounts") == [("ada", 5)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_no_payment_is_a_dead_letter_and_the_next_is_paid(
    language: str, tmp_path: Path, queue: telpher.Queue, start: Start
) -> None:
    consumer = start(language)
    for body in NO_PAYMENTS:
        queue.send(body)
    for body in (b"ada -5", b"a" * 32 + b" 999999999999999"):
        sent = queue.send(body).message_id
        assert consumer.line() == f"applied {sent}"
    until(lambda: is_empty(queue))
    consumer.kill()
    assert queue.inspect().dead_lettered == len(NO_PAYMENTS)
    with telpher.open(str(tmp_path / "data")) as hub:
        for body in NO_PAYMENTS:
            with hub.queue("payments.dead").receive(timeout=PATIENCE_S) as letter:
                assert letter.body == body
                assert letter.headers["telpher.error"] == b"not a payment"
    accounts = [("a" * 32, 999999999999999), ("ada", -5)]
    assert sorted(Bank(tmp_path / "bank.db").rows("accounts")) == accounts


def test_a_dead_letter_keeps_its_id_and_what_is_sent_back_has_a_new_one(
    tmp_path: Path, queue: telpher.Queue
) -> None:
    sent = queue.send(b"ada 5").message_id
    queue.receive().reject()
    with telpher.open(str(tmp_path / "data")) as hub:
        letter = hub.queue("payments.dead").receive(timeout=PATIENCE_S)
        assert letter.message_id == sent
        back = hub.batch()
        back.send("payments", letter.body)
        back.acknowledge(letter)
        back.submit()
    assert queue.receive().message_id != sent


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_arguments_a_consumer_says_how_it_is_used(language: str) -> None:
    command = [str(word) for word in COMMANDS[language]]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    assert ran.returncode != 0
    assert "URL DATABASE" in ran.stderr
