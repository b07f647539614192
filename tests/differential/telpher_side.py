"""Telpher, asked for the same as Redis: a directory that `telpher serve` hosts."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path

import telpher
from history import Setup

TOP = Path(__file__).resolve().parents[2]
COMMAND = Path(os.environ.get("CARGO_TARGET_DIR", TOP / "target")) / "release" / "telpher"
PATIENCE_S = 20.0

Placed = tuple[int, bytes]


class TelpherSide:
    """A stream, its groups, and the stream to which records are moved."""

    def __init__(self, directory: Path, setup: Setup) -> None:
        self.directory = directory
        self.is_safe = setup.durability != "memory"
        self.has_limit = setup.records_max is not None
        self._serve()
        self.hub = telpher.open(str(directory), host="never", timeout=PATIENCE_S)
        self.stream = self.hub.stream("log")
        self.stream.declare(
            partitions=setup.partitions,
            durability=setup.durability,
            records_max=setup.records_max,
        )
        self.moved = self.hub.stream("out")
        self.moved.declare(durability=setup.durability)
        self.settled = self.hub.stream("settled")
        self.settled.declare(durability=setup.durability, records_max=1)
        self.clock = self.hub.stream("clock")
        self.clock.declare(durability="memory", records_max=1)

    def _serve(self) -> None:
        command = [str(COMMAND), "serve", str(self.directory)]
        self.host = subprocess.Popen(command, stderr=subprocess.PIPE)
        assert self.host.stderr is not None
        for line in self.host.stderr:
            if b"ready" in line:
                return
        raise OSError(f"telpher serve ended with {self.host.wait()}")

    def restart(self) -> None:
        """Another host, as suddenly as what the streams hold allows."""
        if self.has_limit:
            self.settle()
        self._end(signal.SIGKILL if self.is_safe else signal.SIGTERM)
        self._serve()

    def _end(self, how: signal.Signals) -> None:
        self.host.send_signal(how)
        self.host.communicate()

    def close(self) -> None:
        """Ends it."""
        self.hub.close()
        self._end(signal.SIGKILL)

    def settle(self) -> None:
        """Has written down what the limits have removed: of that nobody is told when it is.

        What is confirmed later is written behind it.
        """
        self.settled.append(b"")

    def clock_ms(self) -> int:
        """The hub's clock, by which records have their times: that of one appended now."""
        offset = self.clock.append(b"").offset
        with self.clock.read(offset=offset) as reader:
            return round(reader.receive(timeout=PATIENCE_S).time * 1_000)

    def append(self, partitions: Iterable[int], bodies: Iterable[bytes]) -> list[int]:
        """Appends records that are on their way together; their offsets."""
        start = self.stream.start.append
        started = [
            start(body, partition=partition)
            for partition, body in zip(partitions, bodies, strict=True)
        ]
        return [operation.result(PATIENCE_S).offset for operation in started]

    def read(self, partition: int, start: dict) -> list[Placed]:
        """Records of a partition from somewhere on."""
        with self.stream.read(partition=partition, **start) as reader:
            return [(record.offset, record.body) for record in reader]

    def bounds(self, partition: int) -> tuple[int, int]:
        """The first offset that is kept, and the next one."""
        info = self.stream.inspect().partitions[partition]
        return info.first, info.next

    def places(self) -> dict[str, list[tuple[int, int]]]:
        """Of each group and partition, the next offset and how many records there are from it."""
        return {
            group.name: [(place.next, place.lag) for place in group.places]
            for group in self.stream.groups()
        }

    def member(self, group: str, start: dict) -> Member:
        """A member of a group."""
        return Member(self, group, start)

    def reset_group(self, group: str, partition: int, start: dict) -> None:
        """Puts a group elsewhere."""
        self.stream.reset_group(group, partition=partition, **start)

    def delete_group(self, group: str) -> None:
        """Removes a group."""
        self.stream.delete_group(group)

    def out(self) -> list[Placed]:
        """What was moved."""
        return [(record.offset, record.body) for record in self.moved.read()]


class Member:
    """A reader of a group."""

    def __init__(self, side: TelpherSide, group: str, start: dict) -> None:
        self.side = side
        self.reader = side.stream.read(group=group, **start)
        self.taken: list[telpher.Record] = []

    def take(self, count: int) -> dict[int, list[Placed]]:
        """So many records, by partition."""
        found: dict[int, list[Placed]] = {}
        for _ in range(count):
            record = self.reader.receive(timeout=PATIENCE_S)
            self.taken.append(record)
            found.setdefault(record.partition, []).append((record.offset, record.body))
        return found

    def commit(self, partition: int, offset: int) -> None:
        """Everything up to a record."""
        for record in self.taken:
            if (record.partition, record.offset) == (partition, offset):
                self.reader.commit(record, timeout=PATIENCE_S)

    def move(self) -> None:
        """Appends what was taken to the other stream and commits it, in one batch."""
        with self.side.hub.batch() as batch:
            for record in self.taken:
                batch.append("out", record.body)
            for record in {record.partition: record for record in self.taken}.values():
                batch.commit(self.reader, record)

    def close(self) -> None:
        """Leaves the group."""
        self.reader.close()
