"""Compares the streams `flights` and `daily` with the file.

    python check.py URL FILE

Every flight must be in `flights` once, those of an origin in their order; and the latest record of
each day in `daily` must be the day's sum.
"""

import argparse
import json
import sys
from pathlib import Path

import telpher

from season import Flight, Sum, day, differences, grouped, origin, read_season, sums, sums_of, total


def check_flights(hub: telpher.Hub, season: list[Flight]) -> list[str]:
    """Where `flights` is not as the file, in words."""
    records = (record for record in hub.stream("flights").read() if record.body)
    found = grouped((json.loads(record.body) for record in records), origin)
    expected = grouped(season, origin)
    wrong = differences(sums_of(found), sums_of(expected))
    return wrong or [
        f"{name}: other flights, or in another order"
        for name in sorted(expected)
        if found[name] != expected[name]
    ]


def check_daily(hub: telpher.Hub, season: list[Flight]) -> list[str]:
    """Where the latest records of `daily` are not the days of the file, in words."""
    records = list(hub.stream("daily").read())
    latest = {record.key.decode(): json.loads(record.body) for record in records}
    print(f"`daily` has {len(records):,} records of {len(latest)} keys", flush=True)
    found = {
        key: Sum(value["flights"], value["delay"])
        for key, value in latest.items()
        if "ended" not in value
    }
    return differences(found, sums(season, day))


def main() -> int:
    """Compare, and say what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("url", help="the hub: ./data")
    parser.add_argument("file", type=Path, help="flights-20k.json")
    options = parser.parse_args()
    season = read_season(options.file)
    days = len(sums(season, day))
    with telpher.open(options.url) as hub:
        wrong = check_flights(hub, season) + check_daily(hub, season)
    for line in wrong:
        print(f"MISMATCH at {line}", flush=True)
    if not wrong:
        print(f"{total(season)}, {days} days: `flights` and `daily` are as the file", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except telpher.NotFound as error:
        sys.exit(f"{error}: start append.py and daily.mjs first")
