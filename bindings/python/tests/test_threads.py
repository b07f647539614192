"""One hub, many threads; a wait never holds the interpreter."""

import gc
import os
import threading
import time

import telpher


def test_many_threads_call_through_one_hub(hub: telpher.Hub) -> None:
    wrong: list[bytes] = []

    def work(number: int) -> None:
        for index in range(100):
            body = b"%d-%d" % (number, index)
            if hub.call("echo", body) != body:
                wrong.append(body)

    with hub.serve("echo", lambda request: request.body, concurrency=4):
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(40)
    assert wrong == []
    assert hub.stats().in_flight <= 1


def test_a_wait_lets_other_threads_run(queue: telpher.Queue) -> None:
    got = []
    thread = threading.Thread(target=lambda: got.append(queue.receive(timeout=20).body))
    thread.start()
    begun = time.monotonic()
    total = sum(index for index in range(200_000))
    assert total and time.monotonic() - begun < 5
    queue.send(b"done")
    thread.join(20)
    assert got == [b"done"]


def test_closing_wakes_every_thread_that_waits(url: str) -> None:
    hub = telpher.open(url)
    hub.queue("work").declare()
    entered = threading.Barrier(6, timeout=20)
    ended: list[BaseException] = []

    def wait() -> None:
        entered.wait()
        try:
            hub.queue("work").receive(timeout=60)
        except telpher.Closed as error:
            ended.append(error)

    threads = [threading.Thread(target=wait) for _ in range(5)]
    for thread in threads:
        thread.start()
    entered.wait()
    hub.close()
    for thread in threads:
        thread.join(20)
    assert len(ended) == 5


def test_closing_while_callbacks_run_does_not_hang(url: str) -> None:
    for _ in range(10):
        hub = telpher.open(url)
        hub.serve("echo", lambda request: request.body, concurrency=2)
        calls = [hub.start.call("echo", b"") for _ in range(50)]
        for call in calls:
            call.add_done_callback(lambda call: call.exception())
        hub.close()
        for call in calls:
            call.exception(20)


def test_a_hub_may_be_closed_by_its_own_handler(url: str) -> None:
    hub = telpher.open(url)
    service = hub.serve("end", lambda request: hub.close())
    call = hub.start.call("end", b"")
    assert isinstance(call.exception(20), telpher.Error)
    service.join(20)


def test_no_descriptor_outlives_its_hub(url: str) -> None:
    def count() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    def use() -> None:
        with telpher.open(url) as hub:
            hub.serve("echo", lambda request: request.body)
            hub.call("echo", b"")

    use()
    before = count()
    for _ in range(20):
        use()
    assert count() <= before + 2
