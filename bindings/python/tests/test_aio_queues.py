"""Queues on asyncio."""

import asyncio
import time

import pytest
import telpher
import telpher.aio
from conftest import Run
from telpher.aio._line import Line


def test_a_consumer_gives_every_message_once(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub:
            queue = hub.queue("work")
            await queue.declare()
            await asyncio.gather(*(queue.send(b"%d" % index) for index in range(300)))
            got = []
            async for job in queue.consume(prefetch=16):
                async with job:
                    got.append(job.body)
                if len(got) == 300:
                    break
            assert got == [b"%d" % index for index in range(300)]
            assert (await queue.inspect()).acknowledged == 300

    run(main())


def test_a_producer_faster_than_its_hub_waits_in_line(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url, in_flight_max=4) as hub:
            queue = hub.queue("work")
            await queue.declare()
            receipts = await asyncio.gather(*(queue.send(b"%d" % n) for n in range(300)))
            numbers = [receipt.message_id for receipt in receipts]
            assert numbers == sorted(numbers)
            assert (await queue.inspect()).ready == 300

    run(main())


def test_a_send_in_line_is_full_when_its_time_is_over(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url, in_flight_max=1) as hub:
            queue = hub.queue("work")
            await queue.declare()
            receive = asyncio.ensure_future(queue.receive())
            await asyncio.sleep(0)
            with pytest.raises(telpher.Full):
                await queue.send(b"", timeout=0.05)
            receive.cancel()

    run(main())


def test_readiness_that_comes_before_who_joined_the_line_runs_again_is_not_lost(run: Run) -> None:
    async def main() -> None:
        line = Line(asyncio.get_running_loop())
        first, second = line.join(), line.join()
        line.leave(first)
        line.wake()
        assert second.done() and not line
        await line.readiness(second, time.monotonic())

    run(main())


def test_a_job_is_rejected_on_an_exception_and_given_back_on_a_cancel(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub:
            queue = hub.queue("work")
            await queue.declare()
            await queue.send(b"bad")
            with pytest.raises(ValueError):
                async with await queue.receive():
                    raise ValueError
            assert (await queue.inspect()).rejected == 1
            await queue.send(b"again")
            with pytest.raises(asyncio.CancelledError):
                async with await queue.receive():
                    raise asyncio.CancelledError
            async with await queue.receive() as job:
                assert (job.body, job.failures) == (b"again", 0)

    run(main())


def test_a_cancelled_receive_loses_no_message(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub:
            queue = hub.queue("work")
            await queue.declare()
            for index in range(100):
                receive = asyncio.create_task(queue.receive())
                send = queue.send(b"%d" % index)
                for _ in range(index % 8):  # The cancel meets it at another stage each time.
                    await asyncio.sleep(0)
                receive.cancel()
                await asyncio.wait([receive, send])
                if not receive.cancelled():
                    await receive.result().release()
                async with asyncio.timeout(20), await queue.receive() as job:
                    assert job.body == b"%d" % index
            assert (await queue.inspect()).acknowledged == 100

    run(main())


def test_a_dropped_consumer_gives_back_what_it_has_not_handed_out(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub:
            queue = hub.queue("work")
            await queue.declare()
            for body in (b"a", b"b", b"c"):
                await queue.send(body)
            async for job in queue.consume(prefetch=2):
                assert job.body == b"a"
                break
            async with asyncio.timeout(20):
                assert {(await queue.receive()).body for _ in range(2)} == {b"b", b"c"}
            await job.acknowledge()
            assert (await queue.inspect()).acknowledged == 1

    run(main())


def test_a_consumer_closed_elsewhere_ends_its_loop(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub:
            queue = hub.queue("work")
            await queue.declare()
            consumer = queue.consume()

            async def loop() -> int:
                return len([job async for job in consumer])

            async with consumer, asyncio.timeout(20):
                task = asyncio.create_task(loop())
                await queue.inspect()
                await consumer.close()
                assert await task == 0

    run(main())


def test_consuming_what_does_not_exist_is_not_found(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub:
            with pytest.raises(telpher.NotFound):
                async for _ in hub.queue("nowhere").consume():
                    pass

    run(main())
