"""Topics that are bound to queues and streams, and publishes in batches, in both faces."""

import asyncio
from pathlib import Path

import pytest
import telpher
import telpher.aio
from conftest import Run


def test_what_is_published_is_kept_where_its_topic_is_bound(hub: telpher.Hub) -> None:
    audit = hub.queue("audit")
    audit.declare()
    audit.bind("orders.**")
    audit.bind("orders.*")
    audit.bind("orders.*")
    assert audit.inspect().bindings == ["orders.*", "orders.**"]
    hub.topic("orders.new").publish(b"body", key=b"k", headers={"h": b"v"}, priority=3)
    hub.topic("others").publish(b"nobody listens")
    with audit.receive() as job:
        assert (job.body, job.key, job.priority) == (b"body", b"k", 3)
        assert job.headers == {"h": b"v", "telpher.topic": b"orders.new"}
    assert audit.inspect().ready == 0, "once, though two patterns match"
    audit.unbind("orders.*")
    audit.start.unbind("orders.**").result()
    assert audit.inspect().bindings == []
    hub.topic("orders.new").publish(b"nobody listens")
    assert audit.inspect().ready == 0


def test_what_is_not_there_is_not_found_and_a_wrong_pattern_refused(hub: telpher.Hub) -> None:
    with pytest.raises(telpher.NotFound, match="nowhere"):
        hub.queue("nowhere").bind("a")
    hub.queue("jobs").declare()
    hub.queue("jobs").start.bind("a.b").result()
    with pytest.raises(telpher.NotFound, match="not bound"):
        hub.queue("jobs").unbind("a.c")
    with pytest.raises(telpher.Invalid, match="b\\*"):
        hub.queue("jobs").bind("a.b*")


def test_a_full_queue_that_is_bound_refuses_a_publish_as_a_whole(hub: telpher.Hub) -> None:
    hub.queue("tight").declare(length_max=1, overflow="reject")
    hub.queue("roomy").declare()
    for queue in ["tight", "roomy"]:
        hub.queue(queue).bind("a")
    with hub.subscribe("a") as live:
        hub.topic("a").publish(b"1")
        with pytest.raises(telpher.Full, match="tight"):
            hub.topic("a").publish(b"2")
        assert live.receive().body == b"1"
        with pytest.raises(telpher.Pending):
            live.receive(timeout=0)
    assert hub.queue("roomy").inspect().ready == 1


def test_bindings_outlive_every_process(tmp_path: Path) -> None:
    url = str(tmp_path / "hub")
    with telpher.open(url) as hub:
        hub.queue("audit").declare()
        hub.queue("audit").bind("a.*")
        hub.topic("a.b").publish(b"first")
    with telpher.open(url) as hub:
        hub.topic("a.c").publish(b"second")
        audit = hub.queue("audit")
        assert audit.inspect().bindings == ["a.*"]
        for topic, body in [(b"a.b", b"first"), (b"a.c", b"second")]:
            with audit.receive() as job:
                assert (job.headers["telpher.topic"], job.body) == (topic, body)


def test_the_publishes_of_a_batch_happen_with_it_or_not_at_all(hub: telpher.Hub) -> None:
    hub.queue("audit").declare()
    hub.queue("audit").bind("a")
    with hub.subscribe("**") as live:
        with hub.batch() as batch:
            batch.publish("a", b"1", key=b"k", headers={"h": b"v"}, priority=2)
            batch.send("audit", b"2")
        assert len(batch.receipts) == 1
        message = live.receive()
        assert (message.topic, message.body, message.key) == ("a", b"1", b"k")
        with pytest.raises(telpher.NotFound, match="part 1"), hub.batch() as refused:
            refused.publish("a", b"3")
            refused.send("nowhere", b"4")
        with pytest.raises(telpher.Pending):
            live.receive(timeout=0)
    assert hub.queue("audit").inspect().ready == 2
    with pytest.raises(telpher.Invalid, match="empty segment"), hub.batch() as wrong:
        wrong.publish("a..b", b"x")


def test_the_same_on_asyncio(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            audit = hub.queue("audit")
            await audit.declare()
            await audit.bind("orders.*")
            assert (await audit.inspect()).bindings == ["orders.*"]
            await hub.topic("orders.new").publish(b"1", priority=1)
            async with hub.batch() as batch:
                batch.publish("orders.old", b"2")
            assert batch.receipts == []
            for topic, body in [(b"orders.new", b"1"), (b"orders.old", b"2")]:
                async with await audit.receive() as job:
                    assert (job.headers["telpher.topic"], job.body) == (topic, body)
            await audit.unbind("orders.*")
            with pytest.raises(telpher.NotFound):
                await audit.unbind("orders.*")

    run(main())


def test_what_is_published_is_appended_where_its_topic_is_bound(hub: telpher.Hub) -> None:
    log = hub.stream("log")
    log.declare(partitions=2)
    log.bind("orders.**")
    log.start.bind("orders.*").result()
    assert log.inspect().bindings == ("orders.*", "orders.**")
    hub.topic("orders.new").publish(b"body", key=b"k", headers={"h": b"v"})
    hub.topic("others").publish(b"nobody listens")
    (record,) = log.read()
    assert (record.body, record.key) == (b"body", b"k")
    assert record.headers == {"h": b"v", "telpher.topic": b"orders.new"}
    log.unbind("orders.*")
    log.start.unbind("orders.**").result()
    assert log.inspect().bindings == ()
    hub.topic("orders.new").publish(b"nobody listens")
    assert len(list(log.read())) == 1


def test_a_stream_that_is_not_there_is_not_found_and_a_wrong_pattern_refused(
    hub: telpher.Hub,
) -> None:
    with pytest.raises(telpher.NotFound, match="no stream is named"):
        hub.stream("nowhere").bind("a")
    hub.stream("log").declare(compact=True)
    with pytest.raises(telpher.NotFound, match="not bound to the stream"):
        hub.stream("log").unbind("a")
    with pytest.raises(telpher.Invalid, match="b\\*"):
        hub.stream("log").bind("a.b*")
    with pytest.raises(TypeError):
        hub.stream("log").bind(1)  # type: ignore[arg-type]
    hub.stream("log").bind("a")
    with pytest.raises(telpher.Invalid, match="needs one"):
        hub.topic("a").publish(b"keyless")


def test_streams_are_bound_on_asyncio(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub, asyncio.timeout(20):
            log = hub.stream("log")
            await log.declare()
            await log.bind("orders.*")
            assert (await log.inspect()).bindings == ("orders.*",)
            await hub.topic("orders.new").publish(b"1")
            await log.unbind("orders.*")
            with pytest.raises(telpher.NotFound):
                await log.unbind("orders.*")
            await hub.topic("orders.new").publish(b"2")
            async with log.read() as records:
                assert [record.body async for record in records] == [b"1"]

    run(main())
