"""Where messages go that could not be done, and what they carry."""

import re
import time

import pytest
import telpher
import telpher.aio
from conftest import Run


class Unprintable(Exception):
    """An exception whose text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError


@pytest.fixture
def dead(hub: telpher.Hub) -> telpher.Queue:
    """Where the dead letters of the queue `work` go."""
    return hub.queue("work.dead")


def last_error(dead: telpher.Queue) -> str:
    """Why the next dead letter is one, as its last holder said."""
    with dead.receive(timeout=10) as job:
        return job.headers["telpher.error"].decode()


def test_a_rejected_job_is_a_dead_letter_that_says_why(
    queue: telpher.Queue, dead: telpher.Queue
) -> None:
    before = time.time()
    queue.send(b"body", key=b"k", headers={"own": b"\0\xff"}, priority=3)
    queue.receive().reject("no such flight: ünknown")
    with dead.receive(timeout=10) as job:
        assert (job.body, job.key, job.priority, job.failures) == (b"body", b"k", 3, 0)
        headers = dict(job.headers)
        history = headers.pop("telpher.history").decode()
        assert headers == {
            "own": b"\0\xff",
            "telpher.queue": b"work",
            "telpher.reason": b"rejected",
            "telpher.error": "no such flight: ünknown".encode(),
            "telpher.failures": b"1",
        }
        when, what = history.strip().split(" ", 1)
        assert what == "rejected: no such flight: ünknown"
        assert before - 60 < int(when) / 1000 < time.time() + 60
    said = queue.inspect()
    assert (said.rejected, said.dead_lettered, said.ready, said.held) == (1, 1, 0, 0)
    assert dead.inspect().sent == 1


def test_an_exception_in_the_block_is_the_reason(queue: telpher.Queue, dead: telpher.Queue) -> None:
    cases = [
        (ValueError("no such flight"), "ValueError: no such flight"),
        (KeyError(), "KeyError"),
        (telpher.NoService("nobody serves x"), "NoService: nobody serves x"),
        (UnicodeError("\udcff"), "UnicodeError: ?"),
        (Unprintable(), "Unprintable"),
    ]
    for failure, reason in cases:
        queue.send(b"")
        with pytest.raises(type(failure)), queue.receive():
            raise failure
        assert last_error(dead) == reason


@pytest.mark.parametrize("length", [1010, 1011, 1012, 1013, 5_000_000])
def test_a_long_text_is_cut_between_two_characters(
    queue: telpher.Queue, dead: telpher.Queue, length: int
) -> None:
    queue.send(b"")
    with pytest.raises(ValueError), queue.receive():
        raise ValueError("x" * (length % 7) + "€" * length)
    reason = last_error(dead)
    assert re.fullmatch("ValueError: x*€+", reason)
    assert 1022 <= len(reason.encode()) <= 1024


def test_a_reason_over_its_limit_leaves_the_job_held(queue: telpher.Queue) -> None:
    queue.send(b"")
    with queue.receive() as job:
        for refused in (job.reject, job.requeue, job.start.reject, job.start.requeue):
            with pytest.raises(telpher.TooLarge, match="1026 bytes; at most 1024"):
                refused("ü" * 513)
        with pytest.raises(TypeError):
            job.reject(b"bytes")
    assert queue.inspect().acknowledged == 1


def test_after_its_last_attempt_a_job_is_a_dead_letter_with_its_history(hub: telpher.Hub) -> None:
    queue = hub.queue("twice")
    queue.declare(max_attempts=2, backoff_min=0.001, dead_letter="graveyard")
    queue.send(b"body")
    queue.receive(timeout=10).requeue("first")
    job = queue.receive(timeout=10)
    assert (job.failures, job.redelivered) == (1, True)
    assert not any(name.startswith("telpher.") for name in job.headers)
    job.start.requeue("second").result(20)
    with hub.queue("graveyard").receive(timeout=10) as letter:
        assert letter.headers["telpher.reason"] == b"requeued"
        assert letter.headers["telpher.error"] == b"second"
        assert letter.headers["telpher.failures"] == b"2"
        lines = letter.headers["telpher.history"].decode().splitlines()
        assert [line.split(" ", 1)[1] for line in lines] == ["requeued: first", "requeued: second"]
    said = queue.inspect()
    assert (said.requeued, said.dead_lettered, said.ready, said.delayed) == (1, 1, 0, 0)


def test_a_requeued_job_waits_before_it_comes_again(hub: telpher.Hub) -> None:
    queue = hub.queue("paused")
    queue.declare(backoff_min=60)
    queue.send(b"")
    queue.receive().requeue()
    said = queue.inspect()
    assert (said.ready, said.delayed, said.requeued) == (0, 1, 1)


def test_what_is_rejected_among_dead_letters_is_gone(
    queue: telpher.Queue, dead: telpher.Queue
) -> None:
    queue.send(b"")
    queue.receive().reject()
    dead.receive(timeout=10).reject("really")
    said = dead.inspect()
    assert (said.ready, said.held, said.rejected, said.dead_lettered) == (0, 0, 1, 0)


def test_what_nobody_takes_in_time_is_a_dead_letter(hub: telpher.Hub) -> None:
    hub.queue("fresh").declare(ttl=0.01)
    hub.queue("fresh.dead").declare()
    hub.queue("fresh").send(b"stale")
    with hub.queue("fresh.dead").receive(timeout=10) as job:
        assert (job.body, job.headers["telpher.reason"]) == (b"stale", b"expired")


def test_a_dead_letter_is_sent_back_by_one_batch(
    hub: telpher.Hub, queue: telpher.Queue, dead: telpher.Queue
) -> None:
    queue.send(b"body", headers={"own": b"1"})
    queue.receive().reject("first")
    with dead.receive(timeout=10) as job, hub.batch() as batch:
        batch.send(job.headers["telpher.queue"].decode(), job.body, headers=job.headers)
        batch.acknowledge(job)
    assert dead.inspect().acknowledged == 1
    again = queue.receive(timeout=10)
    assert (again.body, again.headers["own"], again.failures) == (b"body", b"1", 0)
    again.reject("second")
    assert last_error(dead) == "second"


def test_asyncio_gives_the_same_reasons(run: Run, url: str) -> None:
    async def main() -> None:
        async with telpher.aio.open(url) as hub:
            queue, dead = hub.queue("work"), hub.queue("work.dead")
            await queue.declare(max_attempts=1)
            for _ in range(3):
                await queue.send(b"")
            await (await queue.receive()).reject("by hand")
            await (await queue.receive()).requeue("once too often")
            with pytest.raises(ValueError):
                async with await queue.receive():
                    raise ValueError("in the block")
            reasons = []
            for _ in range(3):
                async with await dead.receive(timeout=10) as job:
                    reasons.append(job.headers["telpher.error"])
                    if len(reasons) == 1:
                        with pytest.raises(telpher.TooLarge, match="at most 1024"):
                            await job.reject("x" * 1025)
            assert reasons == [b"by hand", b"once too often", b"ValueError: in the block"]
            assert (await dead.inspect()).acknowledged == 3

    run(main())
