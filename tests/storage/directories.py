"""What may happen to a hub's directory as a whole.

Damage, copies, missing files, a lock file that is replaced, a second name.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from power import unavailable
from workers import Background, Failed, Ledger, Skipped, Worker, check, pause, scratch

OPEN_MS = 20_000


def filled(hub: Path, size: int = 100) -> Ledger:
    """A directory with messages in it, which nobody hosts."""
    ledger = Ledger()
    with Worker() as worker:
        worker.do(f"open file://{hub} {OPEN_MS}")
        worker.do("declare jobs 2")
        ledger.many(worker, "jobs", 20, size)
        for _ in range(3):
            ledger.acknowledge(worker, ledger.take(worker, "jobs"))
        worker.do(f"reject {ledger.take(worker, 'jobs')}")
        worker.do("close")
    return ledger


def copy(hub: Path, to: Path) -> None:
    """Everything but the socket, as it can be had while others write."""

    def take(source: str, target: str) -> None:
        try:
            shutil.copy2(source, target)
        except FileNotFoundError:
            pass

    skip = shutil.ignore_patterns("hub.sock*")
    shutil.copytree(hub, to, ignore=skip, copy_function=take)


def outcome(hub: Path) -> list[str]:
    """Opens it: `ok` and all messages, or `error KIND ...`."""
    with Worker() as worker:
        answer = worker.ask(f"open file://{hub} {OPEN_MS}")
        if answer[0] != "ok":
            return answer
        found = ["ok"]
        for queue in ("jobs", "jobs.dead"):
            drained = worker.ask(f"drain {queue} 100")
            if drained[0] == "ok":
                found += drained[1:]
        worker.do("close")
        return found


def is_refused(answer: list[str], *words: str) -> bool:
    """Refused, naming what is wrong."""
    text = " ".join(answer)
    return answer[0] == "error" and all(word in text for word in words)


def damage_of_any_file(draw: random.Random) -> None:
    """A flipped bit, or an end that is cut off."""
    with scratch() as place:
        hub = Path(place) / "hub"
        ledger = filled(hub)
        left = ledger.confirmed - ledger.gone
        for case in range(12):
            damaged = Path(place) / f"damaged{case}"
            copy(hub, damaged)
            files = sorted(path for path in damaged.iterdir() if path.is_file())
            file = draw.choice(files)
            content = bytearray(file.read_bytes())
            if not content:
                continue
            at = draw.randrange(len(bytes(content).rstrip(b"\0")) or 1)
            if case % 3 == 0:
                del content[at:]
            else:
                content[at] ^= 1 << draw.randrange(8)
            file.write_bytes(content)
            answer = outcome(damaged)
            what = f"{file.name} at {at}, case {case}"
            if answer[0] == "ok":
                check(set(answer[1:]) == left, f"{what}: {len(answer) - 1} of {len(left)}")
            else:
                kinds = ("CORRUPT", "UNSUPPORTED")
                check(answer[1] in kinds, f"{what}: {' '.join(answer)}")
                named = file.name in " ".join(answer) or answer[1] == "UNSUPPORTED"
                check(named, f"{what}: {' '.join(answer)}")


def missing_files(_: random.Random) -> None:
    """The file that says whose the journal is, or a part of that."""
    with scratch() as place:
        hub = Path(place) / "hub"
        ledger = filled(hub, 60_000)
        segments = sorted(path.name for path in hub.glob("journal.*"))
        check(len(segments) > 1, "there are several segments")
        for name in ["HUB", *segments]:
            damaged = Path(place) / f"without-{name}"
            copy(hub, damaged)
            (damaged / name).unlink()
            before = sorted(path.name for path in damaged.glob("journal.*"))
            answer = outcome(damaged)
            if answer[0] == "ok":
                # It held nothing that was still needed.
                check(set(answer[1:]) == ledger.confirmed - ledger.gone, f"without {name}")
                continue
            check(is_refused(answer, "CORRUPT", name), f"without {name}: {' '.join(answer)}")
            after = sorted(path.name for path in damaged.glob("journal.*"))
            check(before == after, f"without {name}: what was left was changed")


def lock_damaged(_: random.Random) -> None:
    """What stands in the lock file is for people."""
    with scratch() as place:
        hub = Path(place) / "hub"
        ledger = filled(hub)
        (hub / "LOCK").write_bytes(b"\xff" * 5000)
        answer = outcome(hub)
        check(set(answer[1:]) == ledger.confirmed - ledger.gone, " ".join(answer))


def copies_while_it_works(draw: random.Random) -> None:
    """A copy made meanwhile is refused, or holds a beginning."""
    with scratch() as place:
        hub = Path(place) / "hub"
        with Worker() as worker:
            worker.do(f"open file://{hub} {OPEN_MS}")
            worker.do("declare jobs 2")
            ledger = Ledger()

            def work(stop: threading.Event) -> None:
                while not stop.is_set():
                    ledger.many(worker, "jobs", 10, draw.choice([100, 20_000]))

            background = Background(work)
            for number in range(5):
                pause(draw.uniform(0, 0.05))
                copy(hub, Path(place) / f"copy{number}")
            background.join()
        for number in range(5):
            answer = outcome(Path(place) / f"copy{number}")
            if answer[0] == "ok":
                found = answer[1:]
                check(len(found) == len(set(found)), "twice in a copy")
                check(set(found) <= ledger.sent, "invented in a copy")
            else:
                check(is_refused(answer, "CORRUPT", "copy"), " ".join(answer))


def damaged_while_hosted(_: random.Random) -> None:
    """A body that is damaged before it is read is put aside, and the rest goes on."""
    with scratch() as place:
        hub = Path(place) / "hub"
        filled(hub)
        with Worker() as worker:
            worker.do(f"open file://{hub} {OPEN_MS}")
            for file in hub.glob("journal.*"):
                content = file.read_bytes()
                body = b"m10 " + b"x" * 60
                if (at := content.find(body)) >= 0:
                    with file.open("r+b") as handle:
                        handle.seek(at + 20)
                        handle.write(b"y")
            found = worker.do("drain jobs 200")
            check(len(found) == 15 and "m10" not in found, " ".join(found))
            figures = worker.do("inspect jobs")
            check(figures[:4] == ["0", "0", "0", "1"], f"ready, held, delayed, damaged: {figures}")
            worker.do("send jobs again 10")
            check(worker.do("take jobs 5000") == ["again"], "the rest goes on")


def lock_replaced(_: random.Random) -> None:
    """Two hosts that each believe in their lock: the older one confirms nothing any more."""
    with scratch() as place:
        hub, ledger = Path(place) / "hub", Ledger()
        url = f"file://{hub}"
        with Worker() as first, Worker() as second:
            first.do(f"open {url} {OPEN_MS}")
            first.do("declare jobs 20")
            ledger.many(first, "jobs", 50, 100)
            (hub / "LOCK").unlink()
            second.do(f"open {url} {OPEN_MS}")
            other = Ledger()
            other.count = 10_000
            for _ in range(10):
                ledger.many(first, "jobs", 20, 1_000)
                other.many(second, "jobs", 20, 1_000)
            ledger.sent |= other.sent
            ledger.confirmed |= other.confirmed
            check(len(other.confirmed) == 200, "the new host works")
        with Worker() as worker:
            worker.do(f"open {url} {OPEN_MS}")
            ledger.compare(worker, ["jobs"])


def a_second_name(_: random.Random) -> None:
    """A directory that is mounted in a second place is the same hub."""
    if why := unavailable():
        raise Skipped(why)
    with scratch() as place:
        hub, name = Path(place) / "hub", Path(place) / "name"
        ledger = filled(hub)
        name.mkdir()
        subprocess.run(["mount", "--bind", str(hub), str(name)], check=True)
        try:
            with Worker() as first, Worker() as second:
                first.do(f"open file://{hub} {OPEN_MS}")
                second.do(f"open file://{name} {OPEN_MS}")
                ledger.send(second, "jobs")
                ready = first.do("inspect jobs")[0]
                check(ready == "17", f"both see the same: {ready}")
                first.end()
                ledger.send(second, "jobs")
                ledger.compare(second, ["jobs", "jobs.dead"])
                second.do("close")
        finally:
            subprocess.run(["umount", str(name)], check=True)


TESTS: list[Callable[[random.Random], None]] = [
    damage_of_any_file,
    missing_files,
    lock_damaged,
    copies_while_it_works,
    damaged_while_hosted,
    lock_replaced,
    a_second_name,
]


def main(seed: int, rounds: int) -> tuple[int, int]:
    """Each of them, so many times."""
    draw, passed, failed = random.Random(seed), 0, 0
    for number in range(rounds):
        for test in TESTS:
            try:
                test(draw)
                passed += 1
            except Skipped as why:
                print(f"skipped {test.__name__}: {why}", flush=True)
            except Failed as error:
                failed += 1
                print(f"FAILED {test.__name__}, seed {seed}, {number}: {error}", flush=True)
    print(f"directories: {passed + failed} tests, seed {seed}", flush=True)
    return passed, failed
