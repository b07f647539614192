"""Topics on asyncio."""

import asyncio

import pytest
import telpher
import telpher.aio
from conftest import Run, Script


def test_a_message_arrives_with_all_that_was_published(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, hub.subscribe("orders.*") as orders:
            await hub.topic("orders.eu.new").publish(b"no match")
            done = await hub.topic("orders.new").publish(b"body", key=b"k", headers={"h": b"v"})
            assert done is None
            async with asyncio.timeout(20):
                message = await orders.receive()
            assert message == telpher.TopicMessage(
                topic="orders.new",
                number=1,
                lost=0,
                body=b"body",
                key=b"k",
                headers={"h": b"v"},
                priority=0,
            )

    run(main())


def test_a_subscriber_is_live_once_entered_and_gets_nothing_older(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            topic = hub.topic("news")
            for round in range(100):
                news = hub.subscribe("news")
                await topic.publish(b"nobody listens")
                async with news:
                    await topic.publish(b"%d" % round)
                    assert (await news.receive()).body == b"%d" % round

    run(main())


def test_messages_come_in_order_to_everybody(run: Run, url: str) -> None:
    bodies = [b"%d" % index for index in range(1000)]

    async def main() -> None:
        async with (
            asyncio.timeout(20),
            telpher.aio.open(url) as hub,
            telpher.aio.open(url) as other,
            hub.subscribe("n") as here,
            other.subscribe("*") as there,
        ):
            published = asyncio.gather(*(hub.topic("n").publish(body) for body in bodies))
            for subscriber in (here, there):
                got = [await subscriber.receive() for _ in bodies]
                assert [message.body for message in got] == bodies
                assert not any(message.lost for message in got)
            await published

    run(main())


def test_who_takes_nothing_for_a_while_is_told_how_much_it_has_lost(run: Run, url: str) -> None:
    async def main() -> None:
        async with (
            asyncio.timeout(50),
            telpher.aio.open(url) as hub,
            hub.subscribe("numbers", buffer=10) as numbers,
        ):
            topic = hub.topic("numbers")
            for number in range(1, 10_001):
                await topic.publish(b"%d" % number)
            got = [await numbers.receive() for _ in range(20)]
            assert [message.number for message in got] == [*range(1, 11), *range(9991, 10_001)]
            assert [int(message.body) for message in got] == [message.number for message in got]
            assert [message.lost for message in got] == [0] * 10 + [9980] + [0] * 9

    run(main())


def test_large_messages_that_nobody_takes_are_lost_before_the_buffer_is_full(
    run: Run, url: str
) -> None:
    async def main() -> None:
        async with (
            asyncio.timeout(50),
            telpher.aio.open(url) as hub,
            hub.subscribe("large") as large,
        ):
            for number in range(1, 41):
                body = b"%d " % number + bytes(1 << 20)
                await hub.topic("large").publish(body, key=b"k", headers={"h": b"v"})
            got = [await large.receive()]
            while got[-1].number != 40:
                got.append(await large.receive())
            # 16 MiB are here, and as many in the hub.
            assert len(got) < 36
            assert sum(message.lost for message in got) + len(got) == 40
            assert [int(message.body.split()[0]) for message in got][-10:] == list(range(31, 41))

    run(main())


def test_who_keeps_up_with_a_small_buffer_loses_nothing(
    run: Run, hub: telpher.Hub, url: str
) -> None:
    async def main() -> None:
        async with (
            asyncio.timeout(20),
            telpher.aio.open(url) as other,
            other.subscribe("numbers", buffer=1) as numbers,
        ):
            for number in range(1, 51):
                hub.topic("numbers").publish(b"%d" % number)
                message = await numbers.receive()
                assert (int(message.body), message.number, message.lost) == (number, number, 0)

    run(main())


UNREAD = """
    import asyncio, resource
    import telpher, telpher.aio

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    async def turning():
        async with telpher.aio.open("mem://unread") as hub:
            async with hub.subscribe("**", buffer=10) as unread:
                for number in range(100):
                    await hub.topic("t").publish(b"x" * 16384)
                before = peak()
                for number in range(10_000):
                    await hub.topic("t").publish(b"x" * 16384)
                print(peak() - before, flush=True)

    async def standing_still():
        async with telpher.aio.open("mem://unread") as hub:
            async with hub.subscribe("**", buffer=10) as unread:
                blocking()

    def blocking():
        with telpher.open("mem://unread") as hub, hub.subscribe("**", buffer=10) as unread:
            for number in range(100):
                hub.topic("t").publish(b"x" * 16384)
            before = peak()
            for number in range(10_000):
                hub.topic("t").publish(b"x" * 16384)
            print(peak() - before, flush=True)

    {run}
"""


@pytest.mark.parametrize(
    "start",
    ["asyncio.run(turning())", "asyncio.run(standing_still())", "blocking()"],
    ids=["turning", "standing still", "blocking"],
)
def test_what_is_not_read_takes_no_more_memory(script, start: str) -> None:
    program: Script = script(UNREAD.format(run=start))
    grown_kib = program.reads()
    code, _, err = program.ends()
    assert code == 0, err
    # 160,000 KiB were published.
    assert int(grown_kib) < 16_000


def test_a_subscriber_closed_elsewhere_ends_its_loop(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            subscriber = hub.subscribe("**")

            async def loop() -> int:
                return len([message async for message in subscriber])

            async with subscriber:
                task = asyncio.create_task(loop())
                await hub.topic("news").publish(b"")
                await subscriber.close()
                assert await task <= 1
            with pytest.raises(telpher.Closed):
                await subscriber.receive()

    run(main())


def test_one_that_is_closed_before_it_has_begun_never_begins(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            subscriber = hub.subscribe("**")
            await subscriber.close()
            assert [message async for message in subscriber] == []

    run(main())


def test_a_dropped_subscriber_is_stopped(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            subscriber = hub.subscribe("**")
            async with asyncio.TaskGroup() as group:
                receive = group.create_task(subscriber.receive())
                await asyncio.sleep(0)
                await hub.topic("news").publish(b"")
            assert receive.result().number == 1
            outcomes = hub._turner._outcomes
            assert len(outcomes.sources) == 1
            del subscriber, receive, group
            while outcomes.sources:
                await hub.topic("news").publish(b"")

    run(main())


def test_a_loop_over_topics_ends_with_its_hub(run: Run, url: str) -> None:
    async def main() -> None:
        hub = await telpher.aio.open(url)
        subscriber = hub.subscribe("**")
        async with asyncio.timeout(20):
            await subscriber.__aenter__()
            await hub.topic("news").publish(b"one")
            assert (await subscriber.receive()).body == b"one"
            receiving = asyncio.create_task(anext(subscriber, None))
            await asyncio.sleep(0)
            await hub.close()
            assert await receiving is None

    run(main())


def test_a_cancelled_receive_loses_no_message(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, hub.subscribe("*") as subscriber:
            for index in range(100):
                receive = asyncio.create_task(subscriber.receive())
                publish = hub.topic("t").publish(b"%d" % index)
                for _ in range(index % 8):  # The cancel meets it at another stage each time.
                    await asyncio.sleep(0)
                receive.cancel()
                await asyncio.wait([receive, publish])
                if receive.cancelled():
                    async with asyncio.timeout(20):
                        message = await subscriber.receive()
                else:
                    message = receive.result()
                assert (message.body, message.lost) == (b"%d" % index, 0)

    run(main())


def test_tasks_share_a_subscriber_without_waiting_for_each_other(run: Run, url: str) -> None:
    async def main() -> None:
        together = asyncio.Barrier(4)

        async with telpher.aio.open(url) as hub, hub.subscribe("*") as subscriber:

            async def work() -> int:
                message = await subscriber.receive()
                await together.wait()
                return message.number

            async with asyncio.timeout(20):
                tasks = [asyncio.create_task(work()) for _ in range(4)]
                for _ in range(4):
                    await hub.topic("t").publish(b"")
                assert sorted(await asyncio.gather(*tasks)) == [1, 2, 3, 4]

    run(main())


def test_a_subscriber_goes_on_at_the_next_host(run: Run, host: Script, directory: str) -> None:
    async def main() -> None:
        changed = asyncio.get_running_loop().create_future()

        def note(notice: telpher.Notice) -> None:
            if notice.kind == "HUB_CHANGED":
                changed.set_result(notice)

        async with (
            asyncio.timeout(30),
            telpher.aio.open(directory, on_notice=note) as hub,
            hub.subscribe("news") as news,
        ):
            await hub.topic("news").publish(b"before")
            assert (await news.receive()).body == b"before"
            host.process.kill()
            await changed
            await hub.topic("news").publish(b"after")
            after = await news.receive()
            assert (after.body, after.number, after.lost) == (b"after", 2, 0)

    run(main())


def test_blocking_and_asyncio_programs_share_topics(run: Run, hub: telpher.Hub, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as other, other.subscribe("to.asyncio") as there:
            hub.topic("to.asyncio").publish(b"one")
            await other.topic("to.blocking").publish(b"two")
            async with asyncio.timeout(20):
                assert (await there.receive()).body == b"one"

    with hub.subscribe("to.blocking") as here:
        run(main())
        assert here.receive().body == b"two"
