"""Gathers, blocking."""

import gc
import threading
from collections.abc import Callable

import pytest
import telpher
from conftest import Script


def offers(hub: telpher.Hub, *bodies: bytes) -> list[telpher.Service]:
    """As many instances of `prices`, each with its own answer."""
    return [hub.serve("prices", lambda _, body=body: body) for body in bodies]


def test_every_instance_answers_and_says_who_it_is(hub: telpher.Hub) -> None:
    offers(hub, b"one", b"two", b"three")
    gather = hub.gather("prices", b"tea", headers={"h": b"v"})
    answers = list(gather)
    assert {answer.body for answer in answers} == {b"one", b"two", b"three"}
    assert len({answer.instance for answer in answers}) == 3
    assert all(answer.error is None for answer in answers)
    assert gather.missing == []
    assert gather.result() == telpher.Gathered(answered=3, failed=0)
    again = {answer.instance: answer.body for answer in hub.gather("prices")}
    assert again == {answer.instance: answer.body for answer in answers}


def test_a_failure_is_an_answer_with_its_error(hub: telpher.Hub) -> None:
    def fail(_: telpher.Request) -> None:
        raise telpher.Remote("no tea", code=7)

    hub.serve("prices", fail)
    (answer,) = hub.gather("prices")
    assert answer.body is None
    assert isinstance(answer.error, telpher.Remote)
    assert (answer.error.code, answer.error.detail) == (7, "no tea")
    assert hub.gather("prices").result() == telpher.Gathered(answered=0, failed=1)


def test_the_deadline_ends_it_with_what_has_come_and_reaches_the_handler(hub: telpher.Hub) -> None:
    offers(hub, b"one")
    is_over, cancelled = threading.Event(), threading.Event()

    def slow(request: telpher.Request) -> bytes:
        is_over.wait(20)
        if request.cancelled:
            cancelled.set()
        return b"late"

    hub.serve("prices", slow)
    with hub.gather("prices", timeout=0.3) as gather:
        assert [answer.body for answer in gather] == [b"one"]
        (missing,) = gather.missing
    assert isinstance(missing.error, telpher.TimedOut) and missing.error.maybe_executed
    assert gather.result().asked == 2
    is_over.set()
    assert cancelled.wait(20)


def test_a_count_or_the_end_of_the_block_takes_the_rest_back(hub: telpher.Hub) -> None:
    offers(hub, b"one")
    requests: list[telpher.Request] = []

    def keep(request: telpher.Request) -> object:
        requests.append(request)
        return telpher.LATER

    hub.serve("prices", keep, concurrency=4)
    assert [answer.body for answer in hub.gather("prices", count=1)] == [b"one"]
    with hub.gather("prices") as gather:
        assert next(gather).body == b"one"
    with pytest.raises(telpher.Cancelled) as raised:
        gather.result()
    assert raised.value.maybe_executed
    gather = hub.gather("prices")
    assert next(gather).body == b"one"
    del gather
    gc.collect()
    while len(requests) < 3 or not all(request.cancelled for request in requests):
        pass
    requests.clear()


def test_without_an_instance_it_is_refused(hub: telpher.Hub) -> None:
    gather = hub.gather("prices")
    with pytest.raises(telpher.NoService) as raised:
        next(gather)
    assert not raised.value.maybe_executed
    with pytest.raises(telpher.NoService):
        gather.result()


def test_subscribers_answer_what_is_gathered_and_only_that(hub: telpher.Hub) -> None:
    topic = hub.topic("who.is.there")
    assert topic.gather(b"?").result() == telpher.Gathered(answered=0, failed=0)
    with hub.subscribe("who.**") as one, hub.subscribe("who.is.*") as other:
        topic.publish(b"!")
        for subscriber in (one, other):
            message = subscriber.receive()
            assert not message.wants_reply and message.cancelled
            with pytest.raises(telpher.Invalid):
                message.reply(b"me")
        gather = topic.gather(b"?", timeout=20)
        message = one.receive()
        assert message.wants_reply and not message.cancelled
        message.reply(b"me")
        assert next(gather).body == b"me"
        with pytest.raises(telpher.Stale):
            message.reply(b"again")
        other.receive().fail("shy", code=4)
        answer = next(gather)
        assert isinstance(answer.error, telpher.Remote) and answer.error.code == 4
        assert gather.missing == []


def test_a_subscriber_that_does_not_answer_is_missing(hub: telpher.Hub) -> None:
    with hub.subscribe("news") as news:
        gather = hub.topic("news").gather(b"?", timeout=0.2)
        message = news.receive()
        (missing,) = gather.missing
        assert isinstance(missing.error, telpher.TimedOut)
        assert message.cancelled
        with pytest.raises(telpher.Stale):
            message.reply(b"late")


def test_an_instance_whose_process_dies_is_missing(
    host: Script, directory: str, script: Callable[[str], Script]
) -> None:
    serving = script(
        f"""
        import telpher
        hub = telpher.open({directory!r}, host="never")
        hub.serve("prices", lambda request: __import__("os")._exit(1))
        print("serves", flush=True)
        input()
        """
    )
    assert serving.reads() == "serves"
    with telpher.open(directory, host="never") as hub:
        hub.serve("prices", lambda _: b"one")
        gather = hub.gather("prices", timeout=20)
        assert [answer.body for answer in gather] == [b"one"]
        (missing,) = gather.missing
        assert isinstance(missing.error, telpher.Abandoned) and missing.error.maybe_executed


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"count": -1}, telpher.Invalid, "count"),
        ({"count": 4097}, telpher.Invalid, "4096"),
        ({"timeout": float("inf")}, telpher.Invalid, "time limit"),
        ({"body": b"x" * (8 * 1024 * 1024 + 1)}, telpher.TooLarge, "8388608"),
    ],
)
def test_bad_input_is_refused_with_its_limit(
    hub: telpher.Hub, arguments: dict[str, object], error: type[telpher.Error], text: str
) -> None:
    with pytest.raises(error, match=text):
        hub.gather("prices", **arguments)  # type: ignore[arg-type]
    with pytest.raises(error, match=text):
        hub.topic("prices").gather(**({"body": b""} | arguments))  # type: ignore[arg-type]


def test_a_closed_hub_ends_it(url: str, hub: telpher.Hub) -> None:
    hub.serve("prices", lambda request: telpher.LATER if keep(request) else None, concurrency=2)
    other = telpher.open(url)
    gather = other.gather("prices")
    other.close()
    with pytest.raises(telpher.Closed):
        gather.result()


def keep(request: telpher.Request, kept: list[telpher.Request] = []) -> bool:  # noqa: B006
    """Hold on to a request."""
    kept.append(request)
    return True
