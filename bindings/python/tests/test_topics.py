"""Topics, blocking."""

import threading

import pytest
import telpher
from conftest import Line, Script


def test_a_message_arrives_with_all_that_was_published(hub: telpher.Hub) -> None:
    with hub.subscribe("orders.*") as orders:
        hub.topic("orders.new").publish(b"body", key=b"k", headers={"h": b"v"})
        message = orders.receive()
    assert (message.topic, message.number, message.lost) == ("orders.new", 1, 0)
    assert (message.body, message.key, message.headers) == (b"body", b"k", {"h": b"v"})
    assert message.priority == 0


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [
        ("orders.new", ["orders.new"]),
        ("orders.*", ["orders.new"]),
        ("orders.*.new", ["orders.eu.new"]),
        ("orders.**", ["orders", "orders.new", "orders.eu.new"]),
        ("**.new", ["orders.new", "orders.eu.new"]),
        ("*", ["orders"]),
        ("**", ["orders", "orders.new", "orders.eu.new", "end.of.it"]),
    ],
)
def test_a_pattern_gets_what_it_matches_and_nothing_else(
    hub: telpher.Hub, pattern: str, matching: list[str]
) -> None:
    with hub.subscribe(pattern) as some, hub.subscribe("end.**") as end:
        for name in ["orders", "orders.new", "orders.eu.new", "end.of.it"]:
            hub.topic(name).publish(name.encode())
        assert end.receive().number == 1
        got = [some.receive() for _ in matching]
        assert [message.topic for message in got] == matching
        assert [message.body.decode() for message in got] == matching
        assert [message.number for message in got] == list(range(1, len(matching) + 1))
        with pytest.raises(telpher.Pending):
            some.receive(timeout=0)


def test_a_subscriber_is_live_when_it_is_there_and_gets_nothing_older(hub: telpher.Hub) -> None:
    topic = hub.topic("news")
    for round in range(100):
        topic.publish(b"nobody listens")
        with hub.subscribe("news") as news:
            topic.publish(b"%d" % round)
            assert news.receive().body == b"%d" % round


def test_messages_come_in_order_to_everybody(hub: telpher.Hub, url: str) -> None:
    bodies = [b"%d" % index for index in range(1000)]
    with telpher.open(url) as other, hub.subscribe("n") as here, other.subscribe("*") as there:
        published = [hub.topic("n").start.publish(body) for body in bodies]
        for subscriber in (here, there):
            got = [subscriber.receive() for _ in bodies]
            assert [message.body for message in got] == bodies
            assert not any(message.lost for message in got)
        assert all(operation.result(20) is None for operation in published)


def test_who_takes_nothing_for_a_while_is_told_how_much_it_has_lost(hub: telpher.Hub) -> None:
    with hub.subscribe("numbers", buffer=10) as numbers:
        publish_numbers(hub, 10_000)
        got = [numbers.receive() for _ in range(20)]
        assert [message.number for message in got] == [*range(1, 11), *range(9991, 10_001)]
        assert [int(message.body) for message in got] == [message.number for message in got]
        assert [message.lost for message in got] == [0] * 10 + [9980] + [0] * 9
        hub.topic("numbers").publish(b"10001")
        assert (numbers.receive().number, got[-1].lost) == (10_001, 0)


def test_a_slow_subscriber_costs_nobody_else_a_message(hub: telpher.Hub, url: str) -> None:
    with (
        telpher.open(url) as other,
        other.subscribe("numbers", buffer=1) as slow,
        hub.subscribe("numbers") as quick,
    ):
        publish_numbers(hub, 1000)
        got = [quick.receive() for _ in range(1000)]
        assert [message.number for message in got] == list(range(1, 1001))
        got = [slow.receive() for _ in range(2)]
        assert [(message.number, message.lost) for message in got] == [(1, 0), (1000, 998)]


def test_a_subscriber_closed_elsewhere_ends_its_loop(hub: telpher.Hub) -> None:
    subscriber = hub.subscribe("**")
    ended = threading.Event()

    def loop() -> None:
        for _ in subscriber:
            pass
        ended.set()

    threading.Thread(target=loop).start()
    subscriber.close()
    assert ended.wait(20)
    subscriber.close()
    hub.topic("news").publish(b"too late")
    assert list(subscriber) == []
    with pytest.raises(telpher.Closed):
        subscriber.receive()


def test_a_loop_over_topics_ends_with_its_hub(url: str) -> None:
    hub = telpher.open(url)
    subscriber = hub.subscribe("**")
    got: list[telpher.TopicMessage] = []
    first, ended = threading.Event(), threading.Event()

    def loop() -> None:
        for message in subscriber:
            got.append(message)
            first.set()
        ended.set()

    threading.Thread(target=loop).start()
    hub.topic("news").publish(b"one")
    assert first.wait(20)
    hub.close()
    assert ended.wait(20)
    assert [message.body for message in got] == [b"one"]


def test_a_dropped_subscriber_is_stopped(hub: telpher.Hub) -> None:
    subscriber = hub.subscribe("**")
    hub.topic("news").publish(b"")
    number = subscriber._registration.id
    del subscriber
    with pytest.raises(telpher.Stale):
        hub._core.detach(number)


def test_threads_share_a_subscriber_and_none_gets_what_another_has(hub: telpher.Hub) -> None:
    subscriber = hub.subscribe("numbers")
    got: list[int] = []
    complete = threading.Event()

    def work() -> None:
        for message in subscriber:
            got.append(message.number)
            if len(got) == 500:
                complete.set()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    publish_numbers(hub, 500)
    assert complete.wait(20)
    subscriber.close()
    for thread in threads:
        thread.join(20)
    assert sorted(got) == list(range(1, 501))


