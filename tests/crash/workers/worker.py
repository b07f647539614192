"""The Python program of the crash loop: `worker.py URL NAME SEED ROLE...`.

Each role is a thread. What it is about to do, and what came of it, goes to standard output as the
lines that history.py describes, one write each, so that a kill loses none that was said. It ends
when its standard input does.
"""

import itertools
import os
import random
import sys
import threading
import time
from collections import deque

import telpher

QUEUES = {
    "disk.in": "disk",
    "os.in": "os",
    "disk.out": "disk",
    "os.out": "os",
    "late": "disk",
    "spice": "memory",
}
DECLARED = {**QUEUES, "poison": "disk"}
# What is appended to a log a member of its group takes, and appends another to what is done.
LOGS = {"log.disk": "done.disk", "log.os": "done.os"}
STREAMS = {"log.disk": "disk", "log.os": "os", "done.disk": "disk", "done.os": "os"}
PARTITIONS = 3
GROUP = "members"
OPTIONS = {"length_max": 300, "max_attempts": 3, "backoff_min": 0.005, "backoff_max": 0.05}
# Queues to which a topic is bound, by two patterns.
BOUND = ("disk.in", "os.in")
WINDOW = 8
LEASE_S = 0.08
KEPT_MAX = 2
TURNS = 60
IDLE = 30
PACE_S = 0.002
APPEND_PACE_S = 0.01
POISON = "poison"


def say(*fields: object) -> None:
    """Add a line to the history."""
    text = " ".join(str(field) for field in fields)
    os.write(1, f"{time.monotonic_ns() // 1000} {text}\n".encode())


def body_of(number: str) -> bytes:
    """The one body that a number has, as every program makes it."""
    count = int(number.rpartition("-")[2])
    # Some large, so that the journal's segments, of a megabyte at first, come and go.
    size = 70_000 if count % 17 == 0 else count * 37 % 6_000 if count % 5 == 0 else count % 90
    return f"{number}:".encode() + bytes([ord("a") + count % 26]) * size


def record_of(number: str) -> bytes:
    """The one record that a number has: smaller, as streams keep all of them."""
    count = int(number.rpartition("-")[2])
    size = 6_000 if count % 50 == 0 else count % 90
    return f"{number}:".encode() + bytes([ord("a") + count % 26]) * size


def number_of(record: telpher.Record) -> str:
    """The number of a record."""
    return bytes(record.body).partition(b":")[0].decode()


def wholeness(record: telpher.Record) -> str:
    """Whether a record is as it was appended."""
    return "whole" if record_of(number_of(record)) == bytes(record.body) else "damaged"


def ending(error: telpher.Error | None) -> str:
    """How an operation ended: its status, and whether it may have been done."""
    return "OK 0" if error is None else f"{error.kind} {int(error.maybe_executed)}"


class Worker:
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

    def numbers(self, letter: str):
        """Numbers that no other program has."""
        return (f"{self.name}-{letter}-{count}" for count in itertools.count(1))

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
                try:
                    jobs.append(self.hub.queue(queue).receive(timeout=0.05))
                    self.got(queue, jobs[-1])
                except (telpher.Expired, telpher.HostUnresponsive):
                    break
            if self.ends.is_set():
                for job in jobs:
                    self.settle(queue, job, "release")
                return
            if jobs:
                self.batch(f"{self.name}-x-{count}", queue, jobs, (target, fresh, chance))

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

    def append(self, chance: random.Random) -> None:
        """Append to streams, some at once; all of one program have one key."""
        open_appends: deque = deque()
        for number in self.numbers("a"):
            if self.ends.is_set():
                break
            name = chance.choice(list(LOGS))
            say("append", number, name)
            start = self.hub.stream(name).start
            open_appends.append(
                (number, start.append(record_of(number), key=self.name.encode(), timeout=20))
            )
            if len(open_appends) >= WINDOW:
                appended(*open_appends.popleft())
            self.ends.wait(APPEND_PACE_S)
        for each in open_appends:
            appended(*each)

    def read(self, chance: random.Random) -> None:
        """Be a member of the group of one stream after the other."""
        numbers = self.numbers("r")
        while not self.ends.is_set():
            self.work(chance, chance.choice(list(LOGS)), numbers)

    def work(self, chance: random.Random, name: str, numbers) -> None:
        """Take records and commit each with what is made of it, for some turns.

        Who has not committed what it took leaves: then it comes to a member again.
        """
        say("join", name)
        with self.hub.stream(name).read(group=GROUP) as reader:
            turns = 0
            while turns < TURNS and not self.ends.is_set():
                turns += 1
                records = self.records(reader, 1 + chance.randrange(3))
                if not records:
                    turns += IDLE
                    continue
                for record in records:
                    place = record.partition, record.offset
                    say("read", name, *place, number_of(record), wholeness(record))
                if not self.commit(chance, name, (reader, records), numbers):
                    return

    def records(self, reader: telpher.Reader, most: int) -> list[telpher.Record]:
        """One record as soon as there is one, and more if they are there."""
        records: list[telpher.Record] = []
        try:
            while len(records) < most:
                records.append(reader.receive(timeout=0 if records else 0.1))
        except telpher.Pending:
            pass
        return records

    def commit(self, chance: random.Random, name: str, taken: tuple, numbers) -> bool:
        """Commit records and append what is made of them, in one batch; whether that was done."""
        reader, records = taken
        batch = self.hub.batch()
        parts = []
        for record in records:
            number = next(numbers)
            batch.append(LOGS[name], record_of(number), key=self.name.encode())
            batch.commit(reader, record)
            parts.append(f"take:{name}:{record.partition}:{record.offset}")
            parts.append(f"append:{LOGS[name]}:{number}")
        if chance.random() < 0.03:
            batch.append("nowhere", b"")
        say("commit", number, *parts)
        error = None
        try:
            batch.submit(timeout=20)
        except telpher.Error as failure:
            error = failure
        say("committed", number, ending(error))
        return error is None

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


def appended(number: str, append) -> None:
    """Wait for the end of an append."""
    error = append.exception()
    place = (0, 0) if error else (append.result().partition, append.result().offset)
    say("appended", number, ending(error), *place)


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
        for stream, durability in STREAMS.items():
            hub.stream(stream).declare(partitions=PARTITIONS, durability=durability)
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
