"""Measures Telpher against limits of the machine and against other systems.

    python3 bench/run.py [--rounds N] [--only TEXT] [--full] [--peers]

Everything is started here, on loopback ports and in a folder of its own, and ended by number.
"""

import argparse
import resource
import sys
import tempfile
from pathlib import Path

from harness import disk, peers, table
from harness.compare import ROUNDS
from harness.process import Failed, places
from harness.rows_call import direct, through_hub
from harness.rows_durable import durable
from harness.rows_durable_python import durable_python
from harness.rows_language import languages
from harness.rows_memory import memory
from harness.rows_queue import queues
from harness.rows_stream import streams
from harness.rows_takeover import Takeover, takeover
from harness.rows_topic import topics

RESULTS = Path(__file__).resolve().parent / "results"
BACKLOG_MIB = {False: 128, True: 1024}
CONNECTIONS_SCALE = {False: 1, True: 8}
FULL_ROUNDS = 34  # of a takeover: three hosts are killed in each


def options() -> argparse.Namespace:
    """What the user wants."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds that count, 5 or more")
    parser.add_argument("--only", default="", help="rows whose name contains this text")
    parser.add_argument("--full", action="store_true",
                        help="the large backlog, more takeovers, more connections")
    parser.add_argument("--peers", action="store_true", help="the others alone, without Telpher")
    parser.add_argument("--no-counting", action="store_true", help="no system calls per message")
    parser.add_argument("--no-results", action="store_true", help="leave bench/results alone")
    return parser.parse_args()


def comparisons(wanted: argparse.Namespace, folder: str, kept: str) -> list:
    """The rows that are wanted; `kept` is the folder on disk."""
    found = [comparison for make in (direct, through_hub, queues, topics, languages)
             for comparison in make(places(), folder)]
    found += memory(places(), folder, CONNECTIONS_SCALE[wanted.full])
    why = disk.refused(kept)
    if why is None:
        kept_ones = durable(places(), kept, folder) + durable_python(places(), kept)
        kept_ones += streams(places(), kept)
        for comparison in kept_ones:
            comparison.on_disk = True
        found += kept_ones
        found += takeover(places(), kept, BACKLOG_MIB[wanted.full])
    else:
        print(f"left out: all that is durable: {why}", file=sys.stderr)
    return [comparison for comparison in found if wanted.only in comparison.name]


def measured(comparison, wanted: argparse.Namespace, counting: bool) -> list[table.Row]:
    """The rows of one comparison; none, and why, if Telpher's side fails."""
    try:
        rounds = FULL_ROUNDS if wanted.full and isinstance(comparison, Takeover) else wanted.rounds
        return comparison.measure(rounds, counting)
    except Failed as why:
        print(f"failed: {comparison.name}: {why}", file=sys.stderr)
        return []


def main() -> int:
    """Measures, prints and writes; 0 if every row of Telpher's could be measured."""
    wanted = options()
    counting = not wanted.no_counting and peers.program("perf") is not None
    before, rows, missing = table.machine(), [], 0
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="telpher-bench-") as folder, disk.folder() as kept:
        chosen = comparisons(wanted, folder, kept)
        for number, comparison in enumerate(chosen, 1):
            print(f"{number}/{len(chosen)} {comparison.name} [{comparison.place.name}]",
                  file=sys.stderr)
            if comparison.on_disk:
                disk.settle(kept)
            if wanted.peers:
                print("\n".join(comparison.measure_others(wanted.rounds)))
                continue
            found = measured(comparison, wanted, counting)
            missing += not found
            rows += found
    if wanted.peers:
        return 0
    print(table.text(rows))
    print(table.counted(rows))
    if not wanted.no_results:
        table.write(rows, RESULTS, before)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