SUBSCRIBER = """
    import sys, telpher
    with telpher.open({directory!r}, host="never") as hub, hub.subscribe("news.**") as news:
        print("ready", flush=True)
        for message in news:
            print(message.topic, message.number, message.body.decode(), flush=True)
            if message.body == b"end":
                break
"""


def test_another_program_gets_what_is_published_here(script, directory: str) -> None:
    with telpher.open(directory) as hub:
        guest = script(SUBSCRIBER.format(directory=directory))
        assert guest.reads() == "ready"
        hub.topic("others").publish(b"nothing")
        hub.topic("news.eu").publish(b"first")
        hub.topic("news.us.ny").publish(b"end")
        code, out, err = guest.ends()
        assert (code, out) == (0, "news.eu 1 first\nnews.us.ny 2 end\n"), err


def test_a_subscriber_goes_on_at_the_next_host(host: Script, directory: str) -> None:
    changed = threading.Event()

    def note(notice: telpher.Notice) -> None:
        if notice.kind == "HUB_CHANGED":
            changed.set()

    with (
        telpher.open(directory, on_notice=note) as hub,
        telpher.open(directory, host="never") as guest,
        hub.subscribe("news") as here,
        guest.subscribe("*") as there,
    ):
        guest.topic("news").publish(b"before")
        before = [subscriber.receive() for subscriber in (here, there)]
        assert [message.body for message in before] == [b"before", b"before"]
        host.process.kill()
        assert changed.wait(20)
        hub.topic("news").publish(b"after")
        after = here.receive()
        assert (after.body, after.number, after.lost) == (b"after", 2, 0)
        # The other may have been away for longer, but hears what it publishes itself.
        guest.topic("news").publish(b"again")
        assert there.receive().body in (b"after", b"again")


def test_what_a_broken_connection_costs_is_counted(directory: str) -> None:
    gone, back = threading.Event(), threading.Event()

    def note(notice: telpher.Notice) -> None:
        (gone if notice.kind == "DISCONNECTED" else back).set()

    there, between = f"{directory}.there", f"{directory}.between"
    with (
        telpher.open(directory, listen=[f"unix://{there}"]) as hub,
        Line(between, there) as line,
        telpher.open(f"unix://{between}", on_notice=note) as far,
        far.subscribe("numbers", buffer=5) as numbers,
    ):
        publish_numbers(hub, 5)
        got = [numbers.receive() for _ in range(5)]
        line.cut()
        assert gone.wait(20)
        publish_numbers(hub, 20)
        line.mend()
        assert back.wait(20)
        hub.topic("numbers").publish(b"end")
        while got[-1].body != b"end":
            got.append(numbers.receive())
    lost = sum(message.lost for message in got)
    # Five are on their way at most, and five wait in the hub.
    assert lost >= 10 and lost + len(got) == 26 == got[-1].number
    assert all(int(later.body) == later.number - 5 for later in got[5:-1])


def test_publishing_while_the_host_dies_has_an_unknown_end_and_is_not_repeated(
    host: Script, directory: str
) -> None:
    with telpher.open(directory) as hub, hub.subscribe("news") as news:
        host.stop()
        publishing = hub.topic("news").start.publish(b"perhaps")
        hub.flush()
        host.process.kill()
        with pytest.raises(telpher.Indeterminate) as caught:
            publishing.result(20)
        assert caught.value.maybe_executed
        hub.topic("news").publish(b"for sure")
        assert news.receive().body == b"for sure"


@pytest.mark.parametrize(
    ("pattern", "error", "text"),
    [
        ("", telpher.Invalid, "empty segment"),
        ("a..b", telpher.Invalid, '"a..b" has an empty segment'),
        ("a.b*", telpher.Invalid, "'*' in \"b*\""),
        ("a b", telpher.Invalid, "' ' in \"a b\""),
        ("x" * 256, telpher.TooLarge, "256 bytes; at most 255"),
    ],
)
def test_a_wrong_pattern_is_refused(
    hub: telpher.Hub, pattern: str, error: type[telpher.Error], text: str
) -> None:
    with pytest.raises(error) as caught:
        hub.subscribe(pattern)
    assert text in caught.value.detail


def test_a_topic_with_an_empty_segment_or_a_star_is_invalid(hub: telpher.Hub) -> None:
    with hub.subscribe("**") as everything:
        for name in ("a..b", ".a", "a.", "a.*"):
            with pytest.raises(telpher.Invalid) as caught:
                hub.topic(name).publish(b"")
            assert name in caught.value.detail
            with pytest.raises(telpher.Invalid):
                hub.topic(name).start.publish(b"")
        hub.topic("a.b").publish(b"")
        assert everything.receive().number == 1


def test_no_more_is_fetched_than_the_buffer_holds(hub: telpher.Hub) -> None:
    done = threading.Event()

    def publish() -> None:
        while not done.is_set():
            publish_numbers(hub, 100)

    with hub.subscribe("numbers", buffer=4) as numbers:
        thread = threading.Thread(target=publish)
        thread.start()
        most = 0
        for _ in range(500):
            numbers.receive()
            most = max(most, len(numbers._waiting))
        done.set()
        thread.join(20)
    assert most < 4


def publish_numbers(hub: telpher.Hub, count: int) -> None:
    """Publishes the numbers from 1, and waits until that is done."""
    published = [hub.topic("numbers").start.publish(b"%d" % n) for n in range(1, count + 1)]
    for operation in published:
        operation.result(20)
