"""Sends the same orders in four ways through the same faults, and prints what came of them.

python run.py [--seconds S] [--json FILE]

S: how long orders come in, each time (1.5). FILE: gets the figures as JSON.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import telpher

import table
from advice import advice
from order import CAPACITY, SLOW_S
from trial import WAYS, Fault, Row, attempt

SECONDS = 1.5
NO_IDS = "the same, and the worker notes no ids"
CALM = Fault("no fault", "100 orders a second")
SLOW = Fault("slow service", f"every 20th order takes {SLOW_S} s", slow_every=20)
DEAD = Fault(
    "dead service",
    "200 orders a second; the worker is killed, and started again",
    per_second=200,
    length=1.5,
    outage=0.4,
)
OVERLOAD = Fault(
    "overload",
    f"{2 * CAPACITY:.0f} orders a second, twice what the worker manages",
    per_second=2 * CAPACITY,
    length=2,
)
TWICE = Fault("duplicates", "every 5th order is sent twice", twice_every=5)
FAULTS = (
    CALM,
    SLOW,
    DEAD,
    replace(DEAD, name="dead service, no ids", says=NO_IDS, has_ids=False),
    OVERLOAD,
    TWICE,
    replace(TWICE, name="duplicates, no ids", says=NO_IDS, has_ids=False),
)


def main() -> None:
    """Try every way under every fault, over one hub."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if not given.seconds > 0:
        parser.error(f"--seconds is {given.seconds}; it must be more than 0")
    rows: list[Row] = []
    print(table.legend(), flush=True)
    with tempfile.TemporaryDirectory(prefix="telpher-") as scratch:
        directory = Path(scratch)
        with telpher.open(directory / "data") as hub:
            for fault in FAULTS:
                rows += show(hub, directory, fault, given.seconds)
    print(advice(rows))
    if given.json is not None:
        given.json.write_text(json.dumps([asdict(row) for row in rows]))


def show(hub: telpher.Hub, directory: Path, fault: Fault, seconds: float) -> list[Row]:
    """Try every way under one fault, and print each row as soon as it is known."""
    rows = []
    print(table.heading(fault), flush=True)
    for way in WAYS:
        rows.append(attempt(hub, directory, way, fault, seconds))
        print(table.line(rows[-1]), flush=True)
    if said := table.errors(rows):
        print(said, flush=True)
    return rows


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
