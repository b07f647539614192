"""What must be true of streams and their reader groups, whoever was killed when.

A record is known by its number, and by its place: stream, partition and offset. Members of a group
take records, and for each they append one to another stream, in the batch that commits it. At the
end drain.py takes what is left in the same way, and then says what each stream has and where each
group has come to. Streams that keep only each key's latest record are for latest.py.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from history import Line
from latest import Latest
from workers.common import KEPT, KEPT_OPTIONS, LATEST

# How a batch of a member may end, beside what any operation may: another member has its partition
# by now; or it names a stream that is nowhere, on purpose.
REFUSED = {"LEASE_LOST", "NOT_FOUND"}

Place = tuple[str, int, int]


@dataclass
class Append:
    """An append: alone, or a part of a batch."""

    number: str
    stream: str
    # Those with the same are in order: its program, and its topic if it was published.
    producer: str
    # Of each partition an offset that was confirmed before this began.
    floor: dict[int, int]
    status: str | None = None
    maybe: bool = True

    @property
    def count(self) -> int:
        """Which of its producer's it is."""
        return int(self.number.rpartition("-")[2])


@dataclass
class Commit:
    """A batch: places taken and numbers appended."""

    name: str
    taken: list[Place] = field(default_factory=list)
    appended: list[str] = field(default_factory=list)
    status: str | None = None


def place_of(stream: str, partition: str, offset: str) -> Place:
    """A place, as the history has it."""
    return stream, int(partition), int(offset)


