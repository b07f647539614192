"""Reader groups, blocking."""

import pytest
import telpher
from conftest import Script, append_numbers


@pytest.fixture
def parts(hub: telpher.Hub) -> telpher.Stream:
    """An empty stream with four partitions."""
    stream = hub.stream("parts")
    stream.declare(partitions=4)
    return stream


def fill(stream: telpher.Stream, count: int, partitions: int = 4) -> None:
    """Appends as many records to each partition."""
    started = [
        stream.start.append(b"%d" % number, partition=partition)
        for number in range(count)
        for partition in range(partitions)
    ]
    for operation in started:
        operation.result(20)


def taken(reader: telpher.Reader, count: int) -> list[telpher.Record]:
    """So many records, each committed."""
    records = []
    for _ in range(count):
        records.append(reader.receive(timeout=20))
        reader.commit(records[-1])
    return records


def places(stream: telpher.Stream, group: str = "billing") -> list[tuple[int, int]]:
    """How far the group has come in each partition, and what is before it."""
    (found,) = (one for one in stream.groups() if one.name == group)
    return [(place.next, place.lag) for place in found.places]


def test_two_members_share_the_partitions(hub: telpher.Hub, parts: telpher.Stream) -> None:
    assert parts.groups() == []
    with parts.read(group="billing") as first, parts.read(group="billing") as second:
        fill(parts, 10)
        got = [taken(reader, 20) for reader in (first, second)]
        read = [{record.partition for record in records} for records in got]
        assert [len(partitions) for partitions in read] == [2, 2]
        assert read[0] | read[1] == {0, 1, 2, 3}
        for records in got:
            for partition in {record.partition for record in records}:
                of_it = [record.offset for record in records if record.partition == partition]
                assert of_it == list(range(10))
        (group,) = parts.groups()
        assert (group.name, group.members) == ("billing", 2)
        assert [(place.next, place.lag, place.is_read) for place in group.places] == [
            (10, 0, True)
        ] * 4
    (group,) = parts.groups()
    assert (group.members, [place.is_read for place in group.places]) == (0, [False] * 4)
    assert repr(group).startswith("GroupInfo(name='billing', members=0, places=(GroupPlace(next=10")


def test_a_group_reads_everything_whatever_another_one_does(log: telpher.Stream) -> None:
    append_numbers(log, range(5))
    for name in ("one", "two"):
        with log.read(group=name) as reader:
            assert [record.offset for record in taken(reader, 5)] == list(range(5))
    assert [record.offset for record in log.read()] == list(range(5))
    assert [group.name for group in log.groups()] == ["one", "two"]


@pytest.mark.parametrize("durability", ["os", "disk"])
def test_what_is_committed_does_not_come_again_at_the_next_host(
    directory: str, durability: telpher._options.Durability
) -> None:
    for round in range(3):
        with telpher.open(directory) as hub:
            log = hub.stream("log")
            log.declare(durability=durability)
            append_numbers(log, range(5))
            with log.read(group="billing") as reader:
                records = [reader.receive(timeout=20) for _ in range(5)]
                assert [record.offset for record in records] == list(
                    range(5 * round, 5 * round + 5)
                )
                # With the last one, all before it are committed.
                assert reader.commit(records[-1]) is None
            assert places(log) == [(5 * round + 5, 0)]


def test_a_member_keeps_its_partitions_over_a_change_of_hosts(host: Script, directory: str) -> None:
    with telpher.open(directory) as hub:
        log = hub.stream("log")
        log.declare(durability="os")
        append_numbers(log, range(10))
        with log.read(group="billing") as reader:
            before = [reader.receive(timeout=20) for _ in range(10)]
            host.process.kill()
            reader.commit(before[3], timeout=20)
            reader.commit(before[9], timeout=20)
            append_numbers(log, range(10, 20))
            after = taken(reader, 10)
        assert [record.offset for record in before + after] == list(range(20))
        assert places(log) == [(20, 0)]


def test_who_takes_over_goes_on_where_the_group_has_committed(log: telpher.Stream) -> None:
    append_numbers(log, range(10))
    first = log.read(group="billing")
    second = log.read(group="billing")
    third = log.read(group="billing")
    assert [record.offset for record in taken(first, 4)] == [0, 1, 2, 3]
    assert first.receive(timeout=20).offset == 4
    with pytest.raises(telpher.Pending):
        second.receive(timeout=0)
    first.close()
    assert [record.offset for record in taken(second, 2)] == [4, 5]
    with pytest.raises(telpher.Pending):
        third.receive(timeout=0)
    del second
    assert [record.offset for record in taken(third, 4)] == [6, 7, 8, 9]
    third.close()


