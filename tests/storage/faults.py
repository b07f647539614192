"""Every call of the system that concerns the hub's files fails: once, and for ever from then on.

The program runs with a library before libc (shim.c) that counts those calls and lets one go wrong:
with EIO, with ENOSPC, with EINTR, or done in part. The program must not hang, panic or die; what
it was told in error says what failed; and when the directory is opened again without faults,
nothing that was confirmed is missing and nothing is there that was not sent.
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
Scenario = Callable[[Worker, Ledger, str], None]


def build() -> None:
    """Compiles the shim."""
    source = Path(__file__).with_name("shim.c")
    compiler = os.environ.get("CC", "cc")
    flags = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-shared", "-fPIC"]
    made = SHIM.with_suffix(f".{os.getpid()}")
    subprocess.run([compiler, *flags, "-o", made, source, "-ldl"], check=True)
    made.replace(SHIM)


def opening(worker: Worker, ledger: Ledger, url: str) -> None:
    worker.ask(f"open {url} 2000")


def with_queue(worker: Worker, ledger: Ledger, url: str) -> bool:
    opening(worker, ledger, url)
    return worker.ask("declare jobs 2")[0] == "ok"


def sending(worker: Worker, ledger: Ledger, url: str) -> None:
    if with_queue(worker, ledger, url):
        for _ in range(3):
            if ledger.send(worker, "jobs")[0] != "ok":
                return
        ledger.many(worker, "jobs", 20, 100)


def settling(worker: Worker, ledger: Ledger, url: str) -> None:
    if not with_queue(worker, ledger, url):
        return
    ledger.many(worker, "jobs", 4, 50)
    ledger.acknowledge(worker, ledger.take(worker, "jobs", 500))
    ledger.batch(worker, ledger.take(worker, "jobs", 500), "jobs")
    for verdict in ("reject", "requeue"):
        if (name := ledger.take(worker, "jobs", 500)) is not None:
            worker.ask(f"{verdict} {name}")


def rolling(worker: Worker, ledger: Ledger, url: str) -> None:
    """Into a second segment; then the first is freed."""
    if not with_queue(worker, ledger, url):
        return
    for _ in range(2):
        ledger.many(worker, "jobs", 5, 150_000)
    for _ in range(10):
        if ledger.acknowledge(worker, ledger.take(worker, "jobs", 500))[0] != "ok":
            return
    ledger.send(worker, "jobs")


def closing(worker: Worker, ledger: Ledger, url: str) -> None:
    if with_queue(worker, ledger, url):
        ledger.many(worker, "jobs", 3, 50)
        worker.ask("close")


def reopening(worker: Worker, ledger: Ledger, url: str) -> None:
    """What another host has left is taken over; its messages are read from the disk."""
    opening(worker, ledger, url)
    ledger.acknowledge(worker, ledger.take(worker, "jobs", 500))
    ledger.send(worker, "jobs")


SCENARIOS: dict[str, Scenario] = {
    "opening": opening,
    "sending": sending,
    "settling": settling,
    "rolling": rolling,
    "closing": closing,
    "reopening": reopening,
}


def prepare(name: str, ledger: Ledger, url: str) -> None:
    """What has to be there before."""
    if name == "reopening":
        with Worker() as worker:
            worker.do(f"open {url} 20000")
            worker.do("declare jobs 2")
            ledger.many(worker, "jobs", 10, 100)


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
            ledger.compare(worker, ["jobs", "jobs.dead"])
            worker.do("close")
        return struct.unpack("Q", count.read_bytes())[0]


def cases(name: str) -> list[tuple[str, int, str, str]]:
    """Every fault that a scenario can meet."""
    calls = run(name, 0, "once", HOW[0])
    every = range(1, calls + 1)
    modes = [("once", how) for how in HOW] + [("ever", HOW[0]), ("ever", HOW[1])]
    return [(name, at, mode, how) for at in every for mode, how in modes]


def main(seed: int, seconds: float) -> tuple[int, int]:
    """Runs as many cases as there is time for; how many passed and failed."""
    build()
    all_cases = [case for name in SCENARIOS for case in cases(name)]
    random.Random(seed).shuffle(all_cases)
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
