"""Something is done wrong on one side, and has to be noticed."""

from __future__ import annotations

import tempfile
from pathlib import Path

import compare
from redis_side import Placed, RedisSide, Server

SEEDS = range(1, 21)


class AForgottenCommitIsNoticed(RedisSide):
    """The last record that is committed is not."""

    def commit(self, group: str, partition: int, offsets: list[int]) -> None:
        """Leaves one out."""
        super().commit(group, partition, offsets[:-1])


class ARecordTooFewIsNoticed(RedisSide):
    """A read stops early."""

    def read(self, partition: int, begin: str) -> list[Placed]:
        """Leaves the last one out."""
        return super().read(partition, begin)[:-1]


class ARecordTooManyIsNoticed(RedisSide):
    """A limit is off by one."""

    def append(
        self, partition: int, body: bytes, moment: int, records_max: int | None = None
    ) -> int:
        """Keeps one more."""
        return super().append(partition, body, moment, records_max and records_max + 1)


class AWrongTimeIsNoticed(RedisSide):
    """Records are a moment too late."""

    def append(
        self, partition: int, body: bytes, moment: int, records_max: int | None = None
    ) -> int:
        """Puts it behind the moment at which it is read."""
        return super().append(partition, body, moment + 1_000_000, records_max)


class AWrongOrderIsNoticed(RedisSide):
    """Two records change places."""

    def append(
        self, partition: int, body: bytes, moment: int, records_max: int | None = None
    ) -> int:
        """Appends another body."""
        return super().append(partition, body[::-1], moment, records_max)


class ALostMoveIsNoticed(RedisSide):
    """A batch commits and does not append."""

    def move(self, group: str, taken: dict[int, list[Placed]], bodies: list[bytes]) -> None:
        """Leaves the last one out."""
        super().move(group, taken, bodies[:-1])


CANARIES = [
    AForgottenCommitIsNoticed,
    ARecordTooFewIsNoticed,
    ARecordTooManyIsNoticed,
    AWrongTimeIsNoticed,
    AWrongOrderIsNoticed,
    ALostMoveIsNoticed,
]


def is_noticed(server: Server, side: type[RedisSide]) -> bool:
    """Whether one of a few seeds finds it."""
    for seed in SEEDS:
        with tempfile.TemporaryDirectory(prefix="telpher-differential-") as directory:
            if compare.run(seed, server, Path(directory) / "hub", side):
                return True
    return False


def run(server: Server) -> tuple[int, int]:
    """How many are noticed, and how many not."""
    passed = 0
    for side in CANARIES:
        noticed = is_noticed(server, side)
        passed += noticed
        if not noticed:
            print(f"FAILED {side.__name__}: nobody did within {len(SEEDS)} seeds", flush=True)
    return passed, len(CANARIES) - passed
