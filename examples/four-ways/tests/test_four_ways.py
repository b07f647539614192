"""The example as a whole, in short, as `make four-ways` runs it."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from run import FAULTS
from table import COLUMNS
from trial import BLOCKING, FLYING, QUEUE, STREAM, WAYS, Row, Way

HERE = Path(__file__).parents[1]
SECONDS = "0.3"
KEEPING = (QUEUE.name, STREAM.name)


@dataclass
class Run:
    """What a run has printed and measured."""

    printed: str
    rows: list[Row]

    def of(self, way: Way, fault: str) -> Row:
        """The row of one way under one fault."""
        (row,) = (row for row in self.rows if (row.way, row.fault) == (way.name, fault))
        return row


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    figures = tmp_path_factory.mktemp("run") / "rows.json"
    command = [sys.executable, str(HERE / "run.py"), "--seconds", SECONDS, "--json", str(figures)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stderr == ""
    return Run(ended.stdout, [Row(**row) for row in json.loads(figures.read_text())])


def test_the_table_has_a_row_for_every_way_under_every_fault(run: Run) -> None:
    _, *blocks = run.printed.split("\n\nWhich to use when")[0].split("\n\n")
    assert [block.split(":")[0] for block in blocks] == [fault.name for fault in FAULTS]
    for block in blocks:
        rows = [line for line in block.splitlines()[2:] if not line.startswith("  errors, ")]
        for way, row in zip(WAYS, rows, strict=True):
            assert row.startswith(f"  {way.name} ")
            assert len(row.removeprefix(f"  {way.name} ").split()) == len(COLUMNS)


def test_every_order_is_done_or_counts_as_lost(run: Run) -> None:
    for row in run.rows:
        assert row.done > 0, row
        assert row.done + row.lost == row.orders, row
        assert row.in_time + row.late == row.done, row


def test_nothing_is_lost_that_was_confirmed(run: Run) -> None:
    assert {row.broken for row in run.rows} == {0}


def test_whatever_is_lost_was_told_to_the_shop_as_an_error(run: Run) -> None:
    for row in run.rows:
        assert row.lost + row.unsure <= 2 * sum(row.errors.values()), row
        assert row.lost <= sum(row.errors.values()), row


def test_a_queue_and_a_stream_lose_no_order_to_a_dead_worker(run: Run) -> None:
    for fault in ("dead service", "dead service, no ids"):
        for way in (QUEUE, STREAM):
            row = run.of(way, fault)
            assert row.done >= row.orders - sum(row.errors.values()), row
            assert row.half == 0, row


def test_calls_to_a_dead_service_are_lost_and_say_why(run: Run) -> None:
    for way in (BLOCKING, FLYING):
        row = run.of(way, "dead service")
        assert row.errors["NO_SERVICE"] > 0, row
        assert row.lost >= row.errors["NO_SERVICE"], row


def test_of_calls_that_were_refused_unrun_nothing_was_done(run: Run) -> None:
    for way in (BLOCKING, FLYING):
        for fault in ("dead service", "overload"):
            row = run.of(way, fault)
            refused = (row.errors.get(kind, 0) for kind in ("NO_SERVICE", "BUSY", "EXPIRED"))
            assert row.done <= row.orders - sum(refused), row


def test_with_ids_nothing_is_done_twice(run: Run) -> None:
    for row in run.rows:
        assert row.twice == 0 or "no ids" in row.fault, row


def test_without_ids_what_is_sent_twice_is_done_twice(run: Run) -> None:
    for way in WAYS:
        row = run.of(way, "duplicates, no ids")
        assert row.sent_twice > 0, row
        assert row.sent_twice - sum(row.errors.values()) <= row.twice <= row.sent_twice, row


def test_too_many_calls_at_once_are_refused_as_busy(run: Run) -> None:
    assert run.of(FLYING, "overload").errors["BUSY"] > 0


def test_only_blocking_calls_hold_a_thread_for_each_order(run: Run) -> None:
    for row in run.rows:
        assert (row.threads > 1) == (row.way == BLOCKING.name), row
