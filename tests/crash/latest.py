"""What must be true of streams that keep each key's latest record, whoever was killed when.

Programs read such a stream from its beginning to its end while others append to it. Of each key
that was confirmed before they began they must find that record or a later one; or there was a
tombstone, and it was old enough to be gone.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from history import Line
from workers.common import LATEST

DAY_S = 86_400
# The hub stamps a record by the wall clock, and the history has the monotonic one.
SLACK_US = 20_000


@dataclass
class Put:
    """A record with a key. Its offset is known if it was confirmed, or anybody has seen it."""

    number: str
    key: str
    begun_us: int
    is_tombstone: bool
    offset: int | None = None
    is_refused: bool = False


@dataclass
class Look:
    """Everything that one program found in a stream at one time."""

    stream: str
    process: str
    due: dict[str, int]
    found: dict[str, int] = field(default_factory=dict)
    count: int = 0
    last: int = -1
    ended_us: int | None = None


class Latest:
    """What was put under keys, and found; `wrong` gets a sentence for each breach."""

    def __init__(self, wrong: list[str]) -> None:
        self.wrong = wrong
        self.looks: list[Look] = []
        self.puts: dict[str, Put] = {}
        self._looking: dict[tuple[str, str], Look] = {}
        # Of each key the last offset that was confirmed, and when.
        self._confirmed: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
        self._tombstones: dict[tuple[str, str], list[Put]] = defaultdict(list)

    def put(self, line: Line) -> None:
        """An append under a key begins."""
        number, stream, key, what = line.fields
        put = self.puts[number] = Put(number, key, line.at_us, what == "tombstone")
        if put.is_tombstone:
            self._tombstones[stream, key].append(put)

    def ended(self, number: str, stream: str, at_us: int, offset: int | None, maybe: bool) -> None:
        """It was confirmed at an offset, or has failed."""
        put = self.puts[number]
        put.is_refused = offset is None and not maybe
        if offset is None:
            return
        put.offset = offset
        before, _ = self._confirmed[stream].get(put.key, (-1, 0))
        if offset > before:
            self._confirmed[stream][put.key] = offset, at_us

    def look(self, line: Line) -> None:
        """A program begins to read."""
        (stream,) = line.fields
        due = {
            key: offset
            for key, (offset, at_us) in self._confirmed[stream].items()
            if at_us < line.at_us
        }
        self._looking[line.process, stream] = Look(stream, line.process, due)

    def saw(self, process: str, stream: str, offset: int, number: str) -> None:
        """It found a record."""
        look, put = self._looking[process, stream], self.puts.get(number)
        if offset <= look.last:
            self.wrong.append(f"{number} at {offset} of {stream} came behind {look.last}")
        look.last = max(look.last, offset)
        look.count += 1
        if put is not None:
            put.offset = offset
            look.found[put.key] = offset

    def looked(self, line: Line) -> None:
        """It came to the end."""
        (stream,) = line.fields
        look = self._looking.pop((line.process, stream))
        look.ended_us = line.at_us
        self.looks.append(look)

    def last_looks(self) -> Iterable[Look]:
        """What each stream had at the end."""
        return {look.stream: look for look in self.looks}.values()

    def check(self) -> None:
        """Everything at the end."""
        for look in self.looks:
            for key, offset in look.due.items():
                is_there = look.found.get(key, -1) >= offset
                if not is_there and not self._may_be_gone(look, key, offset):
                    self.wrong.append(
                        f"{key} of {look.stream} is lost for {look.process}:"
                        f" offset {offset} was confirmed, and {look.found.get(key)} is the latest"
                    )

    def _may_be_gone(self, look: Look, key: str, offset: int) -> bool:
        """Whether there is a tombstone behind it that was old enough."""
        age_us = LATEST[look.stream].get("tombstone_age", DAY_S) * 1_000_000
        assert look.ended_us is not None
        return any(
            not put.is_refused
            and (put.offset is None or put.offset >= offset)
            and put.begun_us + age_us <= look.ended_us + SLACK_US
            for put in self._tombstones[look.stream, key]
        )
