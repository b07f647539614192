"""What the Python program of the crash loop does with streams."""

import itertools
import random
import threading
from collections import deque
from collections.abc import Callable, Iterator

import telpher
from workers.common import (
    BOTH,
    GROUP,
    IDLE,
    KEPT,
    KEPT_OPTIONS,
    LATEST,
    LOGS,
    PARTITIONS,
    STREAMS,
    TOPICS,
    TURNS,
    WINDOW,
    body_of,
    ending,
    key_of,
    number_of,
    record_of,
    say,
    value_of,
    wholeness,
)

PACE_S = 0.01
SLOW_PACE_S = 0.03
LOOK_S = 0.3


class Logs:
    """The roles `append`, `read`, `publish`, `put` and `look`."""

    hub: telpher.Hub
    name: str
    ends: threading.Event
    # Whether a member's batches take and send messages, too.
    mixes = True

    def numbers(self, letter: str) -> Iterator[str]:
        """Numbers that no other program has."""
        return (f"{self.name}-{letter}-{count}" for count in itertools.count(1))

    def one(self, queue: str) -> list[telpher.Job]:
        """A message of a queue, if there is one soon."""
        raise NotImplementedError

    def settle(self, queue: str, job: telpher.Job, verdict: str) -> None:
        """Give a verdict, and wait for its confirmation."""
        raise NotImplementedError

    def declare_streams(self) -> None:
        """Make every stream; and the group of what is kept until that has read it."""
        for name in STREAMS:
            durability = "os" if name.endswith("os") else "disk"
            if name in LATEST:
                options = {"compact": True, **LATEST[name]}
            else:
                options = {"partitions": PARTITIONS, **(KEPT_OPTIONS if name == KEPT else {})}
            self.hub.stream(name).declare(durability=durability, **options)
        self.hub.stream(BOTH).bind(f"{BOTH}.*")
        for topic, queue in TOPICS.items():
            self.hub.queue(queue).bind(topic)
        if not self.hub.stream(KEPT).groups():
            self.hub.stream(KEPT).read(group=GROUP).close()

    def append(self, chance: random.Random) -> None:
        """Append to streams, some at once; all of one program have one key."""

        def start(number: str) -> telpher.Operation:
            name = chance.choice(list(LOGS))
            say("append", number, name)
            key = self.name.encode()
            return self.hub.stream(name).start.append(record_of(number), key=key, timeout=20)

        self.keep_up("a", PACE_S, start, appended)

    def publish(self, chance: random.Random) -> None:
        """Publish to topics that are bound to a queue and to a stream; all have one key, too."""

        def start(number: str) -> telpher.Operation:
            topic = chance.choice(list(TOPICS))
            say("publish", number, TOPICS[topic], BOTH)
            start = self.hub.topic(topic).start
            return start.publish(body_of(number), key=self.name.encode(), timeout=20)

        self.keep_up("p", SLOW_PACE_S, start, published)

    def put(self, chance: random.Random) -> None:
        """Append what takes the place of the last record with its key."""

        def start(number: str) -> telpher.Operation:
            name, key, value = chance.choice(list(LATEST)), key_of(number), value_of(number)
            say("put", number, name, key, "value" if value else "tombstone")
            headers = {"number": number.encode()}
            start = self.hub.stream(name).start
            return start.append(value, key=key.encode(), headers=headers, timeout=20)

        self.keep_up("k", PACE_S, start, appended)

    def keep_up(
        self,
        letter: str,
        pace_s: float,
        start: Callable[[str], telpher.Operation],
        ended: Callable[[str, telpher.Operation], None],
    ) -> None:
        """Start one operation after the other, some at once, at a pace."""
        started: deque = deque()
        for number in self.numbers(letter):
            if self.ends.is_set():
                break
            started.append((number, start(number)))
            if len(started) >= WINDOW:
                ended(*started.popleft())
            self.ends.wait(pace_s)
        for each in started:
            ended(*each)

    def look(self, chance: random.Random) -> None:
        """Read again and again what is left of what has keys."""
        while not self.ends.is_set():
            self.look_at(chance.choice(list(LATEST)))
            self.ends.wait(LOOK_S)

    def look_at(self, name: str) -> None:
        """Read a stream with keys from its beginning to its end."""
        say("look", name)
        for record in self.hub.stream(name).read():
            place = record.partition, record.offset
            say("saw", name, *place, number_of(record), wholeness(name, record))
        say("looked", name)

    def read(self, chance: random.Random) -> None:
        """Be a member of the group of one stream after the other."""
        numbers = self.numbers("r")
        while not self.ends.is_set():
            self.work(chance, chance.choice(list(LOGS)), numbers)

    def work(self, chance: random.Random, name: str, numbers: Iterator[str]) -> None:
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
                    say("read", name, *place, number_of(record), wholeness(name, record))
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

    def commit(
        self, chance: random.Random, name: str, taken: tuple, numbers: Iterator[str]
    ) -> bool:
        """Commit records and append what is made of them, in one batch; whether that was done.

        Now and then the batch also acknowledges a message, and sends one.
        """
        reader, records = taken
        batch = self.hub.batch()
        parts = []
        for record in records:
            number = next(numbers)
            batch.append(LOGS[name], record_of(number), key=self.name.encode())
            batch.commit(reader, record)
            parts.append(f"read:{name}:{record.partition}:{record.offset}")
            parts.append(f"append:{LOGS[name]}:{number}")
        queue = chance.choice(["disk.in", "os.in"])
        jobs = self.one(queue) if self.mixes and chance.random() < 0.3 else []
        for job in jobs:
            sent, target = number.replace("-r-", "-m-"), chance.choice(["disk.out", "os.out"])
            batch.acknowledge(job)
            batch.send(target, body_of(sent))
            taken_number = job.body.partition(b":")[0].decode()
            parts += [f"take:{queue}:{job.message_id}:{taken_number}", f"send:{target}:{sent}"]
        if chance.random() < 0.03:
            batch.append("nowhere", b"")
        say("commit", number, *parts)
        error, ids = None, []
        try:
            ids = [receipt.message_id for receipt in batch.submit(timeout=20)]
        except telpher.Error as failure:
            error = failure
        say("committed", number, ending(error), *ids)
        for job in jobs if error is not None and not error.maybe_executed else []:
            self.settle(queue, job, "release")
        return error is None


def appended(number: str, append: telpher.Operation) -> None:
    """Wait for the end of an append."""
    error = append.exception()
    place = (0, 0) if error else (append.result().partition, append.result().offset)
    say("appended", number, ending(error), *place)


def published(number: str, publish: telpher.Operation) -> None:
    """Wait for the end of a publish."""
    say("published", number, ending(publish.exception()))
