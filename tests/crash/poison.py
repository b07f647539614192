"""A message that kills whoever handles it: a dead letter in the end, and its neighbours unharmed.

The program that takes it holds its neighbours, too, and kills itself as soon as it sees the poison.
It is started again each time. In the second round it is the host itself.
"""

from functools import partial

import telpher
from checker import MAX_ATTEMPTS
from programs import Failed, Program, World
from workers.common import body_of

NEIGHBOURS = 20
POISON = "x-poison-1"
# One death in company, after which all of it is suspect, and then as many alone as are allowed.
DEATHS_MAX = MAX_ATTEMPTS + 1


def send(hub: telpher.Hub) -> None:
    """Messages with a poisonous one among them, which become visible together."""
    with hub.batch() as batch:
        for number in range(NEIGHBOURS):
            batch.send("poison", body_of(f"x-good-{number + 1}"))
            if number == NEIGHBOURS // 4:
                batch.send("poison", body_of(POISON))


def poisoned(world: World, language: str, *, is_host: bool) -> None:
    """One round; raises if the poison does not end as a dead letter, alone."""
    if not is_host:
        world.worker("python", "keeper", 0).waits_for("open")
    deaths, taker = 0, world.worker(language, f"{language}-1", 1, "poison")
    taker.waits_for("open")
    said = [taker]
    with telpher.open(world.hub, host="never") as hub:
        send(hub)
        while True:
            world.until(partial(is_over, taker, hub), "death, or the end of the poison")
            if taker.popen.poll() is None:
                break
            deaths += 1
            if deaths > DEATHS_MAX:
                raise Failed(f"{deaths} programs have died of one message")
            taker.reap()
            world.forget(taker)
            taker = world.worker(language, f"{language}-{deaths + 1}", 1, "poison")
            said.append(taker)
            taker.waits_for("open")
        check_dead(hub)
        taker.end()
        taker.ends_well()
        world.forget(taker)
    check_neighbours([line for each in said for line in each.lines])


def is_over(taker: Program, hub: telpher.Hub) -> bool:
    """Whether the program has died, or has nothing left to take."""
    if taker.popen.poll() is not None:
        return True
    try:
        info = hub.queue("poison").inspect(timeout=0.2)
    except telpher.Error:
        return False  # There is no host just now: the program was it.
    return info.ready + info.held + info.delayed == 0


def check_dead(hub: telpher.Hub) -> None:
    """The poison alone is dead, of crashes."""
    dead = hub.queue("poison.dead")
    if (info := dead.inspect()).ready != 1:
        raise Failed(f"{info.ready} messages are dead letters, not 1")
    job = dead.receive()
    said = tuple(job.headers[f"telpher.{word}"].decode() for word in ("reason", "failures"))
    if POISON.encode() not in bytes(job.body) or said != ("crashed", str(MAX_ATTEMPTS)):
        raise Failed(f"{bytes(job.body)!r} is dead: {said}")


def check_neighbours(lines: list[str]) -> None:
    """Each was acknowledged, and none has used an attempt."""
    done = set()
    for line in lines:
        _, word, *fields = line.split(" ")
        if word == "got" and "good" in fields[2] and fields[3] != "0":
            raise Failed(f"a neighbour has used up attempts: {line}")
        if word == "settled" and fields[-2] == "OK":
            done.add(fields[2])
    if len(done) != NEIGHBOURS:
        raise Failed(f"{len(done)} of {NEIGHBOURS} neighbours were done")