class Streams:
    """What was said of streams; `wrong` gets a sentence for each breach."""

    def __init__(self, wrong: list[str], harmless: set[str]) -> None:
        self.wrong = wrong
        self.harmless = harmless
        self.appends: dict[str, Append] = {}
        self.commits: dict[str, Commit] = {}
        self.reads = 0
        # What was there, for whoever has seen it or was told so, and what there is at the end.
        self.seen: dict[Place, str] = {}
        self.kept: dict[Place, str] = {}
        self.ends: dict[tuple[str, int], tuple[int, int]] = {}
        # Of each partition the next offset that was confirmed and when, and what of that was so
        # before a member joined.
        self._confirmed: dict[tuple[str, int], tuple[int, int]] = {}
        self._joined: dict[tuple[str, str], dict[int, int]] = {}
        # Of each stream and partition the last offset that was told to who had appended, and when.
        self._told: dict[str, dict[int, tuple[int, int]]] = defaultdict(dict)
        # Numbers of what there is at the end, and of what anybody has seen.
        self._there: set[str] = set()
        self._seen: set[str] = set()
        self.latest = Latest(wrong)
        # Batches that were done.
        self.happened: set[str] = set()

    # --- what was said ----------------------------------------------------------------------------

    def append(self, line: Line) -> None:
        """An append begins."""
        number, stream = line.fields
        self.begin(line, number, stream)

    def begin(self, line: Line, number: str, stream: str, topic: str = "") -> None:
        """A record is about to be appended, alone or with something else."""
        told = self._told[stream].items()
        floor = {partition: offset for partition, (offset, at_us) in told if at_us < line.at_us}
        self.appends[number] = Append(number, stream, line.process + topic, floor)

    def put(self, line: Line) -> None:
        """An append with a key begins."""
        number, stream, *_ = line.fields
        self.begin(line, number, stream)
        self.latest.put(line)

    def appended(self, line: Line) -> None:
        """An append has ended."""
        number, status, maybe, partition, offset = line.fields
        append = self.appends[number]
        append.status, append.maybe = status, maybe == "1"
        if append.stream in LATEST:
            at = int(offset) if status == "OK" else None
            self.latest.ended(number, append.stream, line.at_us, at, append.maybe)
        if status == "OK":
            place = place_of(append.stream, partition, offset)
            self._see(line.process, place, number)
            before, _ = self._told[append.stream].get(place[1], (-1, 0))
            if place[2] > before:
                self._told[append.stream][place[1]] = place[2], line.at_us
        elif status not in self.harmless:
            self.wrong.append(f"the append of {number} ended as {status}")

    def join(self, line: Line) -> None:
        """A member is about to begin."""
        (stream,) = line.fields
        self._joined[line.process, stream] = {
            partition: offset
            for (of, partition), (offset, at_us) in self._confirmed.items()
            if of == stream and at_us < line.at_us
        }

    def read(self, line: Line) -> None:
        """A member got a record."""
        stream, partition, offset, number, whole = line.fields
        self.reads += 1
        place = place_of(stream, partition, offset)
        self._see(line.process, place, number, whole)
        if place[2] < self._joined[line.process, stream].get(place[1], 0):
            self.wrong.append(
                f"{number} came to {line.process}, which joined when it was committed already"
            )

    def commit(self, line: Line) -> None:
        """A batch begins."""
        name, *parts = line.fields
        commit = self.commits[name] = Commit(name)
        for part in parts:
            match part.split(":"):
                case ["read", stream, partition, offset]:
                    commit.taken.append(place_of(stream, partition, offset))
                case ["append", stream, number]:
                    self.begin(line, number, stream)
                    commit.appended.append(number)

    def committed(self, line: Line) -> None:
        """A batch has ended."""
        name, status, maybe, *_ = line.fields
        commit = self.commits[name]
        commit.status = status
        if status not in self.harmless | REFUSED | {"OK"}:
            self.wrong.append(f"the commit {name} ended as {status}")
        for number in commit.appended:
            self.appends[number].status, self.appends[number].maybe = status, maybe == "1"
        for stream, partition, offset in commit.taken if status == "OK" else []:
            before, _ = self._confirmed.get((stream, partition), (0, 0))
            self._confirmed[stream, partition] = max(before, offset + 1), line.at_us

    def look(self, line: Line) -> None:
        """A program begins to read what keeps each key's latest."""
        self.latest.look(line)

    def saw(self, line: Line) -> None:
        """It found a record there."""
        stream, partition, offset, number, whole = line.fields
        place = place_of(stream, partition, offset)
        self._see(line.process, place, number, whole)
        self.latest.saw(line.process, stream, place[2], number)

    def looked(self, line: Line) -> None:
        """It came to the end."""
        self.latest.looked(line)

    def record(self, line: Line) -> None:
        """What a stream has at the end."""
        stream, partition, offset, number, whole = line.fields
        place = place_of(stream, partition, offset)
        self._see(line.process, place, number, whole)
        self.kept[place] = number

    def place(self, line: Line) -> None:
        """Where a group has come to at the end, and where that is."""
        stream, partition, offset, end = line.fields
        self.ends[stream, int(partition)] = int(offset), int(end)

    def _see(self, process: str, place: Place, number: str, whole: str = "whole") -> None:
        before = self.seen.setdefault(place, number)
        if before != number:
            self.wrong.append(f"{place} is {number} for {process}, and was {before}")
        if number not in self.appends:
            self.wrong.append(f"{number} was read and never appended")
        if whole != "whole":
            self.wrong.append(f"{number} was read with another body")

    # --- what must be true ------------------------------------------------------------------------

    def check(self) -> None:
        """Everything at the end."""
        self._there, self._seen = set(self.kept.values()), set(self.seen.values())
        self._check_kept()
        self._check_order()
        for append in self.appends.values():
            self._check_append(append)
        self.happened = {name for name, commit in self.commits.items() if self._did(commit)}
        self._check_places()
        self.latest.check()

    def is_there(self, number: str) -> bool:
        """Whether a record is in its stream at the end."""
        return number in self._there

    def _check_kept(self) -> None:
        first: dict[tuple[str, int], int] = {}
        last: dict[tuple[str, int], int] = {}
        for stream, partition, offset in sorted(self.kept):
            before = last.get((stream, partition), offset - 1 if stream == KEPT else -1)
            if offset != before + 1:
                self.wrong.append(f"{stream} has a hole before offset {offset} of {partition}")
            first.setdefault((stream, partition), offset)
            last[stream, partition] = offset
        for place in self.seen.keys() - self.kept.keys():
            may_be = place[0] == KEPT and place[2] < first.get(place[:2], 0)
            if not may_be and place[0] not in LATEST:
                self.wrong.append(f"{self.seen[place]} was at {place} and is gone")
        for (stream, partition), offset in first.items():
            count = last[stream, partition] - offset + 1
            if offset > 0 and count < KEPT_OPTIONS["records_max"]:
                self.wrong.append(f"{stream} keeps only {count} records in {partition}")
        for number, count in Counter(self.seen.values()).items():
            if count > 1:
                self.wrong.append(f"{number} was appended {count} times")

    def _check_order(self) -> None:
        """What one program appends to a stream is in one partition, in order.

        And what was begun after another record was confirmed is behind it.
        """
        last: dict[tuple[str, str], tuple[int, int]] = {}
        for (stream, partition, offset), number in sorted(self.seen.items()):
            append = self.appends.get(number)
            if append is None:
                continue
            floor = append.floor.get(partition, -1)
            if offset <= floor:
                self.wrong.append(
                    f"{number} is at {offset} of {partition} in {stream}:"
                    f" {floor} was confirmed before it was begun"
                )
            of, count = last.get((stream, append.producer), (partition, -1))
            if of != partition:
                self.wrong.append(
                    f"{number} is in partition {partition}, others of its key in {of}"
                )
            elif append.count < count:
                self.wrong.append(f"{number} is in {stream} behind a later one of its producer")
            last[stream, append.producer] = partition, append.count

    def _check_append(self, append: Append) -> None:
        is_whole = append.stream != KEPT and append.stream not in LATEST
        if append.status == "OK" and is_whole and not self.is_there(append.number):
            self.wrong.append(f"{append.number} in {append.stream} is lost")
        if append.status not in (None, "OK") and not append.maybe and append.number in self._seen:
            self.wrong.append(f"{append.number} ended as {append.status} and was appended")

    def _did(self, commit: Commit) -> bool:
        """Whether it was done."""
        there = [self.is_there(number) for number in commit.appended]
        if any(there) != all(there):
            self.wrong.append(f"commit {commit.name} has appended only some of {commit.appended}")
        return any(there)

    def _check_places(self) -> None:
        """Below a group's place each record was committed once, and the place is at the end."""
        times: Counter[Place] = Counter(
            place for name in self.happened for place in self.commits[name].taken
        )
        for (stream, partition), (offset, end) in self.ends.items():
            confirmed, _ = self._confirmed.get((stream, partition), (0, 0))
            if offset < confirmed:
                self.wrong.append(
                    f"the place of {stream} in {partition} is {offset}: {confirmed} was confirmed"
                )
            if offset != end:
                self.wrong.append(f"the group of {stream} ends at {offset} of {end} in {partition}")
            for at in range(offset):
                place = stream, partition, at
                if times[place] != 1:
                    number = self.seen.get(place, "a record")
                    self.wrong.append(f"{number} at {place} was processed {times[place]} times")
