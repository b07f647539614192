"""Queues, blocking."""

import threading

import pytest
import telpher
from conftest import LATE


def test_a_message_arrives_with_all_that_was_sent(queue: telpher.Queue) -> None:
    receipt = queue.send(b"body", key=b"k", headers={"h": b"v"}, priority=3)
    assert receipt.durability == "memory"
    with queue.receive() as job:
        assert (job.body, job.key, job.headers, job.priority) == (b"body", b"k", {"h": b"v"}, 3)
        assert (job.failures, job.redelivered) == (0, False)
        assert job.message_id == receipt.message_id
    figures = queue.inspect()
    assert (figures.ready, figures.held, figures.acknowledged) == (0, 0, 1)


def test_an_exception_in_the_block_rejects_the_job(queue: telpher.Queue) -> None:
    queue.send(b"bad")
    with pytest.raises(ValueError), queue.receive():
        raise ValueError
    assert queue.inspect().rejected == 1


def test_a_block_that_is_broken_off_gives_the_job_back_untouched(queue: telpher.Queue) -> None:
    queue.send(b"again")
    with pytest.raises(KeyboardInterrupt), queue.receive():
        raise KeyboardInterrupt
    with queue.receive() as job:
        assert (job.body, job.failures) == (b"again", 0)


def test_a_requeued_job_counts_a_failure_and_a_released_one_does_not(queue: telpher.Queue) -> None:
    queue.send(b"again")
    queue.receive().release()
    queue.receive().requeue()
    with queue.receive() as job:
        assert (job.failures, job.redelivered) == (1, True)


def test_a_job_settled_inside_the_block_is_left_alone(queue: telpher.Queue) -> None:
    queue.send(b"once")
    with queue.receive() as job:
        job.reject()
    assert queue.inspect().rejected == 1


def test_receive_without_a_message_ends_in_time(queue: telpher.Queue) -> None:
    with pytest.raises(LATE) as caught:
        queue.receive(timeout=0.05)
    assert isinstance(caught.value, TimeoutError)


def test_a_consumer_gives_every_message_once_and_in_order(queue: telpher.Queue) -> None:
    sends = [queue.start.send(b"%d" % index) for index in range(200)]
    for send in sends:
        send.result(20)
    got = []
    for job in queue.consume(prefetch=16):
        with job:
            got.append(job.body)
        if len(got) == 200:
            break
    assert got == [b"%d" % index for index in range(200)]
    assert queue.inspect().acknowledged == 200


def test_a_dropped_consumer_gives_back_what_it_has_not_handed_out(queue: telpher.Queue) -> None:
    for body in (b"a", b"b", b"c"):
        queue.send(body)
    for job in queue.consume(prefetch=2):
        assert job.body == b"a"
        break
    assert {queue.receive(timeout=10).body for _ in range(2)} == {b"b", b"c"}
    job.acknowledge()
    assert queue.inspect().acknowledged == 1


def test_a_consumer_closed_elsewhere_ends_its_loop(queue: telpher.Queue) -> None:
    consumer = queue.consume()
    ended = threading.Event()

    def loop() -> None:
        for _ in consumer:
            pass
        ended.set()

    threading.Thread(target=loop).start()
    consumer.close()
    assert ended.wait(20)
    assert list(consumer) == []


def test_threads_share_a_consumer_without_waiting_for_each_other(queue: telpher.Queue) -> None:
    together = threading.Barrier(4, timeout=20)
    consumer = queue.consume(prefetch=4)

    def work() -> None:
        with consumer.receive():
            together.wait()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(4):
        queue.send(b"")
    for thread in threads:
        thread.join(20)
    assert queue.inspect().acknowledged == 4


def test_a_consumer_says_when_nothing_comes(queue: telpher.Queue) -> None:
    with queue.consume() as consumer, pytest.raises(telpher.Pending):
        consumer.receive(timeout=0.05)


def test_a_full_queue_rejects_or_waits_as_declared(hub: telpher.Hub) -> None:
    strict = hub.queue("strict")
    strict.declare(length_max=1, overflow="reject")
    strict.send(b"1")
    with pytest.raises(telpher.Full) as caught:
        strict.send(b"2")
    assert not caught.value.maybe_executed

    patient = hub.queue("patient")
    patient.declare(length_max=1)
    patient.send(b"1")
    with pytest.raises((telpher.Full, telpher.HostUnresponsive)):
        patient.send(b"2", timeout=0.05)
    waiting = patient.start.send(b"3")
    patient.receive().acknowledge()
    waiting.result(20)
    assert patient.receive().body == b"3"


def test_purge_and_delete_say_how_many_went(queue: telpher.Queue) -> None:
    for _ in range(3):
        queue.send(b"")
    assert queue.purge() == 3
    queue.send(b"")
    assert queue.delete() == 1
    with pytest.raises(telpher.NotFound):
        queue.send(b"")


def test_declaring_otherwise_is_a_mismatch_that_names_the_difference(queue: telpher.Queue) -> None:
    queue.declare()
    with pytest.raises(telpher.Mismatch, match="length_max"):
        queue.declare(length_max=5)


def test_a_producer_faster_than_its_hub_is_slowed_not_refused(url: str) -> None:
    with telpher.open(url, in_flight_max=4) as hub:
        queue = hub.queue("work")
        queue.declare()
        sends = [queue.start.send(b"%d" % index) for index in range(500)]
        assert all(send.result(20) for send in sends)
        assert queue.inspect().ready == 500
