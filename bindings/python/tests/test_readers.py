"""Readers of streams, blocking."""

import threading

import pytest
import telpher
from conftest import Line, Script, append_numbers, bodies


def test_a_reader_that_the_limits_overtake_hands_out_what_it_has_and_fails(
    hub: telpher.Hub,
) -> None:
    short = hub.stream("short")
    short.declare(records_max=10)
    with short.read(follow=True, buffer=1) as reader:
        for number in range(100):
            short.append(b"%d" % number)
        got = []
        with pytest.raises(telpher.OutOfRange) as caught:
            for record in reader:
                got.append(record.offset)
        assert "partition 0 has 90 up to 100" in caught.value.detail
        assert got == list(range(len(got))) and 0 < len(got) < 90
        with pytest.raises(telpher.OutOfRange):
            reader.receive()


def test_a_reader_that_follows_gets_what_is_appended_later(log: telpher.Stream) -> None:
    log.append(b"before")
    with log.read(start="end", follow=True) as end, log.read(follow=True) as all_of_it:
        assert all_of_it.receive().body == b"before"
        with pytest.raises(telpher.Pending):
            all_of_it.receive(timeout=0)
        for number in range(100):
            log.append(b"%d" % number)
            for reader in (end, all_of_it):
                record = reader.receive()
                assert (record.body, record.offset) == (b"%d" % number, number + 1)
        with pytest.raises(telpher.Pending):
            end.receive(timeout=0)


def test_a_reader_that_does_not_follow_ends_where_the_stream_ended(log: telpher.Stream) -> None:
    append_numbers(log, range(10))
    reader = log.read()
    append_numbers(log, range(10, 20))
    assert bodies(reader) == [b"%d" % number for number in range(10)]
    assert list(reader) == []
    with pytest.raises(telpher.Closed, match="every record was read"):
        reader.receive()
    reader.close()


def test_a_closed_reader_ends_its_loop_and_hands_out_nothing_more(log: telpher.Stream) -> None:
    append_numbers(log, range(100))
    for follow in (False, True):
        with log.read(follow=follow) as reader:
            assert reader.receive().offset == 0
            reader.close()
            assert list(reader) == []
            with pytest.raises(telpher.Closed):
                reader.receive()
            reader.close()
    reader, ended = log.read(start="end", follow=True), threading.Event()

    def loop() -> None:
        ended.set() if list(reader) == [] else None

    threading.Thread(target=loop).start()
    reader.close()
    assert ended.wait(20)


def test_a_dropped_reader_is_stopped(hub: telpher.Hub, log: telpher.Stream) -> None:
    log.append(b"")
    for use in (lambda reader: None, lambda reader: reader.receive()):
        reader = log.read(follow=True)
        use(reader)
        number = reader._registration.id
        del reader
        with pytest.raises(telpher.Stale):
            hub._core.detach(number)


def test_a_loop_that_follows_ends_with_its_hub(url: str) -> None:
    hub = telpher.open(url)
    log = hub.stream("log")
    log.declare()
    reader, got = log.read(follow=True), []
    first, ended = threading.Event(), threading.Event()

    def loop() -> None:
        for record in reader:
            got.append(record.body)
            first.set()
        ended.set()

    threading.Thread(target=loop).start()
    log.append(b"one")
    assert first.wait(20)
    hub.close()
    assert ended.wait(20)
    assert got == [b"one"]


def test_a_loop_to_the_end_whose_hub_is_closed_does_not_seem_complete(url: str) -> None:
    for taken in range(3):
        with telpher.open(url) as hub:
            log = hub.stream("log")
            log.declare()
            append_numbers(log, range(10))
            reader = log.read(buffer=1)
            got = [reader.receive().offset for _ in range(taken)]
        with pytest.raises(telpher.Closed):
            got += [record.offset for record in reader]
        assert got == list(range(len(got))) and len(got) < 10


