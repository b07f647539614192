"""Exactly-once change of state: records are moved from a stream to a queue by programs that are
killed again and again, the one that hosts among them.

Each record is read, sent on and committed in one batch. So in the end each is in the queue once,
whatever was killed when.
"""

import random

import telpher
from programs import HERE, PATIENCE_S, PYTHON, Failed, Program, World

ROUND = 200
PARTITIONS = 3
MOVERS = 2
KILLS = 20
MOVED_MAX = 15


def start(world: World, number: int) -> Program:
    """A mover that reads."""
    command = [PYTHON, str(HERE / "workers" / "mover.py"), str(world.hub), f"mover-{number}"]
    mover = world.start(f"mover-{number}", command)
    mover.waits_for("open")
    return mover


def fill(hub: telpher.Hub, first: int) -> None:
    """More of what is to be moved."""
    stream = hub.stream("in")
    started = [stream.start.append(b"%d" % (first + number)) for number in range(ROUND)]
    for append in started:
        append.result(timeout=PATIENCE_S)


def lag(hub: telpher.Hub) -> int:
    """Records that are not committed yet; all of them while nobody answers."""
    try:
        groups = hub.stream("in").groups(timeout=0.2)
    except telpher.Error:
        return ROUND
    return sum(place.lag for group in groups for place in group.places)


def moved_exactly_once(world: World) -> None:
    """Every record is in the queue once."""
    with telpher.open(world.hub) as hub:
        hub.stream("in").declare(partitions=PARTITIONS)
        hub.queue("out").declare()
    dice = random.Random()
    movers = [start(world, number) for number in range(MOVERS)]
    with telpher.open(world.hub, host="never") as hub:
        for kill in range(KILLS):
            victim = dice.choice(movers)
            target = victim.words.get("moved", 0) + dice.randint(1, MOVED_MAX)

            def is_time(victim: Program = victim, target: int = target) -> bool:
                return victim.words.get("moved", 0) >= target or lag(hub) == 0

            fill(hub, kill * ROUND)
            world.until(is_time, "the mover moves some more, or nothing is left")
            victim.kill()
            world.forget(victim)
            movers.remove(victim)
            movers.append(start(world, MOVERS + kill))
        world.until(lambda: lag(hub) == 0, "all is moved", 60)
        bodies = sorted(int(bytes(job.body)) for job in take(hub))
    if bodies != list(range(KILLS * ROUND)):
        twice = len(bodies) - len(set(bodies))
        raise Failed(f"{len(set(bodies))} of {KILLS * ROUND} were moved, {twice} of them twice")


def take(hub: telpher.Hub) -> list[telpher.Job]:
    """Everything that is in the queue."""
    jobs = []
    while hub.queue("out").inspect().ready > 0:
        job = hub.queue("out").receive()
        job.acknowledge()
        jobs.append(job)
    return jobs
