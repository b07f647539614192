"""How queues are declared, and what they say of themselves."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import telpher
import telpher.aio
from conftest import Run

STATED: dict[str, Any] = {
    "durability": "memory",
    "length_max": 10,
    "bytes_max": 2048,
    "overflow": "reject",
    "max_attempts": 3,
    "backoff_min": 0.25,
    "backoff_max": 2.5,
    "ack_deadline": 1.001,
    "ttl": 3600.0,
    "dead_letter": "graveyard",
}
"""No option has its default."""


def test_a_queue_says_how_it_is_if_nothing_was_stated(queue: telpher.Queue) -> None:
    said = queue.inspect()
    assert (said.max_attempts, said.backoff_min, said.backoff_max) == (20, 0.1, 60.0)
    assert (said.ack_deadline, said.ttl, said.dead_letter) == (None, None, "work.dead")
    assert (said.delayed, said.damaged, said.dead_lettered) == (0, 0, 0)
    assert "ack_deadline=None" in repr(said) and "dead_letter='work.dead'" in repr(said)


def test_every_option_comes_back_as_it_was_stated(hub: telpher.Hub) -> None:
    queue = hub.queue("stated")
    queue.declare(**STATED)
    queue.start.declare(**STATED).result(20)
    said = queue.inspect()
    assert {name: getattr(said, name) for name in STATED} == STATED


@pytest.mark.parametrize("name", [name for name in STATED if name != "durability"])
def test_an_option_stated_otherwise_is_a_mismatch_that_names_it(
    hub: telpher.Hub, name: str
) -> None:
    queue = hub.queue("stated")
    queue.declare(**STATED)
    with pytest.raises(telpher.Mismatch, match=name):
        queue.declare(**{key: value for key, value in STATED.items() if key != name})
    assert getattr(queue.inspect(), name) == STATED[name]


def test_a_queue_of_dead_letters_has_none_of_its_own_unless_stated(hub: telpher.Hub) -> None:
    hub.queue("work.dead").declare()
    assert hub.queue("work.dead").inspect().dead_letter is None
    hub.queue("other.dead").declare(dead_letter="worse")
    assert hub.queue("other.dead").inspect().dead_letter == "worse"


def test_a_long_name_needs_a_stated_queue_of_dead_letters(hub: telpher.Hub) -> None:
    hub.queue("x" * 250).declare()
    with pytest.raises(telpher.TooLarge, match=r"251 bytes; .* at most 250"):
        hub.queue("x" * 251).declare()
    hub.queue("x" * 251).declare(dead_letter="graveyard")
    hub.queue("x" * 250 + ".dead").declare()


def test_times_are_whole_milliseconds_and_one_at_least(hub: telpher.Hub) -> None:
    queue = hub.queue("short")
    queue.declare(backoff_min=0.0011, ack_deadline=0.001, ttl=1)
    said = queue.inspect()
    assert (said.backoff_min, said.ack_deadline, said.ttl) == (0.001, 0.001, 1.0)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"max_attempts": -1}, "max_attempts is -1; allowed are 0 to 1000"),
    ({"max_attempts": 1001}, "max_attempts is 1001; allowed are 0 to 1000"),
    ({"backoff_min": 0}, "backoff_min is 0 s; allowed are 0.001 to 86400 and None"),
    ({"backoff_max": 86401}, "backoff_max is 86401 s; allowed are 0.001 to 86400"),
    ({"backoff_min": 2, "backoff_max": 1}, "backoff_max_ms is 1000, less than backoff_min_ms"),
    ({"ack_deadline": -1.5}, "ack_deadline is -1.5 s; allowed are 0.001 to 86400"),
    ({"ack_deadline": 0.0009}, "ack_deadline is 0.0009 s; allowed are 0.001"),
    ({"ack_deadline": math.inf}, "ack_deadline is inf s; allowed are 0.001"),
    ({"ttl": math.nan}, "ttl is NaN s; allowed are 0.001 to 1000000000 and None"),
    ({"dead_letter": ""}, "1 to 255"),
    ({"dead_letter": "q"}, "its own dead-letter queue"),
    ({"bytes_max": 2**40 + 1}, "bytes_max is 1099511627777; allowed are 0 to 1099511627776"),
    ({"bytes_max": 2**31, "durability": "memory"}, "2147483648; allowed are 0 to 1073741824"),
]


@pytest.mark.parametrize(("options", "text"), WRONG)
def test_an_option_outside_of_its_limits_is_refused_with_both(
    hub: telpher.Hub, options: dict[str, Any], text: str
) -> None:
    with pytest.raises(telpher.Invalid) as caught:
        hub.queue("q").declare(**options)
    assert text in caught.value.detail
    with pytest.raises(telpher.NotFound):
        hub.queue("q").inspect()


def test_an_option_of_another_type_is_a_type_error(queue: telpher.Queue) -> None:
    wrong: list[Callable[[], object]] = [
        lambda: queue.declare(max_attempts=1.5),
        lambda: queue.declare(ttl="1h"),
        lambda: queue.declare(dead_letter=b"dead"),
        lambda: queue.consume(ack_deadline="1"),
        lambda: queue.start.declare(ack_deadline="1"),
    ]
    for operation in wrong:
        with pytest.raises(TypeError):
            operation()


def test_a_hub_without_a_directory_keeps_nothing_on_disk(hub: telpher.Hub) -> None:
    assert hub.info.memory_only
    for durability in ("os", "disk"):
        with pytest.raises(telpher.Unsupported, match=durability):
            hub.queue("q").declare(durability=durability)


def test_a_hub_with_a_directory_keeps_queues_as_safe_as_stated(directory: str) -> None:
    with telpher.open(directory) as hub:
        assert not hub.info.memory_only
        for stated in (None, "memory", "os", "disk"):
            queue = hub.queue(f"kept-{stated}")
            queue.declare(durability=stated)
            assert queue.inspect().durability == (stated or "disk")
            assert queue.send(b"").durability == (stated or "disk")
        hub.queue("large").declare(bytes_max=2**40)


def test_what_is_on_disk_outlives_its_host(directory: str) -> None:
    with telpher.open(directory) as hub:
        hub.queue("kept").declare(ack_deadline=60, dead_letter="graveyard")
        hub.queue("kept").send(b"body", key=b"k", headers={"h": b"\0\xff"}, priority=3)
    with telpher.open(directory) as hub:
        said = hub.queue("kept").inspect()
        assert (said.ready, said.ack_deadline, said.dead_letter) == (1, 60.0, "graveyard")
        with hub.queue("kept").receive(timeout=10) as job:
            sent = (b"body", b"k", {"h": b"\0\xff"}, 3)
            assert (job.body, job.key, job.headers, job.priority) == sent


def test_asyncio_declares_and_says_the_same(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub:
            queue = hub.queue("stated")
            await queue.declare(**STATED)
            said = await queue.inspect()
            assert {name: getattr(said, name) for name in STATED} == STATED
            with pytest.raises(telpher.Invalid, match="ack_deadline is 0 s"):
                await queue.declare(ack_deadline=0)
            with pytest.raises(telpher.Mismatch, match="ack_deadline"):
                await queue.declare(**(STATED | {"ack_deadline": None}))

    run(main())
