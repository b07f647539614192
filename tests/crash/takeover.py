"""A change of host, as programs see it: one witness in each language, and a host that goes away.

Each scenario is a function of a world. The harness takes part with a handle of its own, which never
hosts: it sends, holds, calls and serves as any other program.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import telpher
from programs import LANGUAGES, PATIENCE_S, WITNESSES, Failed, Program, World

SENDS = 10
MOMENT_S = 0.3
# How long after its time an operation may end: the wait for a verdict, on a machine that is busy.
LATE_S = 1.5


class Cast:
    """A keeper that hosts, witnesses that got ready, and the harness's handle."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.keeper = world.worker("python", "keeper", 0)
        self.keeper.waits_for("open")
        self.hub = telpher.open(world.hub, host="never")
        self.requests: list[telpher.Request] = []
        self.hub.serve("never", self.keep, concurrency=len(LANGUAGES))
        self.witnesses: dict[str, Program] = {}
        for language in LANGUAGES:
            for kind in ("held", "work", "sent"):
                self.hub.queue(f"{kind}.{language}").declare()
            self.hub.queue(f"held.{language}").send(b"to be held")
            command = [*WITNESSES[language], str(world.hub), language]
            self.witnesses[language] = world.start(language, command)
        for witness in self.witnesses.values():
            witness.waits_for("ready")
        world.until(lambda: len(self.requests) == len(LANGUAGES), "every witness calls")

    def keep(self, request: telpher.Request) -> object:
        """Leave a call open."""
        self.requests.append(request)
        return telpher.LATER

    def ask_all(self, text: str) -> None:
        """Tell every witness what to do."""
        for witness in self.witnesses.values():
            witness.asks(text)

    def all_say(self, text: str, count: int = 1) -> None:
        """Wait until every witness has said exactly this, so often."""
        for language, witness in self.witnesses.items():

            def said(witness: Program = witness) -> int:
                return sum(line.split(" ", 1)[1] == text for line in list(witness.lines))

            def enough(said=said) -> bool:
                return said() >= count

            self.world.until(enough, f"{language} says {text!r} {count} times")
            if said() > count:
                raise Failed(f"{language} said {text!r} {said()} times, not {count}")

    def all_work(self, text: str) -> None:
        """Consumers and services of all witnesses do their work."""
        for language in self.witnesses:
            self.hub.queue(f"work.{language}").send(text.encode())
        self.all_say(f"took {text}")
        for language, witness in self.witnesses.items():
            info = self.hub.queue(f"work.{language}").inspect

            def done(info=info) -> bool:
                figures = info()
                return figures.ready + figures.held + figures.delayed == 0

            self.world.until(done, f"{language} has acknowledged {text}")
            reply = self.hub.call(f"echo.{language}", text.encode(), timeout=PATIENCE_S)
            if reply != text.encode():
                raise Failed(f"{language} answered {reply!r}: {witness.lines[-1]}")

    def host(self) -> Program:
        """The witness that hosts now."""
        names = self.witnesses.values()
        self.world.until(lambda: self.world.host() in names, "a witness that hosts")
        host = self.world.host()
        assert host is not None
        return host


@contextmanager
def cast(world: World) -> Iterator[Cast]:
    """Everybody in place; the handle closed at the end."""
    players = Cast(world)
    try:
        yield players
    finally:
        players.hub.close(timeout=1)


def a_killed_host_is_followed(world: World) -> None:
    """What was open when the host was killed ends well by itself, or as HOST_LOST if a call."""
    with cast(world) as players:
        # A stopped host confirms nothing: so everything is open when it dies.
        players.keeper.stop()
        players.ask_all("send")
        players.all_say("sending")
        players.keeper.kill()
        world.forget(players.keeper)
        players.all_say("notice HUB_CHANGED 1")
        players.all_say("sent OK 0", SENDS)
        players.all_say("called HOST_LOST 1")
        players.ask_all("settle")
        players.all_say("settled OK 0")
        players.all_work("after the kill")
        for language in LANGUAGES:
            info = players.hub.queue(f"sent.{language}").inspect()
            if info.ready != SENDS:
                raise Failed(f"{language} has sent {SENDS}, and {info.ready} are there")
            info = players.hub.queue(f"held.{language}").inspect()
            if info.ready + info.held + info.delayed:
                raise Failed(f"what {language} has acknowledged is still there: {info}")


def a_host_that_ends_hands_over(world: World) -> None:
    """Nothing is lost at a clean end, not even what is in memory, nor who holds it."""
    with cast(world) as players:
        spice = players.hub.queue("spice")
        for number in range(SENDS):
            spice.send(b"%d" % number)
        held = spice.receive()
        players.keeper.end()
        players.keeper.ends_well()
        world.forget(players.keeper)
        players.all_say("notice HUB_CHANGED 0")
        players.all_say("called HOST_LOST 1")
        held.acknowledge()
        players.ask_all("settle")
        players.all_say("settled OK 0")
        players.all_work("after the end")
        if (info := spice.inspect()).ready != SENDS - 1:
            raise Failed(f"{info.ready} of {SENDS - 1} messages in memory were handed over")
        bodies = [int(spice.receive().body) for _ in range(SENDS - 1)]
        if bodies != list(range(1, SENDS)):
            raise Failed(f"what was handed over came as {bodies}")


def a_stopped_host_is_waited_for(world: World) -> None:
    """Nobody takes its place; what is open ends at its deadline, and all goes on afterwards."""
    with cast(world) as players:
        before = (world.hub / "HUB").read_bytes()
        players.keeper.stop()
        begun = time.monotonic()
        players.ask_all("ask")
        players.all_say("asked HOST_UNRESPONSIVE 1 HOST_UNRESPONSIVE 1")
        took = time.monotonic() - begun
        if not MOMENT_S <= took <= MOMENT_S + LATE_S:
            raise Failed(f"with {MOMENT_S} s to spend, it took {took:.2f} s to give up")
        if world.host() is not players.keeper or (world.hub / "HUB").read_bytes() != before:
            raise Failed("a host that was only stopped was replaced")
        players.keeper.go()
        players.all_work("after the pause")
        players.ask_all("ask")
        players.all_say("asked OK 0 OK 0")
        players.ask_all("settle")
        players.all_say("settled OK 0")
        for request in players.requests:
            request.reply(b"late")
        players.all_say("called OK 0")


def witnesses_host_one_after_the_other(world: World) -> None:
    """Each witness in turn hosts, is killed, and is survived by what it had taken over."""
    with cast(world) as players:
        players.ask_all("send")
        players.all_say("sent OK 0", SENDS)
        players.keeper.kill()
        world.forget(players.keeper)
        while len(players.witnesses) > 1:
            host = players.host()
            del players.witnesses[host.process]
            host.kill()
            world.forget(host)
            players.all_work(f"without {host.process}")
        for language in LANGUAGES:
            info = players.hub.queue(f"sent.{language}").inspect()
            if info.ready != SENDS:
                raise Failed(f"{language} has sent {SENDS}, and {info.ready} are there")


SCENARIOS = [
    a_killed_host_is_followed,
    a_host_that_ends_hands_over,
    a_stopped_host_is_waited_for,
    witnesses_host_one_after_the_other,
]
