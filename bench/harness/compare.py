"""Sides in alternation, a ratio per round, its median and spread.

A row compares Telpher with one other side. Rows that share Telpher's side are measured together:
Telpher, then each of the others, round after round, so that what the machine does meanwhile falls
on all of them alike. The first round warms up and counts for nothing.
"""

import statistics
import sys
from dataclasses import asdict, dataclass, field

from .process import Failed, Place
from .side import Asked, Side

ROUNDS = 7
LESS_IS_BETTER = {"us", "ms", "MiB", "bytes", "reads"}


@dataclass
class Other:
    """Whom Telpher is compared with in a row, and the least ratio that performance asks."""

    side: Side
    bar: float


@dataclass
class Comparison:
    """Telpher and the others doing the same thing in the same place."""

    name: str
    unit: str
    place: Place
    telpher: Side
    others: list[Other]
    on_disk: bool = False

    def measure(self, rounds: int, counting: bool) -> list["Row"]:
        """The rows of the table: one for each of the others."""
        return measure(self, rounds, counting)

    def measure_others(self, rounds: int) -> list[str]:
        """A line for each of the others, without Telpher."""
        return [measure_alone(self, other.side, rounds) for other in self.others
                if not isinstance(other.side, Asked)]


@dataclass
class Row:
    """One line of the results."""

    name: str
    unit: str
    placement: str
    telpher: float
    peer_name: str
    peer: float
    ratio: float
    bar: float
    rounds: list[float] = field(default_factory=list)
    counted: dict = field(default_factory=dict)

    def published(self) -> dict:
        """What `latest.json` says of it."""
        known = asdict(self)
        return {key: known[key] for key in known if key not in ("rounds", "counted")}


def measure(comparison: Comparison, rounds: int, counting: bool) -> list[Row]:
    """Starts all sides, alternates, and stops them; a side that fails is left out and said so."""
    sides = [comparison.telpher, *(other.side for other in comparison.others)]
    try:
        if not begin(comparison.telpher, comparison):
            return []
        up = [comparison.telpher]
        up += [other.side for other in comparison.others if begin(other.side, comparison)]
        figures = {side.name: [] for side in up}
        for _ in range(rounds):
            for side in up:
                figures[side.name].append(side.round())
        counted = {side.name: count(side) for side in up} if counting else {}
    finally:
        for side in sides:
            side.stop()
    return [row(comparison, other, figures, counted) for other in comparison.others
            if other.side in up]


def begin(side: Side, comparison: Comparison) -> bool:
    """Starts a side and warms it up; false, with the reason printed, if it can't be had."""
    try:
        side.start(comparison.place)
        for _ in range(side.warm_ups):
            side.round()
        return True
    except (Failed, OSError) as why:
        print(f"left out: {comparison.name}, {side.name}: {why}", file=sys.stderr)
        side.stop()
        return False


def measure_alone(comparison: Comparison, side: Side, rounds: int) -> str:
    """What one of the others reaches by itself: median, least and greatest."""
    head = f"{comparison.name} [{comparison.place.name}], {side.name}: "
    try:
        if not begin(side, comparison):
            return head + "left out"
        figures = [side.round() for _ in range(rounds)]
    finally:
        side.stop()
    spread = f"({min(figures):,.1f} to {max(figures):,.1f})"
    return f"{head}{statistics.median(figures):,.1f} {comparison.unit} {spread}"


def count(side: Side) -> dict | None:
    """System calls and switches per message, where perf may count them."""
    try:
        return side.counted_round()
    except (Failed, OSError, KeyError) as why:
        print(f"not counted: {side.name}: {why}", file=sys.stderr)
        return None


def row(comparison: Comparison, other: Other, figures: dict, counted: dict) -> Row:
    """The row of one pair: medians, and the median of the rounds' own ratios."""
    ours, theirs = figures[comparison.telpher.name], figures[other.side.name]
    pairs = list(zip(ours, theirs))
    less = comparison.unit in LESS_IS_BETTER
    ratios = [theirs / ours if less else ours / theirs for ours, theirs in pairs]
    names = (comparison.telpher.name, other.side.name)
    return Row(
        name=comparison.name, unit=comparison.unit, placement=comparison.place.name,
        telpher=round(statistics.median(ours), 2), peer_name=other.side.name,
        peer=round(statistics.median(theirs), 2), ratio=round(statistics.median(ratios), 3),
        bar=other.bar, rounds=[round(ratio, 3) for ratio in ratios],
        counted={name: counted.get(name) for name in names},
    )
