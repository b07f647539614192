"""Measures Telpher against limits of the machine and against other systems.

    python3 bench/run.py [--rounds N] [--only TEXT] [--quick] [--peers]

Everything is started here, on loopback ports and in a folder of its own, and ended by number.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from harness import peers, table
from harness.compare import ROUNDS, measure
from harness.process import Failed, places
from harness.rows_call import direct, through_hub
from harness.rows_language import languages
from harness.rows_queue import queues

RESULTS = Path(__file__).resolve().parent / "results"


def options() -> argparse.Namespace:
    """What the user wants."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds that count, 5 or more")
    parser.add_argument("--only", default="", help="rows whose name contains this text")
    parser.add_argument("--no-counting", action="store_true", help="no system calls per message")
    parser.add_argument("--no-results", action="store_true", help="leave bench/results alone")
    return parser.parse_args()


def main() -> int:
    """Measures, prints and writes; 0 if every row of Telpher's could be measured."""
    wanted = options()
    counting = not wanted.no_counting and peers.program("perf") is not None
    before, rows, missing = table.machine(), [], 0
    with tempfile.TemporaryDirectory(prefix="telpher-bench-") as folder:
        comparisons = [comparison for make in (direct, through_hub, queues, languages)
                       for comparison in make(places(), folder)
                       if wanted.only in comparison.name]
        for number, comparison in enumerate(comparisons, 1):
            print(f"{number}/{len(comparisons)} {comparison.name} [{comparison.place.name}]",
                  file=sys.stderr)
            try:
                found = measure(comparison, wanted.rounds, counting)
            except Failed as why:
                print(f"failed: {comparison.name}: {why}", file=sys.stderr)
                found = []
            missing += not found
            rows += found
    print(table.text(rows))
    print(table.counted(rows))
    if not wanted.no_results:
        table.write(rows, RESULTS, before)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