def test_a_partition_moves_to_a_new_member_once_what_was_read_of_it_is_committed(
    parts: telpher.Stream,
) -> None:
    fill(parts, 1)
    with parts.read(group="billing") as first:
        records = [first.receive(timeout=20) for _ in range(4)]
        with parts.read(group="billing") as second:
            fill(parts, 1)
            with pytest.raises(telpher.Pending):
                second.receive(timeout=0)
            for record in records:
                first.commit(record)
            moved = taken(second, 2)
            assert [record.offset for record in moved] == [1, 1]
            stayed = taken(first, 2)
            assert {record.partition for record in moved + stayed} == {0, 1, 2, 3}


def test_a_commit_may_be_started_and_many_at_once(log: telpher.Stream) -> None:
    append_numbers(log, range(100))
    with log.read(group="billing") as reader:
        started = [reader.start.commit(reader.receive(timeout=20)) for _ in range(100)]
        assert [operation.result(20) for operation in started] == [None] * 100
    assert places(log) == [(100, 0)]


def test_a_place_never_goes_back(log: telpher.Stream) -> None:
    append_numbers(log, range(3))
    with log.read(group="billing") as reader:
        records = [reader.receive(timeout=20) for _ in range(3)]
        for record, place in ((records[1], (2, 1)), (records[0], (2, 1)), (records[2], (3, 0))):
            reader.commit(record)
            assert places(log) == [place]


def test_what_was_read_before_a_reset_can_not_be_committed(parts: telpher.Stream) -> None:
    fill(parts, 3)
    with parts.read(group="billing") as reader:
        before = taken(reader, 12)
        assert parts.reset_group("billing", partition=2, offset=1) is None
        assert places(parts) == [(3, 0), (3, 0), (1, 2), (3, 0)]
        late = next(record for record in before if (record.partition, record.offset) == (2, 2))
        with pytest.raises(telpher.LeaseLost, match="partition 2 is not this reader's any more"):
            reader.commit(late)
        with pytest.raises(telpher.LeaseLost):
            reader.start.commit(late).result(20)
        assert places(parts)[2] == (1, 2)
        again = taken(reader, 2)
        assert [(record.partition, record.offset) for record in again] == [(2, 1), (2, 2)]
        parts.start.reset_group("billing", start="end").result(20)
        assert places(parts) == [(3, 0)] * 4
        parts.reset_group("billing", time=0)
        assert places(parts) == [(0, 3)] * 4
        assert sorted(record.partition for record in taken(reader, 12)) == sorted([0, 1, 2, 3] * 3)
        parts.reset_group("billing")
        assert places(parts) == [(0, 3)] * 4


def test_a_closed_reader_and_another_member_can_not_commit(log: telpher.Stream) -> None:
    append_numbers(log, range(3))
    first, second = log.read(group="billing"), log.read(group="billing")
    record = first.receive(timeout=20)
    with pytest.raises(telpher.LeaseLost):
        second.commit(record)
    first.close()
    with pytest.raises(telpher.LeaseLost):
        first.commit(record)
    assert places(log) == [(0, 3)]
    second.close()


def test_a_new_group_begins_where_it_is_told_and_an_old_one_where_it_was(
    log: telpher.Stream,
) -> None:
    append_numbers(log, range(10))
    for name, options, first in (
        ("all", {}, 0),
        ("from-four", {"offset": 4}, 4),
        ("by-time", {"time": 0}, 0),
        ("new-ones", {"start": "end"}, 10),
    ):
        with log.read(group=name, **options):
            assert places(log, name)[0][0] == first
    log.append(b"more")
    with log.read(group="new-ones", start="beginning") as reader:
        assert [record.offset for record in taken(reader, 1)] == [10]


def test_what_the_limits_have_taken_before_the_group_read_it_is_told(hub: telpher.Hub) -> None:
    short = hub.stream("short")
    short.declare(records_max=10, partitions=2)
    with short.read(group="slow", buffer=1) as reader:
        for number in range(100):
            for partition in range(2):
                short.append(b"%d" % number, partition=partition)
        next_of, skipped = [0, 0], [0, 0]
        while next_of != [100, 100]:
            record = reader.receive(timeout=20)
            assert record.offset == next_of[record.partition] + record.skipped
            next_of[record.partition] = record.offset + 1
            skipped[record.partition] += record.skipped
        assert min(skipped) > 50
        reader.commit(record)


def test_a_group_is_removed_with_its_places_and_its_readers_hear_so(log: telpher.Stream) -> None:
    append_numbers(log, range(3))
    reader = log.read(group="billing")
    taken(reader, 2)
    assert log.delete_group("billing") is None
    with pytest.raises(telpher.NotFound, match='the group "billing" was deleted'):
        list(reader)
    assert log.groups() == []
    for use in (
        lambda: log.delete_group("billing"),
        lambda: log.start.delete_group("billing").result(20),
        lambda: log.reset_group("billing"),
    ):
        with pytest.raises(telpher.NotFound, match='the stream "log" has no group "billing"'):
            use()
    with log.read(group="billing") as anew:
        assert anew.receive(timeout=20).offset == 0
    assert [group.name for group in log.start.groups().result(20)] == ["billing"]


