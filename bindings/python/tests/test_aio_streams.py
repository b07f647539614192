"""Streams on asyncio."""

import asyncio
import itertools
import threading

import pytest
import telpher
import telpher.aio
from conftest import Line, Run, Script


async def append_numbers(stream: telpher.aio.Stream, numbers: range) -> list[telpher.Appended]:
    """Appends each number, all on their way at once."""
    return await asyncio.gather(*(stream.append(b"%d" % number) for number in numbers))


async def offsets(reader: telpher.aio.Reader) -> list[int]:
    """Everything up to the reader's end."""
    return [record.offset async for record in reader]


def test_a_record_is_read_with_all_that_was_appended(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            log = hub.stream("log")
            assert await log.declare(partitions=2) is None
            appended = await log.append(b"body", key=b"k", headers={"h": b"v"}, partition=1)
            assert (appended.partition, appended.offset) == (1, 0)
            assert appended.durability == "memory"
            async with log.read() as reader:
                record = await reader.receive()
            assert record == telpher.Record(
                partition=1,
                offset=0,
                time=record.time,
                body=b"body",
                key=b"k",
                headers={"h": b"v"},
            )
            info = await log.inspect()
            assert [partition.next for partition in info.partitions] == [0, 1]
            assert await log.delete() is None
            with pytest.raises(telpher.NotFound):
                await log.append(b"")
            with pytest.raises(telpher.NotFound):
                async with log.read():
                    pass

    run(main())


def test_everything_is_read_in_its_order_up_to_the_end(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(50):
            log = hub.stream("log")
            await log.declare()
            appended = await append_numbers(log, range(5000))
            assert [one.offset for one in appended] == list(range(5000))
            for buffer in (None, 1, 5000):
                reader = log.read(buffer=buffer)
                records = [record async for record in reader]
                assert [record.offset for record in records] == list(range(5000))
                assert [int(record.body) for record in records] == list(range(5000))
                assert [record async for record in reader] == []
                with pytest.raises(telpher.Closed, match="every record was read"):
                    await reader.receive()

    run(main())


def test_reading_begins_where_it_is_to(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            log = hub.stream("log")
            await log.declare()
            await append_numbers(log, range(10))
            assert await offsets(log.read(start="end")) == []
            assert await offsets(log.read(start="beginning")) == list(range(10))
            assert await offsets(log.read(offset=7)) == [7, 8, 9]
            assert await offsets(log.read(time=0)) == list(range(10))
            assert await offsets(log.read(time=2e9 * 2)) == []
            with pytest.raises(telpher.OutOfRange, match="has 0 up to 10"):
                await offsets(log.read(offset=11))
            with pytest.raises(telpher.Invalid, match="exclude each other"):
                log.read(start="end", offset=11)
            with pytest.raises(telpher.Conflict, match="offset 3 is expected"):
                await log.append(b"", expect=3)
            assert (await log.append(b"", expect=10)).offset == 10

    run(main())


def test_a_reader_that_follows_gets_what_is_appended_later(
    run: Run, hub: telpher.Hub, url: str
) -> None:
    stream = hub.stream("log")
    stream.declare()
    stream.append(b"before")

    async def main() -> None:
        async with (
            asyncio.timeout(20),
            telpher.aio.open(url) as other,
            other.stream("log").read(start="end", follow=True) as reader,
        ):
            for number in range(100):
                if number % 2:
                    receiving = asyncio.create_task(reader.receive())
                    await asyncio.sleep(0)
                    stream.append(b"%d" % number)
                    record = await receiving
                else:
                    stream.append(b"%d" % number)
                    record = await reader.receive()
                assert (record.offset, record.body) == (number + 1, b"%d" % number)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await reader.receive()

    run(main())


def test_a_reader_is_live_once_entered(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            log = hub.stream("log")
            await log.declare()
            for number in range(50):
                reader = log.read(start="end", follow=True)
                await log.append(b"nobody reads")
                async with reader:
                    await log.append(b"%d" % number)
                    assert (await reader.receive()).body == b"%d" % number

    run(main())


def test_a_reader_that_the_limits_overtake_hands_out_what_it_has_and_fails(
    run: Run, url: str
) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            short = hub.stream("short")
            await short.declare(records_max=10)
            async with short.read(follow=True, buffer=1) as reader:
                for number in range(100):
                    await short.append(b"%d" % number)
                got = []
                with pytest.raises(telpher.OutOfRange, match="has 90 up to 100"):
                    async for record in reader:
                        got.append(record.offset)
                assert got == list(range(len(got))) and 0 < len(got) < 90
                with pytest.raises(telpher.OutOfRange):
                    await reader.receive()

    run(main())


def test_a_cancelled_receive_loses_no_record(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            log = hub.stream("log")
            await log.declare()
            got = []
            async with log.read(follow=True) as reader:
                for index in range(200):
                    receive = asyncio.create_task(reader.receive())
                    appending = log.append(b"%d" % index)
                    for _ in range(index % 8):  # The cancel meets it at another stage each time.
                        await asyncio.sleep(0)
                    receive.cancel()
                    await asyncio.wait([receive])
                    if not receive.cancelled():
                        got.append(receive.result().offset)
                    await appending
                while len(got) < 200:
                    got.append((await reader.receive()).offset)
            assert got == list(range(200))

    run(main())


def test_a_cancelled_append_ends_once_and_the_rest_goes_on(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            log = hub.stream("log")
            await log.declare()
            appending = [log.append(b"%d" % number) for number in range(100)]
            for future in appending[::2]:
                future.cancel()
            await asyncio.wait(appending)
            assert all(future.cancelled() for future in appending[::2])
            kept = {
                future.result().offset: number * 2 + 1
                for number, future in enumerate(appending[1::2])
            }
            assert len(kept) == 50
            bodies = {record.offset: int(record.body) async for record in log.read()}
            assert all(bodies[offset] == number for offset, number in kept.items())

    run(main())


def test_tasks_share_a_reader_and_none_gets_what_another_has(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            log = hub.stream("log")
            await log.declare()
            await append_numbers(log, range(500))
            reader = log.read(buffer=1000)
            got = await asyncio.gather(*(offsets(reader) for _ in range(4)))
            assert sorted(itertools.chain(*got)) == list(range(500))

    run(main())


def test_reading_much_leaves_others_their_turn(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(50):
            log = hub.stream("log")
            await log.declare()
            await append_numbers(log, range(10_000))
            turns = 0

            async def other() -> None:
                nonlocal turns
                while True:
                    await asyncio.sleep(0)
                    turns += 1

            task = asyncio.create_task(other())
            assert len(await offsets(log.read(buffer=4000))) == 10_000
            task.cancel()
            # There are about 10 records in each part that is fetched.
            assert turns > 500

    run(main())


def test_a_closed_reader_ends_its_loop_and_hands_out_nothing_more(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            log = hub.stream("log")
            await log.declare()
            await append_numbers(log, range(10))
            for follow in (False, True):
                async with log.read(follow=follow) as reader:
                    assert (await reader.receive()).offset == 0
                    await reader.close()
                    assert await offsets(reader) == []
                    with pytest.raises(telpher.Closed):
                        await reader.receive()
            async with log.read(start="end", follow=True) as reader:
                task = asyncio.create_task(offsets(reader))
                await asyncio.sleep(0)
                await reader.close()
                assert await task == []
            never = log.read()
            await never.close()
            assert await offsets(never) == []

    run(main())


def test_a_dropped_reader_is_stopped(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            log = hub.stream("log")
            await log.declare()
            reader = log.read(follow=True)
            receiving = asyncio.create_task(reader.receive())
            await asyncio.sleep(0)
            await log.append(b"")
            assert (await receiving).offset == 0
            outcomes, number = hub._turner._outcomes, reader._id
            assert len(outcomes.sources) == 1
            del reader, receiving
            while outcomes.sources:
                await log.append(b"")
            with pytest.raises(telpher.Stale):
                hub._turner.core.detach(number)

    run(main())


def test_a_loop_that_follows_ends_with_its_hub_and_another_says_it_is_not_complete(
    run: Run, url: str
) -> None:
    async def main() -> None:
        hub = await telpher.aio.open(url)
        async with asyncio.timeout(20):
            log = hub.stream("log")
            await log.declare()
            await append_numbers(log, range(100))
            following, to_the_end = log.read(follow=True), log.read(buffer=1000)
            for reader in (following, to_the_end):
                assert (await reader.receive()).offset == 0
            await hub.close()
            rest = await offsets(following)
            assert rest == list(range(1, len(rest) + 1))
            got = [0]
            with pytest.raises(telpher.Closed):
                async for record in to_the_end:
                    got.append(record.offset)
            assert got == list(range(len(got))) and len(got) < 100
            with pytest.raises(telpher.Closed):
                await log.append(b"")
            with pytest.raises(telpher.Closed):
                await offsets(log.read())

    run(main())


def test_the_readers_of_a_deleted_stream_hear_so(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            log = hub.stream("log")
            await log.declare()
            async with log.read(follow=True) as reader:
                task = asyncio.create_task(offsets(reader))
                await asyncio.sleep(0)
                await log.delete()
                with pytest.raises(telpher.NotFound, match='stream "log" was deleted'):
                    await task

    run(main())


def test_larger_bodies_are_memoryviews_with_zero_copy(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url, zero_copy=True) as hub, asyncio.timeout(20):
            log = hub.stream("log")
            await log.declare()
            await log.append(b"small")
            await log.append(b"large" * 1000)
            small, large = [record.body async for record in log.read()]
            assert type(small) is bytes
            assert isinstance(large, memoryview) and large == b"large" * 1000

    run(main())


UNREAD = """
    import asyncio, resource
    import telpher, telpher.aio

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    async def main():
        async with (
            telpher.aio.open({directory!r}, host="never") as hub,
            hub.stream("log").read(follow=True, buffer=4 << 20) as unread,
            hub.stream("log").read(follow=True) as read,
        ):
            await unread.receive()
            await read.receive()
            before = peak()
            print("ready", flush=True)
            while (await read.receive()).body != b"end":
                pass
            print(peak() - before, flush=True)
            count = 0
            while (await unread.receive()).body != b"end":
                count += 1
            print(count, flush=True)

    asyncio.run(main())
"""


def test_what_is_not_read_takes_no_memory_though_the_loop_turns(script, directory: str) -> None:
    with telpher.open(directory) as hub:
        log = hub.stream("log")
        log.declare(durability="memory")
        log.append(b"first")
        guest: Script = script(UNREAD.format(directory=directory))
        assert guest.reads() == "ready"
        for _ in range(50):
            started = [log.start.append(bytes(16384)) for _ in range(60)]
            for operation in started:
                operation.result(20)
        log.append(b"end")
        grown_kib = guest.reads()
        code, out, err = guest.ends()
        assert (code, out) == (0, "3000\n"), err
        # 48,000 KiB were appended.
        assert int(grown_kib) < 16_000


def test_a_reader_goes_on_at_the_next_host(run: Run, host: Script, directory: str) -> None:
    async def main() -> None:
        async with (
            asyncio.timeout(50),
            telpher.aio.open(directory) as hub,
            telpher.aio.open(directory, host="never") as guest,
        ):
            log = guest.stream("log")
            await log.declare(durability="os")
            here, there = hub.stream("log").read(follow=True), log.read(follow=True, buffer=1)
            await append_numbers(log, range(50))
            got = [[await reader.receive() for _ in range(10)] for reader in (here, there)]
            host.process.kill()
            await append_numbers(log, range(50, 100))
            for records, reader in zip(got, (here, there), strict=True):
                records += [await reader.receive() for _ in range(90)]
                assert [record.offset for record in records] == list(range(100))
                assert [int(record.body) for record in records] == list(range(100))

    run(main())


def test_a_broken_connection_costs_a_reader_nothing(run: Run, directory: str) -> None:
    there, between = f"{directory}.there", f"{directory}.between"

    async def main(log: telpher.Stream, line: Line) -> None:
        gone, back = asyncio.Event(), asyncio.Event()

        def note(notice: telpher.Notice) -> None:
            (gone if notice.kind == "DISCONNECTED" else back).set()

        async with (
            asyncio.timeout(50),
            telpher.aio.open(f"unix://{between}", on_notice=note) as far,
            far.stream("log").read(follow=True, buffer=1000) as reader,
        ):
            got = [(await reader.receive()).offset for _ in range(10)]
            line.cut()
            await gone.wait()
            for number in range(100, 200):
                log.append(b"%d" % number)
            line.mend()
            await back.wait()
            got += [(await reader.receive()).offset for _ in range(190)]
        assert got == list(range(200))

    with (
        telpher.open(directory, listen=[f"unix://{there}"]) as hub,
        Line(between, there) as line,
    ):
        log = hub.stream("log")
        log.declare(durability="memory")
        for number in range(100):
            log.append(b"%d" % number)
        run(main(log, line))


def test_a_reader_may_be_dropped_on_another_thread(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            log = hub.stream("log")
            await log.declare()
            await log.append(b"")
            readers = [log.read(follow=True)]
            assert (await readers[0].receive()).offset == 0
            number = readers[0]._id
            thread = threading.Thread(target=readers.clear)
            thread.start()
            thread.join(20)
            sources = hub._turner._outcomes.sources
            await log.append(b"goes on")
            with pytest.raises(telpher.Stale):
                hub._turner.core.detach(number)
            assert [source for source in sources if source.ended is None] == []

    run(main())
