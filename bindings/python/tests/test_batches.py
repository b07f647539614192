"""Sends and settlements that are done all or not at all."""

import concurrent.futures
import threading
from collections.abc import Callable, Iterator

import pytest
import telpher
from conftest import Script

SOON = 0.05
"""Seconds of a time limit that runs out."""


@pytest.fixture
def out(hub: telpher.Hub) -> telpher.Queue:
    """A second queue."""
    queue = hub.queue("out")
    queue.declare()
    return queue


@pytest.fixture
def job(queue: telpher.Queue) -> telpher.Job:
    """A job of the first queue."""
    queue.send(b"body")
    return queue.receive()


def test_all_parts_of_a_batch_are_done(
    hub: telpher.Hub, queue: telpher.Queue, out: telpher.Queue
) -> None:
    for index in range(4):
        queue.send(b"%d" % index)
    jobs = [queue.receive() for _ in range(4)]
    with hub.batch() as batch:
        batch.send("out", b"first", key=b"k", headers={"h": b"v"}, priority=3)
        batch.acknowledge(jobs[0])
        batch.send("out", bytearray(b"second"))
        batch.reject(jobs[1], reason="by a batch")
        batch.requeue(jobs[2], reason="by a batch")
        batch.release(jobs[3])
        assert batch.receipts == []
        assert out.inspect().sent == 0
    first, second = (out.receive() for _ in range(2))
    assert (first.body, first.key, first.headers, first.priority) == (
        b"first",
        b"k",
        {"h": b"v"},
        3,
    )
    assert second.body == b"second"
    assert [receipt.message_id for receipt in batch.receipts] == [
        first.message_id,
        second.message_id,
    ]
    assert {receipt.durability for receipt in batch.receipts} == {"memory"}
    said = queue.inspect()
    assert (said.acknowledged, said.rejected, said.requeued, said.held) == (1, 1, 1, 0)
    with hub.queue("work.dead").receive(timeout=10) as letter:
        assert (letter.body, letter.headers["telpher.error"]) == (b"1", b"by a batch")
    assert (queue.receive().body, queue.receive(timeout=10).failures) == (b"3", 1)


def test_a_block_that_ends_by_an_exception_submits_nothing(
    hub: telpher.Hub, queue: telpher.Queue, out: telpher.Queue, job: telpher.Job
) -> None:
    with pytest.raises(ZeroDivisionError), hub.batch() as batch:
        batch.send("out", b"")
        batch.acknowledge(job)
        raise ZeroDivisionError
    assert batch.receipts == []
    assert (out.inspect().sent, queue.inspect().held) == (0, 1)
    job.acknowledge()
    assert queue.inspect().acknowledged == 1


def test_a_refused_batch_does_nothing_and_its_jobs_can_still_be_settled(
    hub: telpher.Hub, queue: telpher.Queue, out: telpher.Queue, job: telpher.Job
) -> None:
    with pytest.raises(telpher.NotFound, match="part 2 of the batch") as caught, hub.batch() as bad:
        bad.send("out", b"")
        bad.acknowledge(job)
        bad.send("nowhere", b"")
    assert not caught.value.maybe_executed
    assert bad.receipts == []
    assert (out.inspect().sent, queue.inspect().held) == (0, 1)
    job.acknowledge()
    assert queue.inspect().acknowledged == 1


@pytest.mark.parametrize("overflow", ["wait", "reject"])
def test_a_full_queue_refuses_a_batch_at_once(
    hub: telpher.Hub, queue: telpher.Queue, job: telpher.Job, overflow: str
) -> None:
    narrow = hub.queue("narrow")
    narrow.declare(length_max=2, overflow=overflow)
    narrow.send(b"1")
    batch = hub.batch()
    batch.send("narrow", b"2")
    batch.send("narrow", b"3")
    batch.acknowledge(job)
    with pytest.raises(telpher.Full, match="part 1 of the batch"):
        batch.submit(timeout=1000)
    assert (narrow.inspect().ready, queue.inspect().held) == (1, 1)
    with narrow.receive():
        pass
    assert len(batch.submit()) == 2  # What was refused may be submitted again.
    assert (narrow.inspect().ready, queue.inspect().acknowledged) == (2, 1)


