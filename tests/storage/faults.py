"""Every call of the system that concerns the hub's files fails: once, and for ever from then on.

The program runs with a library before libc (shim.c) that counts those calls and lets one go wrong:
with EIO, with ENOSPC, with EINTR, or done in part. As many cases are run as there is time for, some
of each scenario. The program must not hang, panic or die; an error of the disk names the file; and
when the directory is opened again without faults, nothing that was confirmed is missing and nothing
is there that was not sent.
"""

from __future__ import annotations

import errno
import os
import random
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from workers import TARGET, Failed, Ledger, Worker, check, scratch

SHIM = TARGET / "storage-shim.so"
HOW = [str(errno.EIO), str(errno.ENOSPC), "short", str(errno.EINTR)]
Scenario = Callable[[Worker, Ledger, str], object]


def build() -> None:
    """Compiles the shim."""
    source = Path(__file__).with_name("shim.c")
    compiler = os.environ.get("CC", "cc")
    flags = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-shared", "-fPIC"]
    made = SHIM.with_suffix(f".{os.getpid()}")
    subprocess.run([compiler, *flags, "-o", made, source, "-ldl"], check=True)
    made.replace(SHIM)


def opening(worker: Worker, ledger: Ledger, url: str) -> bool:
    return worker.ask(f"open {url} 700")[0] == "ok"


def declaring(worker: Worker, ledger: Ledger, url: str, how: str = "2") -> bool:
    return opening(worker, ledger, url) and worker.ask(f"declare jobs {how}")[0] == "ok"


def sending(worker: Worker, ledger: Ledger, url: str) -> None:
    if declaring(worker, ledger, url):
        for _ in range(3):
            if ledger.send(worker, "jobs")[0] != "ok":
                return


def sending_many(worker: Worker, ledger: Ledger, url: str) -> None:
    if declaring(worker, ledger, url):
        ledger.many(worker, "jobs", 40, 100)


def sending_to_the_systems_cache(worker: Worker, ledger: Ledger, url: str) -> None:
    if declaring(worker, ledger, url, "2 os"):
        ledger.many(worker, "jobs", 20, 100)


def sending_more_than_a_segment_takes(worker: Worker, ledger: Ledger, url: str) -> None:
    if declaring(worker, ledger, url):
        ledger.send(worker, "jobs", 3_000_000)


def some(worker: Worker, ledger: Ledger, url: str) -> list[str]:
    """Four messages are there, and as many as can be had are taken."""
    if not declaring(worker, ledger, url):
        return []
    ledger.many(worker, "jobs", 4, 50)
    taken = (ledger.take(worker, "jobs", 500) for _ in range(4))
    return [name for name in taken if name is not None]


def acknowledging(worker: Worker, ledger: Ledger, url: str) -> None:
    for name in some(worker, ledger, url):
        ledger.acknowledge(worker, name)


def batching(worker: Worker, ledger: Ledger, url: str) -> None:
    for name in some(worker, ledger, url):
        ledger.batch(worker, name, "jobs")


def rejecting(worker: Worker, ledger: Ledger, url: str) -> None:
    for name in some(worker, ledger, url):
        worker.ask(f"reject {name}")


def releasing(worker: Worker, ledger: Ledger, url: str) -> None:
    for name in some(worker, ledger, url):
        worker.ask(f"release {name}")


def failing_for_good(worker: Worker, ledger: Ledger, url: str) -> None:
    for name in some(worker, ledger, url):
        worker.ask(f"requeue {name}")
    while (name := ledger.take(worker, "jobs", 300)) is not None:
        worker.ask(f"requeue {name}")


def purging(worker: Worker, ledger: Ledger, url: str) -> None:
    if declaring(worker, ledger, url):
        ledger.many(worker, "jobs", 4, 50)
        ledger.doomed |= ledger.sent
        worker.ask("purge jobs")
        ledger.send(worker, "jobs")


def deleting(worker: Worker, ledger: Ledger, url: str) -> None:
    if declaring(worker, ledger, url):
        ledger.many(worker, "jobs", 4, 50)
        ledger.doomed |= ledger.sent
        worker.ask("delete jobs")
        worker.ask("declare jobs 2")
        ledger.send(worker, "jobs")


def rolling(worker: Worker, ledger: Ledger, url: str) -> None:
    """Into a second segment."""
    if declaring(worker, ledger, url):
        for _ in range(2):
            ledger.many(worker, "jobs", 5, 150_000)


def freeing(worker: Worker, ledger: Ledger, url: str) -> None:
    """Of a segment, of which nothing is needed any more."""
    rolling(worker, ledger, url)
    for _ in range(10):
        if ledger.acknowledge(worker, ledger.take(worker, "jobs", 500))[0] != "ok":
            return
    ledger.send(worker, "jobs")


