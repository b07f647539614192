"""Calls and services on asyncio, on the standard loop and on uvloop."""

import asyncio
import threading

import pytest
import telpher
import telpher.aio
from conftest import LATE, Run


def test_many_calls_at_once_each_get_their_reply(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub:
            await hub.serve("reverse", lambda request: request.body[::-1], concurrency=64)
            bodies = [b"call-%d" % index for index in range(500)]
            replies = await asyncio.gather(*(hub.call("reverse", body) for body in bodies))
            assert replies == [body[::-1] for body in bodies]

    run(main())


def test_handlers_may_be_coroutines_and_run_side_by_side(run: Run, url: str) -> None:
    async def main() -> None:
        together = asyncio.Barrier(4)

        async def meet(request: telpher.Request) -> bytes:
            async with asyncio.timeout(20):
                await together.wait()
            return request.body

        async with telpher.aio.open(url) as hub, hub.serve("meet", meet, concurrency=4):
            calls = [hub.call("meet", b"%d" % index) for index in range(4)]
            assert await asyncio.gather(*calls) == [b"0", b"1", b"2", b"3"]

    run(main())


def test_errors_are_raised_where_they_are_awaited(run: Run, url: str) -> None:
    async def fail(request: telpher.Request) -> bytes:
        raise telpher.Remote("no tea", code=7)

    async def main() -> None:
        async with telpher.aio.open(url) as hub:
            with pytest.raises(telpher.NoService):
                await hub.call("nobody", b"")
            async with hub.serve("fail", fail):
                with pytest.raises(telpher.Remote) as caught:
                    await hub.call("fail", b"")
                assert (caught.value.code, caught.value.detail) == (7, "no tea")
            with pytest.raises(telpher.NoService):
                await hub.call("fail", b"")

    run(main())


def test_a_cancelled_call_reaches_the_handler(run: Run, url: str) -> None:
    async def main() -> None:
        started, gone = asyncio.Event(), asyncio.Event()

        async def wait_for_the_end(request: telpher.Request) -> None:
            started.set()
            while not request.cancelled:
                await hub.call("tick")
            gone.set()

        async with telpher.aio.open(url) as hub:
            await hub.serve("tick", lambda request: b"")
            await hub.serve("slow", wait_for_the_end)
            call = asyncio.ensure_future(hub.call("slow", b""))
            async with asyncio.timeout(20):
                await started.wait()
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call
                await gone.wait()

    run(main())


def test_a_timeout_of_the_loop_cancels_the_call(run: Run, url: str) -> None:
    async def main() -> None:
        held: list[telpher.Request] = []

        def hold(request: telpher.Request) -> object:
            held.append(request)
            return telpher.LATER

        async with telpher.aio.open(url) as hub:
            await hub.serve("hold", hold, concurrency=2)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await hub.call("hold", b"")
            assert hub.stats().started >= 1
            with pytest.raises(LATE):
                await hub.call("hold", b"", timeout=0.05)

    run(main())


def test_a_nested_call_inherits_what_is_left_of_the_time(run: Run, url: str) -> None:
    async def main() -> None:
        remaining = []

        def inner(request: telpher.Request) -> bytes:
            remaining.append(request.remaining)
            return b""

        async def outer(request: telpher.Request) -> bytes:
            remaining.append(request.remaining)
            return await hub.call("inner", b"", timeout=20)

        async with telpher.aio.open(url) as hub:
            await hub.serve("inner", inner)
            await hub.serve("outer", outer)
            await hub.call("outer", b"", timeout=3)
            assert 0 < remaining[1] <= remaining[0] <= 3

    run(main())


def test_a_reply_may_come_from_another_thread(run: Run, url: str) -> None:
    async def main() -> None:
        def handler(request: telpher.Request) -> object:
            threading.Thread(target=lambda: request.reply(b"later")).start()
            return telpher.LATER

        async with telpher.aio.open(url) as hub:
            await hub.serve("later", handler)
            assert await hub.call("later", b"") == b"later"

    run(main())


def test_a_request_dropped_unanswered_is_abandoned(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub:
            await hub.serve("forget", lambda request: telpher.LATER)
            with pytest.raises(telpher.Abandoned):
                await hub.call("forget", b"")

    run(main())


def test_the_loop_goes_on_while_a_call_waits(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub:
            released = asyncio.Event()

            async def hold(request: telpher.Request) -> bytes:
                await released.wait()
                return b"done"

            await hub.serve("hold", hold)
            call = hub.call("hold", b"")
            asyncio.get_running_loop().call_later(0.01, released.set)
            assert await call == b"done"

    run(main())


def test_closing_ends_what_is_under_way(run: Run, url: str) -> None:
    async def main() -> None:
        hub = await telpher.aio.open(url)
        await hub.serve("hold", lambda request: telpher.LATER)
        queue = hub.queue("work")
        await queue.declare()
        receives = [asyncio.ensure_future(queue.receive()) for _ in range(3)]
        await queue.inspect()
        await hub.close()
        for receive in receives:
            with pytest.raises(telpher.Closed):
                await receive
        with pytest.raises(telpher.Closed):
            await hub.call("hold", b"")
        await hub.close()

    run(main())


def test_blocking_and_asyncio_programs_share_a_hub(run: Run, hub: telpher.Hub, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as other:
            assert await other.call("reverse", b"abc") == b"cba"
            assert other.info.hub_id == hub.info.hub_id

    with hub.serve("reverse", lambda request: request.body[::-1]):
        run(main())
