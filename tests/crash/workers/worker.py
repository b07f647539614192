"""The Python program of the crash loop: `-m workers.worker URL NAME SEED ROLE...`.

Each role is a thread. What it is about to do, and what came of it, goes to standard output as the
lines that history.py describes, one write each, so that a kill loses none that was said. It ends
when its standard input does.
"""

import itertools
import os
import random
import sys
import threading
from collections import deque

import telpher
from workers.common import (
    BOUND,
    DECLARED,
    IDLE,
    OPTIONS,
    QUEUES,
    TURNS,
    WINDOW,
    body_of,
    ending,
    say,
)
from workers.logs import Logs

LEASE_S = 0.08
KEPT_MAX = 2
PACE_S = 0.002
POISON = "poison"


class Worker(Logs):
    """One program: a hub and its roles."""

    def __init__(self, hub: telpher.Hub, name: str, seed: int) -> None:
        self.hub = hub
        self.name = name
        self.seed = seed
        self.ends = threading.Event()

    def declare(self, queue: str) -> None:
        """Make a queue; one in memory is gone when its host was killed."""
        lease = LEASE_S if queue == "late" else None
        options = {"durability": DECLARED[queue], "ack_deadline": lease, **OPTIONS}
        self.hub.queue(queue).declare(**options)
        if queue in BOUND:
            self.hub.queue(queue).bind(f"to.{queue}")
            self.hub.queue(queue).bind(f"*.{queue}")

    def produce(self, chance: random.Random) -> None:
        """Send to every queue, some at once."""
        open_sends: deque = deque()
        for number in self.numbers("s"):
            if self.ends.is_set():
                break
            queue = chance.choice(["disk.in", "disk.in", "os.in", "os.in", "late", "spice"])
            say("send", number, queue)
            if queue in BOUND and chance.random() < 0.5:
                topic = self.hub.topic(f"to.{queue}")
                send = topic.start.publish(body_of(number), timeout=20)
            else:
                send = self.hub.queue(queue).start.send(body_of(number), timeout=20)
            open_sends.append((number, queue, send))
            if len(open_sends) >= WINDOW:
                self.sent(*open_sends.popleft())
        for each in open_sends:
            self.sent(*each)

    def sent(self, number: str, queue: str, send) -> None:
        """Wait for the end of a send."""
        error = send.exception()
        receipt = None if error else send.result()
        # Of a publish nobody hears under which id it is stored.
        say("sent", number, ending(error), receipt.message_id if receipt else 0)
        if isinstance(error, telpher.NotFound) and queue == "spice":
            self.declare(queue)

    def consume(self, chance: random.Random) -> None:
        """Take messages of one queue after the other, and give all kinds of verdicts."""
        while not self.ends.is_set():
            queue = chance.choice(list(QUEUES))
            kept: list[telpher.Job] = []
            with self.hub.queue(queue).consume(prefetch=chance.choice([1, 4, 16])) as consumer:
                try:
                    self.take(chance, queue, consumer, kept)
                except telpher.NotFound:
                    say("gone", queue)
            for job in kept:
                self.settle(queue, job, "acknowledge")
            if queue == "spice":
                self.declare(queue)

    def take(self, chance: random.Random, queue: str, consumer, kept: list) -> None:
        """Take from a consumer until it or the program ends, or for some turns."""
        turns = 0
        while turns < TURNS and not self.ends.is_set():
            turns += 1
            try:
                job = consumer.receive(timeout=0.1)
            except telpher.Pending:
                turns += IDLE
                while kept:
                    self.settle(queue, kept.pop(), "acknowledge")
                continue
            self.got(queue, job)
            drawn = chance.random()
            if drawn < 0.08 and len(kept) < KEPT_MAX:
                kept.append(job)
            elif drawn < 0.22:
                self.settle(queue, job, "requeue")
            elif drawn < 0.26:
                self.settle(queue, job, "reject")
            elif drawn < 0.33:
                self.settle(queue, job, "release")
            else:
                self.settle(queue, job, "acknowledge")

    def got(self, queue: str, job: telpher.Job) -> str:
        """Say what was delivered."""
        number = bytes(job.body).partition(b":")[0].decode()
        whole = "whole" if body_of(number) == bytes(job.body) else "damaged"
        say("got", queue, job.message_id, number, job.failures, int(job.redelivered), whole)
        return number

    def settle(self, queue: str, job: telpher.Job, verdict: str) -> None:
        """Give a verdict, and wait for its confirmation."""
        number = bytes(job.body).partition(b":")[0].decode()
        say("settle", queue, job.message_id, number, verdict)
        error = None
        try:
            getattr(job, verdict)(timeout=20)
        except telpher.Error as failure:
            error = failure
        say("settled", queue, job.message_id, number, verdict, ending(error))

    def move(self, chance: random.Random) -> None:
        """Take from one queue and send to another, in one batch."""
        fresh = self.numbers("b")
        for count in itertools.count(1):
            queue, target = (
                chance.choice(["disk.in", "os.in"]),
                chance.choice(["disk.out", "os.out"]),
            )
            jobs: list[telpher.Job] = []
            while len(jobs) < 1 + chance.randrange(3) and not self.ends.is_set():
                came = self.one(queue)
                if not came:
                    break
                jobs += came
            if self.ends.is_set():
                for job in jobs:
                    self.settle(queue, job, "release")
                return
            if jobs:
                self.batch(f"{self.name}-x-{count}", queue, jobs, (target, fresh, chance))

    def one(self, queue: str) -> list[telpher.Job]:
        """A message of a queue, if there is one soon."""
        try:
            job = self.hub.queue(queue).receive(timeout=0.05)
        except (telpher.Expired, telpher.HostUnresponsive):
            return []
        self.got(queue, job)
        return [job]

    def batch(self, name: str, queue: str, jobs: list, course: tuple) -> None:
        """Carry a batch out; some are bound to be refused, and then all is as before."""
        target, fresh, chance = course
        batch = self.hub.batch()
        parts = []
        for job in jobs:
            batch.acknowledge(job)
            parts.append(f"take:{queue}:{job.message_id}:{job.body.partition(b':')[0].decode()}")
        for _ in range(1 + chance.randrange(2)):
            number = next(fresh)
            batch.send(target, body_of(number))
            parts.append(f"send:{target}:{number}")
        if chance.random() < 0.05:
            batch.send("nowhere", b"")
        say("batch", name, *parts)
        error, ids = None, []
        try:
            ids = [receipt.message_id for receipt in batch.submit(timeout=20)]
        except telpher.Error as failure:
            error = failure
        say("batched", name, ending(error), *ids)
        if error is not None and not error.maybe_executed:
            for job in jobs:
                self.settle(queue, job, "release")

    def serve(self, chance: random.Random) -> None:
        """Answer calls."""

        def handle(request: telpher.Request) -> bytes:
            say("run", request.body.decode())
            return request.body

        with self.hub.serve("echo", handle, concurrency=chance.choice([1, 4])):
            self.ends.wait()

    def call(self, chance: random.Random) -> None:
        """Make calls, some at once."""
        open_calls: deque = deque()
        for number in self.numbers("c"):
            if self.ends.is_set():
                break
            say("call", number)
            timeout = chance.choice([1, 5])
            open_calls.append(
                (number, self.hub.start.call("echo", number.encode(), timeout=timeout))
            )
            if len(open_calls) >= WINDOW // 2:
                called(*open_calls.popleft())
            # Calls are cheap: without a pause they would leave the machine to nobody else.
            self.ends.wait(PACE_S)
        for each in open_calls:
            called(*each)

    def poison(self, chance: random.Random) -> None:
        """Hold several messages, and die of the one that is poison."""
        held: deque = deque()
        with self.hub.queue(POISON).consume(prefetch=8) as consumer:
            while not self.ends.is_set():
                try:
                    job = consumer.receive(timeout=0.05)
                except telpher.Pending:
                    while held:
                        self.settle(POISON, held.popleft(), "acknowledge")
                    continue
                if "poison" in self.got(POISON, job):
                    say("dies")
                    os.kill(os.getpid(), 9)
                held.append(job)

    def run(self, role: str, chance: random.Random) -> None:
        """Play a role to its end; a fault in it ends the program."""
        try:
            getattr(self, role)(chance)
        except BaseException as error:
            say("fault", role, type(error).__name__, str(error).replace("\n", " "))
            os._exit(3)


def called(number: str, call) -> None:
    """Wait for the end of a call."""
    error = call.exception()
    right = error is not None or call.result() == number.encode()
    say("called", number, ending(error), "right" if right else "wrong")


def main() -> None:
    """Play the roles until standard input ends."""
    url, name, seed, *roles = sys.argv[1:]
    with telpher.open(url, timeout=30) as hub:
        worker = Worker(hub, name, int(seed))
        for queue in DECLARED:
            worker.declare(queue)
        worker.declare_streams()
        say("open", hub.info.epoch)
        threads = []
        for at, role in enumerate(roles):
            chance = random.Random(worker.seed * 100 + at)
            threads.append(threading.Thread(target=worker.run, args=(role, chance)))
            threads[-1].start()
        sys.stdin.read()
        worker.ends.set()
        for thread in threads:
            thread.join()
    say("end")


if __name__ == "__main__":
    main()
