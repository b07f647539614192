"""What the pipeline is to find out: delays and scores by hour of day.

The collector fills a `Tally` from the queue, and another straight from the file, without Telpher;
the two must agree.
"""

import argparse
import json
import math
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HOURS = 24


@dataclass
class Hour:
    """The flights that left in one hour of the day."""

    delays: list[int] = field(default_factory=list)
    score: int = 0

    def mean(self) -> float:
        """Mean delay in minutes."""
        return statistics.fmean(self.delays)

    def median(self) -> float:
        """Median delay in minutes."""
        return statistics.median(self.delays)

    def percentile_95(self) -> int:
        """The delay in minutes that 95 of 100 flights do not exceed (nearest rank)."""
        return sorted(self.delays)[math.ceil(len(self.delays) * 0.95) - 1]


@dataclass
class Tally:
    """All hours of the day."""

    hours: list[Hour] = field(default_factory=lambda: [Hour() for _ in range(HOURS)])

    def add(self, flight: dict[str, Any], score: int) -> None:
        """Count one flight."""
        hour = self.hours[int(flight["time"])]
        hour.delays.append(flight["delay"])
        hour.score += score

    def whole_day(self) -> Hour:
        """All hours taken together."""
        delays = [delay for hour in self.hours for delay in hour.delays]
        return Hour(delays, sum(hour.score for hour in self.hours))

    def differences(self, expected: "Tally") -> list[str]:
        """Where this tally is not the expected one, in words."""
        found = []
        for number, (hour, other) in enumerate(zip(self.hours, expected.hours, strict=True)):
            for name, value, wanted in (
                ("flights", len(hour.delays), len(other.delays)),
                ("sum of delays", sum(hour.delays), sum(other.delays)),
                ("sum of scores", hour.score, other.score),
            ):
                if value != wanted:
                    found.append(f"{number:02}:00 {name}: {value}, but the file says {wanted}")
        return found


def number(text: str) -> int:
    """A count from 1 up."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 up")
    return int(text)


def read_flights(file: Path, count: int | None) -> dict[int, dict[str, Any]]:
    """The flights of `file` by their place in it: all, or `count` of them evenly taken."""
    flights = json.loads(file.read_bytes())
    total = min(count or len(flights), len(flights))
    places = (sent * len(flights) // total for sent in range(total))
    return {place: flights[place] for place in places}


def score(flight: dict[str, Any]) -> int:
    """The scorer's rule, written out once more."""
    minutes: int = abs(flight["delay"]) * 1000 // flight["distance"]
    return minutes if flight["delay"] > 0 else -minutes


def direct(flights: dict[int, dict[str, Any]]) -> Tally:
    """The tally computed straight from the file."""
    tally = Tally()
    for flight in flights.values():
        tally.add(flight, score(flight))
    return tally
