"""Topics that are declared to make publishers wait."""

import asyncio
import threading

import pytest
import telpher
import telpher.aio
from conftest import Run


def start_numbers(hub: telpher.Hub, last: int) -> list[telpher.Operation[None]]:
    topic = hub.topic("numbers")
    return [topic.start.publish(b"%d" % number) for number in range(1, last + 1)]


def test_publishers_wait_for_who_takes_nothing_and_nothing_is_lost(hub: telpher.Hub) -> None:
    hub.topics("numbers").declare(overflow="wait")
    with hub.subscribe("numbers", buffer=4) as numbers:
        published = start_numbers(hub, 100)
        # Four are on their way and four in the hub.
        while (waiting := hub.topics("numbers").inspect().waiting) < 92:
            pass
        assert waiting == 92
        got = [numbers.receive() for _ in range(100)]
        assert [int(message.body) for message in got] == list(range(1, 101))
        assert not any(message.lost for message in got)
        assert all(operation.result(20) is None for operation in published)


def test_a_publish_that_waits_expires_is_cancelled_or_finds_the_line_full(hub: telpher.Hub) -> None:
    hub.topics("numbers").declare(overflow="wait", line_max=2)
    topic = hub.topic("numbers")
    with hub.subscribe("numbers", buffer=1) as numbers:
        for operation in start_numbers(hub, 2):
            operation.result(20)
        waiting = [topic.start.publish(b"unwanted") for _ in range(2)]
        with pytest.raises(telpher.Full, match="line_max is 2"):
            topic.publish(b"too many")
        for unwanted in waiting:
            unwanted.cancel()
            with pytest.raises(telpher.Cancelled):
                unwanted.result(20)
        with pytest.raises(telpher.Expired) as expired:
            topic.publish(b"late", timeout=0.03)
        assert not expired.value.maybe_executed
        last = topic.start.publish(b"3")
        assert [numbers.receive().body for _ in range(3)] == [b"1", b"2", b"3"]
        last.result(20)


def test_who_waits_goes_on_when_the_subscriber_is_closed_or_the_declaration_deleted(
    hub: telpher.Hub,
) -> None:
    topics = hub.topics("numbers")
    topics.declare(overflow="wait")
    numbers = hub.subscribe("numbers", buffer=1)
    published = start_numbers(hub, 10)
    numbers.close()
    for operation in published:
        operation.result(20)
    with hub.subscribe("numbers", buffer=1):
        published = start_numbers(hub, 10)
        topics.delete()
        for operation in published:
            operation.result(20)


def test_declarations_are_looked_at_checked_and_deleted(hub: telpher.Hub) -> None:
    topics = hub.topics("orders.**")
    with pytest.raises(telpher.NotFound, match="not declared"):
        topics.inspect()
    topics.start.declare(overflow="wait", line_max=5).result(20)
    topics.declare(overflow="wait", line_max=5)
    with pytest.raises(telpher.Mismatch, match="line_max 5, not 6"):
        topics.declare(overflow="wait", line_max=6)
    with pytest.raises(telpher.Mismatch, match="overflow wait, not drop"):
        topics.declare()
    info = topics.start.inspect().result(20)
    assert repr(info) == "TopicInfo(overflow='wait', line_max=5, waiting=0)"
    topics.start.delete().result(20)
    with pytest.raises(telpher.NotFound):
        topics.delete()
    topics.declare()
    assert (topics.inspect().overflow, topics.inspect().line_max) == ("drop", 0)


def test_a_wrong_declaration_is_refused_with_the_value(hub: telpher.Hub) -> None:
    topics = hub.topics("a")
    with pytest.raises(telpher.Invalid, match=r"overflow is .*keep.*drop.*wait"):
        topics.declare(overflow="keep")  # type: ignore[arg-type]
    with pytest.raises(telpher.Invalid, match="line_max is 0; allowed are 1 to 1048576"):
        topics.declare(overflow="wait", line_max=0)
    with pytest.raises(telpher.Invalid, match="line_max is 3; nothing waits"):
        topics.declare(line_max=3)
    with pytest.raises(telpher.Invalid, match=r"b\\*"):
        hub.topics("a.b*").declare()


def test_publishers_wait_for_a_thread_that_is_slow(hub: telpher.Hub, url: str) -> None:
    hub.topics("numbers").declare(overflow="wait")
    got: list[int] = []
    with telpher.open(url) as other, other.subscribe("numbers", buffer=2) as numbers:

        def take() -> None:
            for message in numbers:
                assert message.lost == 0
                got.append(int(message.body))
                if len(got) == 500:
                    return

        thread = threading.Thread(target=take)
        thread.start()
        for operation in start_numbers(hub, 500):
            operation.result(20)
        thread.join(20)
    assert got == list(range(1, 501))


def test_a_batch_does_not_wait_for_a_subscriber(hub: telpher.Hub) -> None:
    hub.topics("numbers").declare(overflow="wait")
    with hub.subscribe("numbers", buffer=1):
        for operation in start_numbers(hub, 2):
            operation.result(20)
        with pytest.raises(telpher.Full, match="part 0"), hub.batch() as batch:
            batch.publish("numbers", b"3")


def test_a_publisher_waits_for_a_task_that_takes_nothing(run: Run, url: str) -> None:
    async def main() -> None:
        async with (
            asyncio.timeout(50),
            telpher.aio.open(url) as hub,
            telpher.aio.open(url) as other,
            hub.subscribe("numbers", buffer=4) as numbers,
        ):
            topics = hub.topics("numbers")
            await topics.declare(overflow="wait")
            publishes = [other.topic("numbers").publish(b"%d" % at) for at in range(1, 101)]
            # The loop turns all the time, and takes no more than the program does.
            while (await topics.inspect()).waiting < 92:
                pass
            for _ in range(50):
                await asyncio.sleep(0)
            assert (await topics.inspect()).waiting == 92
            for number in range(1, 101):
                message = await numbers.receive()
                assert (int(message.body), message.lost) == (number, 0)
            await asyncio.gather(*publishes)
            assert await topics.inspect() == await topics.inspect()
            await topics.delete()
            with pytest.raises(telpher.NotFound):
                await topics.inspect()

    run(main())


def test_a_publish_that_waits_expires_or_is_cancelled_on_asyncio(run: Run, url: str) -> None:
    async def main() -> None:
        async with (
            asyncio.timeout(50),
            telpher.aio.open(url) as hub,
            hub.subscribe("numbers", buffer=1) as numbers,
        ):
            await hub.topics("numbers").declare(overflow="wait")
            topic = hub.topic("numbers")
            await topic.publish(b"1")
            await topic.publish(b"2")
            unwanted = topic.publish(b"unwanted")
            with pytest.raises(telpher.Expired):
                await topic.publish(b"late", timeout=0.03)
            unwanted.cancel()
            while (await hub.topics("numbers").inspect()).waiting:
                pass
            last = topic.publish(b"3")
            assert [(await numbers.receive()).body for _ in range(3)] == [b"1", b"2", b"3"]
            await last

    run(main())
