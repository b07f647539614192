"""Bad input: each gets a clear error with limit and value, and everything else goes on."""

import math
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import telpher
import telpher.aio
from conftest import Run


@pytest.fixture
def alive(hub: telpher.Hub) -> Iterator[telpher.Hub]:
    """A hub that must still work after the test."""
    yield hub
    with hub.serve("alive", lambda request: request.body):
        assert hub.call("alive", b"yes") == b"yes"


@pytest.mark.parametrize(
    "url",
    ["", "gopher://x", "tcp://", "tcp://localhost", "tcp://localhost:99999", "mem://", "a\0b"],
)
def test_a_wrong_url_is_invalid(url: str) -> None:
    with pytest.raises(telpher.Invalid) as caught:
        telpher.open(url)
    assert isinstance(caught.value, ValueError) and caught.value.detail


def test_a_url_of_another_type_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        telpher.open(7)


NAMES = [
    ("", telpher.Invalid, "1 to 255"),
    ("x" * 256, telpher.TooLarge, "256 bytes; at most 255"),
    ("a b", telpher.Invalid, "' ' at byte 1"),
    ("naïve", telpher.Invalid, "'ï' at byte 2"),
]


@pytest.mark.parametrize(("name", "error", "text"), NAMES)
def test_a_wrong_name_is_refused(
    alive: telpher.Hub, name: str, error: type[telpher.Error], text: str
) -> None:
    queue = alive.queue(name)
    for operation in [
        lambda: alive.call(name, b""),
        lambda: alive.serve(name, lambda request: b""),
        lambda: queue.declare(),
        lambda: queue.send(b""),
        lambda: queue.receive(),
        lambda: queue.consume(),
        lambda: queue.inspect(),
        lambda: queue.purge(),
        lambda: queue.delete(),
        lambda: alive.topic(name).publish(b""),
        lambda: alive.stream(name).declare(),
        lambda: alive.stream(name).append(b""),
        lambda: alive.stream(name).read(),
        lambda: alive.stream(name).inspect(),
        lambda: alive.stream(name).delete(),
    ]:
        with pytest.raises(error) as caught:
            operation()
        assert text in caught.value.detail


def test_an_unknown_option_is_a_type_error(url: str, alive: telpher.Hub) -> None:
    with pytest.raises(TypeError, match="colour"):
        telpher.open(url, colour="red")
    with pytest.raises(TypeError, match="colour"):
        alive.queue("q").declare(colour="red")
    with pytest.raises(TypeError, match="colour"):
        alive.stream("s").declare(colour="red")


def test_a_value_outside_of_its_limits_is_refused_with_both(url: str, alive: telpher.Hub) -> None:
    queue = alive.queue("q")

    def serve(**options: Any) -> Callable[[], object]:
        return lambda: alive.serve("s", lambda request: b"", **options)

    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: telpher.open(url, host="maybe"), '"maybe"; allowed are "auto"'),
        (lambda: telpher.open(url, in_flight_max=0), "is 0; allowed are 1 to 65536"),
        (lambda: telpher.open(url, timeout=-1), "-1 s; allowed are 0 to"),
        (lambda: telpher.open(url, session_grace=math.nan), "NaN s; allowed are 0 to"),
        (serve(concurrency=0), "concurrency is 0; allowed are 1 to 65536"),
        (serve(line_max=-1), "line_max is -1; allowed are 0 to 1048576"),
        (lambda: queue.consume(prefetch=65537), "prefetch is 65537; allowed are 1 to 65536"),
        (lambda: alive.subscribe("t", buffer=0), "buffer is 0; allowed are 1 to 65536"),
        (lambda: alive.subscribe("t", buffer=65537), "buffer is 65537; allowed are 1 to 65536"),
        (lambda: queue.declare(length_max=-1), "length_max is -1; allowed are 0 to"),
        (lambda: queue.declare(bytes_max=2**31), "bytes_max is 2147483648; allowed are 0 to"),
        (lambda: queue.declare(durability="tape"), '"tape"; allowed are "memory"'),
        (lambda: queue.declare(overflow="spill"), '"spill"; allowed are "wait"'),
        (lambda: queue.send(b"", priority=256), "priority is 256; allowed are 0 to 255"),
        (lambda: alive.call("s", b"", timeout=math.nan), "NaN s; allowed are 0 to"),
        (lambda: alive.call("s", b"", timeout=-0.5), "-0.5 s; allowed are 0 to"),
    ]
    for operation, text in cases:
        with pytest.raises(telpher.Invalid) as caught:
            operation()
        assert text in caught.value.detail


def test_an_oversized_part_is_too_large(alive: telpher.Hub) -> None:
    queue = alive.queue("q")
    queue.declare()
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: alive.call("s", bytes(8388609)), "8388609 bytes; at most 8388608"),
        (lambda: queue.send(bytearray(8388609)), "8388609 bytes; at most 8388608"),
        (lambda: queue.send(b"", key=bytes(1025)), "1025 bytes; at most 1024"),
        (lambda: queue.send(b"", headers={"n" * 256: b""}), "256 bytes; at most 255"),
        (lambda: queue.send(b"", headers={"n": bytes(65537)}), "65537 bytes; at most 65536"),
        (lambda: alive.topic("t").publish(bytes(8388609)), "8388609 bytes; at most 8388608"),
        (lambda: alive.topic("t").publish(b"", key=bytes(1025)), "1025 bytes; at most 1024"),
        (lambda: alive.stream("s").append(bytes(8388609)), "8388609 bytes; at most 8388608"),
        (lambda: alive.stream("s").append(b"", key=bytes(1025)), "1025 bytes; at most 1024"),
    ]
    for operation, text in cases:
        with pytest.raises(telpher.TooLarge) as caught:
            operation()
        assert text in caught.value.detail
    assert queue.inspect().ready == 0


