"""Calls and services, blocking."""

import math
import threading
import time

import pytest
import telpher
from conftest import LATE


def test_a_call_gets_what_the_handler_returns(hub: telpher.Hub) -> None:
    with hub.serve("reverse", lambda request: request.body[::-1]):
        assert hub.call("reverse", b"abc") == b"cba"
        assert hub.call("reverse", bytearray(b"abc")) == b"cba"
        assert hub.call("reverse", memoryview(b"abcd")[::2]) == b"ca"
        assert hub.call("reverse") == b""


def test_a_handler_sees_key_headers_and_service(hub: telpher.Hub) -> None:
    seen = []
    with hub.serve("look", lambda r: seen.append((r.service, r.key, r.headers))):
        assert hub.call("look", b"", key=b"k", headers={"a": b"1", "b": b""}) == b""
    assert seen == [("look", b"k", {"a": b"1", "b": b""})]


def test_a_name_that_nobody_serves_is_refused_at_once(hub: telpher.Hub) -> None:
    begun = time.monotonic()
    with pytest.raises(telpher.NoService) as caught:
        hub.call("nobody", b"", timeout=20)
    assert time.monotonic() - begun < 5
    assert not caught.value.maybe_executed


def test_a_handlers_exception_reaches_the_caller_with_code_and_text(hub: telpher.Hub) -> None:
    class OutOfStock(Exception):
        code = 7

    def fail(request: telpher.Request) -> bytes:
        match request.body:
            case b"plain":
                raise RuntimeError("boom")
            case b"coded":
                raise OutOfStock("no tea")
            case _:
                raise telpher.Remote("as it is", code=-5)

    with hub.serve("fail", fail):
        for body, code, text in [
            (b"plain", 1, "RuntimeError: boom"),
            (b"coded", 7, "OutOfStock: no tea"),
            (b"remote", -5, "as it is"),
        ]:
            with pytest.raises(telpher.Remote) as caught:
                hub.call("fail", body)
            assert (caught.value.code, caught.value.detail) == (code, text)
            assert caught.value.maybe_executed


def test_the_time_limit_ends_a_call_and_reaches_the_handler(hub: telpher.Hub) -> None:
    noticed, ended = threading.Event(), threading.Event()
    remaining = []

    def wait_for_the_end(request: telpher.Request) -> None:
        remaining.append(request.remaining)
        while not request.cancelled:
            ended.wait(0.01)
        noticed.set()
        ended.wait(20)

    with hub.serve("slow", wait_for_the_end):
        with pytest.raises(LATE) as caught:
            hub.call("slow", b"", timeout=0.2)
        assert isinstance(caught.value, TimeoutError)
        assert caught.value.maybe_executed
        ended.set()
        assert noticed.wait(10)
    assert 0 < remaining[0] <= 0.2


def test_only_what_waits_for_an_arrival_may_be_without_time_limit(queue: telpher.Queue) -> None:
    with pytest.raises(telpher.Invalid, match="time limit"):
        queue.send(b"", timeout=math.inf)
    receive = queue.start.receive(timeout=math.inf)
    queue.send(b"")
    assert receive.result(20).body == b""


def test_a_nested_call_inherits_what_is_left_of_the_time(hub: telpher.Hub) -> None:
    remaining = []

    def inner(request: telpher.Request) -> bytes:
        remaining.append(request.remaining)
        return b"deep"

    def outer(request: telpher.Request) -> bytes:
        remaining.append(request.remaining)
        return hub.call("inner", b"", timeout=20)

    with hub.serve("inner", inner), hub.serve("outer", outer):
        assert hub.call("outer", b"", timeout=3) == b"deep"
    assert 0 < remaining[1] <= remaining[0] <= 3


def test_a_nested_call_after_the_time_is_over_does_not_start(hub: telpher.Hub) -> None:
    caught: list[BaseException] = []
    done = threading.Event()

    def outer(request: telpher.Request) -> None:
        while request.remaining:
            done.wait(0.01)
        try:
            hub.call("inner", b"")
        except telpher.Expired as error:
            caught.append(error)
        done.set()

    with hub.serve("inner", lambda request: b""), hub.serve("outer", outer):
        with pytest.raises(LATE):
            hub.call("outer", b"", timeout=0.1)
        assert done.wait(10)
    assert len(caught) == 1


def test_a_reply_may_follow_later_from_another_thread(hub: telpher.Hub) -> None:
    def handler(request: telpher.Request) -> object:
        threading.Thread(target=lambda: request.reply(b"later")).start()
        return telpher.LATER

    with hub.serve("later", handler):
        assert hub.call("later", b"") == b"later"


def test_a_request_that_is_dropped_unanswered_is_abandoned(hub: telpher.Hub) -> None:
    with hub.serve("forget", lambda request: telpher.LATER):
        with pytest.raises(telpher.Abandoned) as caught:
            hub.call("forget", b"")
    assert caught.value.maybe_executed


def test_a_handler_answers_only_once(hub: telpher.Hub) -> None:
    caught: list[BaseException] = []

    def twice(request: telpher.Request) -> None:
        request.reply(b"first")
        try:
            request.reply(b"second")
        except telpher.Stale as error:
            caught.append(error)

    with hub.serve("twice", twice):
        assert hub.call("twice", b"") == b"first"
    assert len(caught) == 1


def test_as_many_requests_run_at_once_as_stated(hub: telpher.Hub) -> None:
    together = threading.Barrier(4, timeout=20)

    def meet(request: telpher.Request) -> bytes:
        together.wait()
        return b"met"

    with hub.serve("meet", meet, concurrency=4):
        calls = [hub.start.call("meet", b"") for _ in range(4)]
        assert [call.result(20) for call in calls] == [b"met"] * 4


def test_a_full_line_is_busy(hub: telpher.Hub) -> None:
    started, release = threading.Event(), threading.Event()

    def hold(request: telpher.Request) -> bytes:
        started.set()
        release.wait(20)
        return b"done"

    with hub.serve("hold", hold, line_max=0):
        first = hub.start.call("hold", b"")
        assert started.wait(20)
        with pytest.raises(telpher.Busy):
            hub.call("hold", b"")
        release.set()
        assert first.result(20) == b"done"


def test_instances_share_the_load(url: str) -> None:
    together = threading.Barrier(2, timeout=20)

    def meet(request: telpher.Request) -> bytes:
        together.wait()
        return b""

    with telpher.open(url) as first, telpher.open(url) as second:
        first.serve("meet", meet)
        second.serve("meet", meet)
        calls = [first.start.call("meet", b"") for _ in range(2)]
        assert [call.result(20) for call in calls] == [b"", b""]


def test_a_closed_service_is_served_no_more(hub: telpher.Hub) -> None:
    service = hub.serve("once", lambda request: b"yes", concurrency=3)
    assert hub.call("once") == b"yes"
    service.close()
    service.join(20)
    with pytest.raises(telpher.NoService):
        hub.call("once")
