"""What becomes of the orders that a worker had in hand when it ended."""

import contextlib
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import telpher

from ledger import Ledger
from order import CHARGE, CHARGE_S, HANDS, SHIP, Order
from trial import BLOCKING, QUEUE, STREAM, Program, Way, declare, is_worked_off, running, until

ENDLESS_S = 60.0
NAME = "orders"

Start = Callable[..., Program]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[telpher.Hub]:
    with telpher.open(tmp_path / "data") as hub:
        yield hub


@pytest.fixture
def start(hub: telpher.Hub, tmp_path: Path) -> Iterator[Start]:
    """Starts workers, which end with the test."""
    with contextlib.ExitStack() as programs:

        def start_one(way: Way, *options: str) -> Program:
            arguments = [tmp_path / "data", NAME, way.worker, tmp_path / "ledger", *options]
            worker = programs.enter_context(running("worker.py", *arguments))
            worker.expect("ready")
            return worker

        yield start_one


def times(directory: Path, step: str) -> Counter[int]:
    """How often a step was done, for each order."""
    with contextlib.closing(Ledger(str(directory / "ledger"), notes_ids=False)) as ledger:
        return Counter(number for number, _ in ledger.effects(step))


def test_a_call_that_a_killed_worker_had_in_hand_may_have_run_and_the_next_has_not(
    hub: telpher.Hub, start: Start
) -> None:
    worker = start(BLOCKING)
    in_hand = hub.start.call(NAME, Order(1, ENDLESS_S).body())
    hub.call(NAME, Order(2, CHARGE_S).body())  # Handed out later than the first.
    worker.kill()
    with pytest.raises(telpher.Abandoned) as ended:
        in_hand.result()
    assert ended.value.maybe_executed
    with pytest.raises(telpher.NoService) as refused:
        hub.call(NAME, Order(3, CHARGE_S).body())
    assert not refused.value.maybe_executed


def test_a_call_to_a_worker_that_stands_still_ends_at_its_deadline(
    hub: telpher.Hub, start: Start
) -> None:
    worker = start(BLOCKING)
    worker.signal(signal.SIGSTOP)
    with pytest.raises(telpher.TimedOut) as ended:
        hub.call(NAME, Order(1, CHARGE_S).body(), timeout=0.2)
    assert ended.value.maybe_executed
    worker.signal(signal.SIGCONT)


def test_what_a_killed_worker_held_of_a_queue_is_done_by_the_next(
    hub: telpher.Hub, start: Start, tmp_path: Path
) -> None:
    declare(hub, QUEUE, NAME)
    worker = start(QUEUE)
    orders = range(3 * HANDS)
    for number in orders:
        hub.queue(NAME).send(Order(number, 0.1).body())
    until(lambda: hub.queue(NAME).inspect().held == HANDS)
    worker.kill()
    start(QUEUE)
    until(lambda: is_worked_off(hub, QUEUE, NAME))
    assert times(tmp_path, CHARGE) == times(tmp_path, SHIP) == Counter(orders)


def test_the_place_of_a_stream_goes_on_where_the_killed_worker_had_committed(
    hub: telpher.Hub, start: Start, tmp_path: Path
) -> None:
    declare(hub, STREAM, NAME)
    orders = range(4 * HANDS)
    worker = start(STREAM, "--no-ids")
    for number in orders:
        hub.stream(NAME).append(Order(number, 0.0).body(), key=b"%d" % number)
        if number == len(orders) // 2:
            until(lambda: is_worked_off(hub, STREAM, NAME))
            worker.kill()
    start(STREAM, "--no-ids")
    until(lambda: is_worked_off(hub, STREAM, NAME))
    # Each once, and without ids: nothing of what was committed has come again.
    assert times(tmp_path, SHIP) == Counter(orders)


def test_a_queue_with_a_bound_refuses_what_is_too_much_and_keeps_what_it_took(
    hub: telpher.Hub, start: Start, tmp_path: Path
) -> None:
    hub.queue(NAME).declare(length_max=HANDS, overflow="reject")
    for number in range(HANDS):
        hub.queue(NAME).send(Order(number, CHARGE_S).body())
    with pytest.raises(telpher.Full) as refused:
        hub.queue(NAME).send(Order(HANDS, CHARGE_S).body())
    assert not refused.value.maybe_executed
    start(QUEUE)
    until(lambda: is_worked_off(hub, QUEUE, NAME))
    assert times(tmp_path, SHIP) == Counter(range(HANDS))
