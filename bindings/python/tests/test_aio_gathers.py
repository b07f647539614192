"""Gathers on asyncio."""

import asyncio

import pytest
import telpher
import telpher.aio
from conftest import Run


def test_every_instance_answers_as_it_is_ready(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            ready = [asyncio.Event() for _ in range(3)]

            async def offer(at: int) -> bytes:
                await ready[at].wait()
                return b"%d" % at

            for at in range(3):
                await hub.serve("prices", lambda _, at=at: offer(at))
            gather = hub.gather("prices", b"tea")
            for at in (2, 0, 1):
                ready[at].set()
                assert (await anext(gather)).body == b"%d" % at
            assert [answer async for answer in gather] == []
            assert await gather.result() == telpher.Gathered(answered=3, failed=0)
            assert gather.missing == []

    run(main())


def test_the_deadline_ends_it_and_says_who_is_missing(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            kept: list[telpher.Request] = []

            def keep(request: telpher.Request) -> object:
                kept.append(request)
                return telpher.LATER

            await hub.serve("prices", lambda _: b"one")
            await hub.serve("prices", keep)
            async with hub.gather("prices", timeout=0.2) as gather:
                assert [answer.body async for answer in gather] == [b"one"]
                (missing,) = gather.missing
            assert isinstance(missing.error, telpher.TimedOut) and missing.error.maybe_executed
            assert kept[0].cancelled

    run(main())


@pytest.mark.parametrize("way", ["cancel", "leave", "task"])
def test_cancelling_reaches_the_handlers(run: Run, url: str, way: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            asked: asyncio.Future[telpher.Request] = asyncio.get_running_loop().create_future()

            def keep(request: telpher.Request) -> object:
                asked.set_result(request)
                return telpher.LATER

            await hub.serve("prices", keep)
            gather = hub.gather("prices")
            task = asyncio.ensure_future(gather.result())
            request = await asked
            if way == "cancel":
                gather.cancel()
                with pytest.raises(telpher.Cancelled) as raised:
                    await task
                assert raised.value.maybe_executed
            elif way == "leave":
                async with gather:
                    pass
                with pytest.raises(telpher.Cancelled):
                    await task
            else:
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            while not request.cancelled:
                await asyncio.sleep(0)

    run(main())


def test_subscribers_answer_what_is_gathered(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            topic = hub.topic("who")
            assert await topic.gather(b"?").result() == telpher.Gathered(answered=0, failed=0)
            async with hub.subscribe("*") as one, hub.subscribe("who") as other:
                gathering = asyncio.ensure_future(topic.gather(b"?", count=1).result())
                message = await one.receive()
                assert message.wants_reply and not message.cancelled
                message.reply(b"me")
                end = await gathering
                assert (end.answered, end.asked) == (1, 2)
                assert isinstance(end.missing[0].error, telpher.Cancelled)
                late = await other.receive()
                while not late.cancelled:
                    await asyncio.sleep(0)
                with pytest.raises(telpher.Stale):
                    late.reply(b"late")

    run(main())


def test_without_an_instance_and_on_a_closed_hub_it_fails(run: Run, url: str) -> None:
    async def main() -> None:
        async with asyncio.timeout(20):
            async with telpher.aio.open(url) as hub:
                with pytest.raises(telpher.NoService):
                    async for _ in hub.gather("prices"):
                        pass
                with pytest.raises(telpher.Invalid, match="4096"):
                    hub.gather("prices", count=5000)
                gather = hub.gather("prices")
            with pytest.raises(telpher.Closed):
                await gather.result()

    run(main())


def test_a_gather_waits_for_room_in_flight(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url, in_flight_max=2) as hub, asyncio.timeout(20):
            await hub.serve("prices", lambda _: b"x", concurrency=8)
            calls = [hub.call("prices") for _ in range(8)]
            assert (await hub.gather("prices").result()).answered == 1
            assert await asyncio.gather(*calls) == [b"x"] * 8

    run(main())


def test_answers_that_the_program_takes_too_slowly_are_lost_and_missing(run: Run, url: str) -> None:
    body = b"x" * (8 * 1024 * 1024)

    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(60):
            # Nine of the largest are more than may wait; nobody reads until all have answered.
            for _ in range(9):
                await hub.serve("big", lambda _: body)
            async with hub.gather("big") as gather:
                while not gather.missing:
                    await asyncio.sleep(0)
                answers = [answer async for answer in gather]
                end = await gather.result()
            assert (len(answers), end.answered, end.asked) == (8, 8, 9)
            (missing,) = end.missing
            assert isinstance(missing.error, telpher.Lost) and missing.error.maybe_executed

    run(main())
