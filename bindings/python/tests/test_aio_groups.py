"""Reader groups on asyncio, and batches that join streams, groups and queues."""

import asyncio

import pytest
import telpher
import telpher.aio
from conftest import Run


async def fill(stream: telpher.aio.Stream, count: int, partitions: int = 1) -> None:
    """Appends as many records to each partition."""
    appends = (
        stream.append(b"%d" % number, partition=partition)
        for number in range(count)
        for partition in range(partitions)
    )
    await asyncio.gather(*appends)


async def taken(reader: telpher.aio.Reader, count: int) -> list[telpher.Record]:
    """So many records, each committed."""
    records = []
    for _ in range(count):
        records.append(await reader.receive())
        await reader.commit(records[-1])
    return records


async def places(stream: telpher.aio.Stream) -> list[tuple[int, int]]:
    """How far the only group has come in each partition, and what is before it."""
    (group,) = await stream.groups()
    return [(place.next, place.lag) for place in group.places]


def test_two_members_share_the_partitions_and_one_takes_over(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            log = hub.stream("log")
            await log.declare(partitions=4)
            assert await log.groups() == []
            async with log.read(group="billing") as first:
                async with log.read(group="billing") as second:
                    await fill(log, 10, 4)
                    got = await asyncio.gather(taken(first, 20), taken(second, 20))
                    read = [{record.partition for record in records} for records in got]
                    assert [len(partitions) for partitions in read] == [2, 2]
                    assert read[0] | read[1] == {0, 1, 2, 3}
                    (group,) = await log.groups()
                    assert (group.name, group.members) == ("billing", 2)
                    assert all(place.is_read for place in group.places)
                    assert await places(log) == [(10, 0)] * 4
                await fill(log, 2, 4)
                records = await taken(first, 8)
                assert sorted(record.partition for record in records) == sorted([0, 1, 2, 3] * 2)
            (group,) = await log.groups()
            assert (group.members, group.places[0].is_read) == (0, False)

    run(main())


def test_what_is_committed_does_not_come_again_at_the_next_host(run: Run, directory: str) -> None:
    async def main() -> None:
        for round in range(2):
            async with telpher.aio.open(directory) as hub, asyncio.timeout(20):
                log = hub.stream("log")
                await log.declare()
                await fill(log, 5)
                async with log.read(group="billing") as reader:
                    records = [await reader.receive() for _ in range(5)]
                    assert records[0].offset == 5 * round
                    commits = [reader.commit(record) for record in records]
                    assert await asyncio.gather(*commits) == [None] * 5
                assert await places(log) == [(5 * round + 5, 0)]

    run(main())


def test_what_was_read_before_a_reset_can_not_be_committed(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            log = hub.stream("log")
            await log.declare(partitions=2)
            await fill(log, 3, 2)
            async with log.read(group="billing") as reader:
                before = await taken(reader, 6)
                assert await log.reset_group("billing", partition=1, offset=2) is None
                assert await places(log) == [(3, 0), (2, 1)]
                late = next(record for record in before if record.partition == 1)
                with pytest.raises(telpher.LeaseLost, match="partition 1 is not this reader's"):
                    await reader.commit(late)
                (again,) = await taken(reader, 1)
                assert (again.partition, again.offset) == (1, 2)
                await log.reset_group("billing")
                assert await places(log) == [(0, 3)] * 2
                assert len(await taken(reader, 6)) == 6
                await log.delete_group("billing")
                with pytest.raises(telpher.NotFound, match='the group "billing" was deleted'):
                    await reader.receive()
            assert await log.groups() == []

    run(main())


def test_what_the_limits_have_taken_before_the_group_read_it_is_told(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            log = hub.stream("log")
            await log.declare(records_max=10, partitions=2)
            async with log.read(group="slow", buffer=1) as reader:
                for number in range(100):
                    for partition in range(2):
                        await log.append(b"%d" % number, partition=partition)
                next_of, skipped = [0, 0], [0, 0]
                while next_of != [100, 100]:
                    record = await reader.receive()
                    assert record.offset == next_of[record.partition] + record.skipped
                    next_of[record.partition] = record.offset + 1
                    skipped[record.partition] += record.skipped
                assert min(skipped) > 50
                await reader.commit(record)

    run(main())


def test_what_is_read_sent_appended_and_committed_in_one_batch_is_done_or_not(
    run: Run, url: str
) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            log, results, out = hub.stream("log"), hub.stream("results"), hub.queue("out")
            await asyncio.gather(log.declare(), results.declare(), out.declare())
            await fill(log, 2)
            async with log.read(group="workers") as reader:
                first, second = [await reader.receive() for _ in range(2)]
                async with hub.batch() as batch:
                    batch.send("out", first.body)
                    batch.append("results", first.body, partition=0, expect=0)
                    batch.commit(reader, first)
                assert len(batch.receipts) == 1
                refused = hub.batch()
                refused.send("out", second.body)
                refused.commit(reader, second)
                refused.append("results", second.body, partition=0, expect=0)
                with pytest.raises(telpher.Conflict, match="part 2 of the batch: "):
                    await refused.submit()
                assert await places(log) == [(1, 1)]
            assert [record.body async for record in results.read()] == [b"0"]
            assert (await out.inspect()).sent == 1

    run(main())


def test_wrong_input_about_groups_is_refused_with_what_was_wrong(run: Run, url: str) -> None:
    async def main() -> None:
        async with (
            telpher.aio.open(url) as hub,
            telpher.aio.open(url) as other,
            asyncio.timeout(20),
        ):
            log = hub.stream("log")
            await log.declare()
            await fill(log, 3)
            async with log.read() as alone, log.read(group="g") as member:
                record = await alone.receive()
                batch = hub.batch()
                for error, text, use in (
                    (telpher.Invalid, "in no group", lambda: alone.commit(record)),
                    (telpher.Invalid, "in no group", lambda: batch.commit(alone, record)),
                    (telpher.Invalid, "another hub", lambda: other.batch().commit(member, record)),
                    (TypeError, "only a record can be", lambda: member.commit("x")),
                    (TypeError, "only a reader commits", lambda: batch.commit(hub, record)),
                    (
                        telpher.Invalid,
                        "a group and a part",
                        lambda: log.read(group="g", partition=0),
                    ),
                    (telpher.Invalid, "is empty", lambda: log.read(group="")),
                    (
                        telpher.Invalid,
                        "exclude each",
                        lambda: log.reset_group("g", time=0, offset=0),
                    ),
                    (telpher.Invalid, "is 1024", lambda: log.reset_group("g", partition=1024)),
                ):
                    with pytest.raises(error, match=text):
                        use()
                with pytest.raises(telpher.LeaseLost):
                    await member.commit(record)
                with pytest.raises(telpher.OutOfRange, match="0 up to 3"):
                    await log.reset_group("g", offset=4)
                with pytest.raises(telpher.NotFound, match='no group "h"'):
                    await log.delete_group("h")

    run(main())


def test_a_member_may_state_what_it_wants_and_how_long_it_takes(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            log = hub.stream("log")
            await log.declare()
            for number in range(4):
                key = b"even" if number % 2 == 0 else b"odd"
                await log.append(b"%d" % number, key=key, headers={"kind": key})
            wanted = {"key": b"odd", "headers": {"kind": b"odd"}}
            assert [int(record.body) async for record in log.read(**wanted)] == [1, 3]
            async with log.read(group="billing", max_processing=0.05, **wanted) as reader:
                (first,) = await taken(reader, 1)
                assert first.offset == 1
                assert (await reader.receive()).offset == 3
                with pytest.raises(telpher.LeaseLost, match=r"max_processing is 50 ms"):
                    await reader.receive()
            assert await places(log) == [(2, 2)]
            with pytest.raises(telpher.Invalid, match=r"number of headers is 9; allowed are 0"):
                log.read(headers={f"kind-{number}": b"x" for number in range(9)})

    run(main())
