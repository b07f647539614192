"""The crash tests: real programs in three languages, killed, paused and ended.

    run.py                       every part, and a loop of 300 cycles: about three minutes
    run.py --cycles 500          a longer loop
    run.py --cycles 50 --seed 7  the schedule of that seed again
    run.py --only loop           only the parts whose names begin so

First come the checker's canaries, then scenarios (takeover.py, poison.py), then the loop. A part
that fails keeps its directory, with the histories, and says where.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import canaries
import joined_canaries
import loop
import mover
import stream_canaries
import takeover
from poison import poisoned
from programs import LANGUAGES, Failed, World

Part = Callable[[World], list[str] | None]
BREACHES_SHOWN = 20


def parts(seed: int, cycles: int) -> dict[str, Part]:
    """Every part, by its name."""
    every: dict[str, Part] = {each.__name__: each for each in canaries.CANARIES}
    for module in (stream_canaries, joined_canaries):
        every |= {each.__name__: each for each in module.CANARIES}
    every |= {each.__name__: each for each in takeover.SCENARIOS}
    every["records_are_moved_exactly_once_by_programs_that_are_killed"] = mover.moved_exactly_once
    for language in LANGUAGES:
        for role in ("consumer", "host"):
            name = f"poison_does_no_harm_to_its_neighbours_in_a_{role}_in_{language}"
            every[name] = partial(poisoned, language=language, is_host=role == "host")
    every[f"loop_of_{cycles}_cycles_with_seed_{seed}"] = partial(loop.run, seed=seed, cycles=cycles)
    return every


def run(name: str, part: Part, directory: Path) -> list[str]:
    """What is wrong in one part."""
    world = World(directory / name, keeps_lines="loop" not in name)
    try:
        return part(world) or []
    except Failed as failure:
        return [str(failure)]
    finally:
        world.close()


def main() -> int:
    """Run the parts; what a failed one has written is kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cycles", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="telpher-crash-"))
    failed = passed = 0
    for name, part in parts(options.seed, options.cycles).items():
        if not name.startswith(options.only):
            continue
        begun = time.monotonic()
        print(f"{name} ...", flush=True)
        wrong = run(name, part, directory)
        verdict = "FAILED" if wrong else "ok"
        print(f"{name} ... {verdict} ({time.monotonic() - begun:.1f} s)", flush=True)
        for breach in wrong[:BREACHES_SHOWN]:
            print(f"    {breach}")
        if wrong:
            failed += 1
            print(f"    {len(wrong)} in all; kept: {directory / name}")
        else:
            passed += 1
            shutil.rmtree(directory / name)
    print(f"{passed} passed, {failed} failed")
    if not failed:
        directory.rmdir()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