def test_a_job_that_was_settled_before_refuses_the_batch(
    hub: telpher.Hub, queue: telpher.Queue, out: telpher.Queue, job: telpher.Job
) -> None:
    for _ in range(2):
        queue.send(b"")
    other, twice = queue.receive(), queue.receive()
    job.acknowledge()
    for second in (job, twice):
        with pytest.raises(telpher.Stale), hub.batch() as batch:
            batch.send("out", b"")
            batch.acknowledge(other)
            batch.acknowledge(twice)
            batch.acknowledge(second)
    assert (out.inspect().sent, queue.inspect().acknowledged) == (0, 1)
    other.acknowledge()
    twice.acknowledge()
    assert queue.inspect().acknowledged == 3


def test_a_job_that_was_taken_back_refuses_the_batch(hub: telpher.Hub, out: telpher.Queue) -> None:
    hub.queue("hasty").declare(ack_deadline=0.05, backoff_min=0.001)
    hub.queue("hasty").send(b"")
    late = hub.queue("hasty").receive()
    with hub.queue("hasty").consume(prefetch=1, ack_deadline=60) as consumer:
        again = consumer.receive(timeout=10)
    with pytest.raises(telpher.LeaseLost, match="part 1 of the batch"), hub.batch() as batch:
        batch.send("out", b"")
        batch.acknowledge(late)
    assert out.inspect().sent == 0
    again.acknowledge()


def test_the_block_of_a_job_leaves_it_to_its_batch(
    hub: telpher.Hub, queue: telpher.Queue, out: telpher.Queue
) -> None:
    for index in range(20):
        queue.send(b"%d" % index)
    with hub.batch() as batch, queue.consume() as consumer:
        for job in consumer:
            with job:
                batch.send("out", job.body)
                batch.acknowledge(job)
            if job.body == b"19":
                break
        assert queue.inspect().acknowledged == 0
    said = queue.inspect()
    assert (said.acknowledged, said.held, out.inspect().ready) == (20, 0, 20)


def test_a_batch_within_the_block_of_a_job_settles_it(
    hub: telpher.Hub, queue: telpher.Queue, out: telpher.Queue, job: telpher.Job
) -> None:
    with job, hub.batch() as batch:
        batch.send("out", job.body)
        batch.requeue(job, "once more")
    said = queue.inspect()
    assert (said.acknowledged, said.requeued, out.inspect().ready) == (0, 1, 1)


def test_a_refused_batch_within_the_block_of_a_job_rejects_it_and_says_why(
    hub: telpher.Hub, queue: telpher.Queue, job: telpher.Job
) -> None:
    with pytest.raises(telpher.NotFound), job, hub.batch() as batch:
        batch.send("nowhere", job.body)
        batch.acknowledge(job)
    assert queue.inspect().rejected == 1
    with hub.queue("work.dead").receive(timeout=10) as letter:
        assert letter.headers["telpher.error"].startswith(b"NotFound: part 0 of the batch")


def test_what_was_left_to_a_batch_that_is_not_done_goes_back_untouched(
    hub: telpher.Hub, queue: telpher.Queue
) -> None:
    for _ in range(2):
        queue.send(b"left")
        job = queue.receive()
        with pytest.raises((ZeroDivisionError, telpher.NotFound)), hub.batch() as batch:
            with job:
                batch.acknowledge(job)
            batch.send("nowhere", b"")
            if _ == 0:
                raise ZeroDivisionError
        with queue.receive(timeout=10) as again:
            assert (again.body, again.failures, again.redelivered) == (b"left", 0, True)
        with pytest.raises(telpher.Stale):
            job.acknowledge()


def test_what_was_left_to_a_batch_that_cannot_even_start_goes_back_untouched(
    hub: telpher.Hub, queue: telpher.Queue
) -> None:
    with pytest.raises(telpher.Invalid, match="timeout"):
        hub.batch(timeout=-1)
    for sends, timeout in ((1024, 10), (1, -1)):
        queue.send(b"left")
        job, batch = queue.receive(), hub.batch()
        with job:
            batch.acknowledge(job)
        for _ in range(sends):
            batch.send("work", b"")
        with pytest.raises(telpher.Invalid):
            batch.submit(timeout=timeout)
        with queue.receive(timeout=10) as again:
            assert (again.body, again.failures, again.redelivered) == (b"left", 0, True)


def test_a_job_whose_block_failed_is_rejected_and_takes_its_batch_with_it(
    hub: telpher.Hub, queue: telpher.Queue, out: telpher.Queue, job: telpher.Job
) -> None:
    with pytest.raises(telpher.Stale), hub.batch() as batch:
        batch.send("out", b"")
        with pytest.raises(ValueError), job:
            batch.acknowledge(job)
            raise ValueError
    assert (queue.inspect().rejected, out.inspect().sent) == (1, 0)