def writing_forward(worker: Worker, ledger: Ledger, url: str) -> None:
    """One message stays, and so much goes by that it is worth to write it again."""
    if not declaring(worker, ledger, url):
        return
    ledger.send(worker, "jobs")
    worker.ask("declare others 2")
    for _ in range(8):
        ledger.many(worker, "others", 5, 1_000_000)
        ledger.doomed |= ledger.confirmed - {"s0"}
        if worker.ask("purge others")[0] != "ok":
            return


def closing(worker: Worker, ledger: Ledger, url: str) -> None:
    if declaring(worker, ledger, url):
        ledger.many(worker, "jobs", 3, 50)
        worker.ask("close")


def reopening(worker: Worker, ledger: Ledger, url: str) -> None:
    """What another host has left is taken over."""
    opening(worker, ledger, url)
    ledger.acknowledge(worker, ledger.take(worker, "jobs", 500))
    ledger.send(worker, "jobs")


def reading_back(worker: Worker, ledger: Ledger, url: str) -> None:
    """What another host has left is read from the disk."""
    opening(worker, ledger, url)
    for _ in range(10):
        if ledger.take(worker, "jobs", 500) is None:
            return


def taking_over(worker: Worker, ledger: Ledger, url: str) -> None:
    """What a host that was killed has left is written anew."""
    opening(worker, ledger, url)
    ledger.send(worker, "jobs")


SCENARIOS: dict[str, Scenario] = {
    each.__name__: each
    for each in (
        opening,
        declaring,
        sending,
        sending_many,
        sending_to_the_systems_cache,
        sending_more_than_a_segment_takes,
        acknowledging,
        batching,
        rejecting,
        releasing,
        failing_for_good,
        purging,
        deleting,
        rolling,
        freeing,
        writing_forward,
        closing,
        reopening,
        reading_back,
        taking_over,
    )
}


def prepare(name: str, ledger: Ledger, url: str) -> None:
    """What has to be there before."""
    if name in ("reopening", "reading_back", "taking_over"):
        with Worker() as worker:
            worker.do(f"open {url} 20000")
            worker.do("declare jobs 2 os")
            ledger.many(worker, "jobs", 10, 100)
            if name != "taking_over":
                worker.do("close")


def run(name: str, at: int, mode: str, how: str) -> int:
    """One run with one fault; how many calls there were."""
    with scratch() as place:
        hub, count, ledger = Path(place) / "hub", Path(place) / "count", Ledger()
        url = f"file://{hub}"
        prepare(name, ledger, url)
        environment = {
            "LD_PRELOAD": str(SHIM),
            "TELPHER_FAULT_DIR": str(hub),
            "TELPHER_FAULT_COUNT": str(count),
            "TELPHER_FAULT_AT": str(at),
            "TELPHER_FAULT_MODE": mode,
            "TELPHER_FAULT_HOW": how,
        }
        with Worker(environment) as worker:
            SCENARIOS[name](worker, ledger, url)
            worker.end()
            said = worker.said()
        check("panicked" not in said, said)
        for answer in worker.answers:
            if answer.startswith(("error IO", "error NO_SPACE", "error CORRUPT")):
                check(str(hub) in answer, f"the error does not name the file: {answer}")
        with Worker() as worker:
            worker.do(f"open {url} 20000")
            ledger.compare(worker, ["jobs", "jobs.dead", "others"])
            worker.do("close")
        return struct.unpack("Q", count.read_bytes())[0]


def cases(name: str) -> list[tuple[str, int, str, str]]:
    """Every fault that a scenario can meet."""
    calls = run(name, 0, "once", HOW[0])
    check(calls > 0, f"{name} concerns no file: the shim does not see its calls")
    every = range(1, calls + 1)
    modes = [("once", how) for how in HOW] + [("ever", HOW[0]), ("ever", HOW[1])]
    return [(name, at, mode, how) for at in every for mode, how in modes]


def main(seed: int, seconds: float) -> tuple[int, int]:
    """Runs as many cases as there is time for; how many passed and failed."""
    build()
    draw, drawn = random.Random(seed), []
    for name in SCENARIOS:
        mine = cases(name)
        drawn += enumerate(draw.sample(mine, len(mine)))
    all_cases = [case for _, case in sorted(drawn, key=lambda each: each[0])]
    end, passed, failed = time.monotonic() + seconds, 0, 0
    for case in all_cases:
        if time.monotonic() > end:
            break
        try:
            run(*case)
            passed += 1
        except Failed as error:
            failed += 1
            print(f"FAILED {case}: {error}", flush=True)
    print(f"faults: {passed + failed} of {len(all_cases)} cases, seed {seed}", flush=True)
    return passed, failed
