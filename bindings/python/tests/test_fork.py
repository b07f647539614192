"""After a fork the child's handles refuse, and it may open anew; the parent notices nothing."""

import multiprocessing
import os
import warnings

import pytest
import telpher

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

FORKED = """
    import os, sys, telpher
    hub = telpher.open({url!r})
    hub.serve("echo", lambda request: request.body, concurrency=3)
    hub.queue("work").declare(durability="memory")
    waiting = hub.queue("work").start.receive()
    news = hub.subscribe("news")
    hub.stream("log").declare(durability="memory")
    hub.stream("log").append(b"before")
    reader = hub.stream("log").read(follow=True)
    assert hub.call("echo", b"before") == b"before"
    child = os.fork()
    if child == 0:
        for use in (
            lambda: hub.call("echo", b""),
            lambda: hub.start.call("echo", b""),
            lambda: hub.queue("work").send(b""),
            lambda: hub.topic("news").publish(b""),
            lambda: hub.subscribe("more"),
            lambda: news.receive(),
            lambda: hub.stream("log").append(b""),
            lambda: hub.stream("log").start.append(b""),
            lambda: hub.stream("log").read(),
            lambda: reader.receive(),
            lambda: reader.close(),
            lambda: hub.serve("more", lambda request: b""),
            lambda: hub.close(),
            lambda: hub.stats(),
        ):
            try:
                use()
            except telpher.Forked:
                continue
            print("not refused", use, flush=True)
            os._exit(1)
        with telpher.open({again!r}) as anew:
            reply = anew.call("echo", b"from the child") if {shared} else b"from the child"
            print(reply.decode(), flush=True)
        sys.exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0, status
    assert hub.call("echo", b"after") == b"after"
    assert reader.receive().body == b"before"
    hub.queue("work").send(b"for the parent")
    print(waiting.result(20).body.decode(), flush=True)
"""


def test_a_forked_child_is_refused_and_opens_anew(script, url: str) -> None:
    code, out, err = script(FORKED.format(url=url, again="mem://other", shared=False)).ends()
    assert (code, out.split("\n")[:2]) == (0, ["from the child", "for the parent"]), err


def test_a_forked_child_joins_the_hub_that_its_parent_hosts(script, directory: str) -> None:
    program = FORKED.format(url=directory, again=directory, shared=True)
    code, out, err = script(program).ends()
    assert (code, out.split("\n")[:2]) == (0, ["from the child", "for the parent"]), err


def _square(directory: str, number: int) -> int:
    with telpher.open(directory) as hub:
        return int(hub.call("square", b"%d" % number))


def test_multiprocessing_by_fork_works(directory: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context = multiprocessing.get_context("fork")
    with telpher.open(directory) as hub:
        hub.serve("square", lambda request: b"%d" % int(request.body) ** 2)
        with context.Pool(2) as pool:
            squares = pool.starmap_async(_square, [(directory, n) for n in range(8)]).get(30)
    assert squares == [n**2 for n in range(8)]


def test_a_child_that_dies_at_once_leaves_the_parent_alone(directory: str) -> None:
    with telpher.open(directory) as hub:
        hub.serve("echo", lambda request: request.body)
        for _ in range(5):
            child = os.fork()
            if child == 0:
                os._exit(0)
            os.waitpid(child, 0)
            assert hub.call("echo", b"still") == b"still"
