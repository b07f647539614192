"""One history, run against both sides; after each step they must say the same."""

from __future__ import annotations

import random
from pathlib import Path

import telpher
from history import Append, Delete, Move, Read, Reset, Restart, Start, Step, Work, history
from redis_side import Placed, RedisSide, Server
from telpher_side import TelpherSide

SHOWN = 6


class Differs(Exception):
    """The sides do not say the same."""


def same(what: str, telpher_says: object, redis_says: object) -> None:
    """Both must say this."""
    if telpher_says != redis_says:
        raise Differs(f"{what}:\n  Telpher  {shown(telpher_says)}\n  Redis    {shown(redis_says)}")


def shown(said: object) -> str:
    """A list is cut, and so are bodies."""
    if isinstance(said, list):
        more = f" and {len(said) - SHOWN} more" if len(said) > SHOWN else ""
        return f"{len(said)}: " + ", ".join(shown(one) for one in said[:SHOWN]) + more
    if isinstance(said, tuple):
        return "(" + ", ".join(shown(one) for one in said) + ")"
    return repr(said[:24] if isinstance(said, bytes) else said)


class Comparison:
    """Both sides, and what the harness knows itself: moments, and what went together."""

    def __init__(self, seed: int, server: Server, directory: Path, side: type[RedisSide]) -> None:
        self.setup, self.steps = history(seed)
        self.bodies = random.Random(seed)
        self.redis = side(server, self.setup.partitions)
        self.telpher = TelpherSide(directory, self.setup)
        self.moments = [0]
        self.numbers = range(self.setup.partitions)
        # Of each record, the first of those that were on their way with it.
        self.together: list[list[int]] = [[] for _ in self.numbers]

    def close(self) -> None:
        """Ends Telpher's side."""
        self.telpher.close()

    def run(self, step: Step) -> None:
        """One step, and what both say then."""
        match step:
            case Append():
                self.append(step)
            case Read(partition, start):
                telpher_start, begin = self.start(partition, start)
                found = self.telpher.read(partition, telpher_start)
                same("what is read", found, self.redis.read(partition, begin))
            case Work():
                self.work(step)
            case Move(group, take):
                self.move(group, take)
            case Reset(group, partition, start):
                self.reset(group, partition, start)
            case Delete(group):
                self.delete(group)
            case Restart():
                self.telpher.restart()
        self.compare()

    def moment_behind(self, last: int) -> int:
        """A moment at which the hub's clock has moved on."""
        while (now := self.telpher.clock_ms()) <= last:
            pass
        return now

    def append(self, step: Append) -> None:
        """Records behind a moment."""
        moment = self.moment_behind(self.moments[-1])
        bodies = [self.bodies.randbytes(size) for size in step.sizes]
        work = list(zip(step.partitions, bodies, strict=True))
        groups = [work] if step.is_together else [[one] for one in work]
        most = self.setup.records_max
        limit = most if self.setup.is_one_by_one else None
        for group in groups:
            first = [len(found) for found in self.together]
            told = self.telpher.append(*zip(*group, strict=True))
            expected = [self.redis.append(*one, moment, limit) for one in group]
            for partition, _ in group:
                self.together[partition].append(first[partition])
            same("offsets", told, expected)
        if most and limit is None:
            for partition in self.numbers:
                self.trim_as_telpher(partition, most)
        # A read by time must tell this group from the next by a millisecond.
        self.moments += [moment, self.moment_behind(self.telpher.clock_ms())]

    def trim_as_telpher(self, partition: int, most: int) -> None:
        """Telpher removes only what was on its way together as a whole.

        So it keeps as many records as are wanted, and of those that came with the oldest of them
        perhaps some more. Redis is told to keep the same ones.
        """
        kept, next_offset = self.telpher.bounds(partition)
        wanted = max(self.redis.bounds(partition)[0], next_offset - most)
        if wanted == next_offset:
            return
        if not self.together[partition][wanted] <= kept <= wanted:
            least = self.together[partition][wanted]
            raise Differs(f"{kept} is the first kept of partition {partition}; {least} to {wanted}")
        self.redis.trim(partition, kept)

    def start(self, partition: int, start: Start) -> tuple[dict, str]:
        """A place as Telpher is told it, and the id of the first record behind it."""
        first, next_offset = self.redis.bounds(partition)
        match start.where:
            case "beginning":
                return {"start": "beginning"}, "-"
            case "end":
                return {"start": "end"}, self.behind_all(partition)
            case "offset":
                offset = first + round(start.fraction * (next_offset - first))
                if offset == next_offset:
                    return {"offset": offset}, self.behind_all(partition)
                return {"offset": offset}, self.redis.id_of(partition, offset)
            case "time":
                moment = self.moments[round(start.fraction * (len(self.moments) - 1))]
                return {"time": moment / 1_000}, f"{moment}-0"

    def behind_all(self, partition: int) -> str:
        """An id that no record has yet, and every later one will be beyond."""
        ids = self.redis.ids[partition]
        return f"({ids[-1]}" if ids else "0-1"

    def behind(self, partition: int, start: Start) -> str:
        """The last id that is not read, for a group of Redis."""
        first, next_offset = self.redis.bounds(partition)
        ids = self.redis.ids[partition]
        match start.where:
            case "beginning":
                return "0"
            case "end":
                return "$"
            case "offset":
                offset = first + round(start.fraction * (next_offset - first))
                return ids[offset - 1] if offset > 0 else "0"
            case "time":
                return self.start(partition, start)[1]

    def left(self, group: str) -> int:
        """Records that a group has not done."""
        partitions = self.numbers
        return sum(
            self.redis.bounds(number)[1] - self.redis.place(group, number) for number in partitions
        )

    def join(self, group: str, start: Start):
        """A member of the group on Telpher's side; on both the group is there then."""
        if start.where == "offset" and len(self.numbers) > 1:
            start = Start("time", start.fraction)
        if group not in self.redis.groups():
            behind = [self.behind(number, start) for number in self.numbers]
            self.redis.make_group(group, behind)
        return self.telpher.member(group, self.start(0, start)[0])

    def taken(self, group: str, member, take: int) -> dict[int, list[Placed]]:
        """What a member takes, the same on both sides."""
        taken = member.take(min(take, self.left(group)))
        for partition, records in taken.items():
            expected = self.redis.take(group, partition, len(records))
            same(f"what {group} takes of partition {partition}", records, expected)
        return taken

    def work(self, step: Work) -> None:
        """Some is taken, and some of that is committed."""
        member = self.join(step.group, step.start)
        taken = self.taken(step.group, member, step.take)
        if step.restarts:
            self.telpher.restart()
        for partition, records in taken.items():
            done = [offset for offset, _ in records[: round(step.commit * len(records))]]
            if done:
                member.commit(partition, done[-1])
                self.redis.commit(step.group, partition, done)
        member.close()

    def move(self, group: str, take: int) -> None:
        """Some is taken, and moved elsewhere as it is committed."""
        if group not in self.redis.groups() or self.left(group) == 0:
            return
        member = self.join(group, Start("beginning", 0.0))
        taken = self.taken(group, member, take)
        member.move()
        self.redis.move(group, taken, [record.body for record in member.taken])
        member.close()
        same("what was moved", self.telpher.out(), self.redis.out())

    def reset(self, group: str, partition: int, start: Start) -> None:
        """A group that is not there is refused by both."""
        telpher_start, _ = self.start(partition, start)
        if group in self.redis.groups():
            self.redis.reset_group(group, partition, self.behind(partition, start))
            self.telpher.reset_group(group, partition, telpher_start)
            return
        try:
            self.telpher.reset_group(group, partition, telpher_start)
        except telpher.NotFound:
            return
        raise Differs(f"{group} was reset, and is not there")

    def delete(self, group: str) -> None:
        """A group goes."""
        if group in self.redis.groups():
            self.redis.delete_group(group)
            self.telpher.delete_group(group)

    def compare(self) -> None:
        """What is kept, and how far each group has come."""
        bounds = [self.redis.bounds(number) for number in self.numbers]
        same("what is kept", [self.telpher.bounds(number) for number in self.numbers], bounds)
        expected = {}
        for group in self.redis.groups():
            places = [self.redis.place(group, number) for number in self.numbers]
            expected[group] = [
                (place, end - place) for place, (_, end) in zip(places, bounds, strict=True)
            ]
        found = self.telpher.places()
        same("the groups", sorted(found), sorted(expected))
        for group, places in expected.items():
            same(f"the places of {group}", found[group], places)


def run(seed: int, server: Server, directory: Path, side: type[RedisSide] = RedisSide) -> str:
    """What differs in the history of this seed, with the steps before; empty if nothing does."""
    comparison = Comparison(seed, server, directory, side)
    try:
        for at, step in enumerate(comparison.steps):
            try:
                comparison.run(step)
            except (Differs, telpher.Error, RuntimeError) as failure:
                before = [f"  {step}"[:200] for step in comparison.steps[max(0, at - 3) : at + 1]]
                said = f"{type(failure).__name__}: {failure}"
                steps = "\n".join(before)
                return f"seed {seed}, step {at} of {comparison.setup}\n{steps}\n{said}"
        return ""
    finally:
        comparison.close()