def test_an_oversized_reply_fails_the_call_and_says_why(alive: telpher.Hub) -> None:
    with alive.serve("large", lambda request: bytes(8388609)), pytest.raises(telpher.Remote) as e:
        alive.call("large", b"")
    assert "8388609 bytes; at most 8388608" in e.value.detail


def test_text_is_not_a_body(alive: telpher.Hub) -> None:
    with pytest.raises(TypeError, match="encode"):
        alive.call("s", "text")
    with pytest.raises(TypeError, match="not int"):
        alive.queue("q").send(7)
    with pytest.raises(TypeError, match="encode"):
        alive.topic("t").publish("text")
    with pytest.raises(TypeError, match="encode"):
        alive.stream("s").append("text")
    with pytest.raises(TypeError, match="key is a str"):
        alive.queue("q").send(b"", key="k")
    with pytest.raises(TypeError, match="header is a str"):
        alive.queue("q").send(b"", headers={"h": "v"})
    with alive.serve("text", lambda request: "text"), pytest.raises(telpher.Remote) as caught:
        alive.call("text", b"")
    assert "encode" in caught.value.detail


def test_a_closed_hub_refuses_everything(url: str, alive: telpher.Hub) -> None:
    hub = telpher.open(url)
    hub.queue("q").declare()
    consumer = hub.queue("q").consume()
    subscriber = hub.subscribe("t")
    service = hub.serve("s", lambda request: b"")
    hub.queue("q").send(b"")
    job = consumer.receive()
    hub.close()
    hub.close()
    for operation in [
        lambda: hub.call("s", b""),
        lambda: hub.start.call("s", b""),
        lambda: hub.serve("t", lambda request: b""),
        lambda: hub.queue("q").send(b""),
        lambda: hub.queue("q").consume(),
        lambda: consumer.receive(),
        lambda: hub.topic("t").publish(b""),
        lambda: hub.topic("t").start.publish(b""),
        lambda: hub.subscribe("t"),
        lambda: subscriber.receive(),
        lambda: job.acknowledge(),
        lambda: hub.flush(),
    ]:
        with pytest.raises(telpher.Closed):
            operation()
    consumer.close()
    subscriber.close()
    service.close()
    service.join(20)


def test_what_was_settled_before_is_stale(alive: telpher.Hub) -> None:
    queue = alive.queue("q")
    queue.declare()
    queue.send(b"")
    job = queue.receive()
    job.acknowledge()
    for again in (job.acknowledge, job.reject, job.requeue, job.release):
        with pytest.raises(telpher.Stale):
            again()
    assert queue.inspect().acknowledged == 1


def test_a_handler_that_throws_anything_does_not_end_its_thread(alive: telpher.Hub) -> None:
    thrown: list[BaseException] = [
        SystemExit(3),
        KeyboardInterrupt(),
        RecursionError("deep"),
        telpher.NoService("inside"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
    ]

    def throw(request: telpher.Request) -> bytes:
        raise thrown[int(request.body)]

    with alive.serve("throw", throw):
        for index, failure in enumerate(thrown):
            with pytest.raises(telpher.Remote) as caught:
                alive.call("throw", b"%d" % index)
            assert type(failure).__name__ in caught.value.detail


def test_asyncio_refuses_the_same(run: Run, url: str) -> None:
    async def main() -> None:
        with pytest.raises(telpher.Invalid):
            await telpher.aio.open("gopher://x")
        async with telpher.aio.open(url) as hub:
            with pytest.raises(telpher.TooLarge):
                await hub.call("s", bytes(8388609))
            with pytest.raises(TypeError, match="encode"):
                await hub.call("s", "text")
            with pytest.raises(telpher.Invalid):
                await hub.queue("a b").send(b"")
            with pytest.raises(telpher.Invalid, match="empty segment"):
                await hub.topic("a..b").publish(b"")
            with pytest.raises(telpher.Invalid, match="empty segment"):
                hub.subscribe("a..b")
            with pytest.raises(telpher.Invalid, match="buffer is 0"):
                hub.subscribe("a", buffer=0)
            with pytest.raises(telpher.Invalid, match="buffer is 0"):
                hub.stream("s").read(buffer=0)
            with pytest.raises(telpher.TooLarge):
                await hub.stream("s").append(bytes(8388609))
            await hub.queue("q").declare()
            await hub.queue("q").send(b"")
            job = await hub.queue("q").receive()
            await job.acknowledge()
            with pytest.raises(telpher.Stale):
                await job.acknowledge()

    run(main())


def test_a_hub_of_a_directory_keeps_it_private_and_listens_to_nobody_else(directory: str) -> None:
    with telpher.open(directory):
        assert oct(os.stat(directory).st_mode & 0o777) == "0o700"
        with pytest.raises(telpher.Refused):
            telpher.open(directory + "2", listen=["tcp://0.0.0.0:0"])
