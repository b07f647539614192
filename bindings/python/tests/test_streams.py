"""Streams, blocking."""

import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Literal

import pytest
import telpher
from conftest import append_numbers, bodies


def test_a_record_is_read_with_all_that_was_appended(log: telpher.Stream) -> None:
    before = time.time()
    appended = log.append(b"body", key=b"k", headers={"h": b"v"})
    assert (appended.partition, appended.offset, appended.durability) == (0, 0, "memory")
    (record,) = log.read()
    assert (record.partition, record.offset) == (0, 0)
    assert (record.body, record.key, record.headers) == (b"body", b"k", {"h": b"v"})
    # The hub's clock of this process is the system's, in whole ms.
    assert before - 1 < record.time < time.time() + 1


def test_offsets_follow_each_other_and_each_reader_gets_everything(log: telpher.Stream) -> None:
    appended = append_numbers(log, range(1000))
    assert [one.offset for one in appended] == list(range(1000))
    for _ in range(2):
        records = list(log.read())
        assert [record.offset for record in records] == list(range(1000))
        assert [record.body for record in records] == [b"%d" % number for number in range(1000)]


def test_records_with_one_key_are_in_one_partition_in_their_order(hub: telpher.Hub) -> None:
    stream = hub.stream("keyed")
    stream.declare(partitions=8)
    started = [
        stream.start.append(b"%d" % number, key=b"key %d" % (number % 20)) for number in range(400)
    ]
    places = {}
    for number, operation in enumerate(started):
        place = places.setdefault(number % 20, operation.result(20).partition)
        assert operation.result(20).partition == place
    assert len(set(places.values())) > 2
    got: dict[bytes, list[int]] = {}
    for record in stream.read():
        assert places[int(record.key.split()[1])] == record.partition
        got.setdefault(record.key, []).append(int(record.body))
    assert len(got) == 20
    assert all(numbers == sorted(numbers) and len(numbers) == 20 for numbers in got.values())


