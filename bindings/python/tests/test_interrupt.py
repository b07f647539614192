"""Ctrl-C ends any wait at once, and what it waited for."""

import signal
import time
from collections import deque

import pytest
import telpher
from conftest import Script

PROGRAM = """
    import asyncio, math
    import telpher, telpher.aio
    hub = telpher.open("mem://interrupted")
    hub.queue("work").declare()
    hub.stream("log").declare()
    kept = []
    hub.serve("hold", lambda request: kept.append(request) or telpher.LATER)
    async def wait_in_asyncio():
        async with telpher.aio.open("mem://interrupted") as other:
            await other.call("hold", b"", timeout=1000)
    async def read_in_asyncio():
        async with telpher.aio.open("mem://interrupted") as other:
            await other.stream("log").read(follow=True).receive()
    print("ready", flush=True)
    try:
        {wait}
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    hub.queue("work").send(b"goes on")
    print(hub.queue("work").receive(timeout=10).body.decode(), flush=True)
"""

WAITS = {
    "call": 'hub.call("hold", b"", timeout=1000)',
    "receive": 'hub.queue("work").receive(timeout=math.inf)',
    "consume": 'list(hub.queue("work").consume())',
    "subscribe": 'list(hub.subscribe("nothing"))',
    "read": 'list(hub.stream("log").read(follow=True))',
    "started": 'hub.start.call("hold", b"", timeout=1000).result()',
    "service": 'hub.serve("more", lambda request: b"").join()',
    "asyncio": "asyncio.run(wait_in_asyncio())",
    "read in asyncio": "asyncio.run(read_in_asyncio())",
}


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS.keys())
def test_ctrl_c_ends_the_wait_at_once(script, wait: str) -> None:
    running = script(PROGRAM.format(wait=wait))
    assert running.reads() == "ready"
    wait_until_asleep(running.process.pid)
    begun = time.monotonic()
    running.process.send_signal(signal.SIGINT)
    assert running.reads() == "interrupted"
    assert time.monotonic() - begun < 3
    code, out, err = running.ends()
    assert (code, out.strip()) == (0, "goes on"), err


def test_a_signal_that_another_thread_has_caught_reaches_the_one_that_waits(script) -> None:
    running = script("""
        import signal, threading, telpher
        hub = telpher.open("mem://interrupted")
        queue = hub.queue("work")
        queue.declare()
        signal.signal(signal.SIGUSR1, lambda *_: queue.start.send(b"from the handler"))
        threading.Thread(target=signal.pause, daemon=True).start()
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        print("ready", flush=True)
        print(queue.receive(timeout=20).body.decode(), flush=True)
    """)
    assert running.reads() == "ready"
    wait_until_asleep(running.process.pid)
    running.process.send_signal(signal.SIGUSR1)
    assert running.ends()[:2] == (0, "from the handler\n")


def test_a_signal_handler_that_raises_nothing_lets_the_wait_go_on(script) -> None:
    running = script("""
        import signal, telpher
        hub = telpher.open("mem://interrupted")
        queue = hub.queue("work")
        queue.declare()
        signal.signal(signal.SIGUSR1, lambda *_: queue.start.send(b"from the handler"))
        print("ready", flush=True)
        print(queue.receive(timeout=20).body.decode(), flush=True)
    """)
    assert running.reads() == "ready"
    wait_until_asleep(running.process.pid)
    running.process.send_signal(signal.SIGUSR1)
    assert running.ends()[:2] == (0, "from the handler\n")


def test_a_consumer_that_ctrl_c_keeps_from_the_program_takes_nothing() -> None:
    with telpher.open("mem://begun") as hub:
        queue = hub.queue("work")
        queue.declare()
        core = hub._core
        hub._core = InterruptedAtReturn(core)
        with pytest.raises(KeyboardInterrupt):
            queue.consume()
        hub._core = core
        queue.send(b"for the next")
        assert queue.receive(timeout=10).body == b"for the next"


def test_a_reader_that_ctrl_c_keeps_from_the_program_is_stopped() -> None:
    with telpher.open("mem://begun") as hub:
        stream = hub.stream("log")
        stream.declare()
        core = hub._core
        hub._core = InterruptedAtReturn(core)
        with pytest.raises(KeyboardInterrupt):
            stream.read(follow=True)
        number = hub._core.registered[0]
        hub._core = core
        # It ends on the handle's own thread; whoever waits for it until then hears so.
        with pytest.raises(telpher.Stale):
            core.next(number, deque(), (1, 1), 10.0)


def test_a_record_that_was_fetched_as_ctrl_c_came_is_not_lost() -> None:
    with telpher.open("mem://fetched") as hub:
        stream = hub.stream("log")
        stream.declare()
        reader = stream.read(follow=True)
        core = hub._core
        hub._core = InterruptedAtReturn(core)
        stream.start.append(b"first").result(20)
        with pytest.raises(KeyboardInterrupt):
            reader.receive()
        hub._core = core
        assert reader.receive().body == b"first"


class InterruptedAtReturn:
    """A handle in which Ctrl-C comes as a registration or a fetch returns."""

    def __init__(self, core: object) -> None:
        self.core = core
        self.registered: list[int] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.core, name)

    def register(self, *arguments: object) -> None:
        self.registered.append(self.core.register(*arguments).id)
        raise KeyboardInterrupt

    def next(self, *arguments: object) -> None:
        self.core.next(*arguments)
        raise KeyboardInterrupt


BATCH = """
    import sys, telpher
    hub = telpher.open({directory!r}, host="never")
    work, out = hub.queue("work"), hub.queue("out")
    work.declare()
    out.declare()
    work.start.send(b"body").result()
    batch = hub.batch()
    batch.send("out", b"result")
    batch.acknowledge(work.receive())
    print("ready", flush=True)
    sys.stdin.readline()
    print("submitting", flush=True)
    try:
        {wait}
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    sys.stdin.readline()
    said = work.inspect()
    print(said.acknowledged, said.ready + said.held, out.inspect().sent, flush=True)
    hub.queue("other").declare()
    hub.queue("other").send(b"goes on")
    print(hub.queue("other").receive(timeout=10).body.decode(), flush=True)
"""


@pytest.mark.parametrize("wait", ["batch.submit()", "batch.start.submit().result()"])
def test_ctrl_c_leaves_a_batch_done_whole_or_not_at_all(
    script, host: Script, directory: str, wait: str
) -> None:
    running = script(BATCH.format(directory=directory, wait=wait))
    assert running.reads() == "ready"
    host.stop()
    running.tells("submit it")
    assert running.reads() == "submitting"
    wait_until_asleep(running.process.pid)
    running.process.send_signal(signal.SIGINT)
    assert running.reads() == "interrupted"
    host.go()
    running.tells("look at it")
    assert running.reads() in ("1 0 1", "0 1 0")
    code, out, err = running.ends()
    assert (code, out.strip()) == (0, "goes on"), err


def wait_until_asleep(pid: int) -> None:
    """Waits until the main thread of a process sleeps: it has reached its wait."""
    until = time.monotonic() + 10
    asleep = 0
    while asleep < 50 and time.monotonic() < until:
        with open(f"/proc/{pid}/task/{pid}/stat") as stat:
            state = stat.read().rsplit(")", 1)[1].split()[0]
        asleep = asleep + 1 if state == "S" else 0
