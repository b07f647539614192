"""Shows that what lies in a hub's directory survives what disks do.

python3 tests/storage/run.py                      about two minutes
python3 tests/storage/run.py --seconds 3600       as much as there is time for
python3 tests/storage/run.py --seed 7 power full  the same again, or some parts only
"""

from __future__ import annotations

import argparse
import random
import sys

import directories
import faults
import full
import power
from workers import Skipped

# The part of the time that each gets.
SHARES = {"directories": 0.2, "faults": 0.4, "power": 0.2, "full": 0.2}
ROUND_S = 20.0


def run(part: str, seed: int, seconds: float) -> tuple[int, int]:
    """One part; how many of its tests passed and failed."""
    share = seconds * SHARES[part]
    match part:
        case "directories":
            return directories.main(seed, max(1, int(share / ROUND_S)))
        case "faults":
            return faults.main(seed, share)
        case "power":
            return power.main(seed, share)
        case _:
            return full.main(seed, share, rounds_max=1_000)


def main() -> int:
    """Runs the parts that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--seconds", type=float, default=100.0)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(SHARES))
    options = parser.parse_args()
    print(f"storage: seed {options.seed}", flush=True)
    passed = failed = 0
    for part in options.parts or SHARES:
        try:
            good, bad = run(part, options.seed, options.seconds)
            passed, failed = passed + good, failed + bad
        except Skipped as why:
            print(f"skipped {part}: {why}", flush=True)
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