def test_a_stated_partition_is_the_one_and_can_be_read_alone(hub: telpher.Hub) -> None:
    stream = hub.stream("parts")
    stream.declare(partitions=3)
    for number in range(30):
        appended = stream.append(b"%d" % number, key=b"same", partition=number % 3)
        assert (appended.partition, appended.offset) == (number % 3, number // 3)
    assert bodies(stream.read(partition=1)) == [b"%d" % number for number in range(1, 30, 3)]
    assert len(bodies(stream.read())) == 30
    for wrong in (lambda: stream.read(partition=3), lambda: stream.append(b"", partition=3)):
        with pytest.raises(telpher.Invalid) as caught:
            wrong()
        assert "partition is 3" in caught.value.detail and "has 3" in caught.value.detail


def test_with_expect_of_two_only_one_appends(hub: telpher.Hub, log: telpher.Stream) -> None:
    assert log.append(b"first", expect=0).offset == 0
    with pytest.raises(telpher.Conflict) as caught:
        log.append(b"second", expect=0)
    assert "offset 0 is expected; the next one is 1" in caught.value.detail
    assert not caught.value.maybe_executed
    with pytest.raises(telpher.Conflict):
        log.start.append(b"third", expect=2).result(20)
    assert log.append(b"fourth", expect=1).offset == 1
    assert bodies(log.read()) == [b"first", b"fourth"]
    several = hub.stream("several")
    several.declare(partitions=2)
    with pytest.raises(telpher.Invalid, match="neither partition nor key"):
        several.append(b"", expect=0)
    assert several.append(b"", partition=1, expect=0).partition == 1


def test_reading_begins_where_it_is_to(log: telpher.Stream) -> None:
    append_numbers(log, range(10))
    everything = [b"%d" % number for number in range(10)]
    assert bodies(log.read()) == bodies(log.read(start="beginning")) == everything
    assert bodies(log.read(start="end")) == bodies(log.read(offset=10)) == []
    assert bodies(log.read(offset=0)) == everything
    assert bodies(log.read(offset=7)) == everything[7:]


def test_reading_begins_at_a_time_that_a_record_or_a_datetime_states(log: telpher.Stream) -> None:
    while time.time() * 1000 % 1 > 0.5:
        pass
    log.append(b"before")
    (before,) = log.read()
    while time.time() < before.time + 0.003:
        pass
    for number in range(50):
        log.append(b"%d" % number)
    records = list(log.read())
    for record in records:
        (first, *_) = log.read(time=record.time)
        assert first.offset == next(r.offset for r in records if r.time == record.time)
        aware = datetime.fromtimestamp(record.time, timezone(timedelta(hours=5)))
        assert next(iter(log.read(time=aware))).offset == first.offset
    # Between two records, and outside of all of them.
    assert next(iter(log.read(time=before.time + 0.0005))).body == b"0"
    assert next(iter(log.read(time=0))).body == b"before"
    assert bodies(log.read(time=time.time() + 1000)) == []
    assert bodies(log.read(time=datetime(2999, 1, 1, tzinfo=UTC))) == []


def test_a_place_that_makes_no_sense_is_refused(log: telpher.Stream) -> None:
    cases = [
        (lambda: log.read(start="end", offset=0), "start, offset and time exclude each other"),
        (lambda: log.read(offset=0, time=0), "start, offset and time exclude each other"),
        (lambda: log.read(start="middle"), '"middle"; allowed are "beginning", "end"'),
        (lambda: log.read(offset=-1), "offset is -1; allowed are 0 to"),
        (lambda: log.read(time=-1), "time is -1 s since 1970; allowed are 0 to"),
        (lambda: log.read(time=float("nan")), "time is NaN s since 1970; allowed are 0 to"),
        (lambda: log.read(time=datetime(2026, 1, 1)), "without a time zone"),
        (lambda: log.read(partition=1024), "partition is 1024; allowed are 0 to 1023"),
        (lambda: log.read(buffer=0), "buffer is 0; allowed are 1 to 67108864"),
        (lambda: log.append(b"", partition=-1), "partition is -1; allowed are 0 to 1023"),
        (lambda: log.append(b"", expect=-1), "expect is -1; allowed are 0 to"),
        (lambda: log.declare(partitions=0), "partitions is 0; allowed are 1 to 1024"),
        (lambda: log.declare(age_max=0), "age_max is 0 s; allowed are 0.001 to"),
        (lambda: log.declare(bytes_max=0), "bytes_max is 0; allowed are 1 to"),
        (lambda: log.declare(records_max=0), "records_max is 0; allowed are 1 to"),
        (lambda: log.declare(durability="tape"), '"tape"; allowed are "memory"'),
    ]
    for operation, text in cases:
        with pytest.raises(telpher.Invalid) as caught:
            operation()
        assert text in caught.value.detail
    assert log.append(b"goes on").offset == 0


def test_an_offset_that_is_not_there_is_out_of_range(hub: telpher.Hub, log: telpher.Stream) -> None:
    with pytest.raises(telpher.OutOfRange) as caught:
        log.read(offset=1)
    assert "has 0 up to 0" in caught.value.detail
    short = hub.stream("short")
    short.declare(records_max=10)
    for number in range(100):
        short.append(b"%d" % number)
    (partition,) = short.inspect().partitions
    assert (partition.first, partition.next) == (90, 100)
    with pytest.raises(telpher.OutOfRange) as caught:
        short.read(offset=89)
    assert "partition 0 has 90 up to 100" in caught.value.detail
    assert bodies(short.read(offset=90)) == [b"%d" % number for number in range(90, 100)]


def test_of_each_key_the_latest_record_is_kept(hub: telpher.Hub) -> None:
    stream = hub.stream("state")
    stream.declare(compact=True, tombstone_age=3600)
    info = stream.inspect()
    assert (info.compact, info.tombstone_age, info.keep_unread) == (True, 3600.0, False)
    with pytest.raises(telpher.Invalid, match="a record has no key"):
        stream.append(b"x")
    for number in range(300):
        stream.start.append(b"%d " % number + bytes(2000), key=b"%d" % (number % 3))
    stream.append(b"", key=b"2")
    records = list(stream.read())
    while len(records) > 200:
        records = list(stream.read())
    assert {record.key: record.body.split(b" ")[0] for record in records} == {
        b"0": b"297",
        b"1": b"298",
        b"2": b"",
    }
    assert stream.inspect().partitions[0].next == 301
    with pytest.raises(telpher.Invalid, match="tombstone_age_ms is 1000, and compact is not"):
        hub.stream("other").declare(tombstone_age=1)
    with pytest.raises(telpher.Mismatch, match="compact true, not false"):
        stream.start.declare().result(20)


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_compressed_records_take_less_room_and_are_read_as_they_were(
    hub: telpher.Hub, compression: Literal["lz4", "zstd"]
) -> None:
    stream = hub.stream("packed")
    stream.declare(compression=compression)
    sent = [b"%d " % number * 500 for number in range(50)]
    for operation in [
        stream.start.append(body, key=b"k", headers={"h": body[:9]}) for body in sent
    ]:
        operation.result(20)
    assert bodies(stream.read()) == sent
    info = stream.inspect()
    assert info.compression == compression
    assert info.partitions[0].bytes * 5 < sum(map(len, sent))
    with pytest.raises(telpher.Invalid, match='compression is "tar"; allowed are "lz4", "zstd"'):
        hub.stream("other").declare(compression="tar")  # type: ignore[arg-type]


def test_what_a_group_has_not_read_stays_if_the_stream_says_so(hub: telpher.Hub) -> None:
    stream = hub.stream("kept")
    stream.declare(records_max=2, keep_unread=True)
    with stream.read(group="slow") as reader:
        for _ in range(2):
            stream.append(b"x")
        with pytest.raises(telpher.Full, match="has not read 2 records of partition 0"):
            stream.append(b"x")
        reader.commit(next(reader))
        stream.append(b"x")


def test_what_a_stream_is_and_has_is_told(hub: telpher.Hub) -> None:
    stream = hub.stream("told")
    stream.declare(partitions=2, age_max=60, bytes_max=1 << 20, records_max=100)
    stream.append(b"x", partition=1)
    info = stream.inspect()
    assert (info.durability, info.age_max, info.bytes_max) == ("memory", 60.0, 1 << 20)
    assert info.records_max == 100
    empty, one = info.partitions
    assert (empty.first, empty.next, empty.bytes) == (0, 0, 0)
    assert (one.first, one.next) == (0, 1) and one.bytes > 0
    assert info == stream.start.inspect().result(20)
    assert repr(one) == f"PartitionInfo(first=0, next=1, bytes={one.bytes})"
    assert repr(empty) in repr(info)
    stream.declare(partitions=2, age_max=60, bytes_max=1 << 20, records_max=100)
    with pytest.raises(telpher.Mismatch, match="partitions 2, not 3"):
        stream.declare(partitions=3, age_max=60, bytes_max=1 << 20, records_max=100)
    with pytest.raises(telpher.Unsupported, match="durability disk"):
        hub.stream("disk").declare(durability="disk")
    hub.stream("default").start.declare().result(20)
    info = hub.stream("default").inspect()
    assert (len(info.partitions), info.age_max, info.records_max) == (1, None, None)


def test_more_than_a_partition_keeps_is_too_large(hub: telpher.Hub) -> None:
    small = hub.stream("small")
    small.declare(bytes_max=1000)
    with pytest.raises(telpher.TooLarge) as caught:
        small.append(bytes(1001))
    assert "at most" in caught.value.detail and not caught.value.maybe_executed
    with pytest.raises(telpher.TooLarge, match="8388609 bytes; at most 8388608"):
        small.append(bytes(8388609))
    assert small.append(b"fits").offset == 0


def test_with_zero_copy_larger_bodies_are_memoryviews(url: str) -> None:
    with telpher.open(url, zero_copy=True) as hub:
        log = hub.stream("log")
        log.declare()
        log.append(b"small")
        log.append(b"large" * 1000)
        small, large = (record.body for record in log.read())
    assert type(small) is bytes
    assert isinstance(large, memoryview) and large.readonly and large == b"large" * 1000


def test_a_stream_of_a_directory_is_there_for_the_next_program(script, directory: str) -> None:
    program = f"""
        import telpher
        with telpher.open({directory!r}) as hub:
            log = hub.stream("log")
            log.declare()
            for number in range(20):
                last = log.append(b"%d" % number)
            print(last.durability, last.offset, flush=True)
    """
    for round in range(2):
        code, out, err = script(program).ends()
        assert (code, out) == (0, f"disk {round * 20 + 19}\n"), err
    with telpher.open(directory) as hub:
        records = list(hub.stream("log").read())
    assert [record.offset for record in records] == list(range(40))
    assert [int(record.body) for record in records] == [*range(20), *range(20)]


def test_a_closed_hub_refuses_everything(url: str) -> None:
    hub = telpher.open(url)
    log = hub.stream("log")
    log.declare()
    log.append(b"")
    reader = log.read(follow=True)
    hub.close()
    for operation in (
        lambda: log.append(b""),
        lambda: log.start.append(b""),
        lambda: log.declare(),
        lambda: log.inspect(),
        lambda: log.delete(),
        lambda: log.read(),
        lambda: reader.receive(),
    ):
        with pytest.raises(telpher.Closed):
            operation()
    reader.close()