def test_the_readers_of_a_deleted_stream_hear_so(log: telpher.Stream) -> None:
    append_numbers(log, range(3))
    reader = log.read(follow=True)
    assert reader.receive().offset == 0
    assert log.delete() is None
    with pytest.raises(telpher.NotFound, match='stream "log" was deleted'):
        list(reader)
    for use in (
        log.delete,
        log.inspect,
        log.read,
        lambda: log.append(b""),
        lambda: log.start.append(b"").result(20),
        lambda: log.start.inspect().result(20),
        lambda: log.start.delete().result(20),
    ):
        with pytest.raises(telpher.NotFound):
            use()


@pytest.mark.parametrize("follow", [True, False])
def test_threads_share_a_reader_and_none_gets_what_another_has(
    log: telpher.Stream, follow: bool
) -> None:
    append_numbers(log, range(500))
    reader = log.read(follow=follow, buffer=1000)
    got: list[int] = []
    complete = threading.Event()

    def work() -> None:
        for record in reader:
            got.append(record.offset)
            if len(got) == 500:
                complete.set()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert complete.wait(20)
    if follow:
        reader.close()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert sorted(got) == list(range(500))


def test_no_more_is_fetched_than_a_part_of_the_buffer(log: telpher.Stream) -> None:
    append_numbers(log, range(10_000))
    # Each of these takes at least 105 bytes of it.
    reader, most = log.read(buffer=4000), 0
    for _ in range(10_000):
        reader.receive()
        most = max(most, len(reader._waiting))
    assert 0 < most < 10


UNREAD = """
    import resource, telpher

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    hub = telpher.open({directory!r}, host="never")
    log = hub.stream("log")
    with log.read(follow=True) as unread, log.read(follow=True) as read:
        unread.receive()
        read.receive()
        before = peak()
        print("ready", flush=True)
        for record in read:
            if record.body == b"end":
                break
        print(peak() - before, flush=True)
        print(sum(1 for record in log.read()) > 1000, flush=True)
"""


def test_what_is_not_read_takes_no_memory_in_the_program(script, directory: str) -> None:
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
        assert (code, out) == (0, "True\n"), err
        # 48,000 KiB were appended.
        assert int(grown_kib) < 16_000


def test_a_reader_goes_on_at_the_next_host(host: Script, directory: str) -> None:
    with (
        telpher.open(directory) as hub,
        telpher.open(directory, host="never") as guest,
    ):
        log = guest.stream("log")
        log.declare(durability="os")
        with hub.stream("log").read(follow=True) as here, log.read(follow=True, buffer=1) as there:
            append_numbers(log, range(50))
            got = [[reader.receive() for _ in range(10)] for reader in (here, there)]
            host.process.kill()
            append_numbers(log, range(50, 100))
            for records, reader in zip(got, (here, there), strict=True):
                records += [reader.receive() for _ in range(90)]
                assert [record.offset for record in records] == list(range(100))
                assert [int(record.body) for record in records] == list(range(100))


def test_a_broken_connection_costs_a_reader_nothing(directory: str) -> None:
    gone, back = threading.Event(), threading.Event()

    def note(notice: telpher.Notice) -> None:
        (gone if notice.kind == "DISCONNECTED" else back).set()

    there, between = f"{directory}.there", f"{directory}.between"
    with (
        telpher.open(directory, listen=[f"unix://{there}"]) as hub,
        Line(between, there) as line,
        telpher.open(f"unix://{between}", on_notice=note) as far,
    ):
        log = hub.stream("log")
        log.declare(durability="memory")
        append_numbers(log, range(100))
        with far.stream("log").read(follow=True, buffer=1000) as reader:
            got = [reader.receive().offset for _ in range(10)]
            line.cut()
            assert gone.wait(20)
            append_numbers(log, range(100, 200))
            line.mend()
            assert back.wait(20)
            got += [reader.receive().offset for _ in range(190)]
    assert got == list(range(200))
