"""Follows the stream `flights`, and shows a table of the busiest airports as it changes.

    python table.py URL FILE

Its sums are in memory, so whenever it is started it puts its group, `table`, to the beginning and
reads everything once more. It commits what it has read, for all who want to know how far it is;
below the table it shows how far each group is. At the end it compares its sums with the file.
"""

import argparse
import contextlib
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import telpher
from rich import box
from rich.bar import Bar
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from season import Sum, differences, origin, read_season, sums

ROWS = 10
BAR_WIDTH = 24
DRAW_SECONDS = 0.25
GROUPS = ("table", "daily", "replay")


class Board:
    """What has been read so far."""

    def __init__(self, partitions: int) -> None:
        self.airports: dict[str, Sum] = {}
        self.date = ""
        self.open_partitions = partitions
        self.latest: dict[int, telpher.Record] = {}

    def add(self, record: telpher.Record) -> None:
        """Count a flight, or the end of a partition."""
        self.latest[record.partition] = record
        if not record.body:
            self.open_partitions -= 1
            return
        flight = json.loads(record.body)
        self.airports.setdefault(origin(flight), Sum()).add(flight)
        self.date = max(self.date, flight["date"])

    def whole(self) -> Sum:
        """All airports together."""
        flights = sum(each.flights for each in self.airports.values())
        return Sum(flights, sum(each.delay for each in self.airports.values()))


Show = Callable[[Board], None]


def follow(hub: telpher.Hub, show: Show) -> Board:
    """Read all there is and all that comes, until each partition has ended."""
    flights = hub.stream("flights")
    board = Board(len(flights.inspect().partitions))
    with contextlib.suppress(telpher.NotFound):  # There is no such group yet.
        flights.reset_group("table")
    with flights.read(group="table") as reader:
        while board.open_partitions:
            read_for(DRAW_SECONDS, reader, board)
            for record in board.latest.values():
                reader.commit(record)
            show(board)
    return board


def read_for(seconds: float, reader: telpher.Reader, board: Board) -> None:
    """Take what comes in this time."""
    until = time.monotonic() + seconds
    with contextlib.suppress(telpher.Pending):
        while board.open_partitions and (left := until - time.monotonic()) > 0:
            board.add(reader.receive(timeout=left))


def table(board: Board) -> Table:
    """The busiest airports, with a bar for the mean delay."""
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left")
    drawn.title = f"Delay in minutes, by origin, up to {board.date}"
    for name in ("from", "flights", "mean"):
        drawn.add_column(name, justify="right", no_wrap=True, min_width=7)
    drawn.add_column("", min_width=BAR_WIDTH)
    airports, whole = board.airports, board.whole()
    busiest = sorted(airports, key=lambda name: -airports[name].flights)[:ROWS]
    longest = max([1.0, *(airports[name].mean() for name in busiest)])
    for name in busiest:
        mean = airports[name].mean()
        bar = Bar(longest, 0, max(mean, 0), width=BAR_WIDTH, color="green")
        drawn.add_row(name, f"{airports[name].flights:,}", f"{mean:.1f}", bar)
    drawn.add_section()
    drawn.add_row("all", f"{whole.flights:,}", f"{whole.mean():.1f}", style="bold")
    return drawn


def places(hub: telpher.Hub) -> Table:
    """How far each group has come, and whether somebody reads for it."""
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("group", "behind"):
        drawn.add_column(name, justify="right", no_wrap=True, min_width=7)
    drawn.add_column("", min_width=BAR_WIDTH)
    there = {group.name: group for group in hub.stream("flights").groups()}
    for name in GROUPS:
        if group := there.get(name):
            behind = f"{sum(place.lag for place in group.places):,}"
            drawn.add_row(name, behind, "" if group.members else "nobody reads", style="dim")
        else:
            drawn.add_row(name, "", "not started yet", style="dim")
    return drawn


@contextlib.contextmanager
def screen(hub: telpher.Hub, total: int) -> Iterator[Show]:
    """What shows the table: on a terminal again and again; a line at each tenth else."""
    if not sys.stderr.isatty():
        yield tenths(total)
        return
    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
        yield lambda board: live.update(Group(table(board), places(hub)), refresh=True)


def tenths(total: int) -> Show:
    """What says how full the table is, whenever that is a tenth more."""
    said = 0

    def show(board: Board) -> None:
        nonlocal said
        tenth = board.whole().flights * 10 // total
        if tenth > said:
            print(f"{tenth * 10:3} % in the table, up to {board.date[:10]}", flush=True)
            said = tenth

    return show


def main() -> int:
    """Follow, show, and compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("url", help="the hub: ./data")
    parser.add_argument("file", type=Path, help="flights-20k.json")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    season = read_season(options.file)
    with telpher.open(options.url) as hub:
        print("ready: reading from the beginning", flush=True)
        with screen(hub, len(season)) as show:
            board = follow(hub, show)
        Console().print(table(board))
    wrong = differences(board.airports, sums(season, origin))
    for line in wrong:
        print(f"MISMATCH at {line}", flush=True)
    if not wrong:
        print(f"all {len(season):,} flights are in the table, as in the file", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except telpher.NotFound:
        sys.exit("there is no stream `flights`: start append.py first")
    except KeyboardInterrupt:
        print("stopped", flush=True)
        sys.exit(130)
