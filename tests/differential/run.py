"""The same history against Telpher and against Redis Streams: both must read the same.

    run.py                as many seeds as there is time for, from one that is printed
    run.py --seed 7       the history of that seed again
    run.py --seconds 600  longer

A history (history.py) appends, reads by offset and by time, works in reader groups, commits places,
moves records in batches, resets and removes groups, and changes the host, while the stream keeps
all records or the newest only. After each step both sides must also say the same of what is kept
and of every group's place. First come the canaries: Redis is made to do something wrong, and it
must be noticed.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

import canaries
import compare
import redis_side
from history import STEPS


def histories(server: redis_side.Server, seeds: range, seconds: float) -> tuple[int, int]:
    """How many passed and failed."""
    begun, passed, failed = time.monotonic(), 0, 0
    for seed in seeds:
        if time.monotonic() - begun > seconds and passed + failed > 0:
            break
        with tempfile.TemporaryDirectory(prefix="telpher-differential-") as directory:
            difference = compare.run(seed, server, Path(directory) / "hub")
        if difference:
            print(f"FAILED {difference}\nthe same again: make differential SEED={seed}", flush=True)
        passed, failed = passed + (not difference), failed + bool(difference)
    return passed, failed


def main() -> int:
    """Runs the canaries, then histories."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, help="the history of this seed only")
    parser.add_argument("--seconds", type=float, default=20.0, help="for histories")
    options = parser.parse_args()
    executable = redis_side.program()
    if executable is None:
        print("skipped: there is no redis-server to compare with", flush=True)
        return 0
    first = options.seed
    if first is None:
        first = random.SystemRandom().randrange(1 << 32)
    seeds = range(first, first + (1 if options.seed is not None else 1 << 32))
    print(f"differential: seeds from {first}", flush=True)
    with tempfile.TemporaryDirectory(prefix="telpher-redis-") as directory:
        server = redis_side.Server(executable, Path(directory))
        try:
            passed, failed = (0, 0) if options.seed is not None else canaries.run(server)
            counts = histories(server, seeds, options.seconds)
        finally:
            server.close()
    print(f"{counts[0]} histories of {STEPS} steps", flush=True)
    print(f"{passed + counts[0]} passed, {failed + counts[1]} failed", flush=True)
    return 1 if failed + counts[1] else 0


if __name__ == "__main__":
    sys.exit(main())