def test_a_batch_may_be_started_and_not_waited_for(
    hub: telpher.Hub, queue: telpher.Queue, out: telpher.Queue, job: telpher.Job
) -> None:
    batch = hub.batch()
    batch.send("out", b"1")
    batch.send("out", b"2")
    batch.acknowledge(job)
    with job:
        started = batch.start.submit()
    receipts = started.result(20)
    assert receipts == batch.receipts and len(receipts) == 2
    assert started.done() and not started.cancelled() and started.exception() is None
    assert (queue.inspect().acknowledged, out.inspect().ready) == (1, 2)
    for again in (batch.submit, batch.start.submit, lambda: batch.send("out", b"")):
        with pytest.raises(telpher.Stale, match="submitted before"):
            again()
    with batch:
        pass
    assert out.inspect().ready == 2


def test_a_started_batch_that_is_refused_lets_its_jobs_be_settled(
    hub: telpher.Hub, queue: telpher.Queue, job: telpher.Job
) -> None:
    batch = hub.batch()
    batch.acknowledge(job)
    batch.send("nowhere", b"")
    with job:
        assert isinstance(batch.start.submit().exception(20), telpher.NotFound)
    assert queue.inspect().acknowledged == 1


def test_an_empty_block_does_nothing_and_an_empty_batch_is_invalid(hub: telpher.Hub) -> None:
    with hub.batch() as batch:
        pass
    assert batch.receipts == []
    for operation in (batch.submit, batch.start.submit):
        with pytest.raises(telpher.Invalid, match="parts of a batch is 0; allowed are 1 to 1024"):
            operation()


def test_a_batch_over_its_limits_is_refused_with_both(
    hub: telpher.Hub, queue: telpher.Queue, job: telpher.Job
) -> None:
    with (
        pytest.raises(telpher.Invalid, match="is 1025; allowed are 1 to 1024"),
        hub.batch() as many,
    ):
        many.acknowledge(job)
        for _ in range(1024):
            many.send("work", b"")
    with pytest.raises(telpher.TooLarge, match="9437184 bytes of messages; at most 8388608"):
        with hub.batch() as large:
            large.acknowledge(job)
            for _ in range(9):
                large.send("work", bytes(2**20))
    job.acknowledge()
    said = queue.inspect()
    assert (said.ready, said.acknowledged) == (0, 1)
    with hub.batch() as most:
        for _ in range(1024):
            most.send("work", bytes(2**13))
    assert (len(most.receipts), queue.inspect().ready) == (1024, 1024)


def test_a_wrong_part_is_refused_when_it_is_added(
    hub: telpher.Hub, queue: telpher.Queue, job: telpher.Job
) -> None:
    batch = hub.batch()
    cases: list[tuple[Callable[[], object], type[Exception], str]] = [
        (lambda: batch.send("a b", b""), telpher.Invalid, "at byte 1"),
        (lambda: batch.send("work", "text"), TypeError, "encode"),
        (lambda: batch.send("work", b"", priority=256), telpher.Invalid, "256; allowed are 0 to"),
        (lambda: batch.send("work", bytes(8388609)), telpher.TooLarge, "at most 8388608"),
        (lambda: batch.reject(job, "x" * 1025), telpher.TooLarge, "at most 1024"),
        (lambda: batch.requeue(job, reason="x" * 1025), telpher.TooLarge, "at most 1024"),
        (lambda: batch.acknowledge(7), TypeError, "not 7"),
        (lambda: batch.submit(timeout=-1), telpher.Invalid, "timeout is -1 s"),
        (lambda: batch.start.submit(timeout="1"), TypeError, "number"),
    ]
    for operation, error, text in cases:
        with pytest.raises(error, match=text):
            operation()
    with job, batch:
        batch.send("work", b"right")
        batch.acknowledge(job)
    said = queue.inspect()
    assert (said.ready, said.acknowledged) == (1, 1)


def test_a_job_of_another_hub_does_not_get_in(hub: telpher.Hub, url: str, job: telpher.Job) -> None:
    with telpher.open(url) as other, telpher.open(url + "-2") as elsewhere:
        for refuses in (other, elsewhere):
            with pytest.raises(telpher.Invalid, match="another hub"):
                refuses.batch().acknowledge(job)
    job.acknowledge()


def test_a_batch_waits_for_room_in_flight_no_longer_than_its_time(url: str) -> None:
    with telpher.open(url, in_flight_max=1) as hub:
        queue = hub.queue("work")
        queue.declare()
        hub.queue("empty").declare()
        queue.send(b"")
        job = queue.receive()
        waiting = hub.queue("empty").start.receive()
        batch = hub.batch()
        batch.acknowledge(job)
        with pytest.raises(telpher.Full):
            batch.submit(timeout=0.05)
        waiting.cancel()
        assert isinstance(waiting.exception(20), telpher.Cancelled)
        assert batch.submit() == []
        assert queue.inspect().acknowledged == 1


