"""The loop: programs in three languages share a hub, and one after another is killed.

A cycle kills, pauses or ends a program, mostly the one that hosts, and starts it again. What all of
them said is in a history that no kill can touch; at the end the queues are drained, the groups of
streams finish, and checker.py says whether what was promised was kept. Real processes do not run
the same way twice: the seed repeats who is killed after how much work, as far as that goes.
"""

import random
import time

from checker import Checker
from history import HARNESS, Line, read
from programs import LANGUAGES, PYTHON, PYTHON_MAIN, Program, World

ROLES = (
    ("produce", "consume", "call", "append", "publish", "put"),
    ("consume", "move", "serve", "read", "look"),
)
PAUSE_S = 2.0
# A host recovers, makes its segment and begins to serve in about this time.
RECOVERY_S = 0.03
STORM_MAX = 4
# Programs finish what they have begun, say goodbye, and hand over in about this time.
ENDING_S = 0.3
WORK_MAX = 300
# A host that is dead is followed by another within this; it takes some milliseconds.
PROGRESS_S = 20.0


class Loop:
    """One run of so many cycles."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.chance = random.Random(seed)
        self.seed = seed
        self.places: dict[str, tuple[str, tuple[str, ...]]] = {}
        self.births: dict[str, int] = {}
        self.running: dict[str, Program] = {}
        for language in LANGUAGES:
            for at, roles in enumerate(ROLES):
                self.places[f"{language}{at}"] = (language, roles)

    def start(self, place: str) -> None:
        """Start a program where none runs."""
        language, roles = self.places[place]
        birth = self.births[place] = self.births.get(place, 0) + 1
        seed = self.seed * 1_000 + birth
        self.running[place] = self.world.worker(language, f"{place}-{birth}", seed, *roles)

    def gone(self, place: str) -> None:
        """A program has ended: forget it, and start its successor."""
        self.world.forget(self.running.pop(place))
        self.start(place)

    def place_of(self, program: Program) -> str:
        """Where a program runs."""
        return next(place for place, each in self.running.items() if each is program)

    def host(self) -> Program:
        """The program that hosts, once there is one."""
        self.world.until(lambda: self.world.host() is not None, "a host", PROGRESS_S)
        host = self.world.host()
        assert host is not None
        return host

    def another(self, host: Program) -> Program:
        """Some program that does not host."""
        others = [place for place in sorted(self.running) if self.running[place] is not host]
        return self.running[self.chance.choice(others)]

    def work(self, count: int) -> None:
        """Wait until so many operations more are confirmed."""
        wanted = self.world.confirmed + count
        what = f"{count} operations confirmed"
        self.world.until(lambda: self.world.confirmed >= wanted, what, PROGRESS_S)

    def cycle(self) -> str:
        """Do something to somebody; says what."""
        # Often at once, that is while the last one is being recovered from.
        self.work(0 if self.chance.random() < 0.2 else self.chance.randrange(WORK_MAX))
        drawn = self.chance.random()
        host = self.host()
        if drawn < 0.45:
            victims = [host]
        elif drawn < 0.60:
            victims = [self.another(host)]
        elif drawn < 0.70:
            victims = [host, self.another(host)]
        elif drawn < 0.80:
            return self.storm(host)
        elif drawn < 0.92:
            return self.pause(host if self.chance.random() < 0.7 else self.another(host))
        else:
            return self.end(host if self.chance.random() < 0.7 else self.another(host))
        for victim in victims:
            victim.kill()
        self.work(0 if self.chance.random() < 0.3 else 1)
        for victim in victims:
            self.gone(self.place_of(victim))
        return f"kill {' '.join(victim.process for victim in victims)}"

    def storm(self, host: Program) -> str:
        """Kill the host, and each that follows it as soon as it says that it hosts."""
        killed = []
        for _ in range(STORM_MAX):
            host.kill()
            killed.append(host)
            self.gone(self.place_of(host))
            host = self.host()
            self.let_pass(self.chance.random() * RECOVERY_S)
        return f"storm {' '.join(each.process for each in killed)}"

    def pause(self, program: Program) -> str:
        """Pause a program; then let it go on, or kill it."""
        program.stop()
        self.let_pass(PAUSE_S * self.chance.random() ** 3)
        if self.chance.random() < 0.5:
            program.go()
            return f"pause {program.process}"
        program.kill()
        self.gone(self.place_of(program))
        return f"pause and kill {program.process}"

    def let_pass(self, seconds: float) -> None:
        """Let time pass, which is what this is about."""
        end = time.monotonic() + seconds
        self.world.until(lambda: time.monotonic() >= end, "the end of a pause", PROGRESS_S)

    def end(self, program: Program) -> str:
        """Ask a program for its good end, while the others work; and sometimes kill it then."""
        program.end()
        if self.chance.random() < 0.5:
            self.let_pass(self.chance.random() * ENDING_S)
            program.kill()
            self.gone(self.place_of(program))
            return f"end and kill {program.process}"
        program.ends_well()
        self.gone(self.place_of(program))
        return f"end {program.process}"

    def finish(self) -> None:
        """Ask all for their good end: those that send first, while the others still make room."""
        self.work(WORK_MAX)
        for roles in ROLES:
            places = [place for place in self.running if self.places[place][1] == roles]
            for place in places:
                self.running[place].end()
            for place in places:
                self.running[place].ends_well()
                self.world.forget(self.running.pop(place))


def is_single(process: str) -> bool:
    """Whether a process takes messages in one place only: by its consumer, or to drain."""
    return process.partition("-")[0].endswith("0") or process == "drain"


def takeovers(lines: list[Line]) -> list[float]:
    """For each kill of a host: ms until an operation of another, begun after it, was confirmed."""
    kills: list[tuple[int, str]] = []
    begun: dict[tuple[str, str], int] = {}
    waits: dict[int, float] = {}
    for line in lines:
        key = (line.process, " ".join(line.fields[: 1 if line.word in ("send", "sent") else 4]))
        if line.process == HARNESS:
            if line.word in ("kill", "stop") and line.fields[-1] != "other":
                is_kill = line.word == "kill"
                kills.append((line.at_us, line.fields[0] if is_kill else ""))
        elif line.word in ("send", "settle"):
            begun[key] = line.at_us
        elif line.word in ("sent", "settled") and "OK" in line.fields and kills:
            at_us, process = kills[-1]
            started_us = begun.get(key, 0)
            if started_us > at_us and process not in ("", line.process) and at_us not in waits:
                waits[at_us] = (line.at_us - at_us) / 1_000
    return sorted(waits.values())


def percentile(values: list[float], share: float) -> float:
    """The value below which this share of them lies."""
    return values[min(int(len(values) * share), len(values) - 1)] if values else float("nan")


def report(lines: list[Line], checker: Checker) -> None:
    """Print what was done."""
    messages = checker.messages.values()
    sent = sum(each.status == "OK" for each in messages)
    got = sum(len(each.got) for each in messages)
    dead = sum(each.dead is not None for each in messages)
    kills = [line.fields[-1] for line in lines if line.process == HARNESS and line.word == "kill"]
    waits = takeovers(lines)
    print(
        f"{sent} sends confirmed, {got} deliveries, {len(checker.batches)} batches,"
        f" {dead} dead letters, {len(checker.calls)} calls;"
        f" {kills.count('host')} hosts and {kills.count('other')} others killed"
    )
    report_streams(checker)
    print(
        f"takeover: another program's next operation was confirmed after"
        f" {percentile(waits, 0.5):.1f} ms (p50), {percentile(waits, 0.99):.1f} ms (p99),"
        f" {percentile(waits, 1):.1f} ms (most) of {len(waits)}"
    )


def report_streams(checker: Checker) -> None:
    """Print what was done with streams."""
    streams = checker.streams
    appended = sum(each.status == "OK" for each in streams.appends.values())
    refused = sum(each.status == "FULL" for each in streams.appends.values())
    mixed = streams.commits.keys() & checker.batches.keys()
    print(
        f"{appended} appends confirmed, {refused} refused until a group has read,"
        f" {len(streams.kept)} records in streams, {streams.reads} reads by members,"
        f" {len(streams.commits)} commits, {len(mixed)} of them with messages"
    )
    puts = streams.latest.puts.values()
    confirmed = sum(each.offset is not None for each in puts)
    left = " and ".join(str(look.count) for look in streams.latest.last_looks())
    published = sum(checker.messages[number].status == "OK" for number in checker.published)
    print(
        f"{published} publishes to a queue and a stream confirmed; {confirmed} records with keys,"
        f" {left} left, looked at {len(streams.latest.looks)} times"
    )


def drain(world: World) -> None:
    """Empty the queues with a fresh program."""
    command = [PYTHON, "-c", PYTHON_MAIN.format("drain"), str(world.hub), "drain"]
    program = world.start("drain", command)
    program.ends_well()
    world.forget(program)


def run(world: World, seed: int, cycles: int) -> list[str]:
    """One run; returns what was wrong."""
    loop = Loop(world, seed)
    try:
        for place in loop.places:
            loop.start(place)
        loop.work(1)
        for number in range(cycles):
            world.note("cycle", str(number), loop.cycle())
            world.history.sync()
        loop.finish()
        drain(world)
    finally:
        world.close()
    lines = read(world.history.directory)
    checker = Checker(lines, "drain", is_single)
    wrong = checker.check()
    report(lines, checker)
    return wrong
