"""Batches that join streams, reader groups and queues."""

import pytest
import telpher
from conftest import Script, append_numbers, bodies


@pytest.fixture
def out(hub: telpher.Hub, log: telpher.Stream) -> telpher.Queue:
    """A queue, beside a stream with three records."""
    append_numbers(log, range(3))
    hub.stream("results").declare()
    queue = hub.queue("out")
    queue.declare()
    return queue


def place(log: telpher.Stream) -> int:
    """How far the only group has come in the first partition."""
    return log.groups()[0].places[0].next


def test_what_is_read_sent_appended_and_committed_in_one_batch_is_done_whole(
    hub: telpher.Hub, log: telpher.Stream, out: telpher.Queue
) -> None:
    with log.read(group="workers") as reader:
        for number in range(3):
            record = reader.receive(timeout=20)
            with hub.batch() as batch:
                batch.send("out", record.body)
                batch.append("results", record.body, key=b"k", headers={"h": b"v"}, expect=number)
                batch.commit(reader, record)
                assert (out.inspect().sent, place(log)) == (number, number)
            assert len(batch.receipts) == 1, "nothing is told of appends and commits"
            assert (out.inspect().sent, place(log)) == (number + 1, number + 1)
    results = list(hub.stream("results").read())
    assert [(one.body, one.key, one.headers) for one in results] == [
        (b"%d" % number, b"k", {"h": b"v"}) for number in range(3)
    ]


def test_a_batch_of_which_one_part_is_refused_does_nothing_and_may_be_done_later(
    hub: telpher.Hub, log: telpher.Stream, out: telpher.Queue
) -> None:
    other = hub.stream("other")
    other.declare()
    append_numbers(other, range(1))
    with log.read(group="workers") as reader, other.read(group="g") as lost:
        record, moved = reader.receive(timeout=20), lost.receive(timeout=20)
        other.reset_group("g")
        for error, wrong in (
            (telpher.Conflict, lambda batch: batch.append("results", b"", partition=0, expect=9)),
            (telpher.NotFound, lambda batch: batch.append("none", b"")),
            (telpher.LeaseLost, lambda batch: batch.commit(lost, moved)),
            (telpher.NotFound, lambda batch: batch.send("nowhere", b"")),
            (telpher.Invalid, lambda batch: batch.append("results", b"", expect=0)),
        ):
            batch = hub.batch()
            batch.append("results", b"result", partition=0, expect=0)
            batch.send("out", b"result")
            batch.commit(reader, record)
            wrong(batch)
            with pytest.raises(error, match="part 3 of the batch: "):
                batch.submit()
        assert (out.inspect().sent, place(log)) == (0, 0)
        assert bodies(hub.stream("results").read()) == []
        batch = hub.batch()
        batch.send("later", b"")
        batch.commit(reader, record)
        with pytest.raises(telpher.NotFound):
            batch.submit()
        hub.queue("later").declare()
        assert len(batch.start.submit().result(20)) == 1
        assert place(log) == 1


def test_records_of_one_batch_follow_each_other(hub: telpher.Hub, log: telpher.Stream) -> None:
    with hub.batch() as batch:
        for number in range(5):
            batch.append("log", b"%d" % number, partition=0, expect=number)
    assert batch.receipts == []
    assert bodies(log.read()) == [b"%d" % number for number in range(5)]


def test_what_is_in_memory_and_what_is_on_disk_can_not_be_in_one_batch(directory: str) -> None:
    with telpher.open(directory) as hub:
        hub.stream("fast").declare(durability="memory")
        hub.stream("safe").declare(durability="disk")
        batch = hub.batch()
        batch.append("fast", b"")
        batch.append("safe", b"")
        with pytest.raises(telpher.Unsupported, match="part 1 of the batch: "):
            batch.submit()


WORKER = """
    import sys, telpher

    hub = telpher.open({directory!r}, host="never")
    with hub.stream("log").read(group="workers") as reader:
        for record in reader:
            if record.body == b"end":
                print("end", flush=True)
                sys.stdin.read()
            with hub.batch(timeout=20) as batch:
                batch.append("results", record.body)
                batch.commit(reader, record)
            print(record.offset, flush=True)
"""


def test_workers_that_are_killed_produce_one_result_for_each_record(script, directory: str) -> None:
    with telpher.open(directory) as hub:
        log, results = hub.stream("log"), hub.stream("results")
        log.declare(durability="os")
        results.declare(durability="os")
        append_numbers(log, range(200))
        log.append(b"end")
        said = ""
        while said != "end":
            worker: Script = script(WORKER.format(directory=directory))
            for _ in range(40):
                said = worker.reads()
                assert said != "", worker.ends()
                if said == "end":
                    break
            worker.process.kill()  # Whatever it has begun meanwhile is done whole or not at all.
            worker.process.wait()
        assert bodies(results.read()) == [b"%d" % number for number in range(200)]
        assert place(log) == 200


def test_a_wrong_append_or_commit_is_refused_when_it_is_added(
    hub: telpher.Hub, url: str, log: telpher.Stream, out: telpher.Queue
) -> None:
    with telpher.open(url) as other, other.stream("log").read(group="g") as far:
        record = far.receive(timeout=20)
        batch = hub.batch()
        for error, text, add in (
            (telpher.Invalid, "another hub", lambda: batch.commit(far, record)),
            (TypeError, "only a reader commits, not 3", lambda: batch.commit(3, record)),
            (TypeError, "only a record can be", lambda: other.batch().commit(far, "x")),
            (TypeError, "encode", lambda: batch.append("log", "text")),
            (telpher.Invalid, "partition is -1", lambda: batch.append("log", b"", partition=-1)),
            (telpher.Invalid, "expect is -1", lambda: batch.append("log", b"", expect=-1)),
            (telpher.TooLarge, "at most 8388608", lambda: batch.append("log", bytes(8388609))),
        ):
            with pytest.raises(error, match=text):
                add()
        with pytest.raises(telpher.Invalid, match="is 0; allowed are 1 to 1024"):
            batch.submit()
    with log.read() as alone, pytest.raises(telpher.Invalid, match="the reader is in no group"):
        batch.commit(alone, alone.receive(timeout=20))
