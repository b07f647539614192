"""A full disk: sends are refused, settling goes on, and what that frees makes room again.

On a small file system of its own, filled by messages until `NO_SPACE` again and again.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from power import Image, unavailable
from workers import Failed, Ledger, Skipped, Worker, check, pause

MIB = 1024 * 1024


class Memory:
    """A small tmpfs."""

    def __init__(self, size: int) -> None:
        self.size, self.mount = size, Path(tempfile.mkdtemp(prefix="telpher-full-"))

    def up(self) -> None:
        """Mounts it."""
        options = ["-t", "tmpfs", "-o", f"size={self.size}", "tmpfs", str(self.mount)]
        subprocess.run(["mount", *options], check=True, capture_output=True, text=True)

    def remove(self) -> None:
        """Unmounts it."""
        subprocess.run(["umount", str(self.mount)], capture_output=True)
        shutil.rmtree(self.mount, ignore_errors=True)


def send_until_full(worker: Worker, ledger: Ledger, size: int) -> None:
    """Until the disk has no room for more."""
    for _ in range(5000):
        answer = ledger.send(worker, "jobs", size)
        if answer[0] != "ok":
            # FULL: the next segment is being tried for just then.
            check(answer[1] in ("NO_SPACE", "FULL"), f"a full disk is {' '.join(answer)}")
            if answer[1] == "NO_SPACE":
                return
    raise Failed("the disk never became full")


def send_small_until_full(worker: Worker, ledger: Ledger) -> None:
    """Until the disk has no room for more, 100 at a time."""
    for _ in range(5000):
        if len(ledger.many(worker, "jobs", 100, 50)) <= 100:
            return send_until_full(worker, ledger, 50)
    raise Failed("the disk never became full")


def send_again(worker: Worker, ledger: Ledger, size: int) -> None:
    """There is room: sends work again by themselves, soon."""
    end = time.monotonic() + 60
    while (answer := ledger.send(worker, "jobs", size))[0] != "ok":
        check(time.monotonic() < end, f"no sends after draining: {' '.join(answer)}")
        pause(0.05)


def settle(worker: Worker, ledger: Ledger, part: float) -> None:
    """Takes and acknowledges this part of what there is."""
    ready = int(worker.do("inspect jobs")[0])
    for _ in range(int(ready * part)):
        name = ledger.take(worker, "jobs")
        check(name is not None, f"nothing is handed out on a full disk: {worker.answers[-1]}")
        answer = ledger.acknowledge(worker, name)
        check(answer[0] == "ok", f"settling on a full disk: {' '.join(answer)}")


def fill(place: Image | Memory, draw: random.Random, end: float, rounds_max: int) -> int:
    """Fills and drains; how many times."""
    ledger, rounds = Ledger(), 0
    url = f"file://{place.mount}/hub"
    place.up()
    worker = Worker()
    try:
        worker.do(f"open {url} 60000")
        worker.do("declare jobs 20")
        while rounds < rounds_max and (rounds == 0 or time.monotonic() < end):
            send_until_full(worker, ledger, draw.choice([10_000, 50_000, 400_000]))
            # Others take what is left, to the last byte.
            rest = place.mount / "rest"
            if draw.random() < 0.5:
                take_rest(rest)
            if draw.random() < 0.4:
                worker.end()
                worker.kill()
                worker = Worker()
                worker.do(f"open {url} 60000")
            settle(worker, ledger, draw.choice([0.3, 1.0]))
            rest.unlink(missing_ok=True)
            settle(worker, ledger, 1.0)
            send_again(worker, ledger, 3_000)
            rounds += 1
        ledger.compare(worker, ["jobs", "jobs.dead"])
        worker.do("close")
    finally:
        worker.kill()
    return rounds


def fill_with_small(place: Image | Memory) -> int:
    """Verdicts take more than such messages do: room for them is kept."""
    ledger = Ledger()
    url = f"file://{place.mount}/hub"
    place.up()
    worker = Worker()
    try:
        worker.do(f"open {url} 60000")
        worker.do("declare jobs 20")
        send_small_until_full(worker, ledger)
        settle(worker, ledger, 0.5)
        worker.end()
        worker.kill()
        worker = Worker()
        worker.do(f"open {url} 60000")
        settle(worker, ledger, 1.0)
        send_again(worker, ledger, 50)
        ledger.compare(worker, ["jobs"])
        worker.do("close")
    finally:
        worker.kill()
    return 1


def fill_for_verdicts(place: Memory) -> int:
    """Others take the room that is kept for verdicts, too: what is refused can be given again."""
    ledger = Ledger()
    place.up()
    worker = Worker()
    try:
        worker.do(f"open file://{place.mount}/hub 60000")
        worker.do("declare jobs 20")
        rest = place.mount / "rest"
        take_rest(rest)
        send_small_until_full(worker, ledger)
        held = []
        while (name := ledger.take(worker, "jobs", 500)) is not None:
            held.append(name)
        answers = ((name, ledger.acknowledge(worker, name)) for name in held)
        refused, answer = next(((n, a) for n, a in answers if a[0] != "ok"), ("", ["ok"]))
        check(answer[:2] == ["error", "NO_SPACE"], f"verdicts on {len(held)}: {' '.join(answer)}")
        rest.unlink()
        end = time.monotonic() + 60
        while (answer := ledger.acknowledge(worker, refused))[:2] == ["error", "NO_SPACE"]:
            check(time.monotonic() < end, "there is room, and the verdict is still refused")
            pause(0.05)
        check(answer[0] == "ok", f"a verdict that was refused, again: {' '.join(answer)}")
        for name in held[held.index(refused) + 1 :]:
            answer = ledger.acknowledge(worker, name)
            check(answer[0] == "ok", f"settling where there is room: {' '.join(answer)}")
        send_again(worker, ledger, 50)
        ledger.compare(worker, ["jobs", "jobs.dead"])
        worker.do("close")
    finally:
        worker.kill()
    return 1


def take_rest(path: Path) -> None:
    """A file that takes all the room that there is."""
    with path.open("wb", buffering=0) as file:
        for size in (MIB, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def main(seed: int, seconds: float, rounds_max: int) -> tuple[int, int]:
    """As many rounds as there is time for, on each kind of file system."""
    if why := unavailable():
        raise Skipped(why)
    draw, passed, failed = random.Random(seed), 0, 0

    def fill_often(place: Image | Memory) -> int:
        return fill(place, draw, time.monotonic() + seconds / 2, rounds_max)

    memory, image = Memory(24 * MIB), Image(24 * MIB)
    fills = (
        (Memory(16 * MIB), fill_for_verdicts),
        (Memory(16 * MIB), fill_with_small),
        (memory, fill_often),
        (image, fill_often),
    )
    for place, filling in fills:
        try:
            passed += filling(place)
        except Failed as error:
            failed += 1
            print(f"FAILED full, {type(place).__name__}, seed {seed}: {error}", flush=True)
        finally:
            place.remove()
    print(f"full: {passed} times, seed {seed}", flush=True)
    return passed, failed
