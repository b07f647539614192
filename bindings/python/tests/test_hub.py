"""Opening, looking at and leaving a hub."""

import asyncio
import logging
import pathlib
import threading

import pytest
import telpher
import telpher.aio
from conftest import Run
from telpher._telpher import Command


def test_a_hub_tells_about_itself(hub: telpher.Hub, url: str) -> None:
    assert len(hub.info.hub_id) == 32 and hub.info.session_id
    in_memory = {"calls", "queues.memory", "batches", "dead_letters", "topics", "bindings"}
    in_memory |= {"gather", "streams"}
    assert hub.capabilities == in_memory
    assert hub.stats().connects == 1
    assert telpher.__build__ in ("release", "debug")
    assert telpher.__version__ == "0.1.0"
    assert repr(hub.stats()).startswith("Stats(in_flight=")
    with telpher.open(url) as other:
        assert other.info.hub_id == hub.info.hub_id
        assert other.info != hub.info


def test_a_path_is_a_url(tmp_path: pathlib.Path) -> None:
    with telpher.open(tmp_path / "hub") as hub:
        assert {"queues.os", "queues.disk"} < hub.capabilities


def test_a_damaged_directory_is_corrupt_at_once(run: Run, tmp_path: pathlib.Path) -> None:
    telpher.open(tmp_path / "hub").close()
    (tmp_path / "hub" / "HUB").write_text("hub zzz\n")
    with pytest.raises(telpher.Corrupt, match="HUB is damaged at offset 0"):
        telpher.open(tmp_path / "hub")

    async def main() -> None:
        with pytest.raises(telpher.Corrupt):
            await telpher.aio.open(tmp_path / "hub")

    run(main())


def test_who_may_not_host_finds_no_host(directory: str) -> None:
    with pytest.raises(telpher.NoHost):
        telpher.open(directory, host="never", timeout=0.2)


GUEST = """
    import sys, telpher
    with telpher.open({directory!r}, host="never") as hub:
        hub.serve("guest", lambda request: request.body[::-1])
        print("ready", flush=True)
        sys.stdin.read()
"""


def test_programs_share_a_directory(script, directory: str) -> None:
    with telpher.open(directory) as hub:
        guest = script(GUEST.format(directory=directory))
        assert guest.reads() == "ready"
        assert hub.call("guest", b"abc") == b"cba"
        code, _, err = guest.ends()
        assert code == 0, err
        with pytest.raises(telpher.NoService):
            hub.call("guest", b"abc")


HOST = """
    import sys, telpher
    hub = telpher.open({directory!r})
    hub.queue("work").declare(durability="memory")
    hub.serve("host", lambda request: b"the first")
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_a_killed_host_is_replaced_and_everybody_is_told(script, directory: str) -> None:
    host = script(HOST.format(directory=directory))
    assert host.reads() == "ready"
    notices: list[telpher.Notice] = []
    changed = threading.Event()

    def note(notice: telpher.Notice) -> None:
        notices.append(notice)
        if notice.kind == "HUB_CHANGED":
            changed.set()

    with telpher.open(directory, on_notice=note) as hub:
        hub.serve("mine", lambda request: b"still here")
        assert hub.call("host", b"") == b"the first"
        work = hub.queue("work")
        waiting = work.start.receive()
        host.process.kill()
        assert changed.wait(20)
        assert hub.call("mine", b"") == b"still here"
        work.send(b"job")
        assert waiting.result(20).body == b"job"
    change = next(notice for notice in notices if notice.kind == "HUB_CHANGED")
    assert change.memory_lost and change.epoch > 0


def test_asyncio_hears_notices_on_its_loop(run: Run, script, directory: str) -> None:
    host = script(HOST.format(directory=directory))
    assert host.reads() == "ready"

    async def main() -> None:
        changed = asyncio.get_running_loop().create_future()

        def note(notice: telpher.Notice) -> None:
            if notice.kind == "HUB_CHANGED":
                changed.set_result(notice)

        async with telpher.aio.open(directory, on_notice=note) as hub:
            await hub.serve("mine", lambda request: b"still here")
            work = hub.queue("work")
            waiting = asyncio.ensure_future(work.receive())
            await hub.call("host", b"")
            host.process.kill()
            async with asyncio.timeout(20):
                assert (await changed).memory_lost
                assert await hub.call("mine", b"") == b"still here"
                await work.send(b"job")
                assert (await waiting).body == b"job"

    run(main())


def test_a_failing_on_notice_is_logged_and_hurts_nobody(
    script, directory: str, caplog: pytest.LogCaptureFixture
) -> None:
    host = script(HOST.format(directory=directory))
    assert host.reads() == "ready"
    told = threading.Event()

    def fail(notice: telpher.Notice) -> None:
        told.set()
        raise ValueError("in the callback")

    with caplog.at_level(logging.ERROR, "telpher"), telpher.open(directory, on_notice=fail) as hub:
        host.process.kill()
        assert told.wait(20)
        hub.queue("work").declare(durability="memory")
        hub.queue("work").start.inspect().result(20)
    assert "on_notice failed" in caplog.text


def test_a_failure_that_nobody_waits_for_is_logged(
    hub: telpher.Hub, caplog: pytest.LogCaptureFixture
) -> None:
    logged = threading.Event()
    handler = logging.Handler()
    handler.emit = lambda record: logged.set()
    logger = logging.getLogger()
    logger.addHandler(handler)  # Behind the one of caplog, which has the record before it is told.
    try:
        with caplog.at_level(logging.WARNING, "telpher"):
            hub._core.fire(Command.settle(12345, "acknowledge"), True)
            assert logged.wait(20)
    finally:
        logger.removeHandler(handler)
    assert "nobody waits for failed: LEASE_LOST" in caplog.text
