"""Appends a season's flights to the stream `flights`, a day at a time.

    python append.py URL FILE [--days-per-second N]

A day is one batch: its flights, keyed by their origin, and its line in the stream `calendar`, which
says where in each partition of `flights` the day begins. The line of day 0 must get offset 0, and
so on; else the whole batch is refused. So each day is there once, also if this program is killed
and started again, or runs twice. An empty record at the end of each partition says that no more
come.
"""

import argparse
import json
import signal
import sys
import threading
import time
from pathlib import Path

import telpher

from season import Flight, day, grouped, read_season

PARTITIONS = 4

Day = tuple[str, list[Flight]]


def declare(hub: telpher.Hub) -> None:
    """Make both streams; declaring again what is there already is fine."""
    hub.stream("flights").declare(partitions=PARTITIONS)
    hub.stream("calendar").declare()


def append(hub: telpher.Hub, number: int, name: str, flights: list[Flight]) -> None:
    """Append day `number`; `Conflict` if it is there already."""
    begins = [partition.next for partition in hub.stream("flights").inspect().partitions]
    with hub.batch() as batch:
        place = " ".join(str(offset) for offset in begins)
        batch.append("calendar", place.encode(), key=name.encode(), expect=number)
        for flight in flights:
            body = json.dumps(flight, separators=(",", ":"))
            batch.append("flights", body.encode(), key=flight["origin"].encode())
        for partition in range(PARTITIONS if name == "end" else 0):
            batch.append("flights", b"", partition=partition)


def append_all(hub: telpher.Hub, days: list[Day], pause: float, stop: threading.Event) -> None:
    """Append the days that are not there yet, with a pause after each."""
    calendar = hub.stream("calendar")
    begun = time.monotonic()
    first = number = calendar.inspect().partitions[0].next
    while number < len(days) and not stop.is_set():
        try:
            append(hub, number, *days[number])
        except telpher.Conflict:
            pass  # Somebody else has appended that day.
        month = days[number][0][:7]
        number = calendar.inspect().partitions[0].next
        if number < len(days) and days[number][0][:7] != month:
            print(f"{month} is there", flush=True)
        stop.wait(begun + (number - first) * pause - time.monotonic())


def arguments() -> argparse.Namespace:
    """Which hub, which flights, and how fast."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("url", help="the hub: ./data")
    parser.add_argument("file", type=Path, help="flights-20k.json")
    parser.add_argument("--days-per-second", type=float, help="a pace (as fast as it goes)")
    return parser.parse_args()


def main() -> int:
    """Append all, and leave."""
    options = arguments()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    season = read_season(options.file)
    days = [*grouped(season, day).items(), ("end", [])]
    pause = 1 / options.days_per_second if options.days_per_second else 0
    with telpher.open(options.url) as hub:
        declare(hub)
        there = min(hub.stream("calendar").inspect().partitions[0].next, len(days) - 1)
        print(f"ready: {there} of {len(days) - 1} days are there", flush=True)
        append_all(hub, days, pause, stop)
    whole = f"all {len(season):,} flights are there"
    print("stopped" if stop.is_set() else whole, flush=True)
    return 130 if stop.is_set() else 0


if __name__ == "__main__":
    sys.exit(main())
