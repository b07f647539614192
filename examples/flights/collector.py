"""Collects scored flights, and says what they tell about delays by hour of day.

    python collector.py URL FILE [COUNT]

Opens the hub first, and so is normally the process that hosts it; the others find it by the URL. At
the end it checks all that came through the queues against the file itself. Then it stays, so that
the others can leave first, until its input ends (Ctrl-D).
"""

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import Any

import telpher

from display import progress, show_table, show_verdict
from tally import Tally, direct, number, read_flights

QUEUE_LENGTH_MAX = 4096
"""Both queues are short: who is faster than the next one in line is made to wait for it."""


def declare(hub: telpher.Hub) -> None:
    """Make both queues; declaring again what is there already is fine."""
    for name in ("flights", "scored"):
        # In memory: enough for data that can be sent anew from its file.
        hub.queue(name).declare(durability="memory", length_max=QUEUE_LENGTH_MAX, overflow="wait")


def collect(hub: telpher.Hub, flights: dict[int, dict[str, Any]]) -> tuple[Tally, int]:
    """Count each flight once, until all are there; the number of those that came twice."""
    tally = Tally()
    missing = set(flights)
    duplicates = 0
    with hub.queue("scored").consume(prefetch=1024) as scored, progress(len(flights)) as advance:
        for job in scored:
            place = int(job.key)
            if place in missing:
                missing.remove(place)
                flight = json.loads(job.body)
                tally.add(flight, flight["score"])
                advance()
            else:
                # A queue delivers at least once: a worker may have died after its send.
                duplicates += 1
            job.start.acknowledge()  # not waited for: if it fails, the flight comes twice
            if not missing:
                break
    return tally, duplicates


def check(tally: Tally, flights: dict[int, dict[str, Any]], duplicates: int) -> bool:
    """Say whether the pipeline and the file agree."""
    differences = tally.differences(direct(flights))
    for difference in differences:
        show_verdict(f"MISMATCH at {difference}", is_good=False)
    if not differences:
        again = f" ({duplicates:,} came twice, and were counted once)" if duplicates else ""
        verdict = f"all {len(flights):,} flights accounted for; totals match{again}"
        show_verdict(verdict, is_good=True)
    return not differences


def arguments() -> argparse.Namespace:
    """Which hub, and which flights are to come."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("url", help="the hub: ./data")
    parser.add_argument("file", type=Path, help="flights-200k.json")
    parser.add_argument("count", type=number, nargs="?", help="how many flights of it (all)")
    return parser.parse_args()


def main() -> int:
    """Host the hub, collect, show, check, and leave last."""
    options = arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    flights = read_flights(options.file, options.count)
    with telpher.open(options.url) as hub:
        declare(hub)
        print(f"ready: hub {options.url} is open, {len(flights):,} flights to come", flush=True)
        tally, duplicates = collect(hub, flights)
        show_table(tally)
        agrees = check(tally, flights, duplicates)
        if agrees:
            sys.stdin.read()
    return 0 if agrees else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("stopped", flush=True)
        sys.exit(130)
