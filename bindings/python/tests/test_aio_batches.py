"""Batches on asyncio."""

import asyncio

import pytest
import telpher
import telpher.aio
from conftest import Run


async def opened_queues(hub: telpher.aio.Hub) -> tuple[telpher.aio.Queue, telpher.aio.Queue]:
    """A queue with one message, and an empty one."""
    queue, out = hub.queue("work"), hub.queue("out")
    await queue.declare()
    await out.declare()
    await queue.send(b"body")
    return queue, out


def test_all_parts_of_a_batch_are_done_or_none(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub:
            queue, out = await opened_queues(hub)
            job = await queue.receive()
            with pytest.raises(telpher.NotFound, match="part 1 of the batch"):
                async with hub.batch() as refused:
                    refused.acknowledge(job)
                    refused.send("nowhere", b"")
            with pytest.raises(ZeroDivisionError):
                async with hub.batch() as dropped:
                    dropped.reject(job, "never")
                    raise ZeroDivisionError
            assert (await queue.inspect()).held == 1
            async with hub.batch() as batch:
                batch.send("out", b"1", key=b"k")
                batch.acknowledge(job)
                batch.send("out", b"2")
            ids = [(await out.receive()).message_id for _ in range(2)]
            assert [receipt.message_id for receipt in batch.receipts] == ids
            assert refused.receipts == dropped.receipts == []
            said = await queue.inspect()
            assert (said.acknowledged, said.rejected, said.held) == (1, 0, 0)

    run(main())


def test_the_block_of_a_job_leaves_it_to_its_batch(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub:
            queue, out = await opened_queues(hub)
            for carried_out in (False, True):
                try:
                    async with hub.batch() as batch:
                        async with await queue.receive(timeout=10) as job:
                            assert (job.body, job.failures) == (b"body", 0)
                            batch.send("out", job.body)
                            batch.acknowledge(job)
                        assert (await queue.inspect()).held == 1
                        if not carried_out:
                            raise ZeroDivisionError
                except ZeroDivisionError:
                    pass
            said = await queue.inspect()
            assert (said.acknowledged, said.held, (await out.inspect()).ready) == (1, 0, 1)

    run(main())


def test_a_batch_within_the_block_of_a_job_settles_it(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub:
            queue, out = await opened_queues(hub)
            async with await queue.receive() as job, hub.batch() as batch:
                batch.send("out", job.body)
                batch.release(job)
            async with await queue.receive(timeout=10) as job:
                receipts = await asyncio.gather(*(started(hub, n) for n in range(50)))
                assert all(len(each) == 1 for each in receipts)
            said = await queue.inspect()
            assert (said.acknowledged, (await out.inspect()).ready) == (1, 51)

    def started(hub: telpher.aio.Hub, number: int) -> "asyncio.Future[list[telpher.Receipt]]":
        batch = hub.batch()
        batch.send("out", b"%d" % number)
        return batch.submit()

    run(main())


def test_a_refused_batch_may_be_submitted_again_and_a_done_one_not(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub:
            queue, _ = await opened_queues(hub)
            async with await queue.receive() as job:
                batch = hub.batch()
                batch.acknowledge(job)
                batch.send("later", b"")
                with pytest.raises(telpher.NotFound):
                    await batch.submit()
                await hub.queue("later").declare()
                assert await batch.submit() == batch.receipts
            with pytest.raises(telpher.Stale, match="submitted before"):
                await batch.submit()
            with pytest.raises(telpher.Stale, match="submitted before"):
                batch.send("work", b"")
            async with hub.batch() as empty:
                pass
            with pytest.raises(telpher.Invalid, match="is 0; allowed are 1 to 1024"):
                await empty.submit()
            assert (await queue.inspect()).acknowledged == 1

    run(main())


def test_the_jobs_of_a_batch_that_is_cancelled_in_line_go_back(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url, in_flight_max=1) as hub:
            queue, out = await opened_queues(hub)
            job = await queue.receive()
            for _ in range(2):
                receive = asyncio.ensure_future(out.receive())
                await asyncio.sleep(0)
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05), job, hub.batch() as batch:
                        batch.send("out", b"")
                        batch.acknowledge(job)
                receive.cancel()
                await asyncio.wait([receive])
                job = await queue.receive(timeout=10)
                assert (job.body, job.failures, job.redelivered) == (b"body", 0, True)
            await job.acknowledge()
            assert (await out.inspect()).sent == 0

    run(main())


def test_a_cancelled_batch_is_done_whole_or_not_at_all(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub:
            queue, out = await opened_queues(hub)
            done = 0
            for index in range(40):
                job = await queue.receive(timeout=10)
                submit = asyncio.create_task(through_a_batch(hub, job))
                for _ in range(1 + index % 8):  # The cancel meets it at another stage each time.
                    await asyncio.sleep(0)
                submit.cancel()
                await asyncio.wait([submit])
                said = await queue.inspect()
                assert said.held == 0
                assert said.acknowledged == (await out.inspect()).sent
                if said.acknowledged > done:
                    done = said.acknowledged
                    await queue.send(b"body")

    async def through_a_batch(hub: telpher.aio.Hub, job: telpher.aio.Job) -> None:
        async with job, hub.batch() as batch:
            batch.send("out", b"")
            batch.acknowledge(job)

    run(main())


def test_a_batch_under_way_when_the_hub_closes_ends(run: Run, url: str) -> None:
    async def main() -> None:
        hub = await telpher.aio.open(url)
        await hub.queue("work").declare()
        batch = hub.batch()
        batch.send("work", b"")
        under_way = batch.submit()
        await hub.close()
        ended = (await asyncio.gather(under_way, return_exceptions=True))[0]
        assert isinstance(ended, telpher.Closed | list)
        late = hub.batch()
        late.send("work", b"")
        with pytest.raises(telpher.Closed):
            await late.submit()

    run(main())


def test_a_wrong_part_is_refused_when_it_is_added(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, telpher.aio.open(url) as other:
            queue, _ = await opened_queues(hub)
            async with await queue.receive() as job:
                batch = hub.batch()
                with pytest.raises(telpher.TooLarge, match="at most 1024"):
                    batch.reject(job, "x" * 1025)
                with pytest.raises(TypeError, match="encode"):
                    batch.send("out", "text")
                with pytest.raises(telpher.Invalid, match="timeout is -1 s"):
                    batch.submit(timeout=-1)
                with pytest.raises(telpher.Invalid, match="another hub"):
                    other.batch().acknowledge(job)
            assert (await queue.inspect()).acknowledged == 1

    run(main())