def test_a_closed_hub_refuses_a_batch(url: str) -> None:
    hub = telpher.open(url)
    hub.queue("work").declare()
    batch = hub.batch()
    batch.send("work", b"")
    hub.close()
    for operation in (batch.submit, batch.start.submit):
        with pytest.raises(telpher.Closed):
            operation()


def test_a_queue_in_memory_joins_no_batch_with_one_on_disk(directory: str) -> None:
    with telpher.open(directory) as hub:
        for durability in ("memory", "os", "disk"):
            hub.queue(durability).declare(durability=durability)
        with pytest.raises(telpher.Unsupported, match="part 1 of the batch"), hub.batch() as mixed:
            mixed.send("disk", b"")
            mixed.send("memory", b"")
        with hub.batch() as safe:
            safe.send("os", b"")
            safe.send("disk", b"")
        assert {receipt.durability for receipt in safe.receipts} == {"disk"}
        assert [hub.queue(name).inspect().sent for name in ("memory", "os", "disk")] == [0, 1, 1]


@pytest.fixture
def away(host: Script, directory: str) -> Iterator[telpher.Hub]:
    """A hub that another program hosts."""
    with telpher.open(directory, host="never") as hub:
        yield hub


def batch_of_both(hub: telpher.Hub) -> telpher.Batch:
    """A batch that settles a job of one queue and sends to a second one."""
    for name in ("work", "out"):
        hub.queue(name).declare()
    hub.queue("work").send(b"body")
    batch = hub.batch()
    batch.acknowledge(hub.queue("work").receive())
    batch.send("out", b"result")
    return batch


def is_done(hub: telpher.Hub) -> bool:
    """Whether the batch was done; fails if that is true of a part of it only."""
    work, out = hub.queue("work").inspect(), hub.queue("out").inspect()
    figures = (work.acknowledged, work.ready + work.held, out.sent)
    assert figures in ((1, 0, 1), (0, 1, 0))
    return out.sent == 1


def test_a_batch_that_can_not_be_sent_in_time_is_expired_and_may_be_submitted_again(
    host: Script, directory: str
) -> None:
    gone = threading.Event()
    with telpher.open(directory, host="never", on_notice=lambda _: gone.set()) as hub:
        batch = batch_of_both(hub)
        host.process.kill()
        assert gone.wait(20)
        for submit in (batch.submit, lambda timeout: batch.start.submit(timeout=timeout).result()):
            with pytest.raises(telpher.Expired) as caught:
                submit(timeout=SOON)
            assert not caught.value.maybe_executed
        assert batch.receipts == []
        with telpher.open(directory):
            assert not is_done(hub)
            assert len(batch.submit()) == 1
            assert is_done(hub)


def test_a_batch_that_a_stopped_host_does_not_answer_in_time_is_done_whole_or_not_at_all(
    host: Script, away: telpher.Hub
) -> None:
    batch = batch_of_both(away)
    host.stop()
    with pytest.raises(telpher.HostUnresponsive) as caught:
        batch.submit(timeout=SOON)
    assert caught.value.maybe_executed
    host.go()
    is_done(away)


def test_a_batch_that_is_cancelled_under_way_is_done_whole_or_not_at_all(
    host: Script, away: telpher.Hub
) -> None:
    batch = batch_of_both(away)
    host.stop()
    started = batch.start.submit()
    assert started.cancel()
    with pytest.raises(concurrent.futures.CancelledError) as caught:
        started.result(20)
    assert isinstance(caught.value, telpher.Cancelled) and caught.value.maybe_executed
    host.go()
    is_done(away)


def test_batches_that_are_cancelled_at_any_moment_are_done_whole_or_not_at_all(
    hub: telpher.Hub, queue: telpher.Queue, out: telpher.Queue
) -> None:
    for index in range(100):
        queue.send(b"%d" % index)
    started = []
    for _ in range(100):
        batch = hub.batch()
        batch.send("out", b"result")
        batch.acknowledge(queue.receive())
        started.append(batch.start.submit())
        started[-1].cancel()
    done = sum(operation.exception(20) is None for operation in started)
    said = queue.inspect()
    assert done <= said.acknowledged == out.inspect().sent
    assert said.acknowledged + said.ready + said.held == 100
