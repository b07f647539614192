"""Operations that are started and not waited for."""

import concurrent.futures
import threading

import pytest
import telpher


def test_a_started_call_is_a_future(hub: telpher.Hub) -> None:
    told: list[bytes] = []
    with hub.serve("echo", lambda request: request.body):
        calls = [hub.start.call("echo", b"%d" % index) for index in range(100)]
        calls[0].add_done_callback(lambda call: told.append(call.result()))
        done, waiting = concurrent.futures.wait(calls, timeout=20)
    assert (len(done), len(waiting)) == (100, 0)
    assert told == [b"0"]
    assert calls[7].exception() is None
    assert calls[7].result() == calls[7].result() == b"7"
    assert not calls[7].running() and not calls[7].cancelled() and not calls[7].cancel()


def test_a_started_operation_carries_its_error(hub: telpher.Hub) -> None:
    call = hub.start.call("nobody", b"")
    assert isinstance(call.exception(20), telpher.NoService)
    with pytest.raises(telpher.NoService):
        call.result()


def test_cancelling_ends_the_call_and_reaches_the_handler(hub: telpher.Hub) -> None:
    started, noticed = threading.Event(), threading.Event()

    def wait_for_the_end(request: telpher.Request) -> None:
        started.set()
        gone = threading.Event()
        while not request.cancelled:
            gone.wait(0.01)
        noticed.set()

    with hub.serve("slow", wait_for_the_end):
        call = hub.start.call("slow", b"")
        assert started.wait(20)
        assert call.running() and call.cancel()
        with pytest.raises(concurrent.futures.CancelledError) as caught:
            call.result(20)
        assert isinstance(caught.value, telpher.Cancelled)
        assert caught.value.maybe_executed
        assert call.cancelled() and call.done()
        assert noticed.wait(20)


def test_a_cancelled_receive_loses_no_message(queue: telpher.Queue) -> None:
    receive = queue.start.receive()
    receive.cancel()
    assert isinstance(receive.exception(20), telpher.Cancelled)
    queue.send(b"still here")
    assert queue.receive(timeout=10).body == b"still here"


def test_waiting_for_the_result_has_a_time_limit_of_its_own(queue: telpher.Queue) -> None:
    receive = queue.start.receive()
    with pytest.raises(TimeoutError):
        receive.result(0.01)
    assert receive.running()
    queue.send(b"now")
    assert receive.result(20).body == b"now"


def test_settlements_may_be_started_too(queue: telpher.Queue) -> None:
    for _ in range(10):
        queue.send(b"")
    settled = [queue.receive().start.acknowledge() for _ in range(10)]
    assert [operation.result(20) for operation in settled] == [None] * 10
    assert queue.inspect().acknowledged == 10


def test_a_callback_that_waits_for_another_operation_is_told_so(queue: telpher.Queue) -> None:
    receive = queue.start.receive()
    outcome: list[BaseException] = []
    told = threading.Event()

    def wait_inside(_: object) -> None:
        try:
            receive.result(20)
        except telpher.Error as error:
            outcome.append(error)
        told.set()

    queue.start.inspect().add_done_callback(wait_inside)
    assert told.wait(20)
    assert isinstance(outcome[0], telpher.WouldDeadlock)


def test_closing_the_hub_ends_what_is_under_way(url: str) -> None:
    hub = telpher.open(url)
    hub.queue("work").declare()
    receives = [hub.queue("work").start.receive() for _ in range(5)]
    hub.close()
    for receive in receives:
        assert isinstance(receive.exception(20), telpher.Closed)
