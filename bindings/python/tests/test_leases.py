"""Jobs that are taken back after a time, and how that time is moved."""

import math

import pytest
import telpher
import telpher.aio
from conftest import Run

SOON = 0.05
"""Seconds of a deadline that is let pass."""

BRIEF = 1.0
"""Seconds of a deadline before which a test does something."""


def queue_of(hub: telpher.Hub, ack_deadline: float) -> telpher.Queue:
    """A queue that takes its messages back, and tries them again at once."""
    queue = hub.queue("hasty")
    queue.declare(ack_deadline=ack_deadline, backoff_min=0.001)
    return queue


def taken_at_leisure(queue: telpher.Queue) -> telpher.Job:
    """The next message, held for a minute."""
    with queue.consume(prefetch=1, ack_deadline=60) as consumer:
        return consumer.receive(timeout=10)


def test_a_job_held_too_long_is_taken_back_as_failed(hub: telpher.Hub) -> None:
    queue = queue_of(hub, SOON)
    queue.send(b"slow")
    late = queue.receive()
    again = taken_at_leisure(queue)
    assert (again.body, again.failures, again.redelivered) == (b"slow", 1, True)
    with pytest.raises(telpher.LeaseLost) as caught:
        late.acknowledge()
    assert not caught.value.maybe_executed
    for verdict in (late.acknowledge, late.reject, late.requeue, late.release, late.extend):
        with pytest.raises((telpher.LeaseLost, telpher.Stale)):
            verdict()
    again.acknowledge()
    said = queue.inspect()
    assert (said.acknowledged, said.requeued, said.rejected) == (1, 1, 0)


def test_the_end_of_a_block_that_took_too_long_is_lease_lost(hub: telpher.Hub) -> None:
    queue = queue_of(hub, SOON)
    queue.send(b"slow")
    with pytest.raises(telpher.LeaseLost), queue.receive():
        again = taken_at_leisure(queue)
    again.acknowledge()


def test_a_job_that_is_late_at_its_last_attempt_is_a_dead_letter(hub: telpher.Hub) -> None:
    queue = hub.queue("late")
    queue.declare(ack_deadline=SOON, max_attempts=1)
    queue.send(b"slow")
    hub.queue("late.dead").declare()
    late = queue.receive()
    with hub.queue("late.dead").receive(timeout=10) as letter:
        assert (letter.body, letter.headers["telpher.reason"]) == (b"slow", b"late")
    with pytest.raises(telpher.LeaseLost):
        late.extend()


def test_an_extended_job_is_still_held_when_another_is_taken_back(hub: telpher.Hub) -> None:
    queue = queue_of(hub, BRIEF)
    queue.send(b"extended")
    queue.send(b"not extended")
    extended = queue.receive()
    extended.extend(60)
    queue.receive()
    assert taken_at_leisure(queue).body == b"not extended"
    extended.acknowledge()
    assert queue.inspect().acknowledged == 1


def test_a_shorter_time_may_be_asked_for_too(hub: telpher.Hub) -> None:
    queue = queue_of(hub, 60)
    queue.send(b"")
    job = queue.receive()
    job.extend(SOON)
    assert taken_at_leisure(queue).failures == 1
    with pytest.raises(telpher.LeaseLost):
        job.acknowledge()


def test_extending_without_a_time_is_the_whole_deadline_again(hub: telpher.Hub) -> None:
    queue = queue_of(hub, BRIEF)
    queue.send(b"")
    job = queue.receive()
    job.extend(60)
    job.start.extend().result(20)
    assert taken_at_leisure(queue).failures == 1
    with pytest.raises(telpher.LeaseLost):
        job.acknowledge()


def test_a_consumer_may_set_a_deadline_of_its_own(queue: telpher.Queue) -> None:
    queue.send(b"")
    with queue.consume(prefetch=1, ack_deadline=SOON) as consumer:
        late = consumer.receive(timeout=10)
    again = queue.receive(timeout=10)
    assert again.failures == 1
    with pytest.raises(telpher.LeaseLost):
        late.acknowledge()
    again.acknowledge()


def test_extending_a_job_without_a_deadline_does_nothing(queue: telpher.Queue) -> None:
    queue.send(b"")
    with queue.receive() as job:
        job.extend()
        job.extend(0.001)
    assert queue.inspect().acknowledged == 1
    with pytest.raises(telpher.Stale):
        job.extend()


@pytest.mark.parametrize("seconds", [0, -1, 86400.5, math.inf, math.nan])
def test_a_time_outside_of_its_limits_is_refused_with_both(
    queue: telpher.Queue, seconds: float
) -> None:
    queue.send(b"")
    with queue.receive() as job:
        for operation in (
            lambda: job.extend(seconds),
            lambda: job.start.extend(seconds),
            lambda: queue.consume(ack_deadline=seconds),
        ):
            with pytest.raises(telpher.Invalid, match=r" s; allowed are 0\.001 to 86400 and"):
                operation()
    assert queue.inspect().acknowledged == 1


def test_asyncio_extends_too(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub:
            queue = hub.queue("work")
            await queue.declare(backoff_min=0.001)
            for body in (b"extended", b"not extended"):
                await queue.send(body)
            async with queue.consume(prefetch=2, ack_deadline=BRIEF) as consumer:
                extended = await consumer.receive()
                await extended.extend(60)
                late = await consumer.receive()
            again = await queue.receive(timeout=10)
            assert (again.body, again.failures) == (b"not extended", 1)
            with pytest.raises(telpher.LeaseLost):
                await late.acknowledge()
            await extended.acknowledge()
            await again.acknowledge()
            with pytest.raises(telpher.Stale):
                await again.extend()
            with pytest.raises(telpher.Invalid, match=r"allowed are 0\.001 to 86400"):
                await again.extend(0)
            with pytest.raises(telpher.Invalid, match="ack_deadline is 0 s"):
                queue.consume(ack_deadline=0)

    run(main())
