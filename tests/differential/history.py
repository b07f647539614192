"""What is done to both sides: a history of steps, all of it from one seed.

A step names fractions where it depends on what is there by then (the record half way through, the
last moment but one), so that a history can be made before anything runs.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

GROUPS = ("billing", "audit", "search")
STEPS = 60
BODY_SIZE_MAX = 2_000

Where = Literal["beginning", "end", "offset", "time"]


@dataclass(frozen=True)
class Setup:
    """How the stream is, on both sides.

    Telpher removes what was on its way together as a whole, Redis record by record. Only where all
    records are appended one by one has each to keep as many as the other.
    """

    partitions: int
    durability: Literal["memory", "os", "disk"]
    records_max: int | None
    is_one_by_one: bool


@dataclass(frozen=True)
class Append:
    """Appends a record to each of these partitions, in order, behind a moment of its own.

    One by one, each is confirmed before the next; together, all are on their way at once.
    """

    partitions: tuple[int, ...]
    sizes: tuple[int, ...]
    is_together: bool


@dataclass(frozen=True)
class Start:
    """Where something begins: at a fraction of the offsets that are kept, or of the moments."""

    where: Where
    fraction: float


@dataclass(frozen=True)
class Read:
    """Reads one partition from somewhere to its end."""

    partition: int
    start: Start


@dataclass(frozen=True)
class Work:
    """A member comes, takes records, commits a part of them and leaves.

    If the group is new it begins at `start`. The host may be another one between taking and
    committing.
    """

    group: str
    start: Start
    take: int
    commit: float
    restarts: bool


@dataclass(frozen=True)
class Move:
    """A member takes records, and in one batch appends them to another stream and commits them."""

    group: str
    take: int


@dataclass(frozen=True)
class Reset:
    """Puts a group elsewhere in one partition."""

    group: str
    partition: int
    start: Start


@dataclass(frozen=True)
class Delete:
    """Removes a group."""

    group: str


@dataclass(frozen=True)
class Restart:
    """Ends the host, or kills it where what it holds is safe from that; the next one begins."""


Step = Append | Read | Work | Move | Reset | Delete | Restart


def history(seed: int) -> tuple[Setup, list[Step]]:
    """The stream and the steps of this seed."""
    chance = random.Random(seed)
    setup = Setup(
        partitions=chance.choice([1, 1, 2, 4]),
        durability=chance.choice(["memory", "os", "disk"]),
        records_max=chance.choice([None, None, 1, 5, 20, 60]),
        is_one_by_one=chance.random() < 0.4,
    )
    return setup, [step(chance, setup) for _ in range(STEPS)]


def step(chance: random.Random, setup: Setup) -> Step:
    """One of the steps."""
    partition = chance.randrange(setup.partitions)
    group = chance.choice(GROUPS)
    kinds = {
        Append: 12,
        Read: 12,
        Work: 8,
        Move: 3,
        Reset: 2,
        Delete: 1,
        Restart: 1,
    }
    (kind,) = chance.choices(list(kinds), list(kinds.values()))
    if kind is Append:
        return append(chance, setup)
    if kind is Read:
        return Read(partition, start(chance))
    if kind is Work:
        take, commit = chance.choice([1, 3, 10, 1_000]), chance.choice([0.0, 0.5, 1.0, 1.0])
        return Work(group, start(chance), take, commit, restarts=chance.random() < 0.1)
    if kind is Move:
        return Move(group, chance.choice([1, 5, 50]))
    if kind is Reset:
        return Reset(group, partition, start(chance))
    if kind is Delete:
        return Delete(group)
    return Restart()


def append(chance: random.Random, setup: Setup) -> Append:
    """A few records, or many, of any size."""
    count = chance.choice([1, 1, 2, 5, 30, 30 if setup.is_one_by_one else 200])
    partitions = tuple(chance.randrange(setup.partitions) for _ in range(count))
    sizes = tuple(chance.choice([0, 10, 100, BODY_SIZE_MAX]) for _ in range(count))
    return Append(partitions, sizes, is_together=not setup.is_one_by_one)


def start(chance: random.Random) -> Start:
    """Anywhere."""
    where: Where = chance.choice(["beginning", "end", "offset", "offset", "time", "time"])
    return Start(where, chance.choice([0.0, 1.0, chance.random(), chance.random()]))