def test_wrong_input_about_groups_is_refused_with_what_was_wrong(
    hub: telpher.Hub, log: telpher.Stream
) -> None:
    append_numbers(log, range(3))
    with log.read() as alone, log.read(group="billing") as member:
        record = alone.receive()
        assert member.receive().offset == 0
        for text, use in (
            ("both a group and a partition", lambda: log.read(group="g", partition=0)),
            ("is in no group, so it has no place", lambda: alone.commit(record)),
            ("is in no group, so it has no place", lambda: alone.start.commit(record)),
            ("is empty", lambda: log.read(group="")),
            ("exclude each other", lambda: log.read(group="g", start="end", offset=1)),
            ("exclude each other", lambda: log.reset_group("billing", start="end", offset=1)),
            ("partition is 1024", lambda: log.reset_group("billing", partition=1024)),
            ("partition is 1;", lambda: log.reset_group("billing", partition=1)),
            ('"middle"', lambda: log.reset_group("billing", start="middle")),
        ):
            with pytest.raises(telpher.Invalid) as caught:
                use()
            assert text in caught.value.detail
        with pytest.raises(telpher.LeaseLost):
            member.commit(record)
        with pytest.raises(telpher.OutOfRange, match="0 up to 3"):
            log.reset_group("billing", offset=4)
        with pytest.raises(TypeError, match="only a record can be committed, not 3"):
            member.commit(3)
        ahead = member.receive()
        ahead.offset = 2**64
        with pytest.raises(telpher.Invalid, match="offset is 18446744073709551616; allowed are 0"):
            member.commit(ahead)
        ahead.offset = 7
        with pytest.raises(telpher.Invalid, match="only records below 3 of partition 0 have been"):
            member.commit(ahead)
    nothing = hub.stream("nothing")
    for use in (
        nothing.groups,
        lambda: nothing.read(group="g"),
        lambda: nothing.reset_group("g"),
        lambda: nothing.delete_group("g"),
    ):
        with pytest.raises(telpher.NotFound):
            use()


def test_a_member_gets_what_has_its_key_and_headers(log: telpher.Stream) -> None:
    for number in range(8):
        kind = {"kind": b"even" if number % 2 == 0 else b"odd"}
        log.append(b"%d" % number, key=b"a" if number < 6 else b"b", headers=kind)
    assert [int(record.body) for record in log.read(key=b"a")] == list(range(6))
    assert [int(record.body) for record in log.read(headers={"kind": b"odd"})] == [1, 3, 5, 7]
    with log.read(group="billing", key=b"a", headers={"kind": b"odd"}) as reader:
        assert [record.offset for record in taken(reader, 3)] == [1, 3, 5]
        log.append(b"8", key=b"b")
        log.append(b"9", key=b"a", headers={"kind": b"odd"})
        assert [record.offset for record in taken(reader, 1)] == [9]
        assert places(log) == [(10, 0)]


def test_a_member_that_commits_nothing_for_its_max_processing_ends(log: telpher.Stream) -> None:
    append_numbers(log, range(3))
    with log.read(group="billing", max_processing=0.05, buffer=1) as reader:
        first = reader.receive(timeout=20)
        with pytest.raises(telpher.LeaseLost, match=r"max_processing is 50 ms"):
            for _ in reader:
                pass
        with pytest.raises(telpher.LeaseLost):
            reader.commit(first)
    with log.read(group="billing", max_processing=3600) as reader:
        assert [record.offset for record in taken(reader, 3)] == [0, 1, 2]


def test_what_is_wrong_about_reading_is_refused_with_limit_and_value(log: telpher.Stream) -> None:
    many = {f"kind-{number}": b"x" for number in range(9)}
    with pytest.raises(telpher.Invalid, match=r"number of headers is 9; allowed are 0 to 8"):
        log.read(headers=many)
    with pytest.raises(telpher.Invalid, match=r"size of key is 1025; allowed are 1 to 1024"):
        log.read(key=b"k" * 1025)
    with pytest.raises(telpher.Invalid, match=r"size of key is 0; allowed are 1 to 1024"):
        log.read(key=b"")
    with pytest.raises(telpher.Invalid, match=r"max_processing is 0 s; allowed are 0.001 to 86400"):
        log.read(group="g", max_processing=0)
    with pytest.raises(telpher.Invalid, match=r"max_processing_ms is 1000, and no group is stated"):
        log.read(max_processing=1)
