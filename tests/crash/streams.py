"""What must be true of streams and their reader groups, whoever was killed when.

A record is known by its number, and by its place: stream, partition and offset. Members of a group
take records, and for each they append one to another stream, in the batch that commits it. At the
end drain.py takes what is left in the same way, and then says what each stream has and where each
group has come to.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from history import Line

# How a batch of a member may end, beside what any operation may: another member has its partition
# by now; or it names a stream that is nowhere, on purpose.
REFUSED = {"LEASE_LOST", "NOT_FOUND"}

Place = tuple[str, int, int]


@dataclass
class Append:
    """An append: alone, or a part of a batch."""

    number: str
    stream: str
    process: str
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
        self._there: set[str] = set()

    # --- what was said ----------------------------------------------------------------------------

    def append(self, line: Line) -> None:
        """An append begins."""
        number, stream = line.fields
        self.appends[number] = Append(number, stream, line.process)

    def appended(self, line: Line) -> None:
        """An append has ended."""
        number, status, maybe, partition, offset = line.fields
        append = self.appends[number]
        append.status, append.maybe = status, maybe == "1"
        if status == "OK":
            self._see(line.process, place_of(append.stream, partition, offset), number)
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
                case ["take", stream, partition, offset]:
                    commit.taken.append(place_of(stream, partition, offset))
                case ["append", stream, number]:
                    self.appends[number] = Append(number, stream, line.process)
                    commit.appended.append(number)

    def committed(self, line: Line) -> None:
        """A batch has ended."""
        name, status, maybe = line.fields
        commit = self.commits[name]
        commit.status = status
        if status not in self.harmless | REFUSED | {"OK"}:
            self.wrong.append(f"the commit {name} ended as {status}")
        for number in commit.appended:
            self.appends[number].status, self.appends[number].maybe = status, maybe == "1"
        for stream, partition, offset in commit.taken if status == "OK" else []:
            before, _ = self._confirmed.get((stream, partition), (0, 0))
            self._confirmed[stream, partition] = max(before, offset + 1), line.at_us

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
        self._there = set(self.kept.values())
        self._check_kept()
        self._check_order()
        for append in self.appends.values():
            self._check_append(append)
        happened = [commit for commit in self.commits.values() if self._check_commit(commit)]
        self._check_places(happened)

    def _check_kept(self) -> None:
        for place in self.seen.keys() - self.kept.keys():
            self.wrong.append(f"{self.seen[place]} was at {place} and is gone")
        last: dict[tuple[str, int], int] = {}
        for stream, partition, offset in sorted(self.kept):
            if offset != last.get((stream, partition), -1) + 1:
                self.wrong.append(f"{stream} has a hole before offset {offset} of {partition}")
            last[stream, partition] = offset
        for number, times in Counter(self.kept.values()).items():
            if times > 1:
                self.wrong.append(f"{number} was appended {times} times")

    def _check_order(self) -> None:
        """What one program appends to a stream is in one partition, in order."""
        last: dict[tuple[str, str], tuple[int, int]] = {}
        for (stream, partition, _), number in sorted(self.kept.items()):
            append = self.appends.get(number)
            if append is None:
                continue
            of, count = last.get((stream, append.process), (partition, -1))
            if of != partition:
                self.wrong.append(
                    f"{number} is in partition {partition}, others of its key in {of}"
                )
            elif append.count < count:
                self.wrong.append(f"{number} is in {stream} behind a later one of its producer")
            last[stream, append.process] = partition, append.count

    def _check_append(self, append: Append) -> None:
        is_there = append.number in self._there
        if append.status == "OK" and not is_there:
            self.wrong.append(f"{append.number} in {append.stream} is lost")
        if append.status not in (None, "OK") and not append.maybe and is_there:
            self.wrong.append(f"{append.number} ended as {append.status} and was appended")

    def _check_commit(self, commit: Commit) -> bool:
        """Whether it happened."""
        there = [number in self._there for number in commit.appended]
        if any(there) != all(there):
            self.wrong.append(f"commit {commit.name} has appended only some of {commit.appended}")
        return any(there)

    def _check_places(self, happened: list[Commit]) -> None:
        """Below a group's place each record was committed once, and the place is at the end."""
        times: Counter[Place] = Counter(place for commit in happened for place in commit.taken)
        by_partition: dict[tuple[str, int], list[int]] = defaultdict(list)
        for stream, partition, offset in self.kept:
            by_partition[stream, partition].append(offset)
        for (stream, partition), (offset, end) in self.ends.items():
            confirmed, _ = self._confirmed.get((stream, partition), (0, 0))
            if offset < confirmed:
                self.wrong.append(
                    f"the place of {stream} in {partition} is {offset}: {confirmed} was confirmed"
                )
            if offset != end:
                self.wrong.append(f"the group of {stream} ends at {offset} of {end} in {partition}")
            for at in by_partition[stream, partition]:
                if times[stream, partition, at] != 1 and at < offset:
                    number = self.kept[stream, partition, at]
                    count = times[stream, partition, at]
                    self.wrong.append(f"{number} at {at} of {stream} was processed {count} times")
