"""Leaving the program never hangs or crashes, whatever is under way."""

import pytest

HEAD = """
    import asyncio, gc, os, signal, sys, threading
    import telpher, telpher.aio
    URL = "mem://leaving"
"""

PROGRAMS = {
    "with a hub left open": """
    hub = telpher.open(URL)
    """,
    "with services and their threads": """
    hub = telpher.open(URL)
    hub.serve("echo", lambda request: request.body, concurrency=8)
    hub.call("echo", b"")
    """,
    "with operations under way": """
    hub = telpher.open(URL)
    hub.queue("work").declare()
    waiting = [hub.queue("work").start.receive() for _ in range(50)]
    """,
    "with a callback that has yet to run": """
    hub = telpher.open(URL)
    hub.queue("work").declare()
    hub.queue("work").start.receive().add_done_callback(lambda _: sys.getrefcount(None))
    """,
    "with a thread blocked in a call": """
    hub = telpher.open(URL)
    entered = threading.Event()
    kept = []
    def hold(request):
        kept.append(request)
        entered.set()
        return telpher.LATER
    def blocked():
        try:
            hub.call("hold", b"")
        except telpher.Closed:
            pass
    hub.serve("hold", hold)
    threading.Thread(target=blocked, daemon=True).start()
    entered.wait()
    """,
    "with a handler that never ends": """
    hub = telpher.open(URL)
    entered = threading.Event()
    def stuck(request):
        entered.set()
        threading.Event().wait()
    hub.serve("stuck", stuck)
    call = hub.start.call("stuck", b"")
    entered.wait()
    """,
    "with a handler in the middle of a call": """
    hub = telpher.open(URL)
    entered = threading.Event()
    hub.serve("inner", lambda request: (entered.set(), threading.Event().wait()))
    hub.serve("outer", lambda request: hub.call("inner", b""))
    call = hub.start.call("outer", b"")
    entered.wait()
    """,
    "with a consumer in the middle of its loop": """
    hub = telpher.open(URL)
    hub.queue("work").declare()
    started = threading.Event()
    def loop():
        consumer = hub.queue("work").consume()
        started.set()
        for job in consumer: pass
    threading.Thread(target=loop, daemon=True).start()
    started.wait()
    """,
    "with an asyncio hub left open": """
    async def main():
        hub = await telpher.aio.open(URL)
        await hub.serve("hold", lambda request: telpher.LATER)
        await hub.queue("work").declare()
        hub.queue("work").receive()
    asyncio.run(main())
    """,
    "with an asyncio hub kept past its loop": """
    async def main():
        global hub
        hub = await telpher.aio.open(URL)
        await hub.queue("work").declare()
        hub.queue("work").receive()
    asyncio.run(main())
    """,
    "with notices still wanted": """
    hub = telpher.open(URL, on_notice=print)
    """,
    "with a hub in a reference cycle": """
    hub = telpher.open(URL)
    cycle = [hub]
    cycle.append(cycle)
    del hub, cycle
    gc.collect()
    """,
    "with many hubs": """
    hubs = [telpher.open(URL) for _ in range(20)]
    for hub in hubs:
        hub.serve("echo", lambda request: request.body, concurrency=2)
        hub.start.call("echo", b"")
    """,
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_the_program_ends_well(script, program: str) -> None:
    code, _, err = script(HEAD + program).ends(timeout=15)
    assert code == 0, err
    assert "Traceback" not in err and "Fatal" not in err, err


def test_sys_exit_keeps_its_code(script) -> None:
    program = """
    hub = telpher.open(URL)
    hub.serve("echo", lambda request: request.body, concurrency=4)
    sys.exit(7)
    """
    assert script(HEAD + program).ends(timeout=15)[0] == 7


def test_an_uncaught_exception_still_closes_the_hub(script) -> None:
    program = """
    hub = telpher.open(URL)
    hub.serve("echo", lambda request: request.body)
    raise ValueError("uncaught")
    """
    code, _, err = script(HEAD + program).ends(timeout=15)
    assert code == 1 and "ValueError: uncaught" in err
