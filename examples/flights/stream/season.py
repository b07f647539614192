"""What a season's flights come to, without Telpher.

The readers sum up what they read from streams; this sums up the file itself, and says where the two
differ.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Flight = dict[str, Any]


@dataclass(slots=True)
class Sum:
    """Flights, and the minutes by which they were late."""

    flights: int = 0
    delay: int = 0

    def add(self, flight: Flight) -> None:
        """Count one flight."""
        self.flights += 1
        self.delay += flight["delay"]

    def mean(self) -> float:
        """Mean delay in minutes."""
        return self.delay / max(self.flights, 1)

    def __str__(self) -> str:
        return f"{self.flights:,} flights, {self.delay:,} minutes of delay"


def read_season(file: Path) -> list[Flight]:
    """The flights of `file`, in the order of their departure."""
    flights: list[Flight] = json.loads(file.read_bytes())
    return flights


def day(flight: Flight) -> str:
    """The day on which it left, as in `2001/03/31`."""
    return str(flight["date"][:10])


def origin(flight: Flight) -> str:
    """The airport that it left from."""
    return str(flight["origin"])


def grouped(flights: Iterable[Flight], name: Callable[[Flight], str]) -> dict[str, list[Flight]]:
    """The flights of each name, in their order."""
    found: dict[str, list[Flight]] = {}
    for flight in flights:
        found.setdefault(name(flight), []).append(flight)
    return found


def total(flights: Iterable[Flight]) -> Sum:
    """What flights come to."""
    found = Sum()
    for flight in flights:
        found.add(flight)
    return found


def sums_of(groups: Mapping[str, Iterable[Flight]]) -> dict[str, Sum]:
    """What the flights of each name come to."""
    return {name: total(flights) for name, flights in groups.items()}


def sums(flights: Iterable[Flight], name: Callable[[Flight], str]) -> dict[str, Sum]:
    """The flights of each name, summed up."""
    return sums_of(grouped(flights, name))


def differences(found: Mapping[str, Sum], expected: Mapping[str, Sum]) -> list[str]:
    """Where the sums are not the expected ones, in words."""
    return [
        f"{name}: {found.get(name, Sum())}; the file says {expected.get(name, Sum())}"
        for name in sorted(found.keys() | expected.keys())
        if found.get(name) != expected.get(name)
    ]
