"""What the collector shows: a bar while flights come in, then a table."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich import box
from rich.bar import Bar
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from tally import Hour, Tally

BAR_WIDTH = 24
LATE_MINUTES = 60
"""A 95th percentile above this is shown in red."""


@contextmanager
def progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar on the terminal; a line at each tenth where there is none. Yields what advances it."""
    show = _bar if sys.stderr.isatty() else _tenths
    with show(total) as advance:
        yield advance


@contextmanager
def _bar(total: int) -> Iterator[Callable[[], None]]:
    columns = (
        TextColumn("{task.description:>9} │"),
        BarColumn(bar_width=BAR_WIDTH),
        TextColumn("{task.completed:,} of {task.total:,}"),
        TextColumn("{task.fields[rate]}", style="dim"),
        TimeElapsedColumn(),
    )
    bar = Progress(*columns, console=Console(stderr=True))
    task = bar.add_task("scored", total=total, rate="", start=False)
    started = time.monotonic()
    done = 0

    def advance() -> None:
        nonlocal done, started
        if done == 0:
            started = time.monotonic()
            bar.start_task(task)
            bar.start()
        done += 1
        # Drawing takes longer than counting: a step is as much as the eye can tell.
        if done % 500 == 0 or done == total:
            rate = done / max(time.monotonic() - started, 0.001)
            bar.update(task, completed=done, rate=f"{rate:,.0f} per second")

    try:
        yield advance
    finally:
        bar.stop()


@contextmanager
def _tenths(total: int) -> Iterator[Callable[[], None]]:
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        if done * 10 // total > (done - 1) * 10 // total:
            print(f"{done * 100 // total:3} % scored", flush=True)

    yield advance


def show_table(tally: Tally) -> None:
    """Delays by hour of day, with a bar for the 95th percentile."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left", caption_justify="left")
    table.title = "Delay in minutes, by hour of departure"
    table.caption = "95th: 95 of 100 were at most so late; score: minutes per 1,000 miles"
    for name in ("hour", "flights", "mean", "median", "95th"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    table.add_column("score", justify="right", no_wrap=True)
    present = [(f"{at:02}:00", hour) for at, hour in enumerate(tally.hours) if hour.delays]
    longest = max(1, *(hour.percentile_95() for _, hour in present))
    for name, hour in present:
        table.add_row(*_row(name, hour, longest))
    table.add_section()
    table.add_row(*_row("all", tally.whole_day(), longest), style="bold")
    Console().print(table)


def _row(name: str, hour: Hour, longest: int) -> list[Text | Bar | str]:
    late = hour.percentile_95()
    return [
        name,
        f"{len(hour.delays):,}",
        f"{hour.mean():.1f}",
        f"{hour.median():.0f}",
        f"{late}",
        Bar(longest, 0, late, width=BAR_WIDTH, color="red" if late > LATE_MINUTES else "green"),
        f"{hour.score / len(hour.delays):.1f}",
    ]


def show_verdict(line: str, *, is_good: bool) -> None:
    """A line that nobody should miss."""
    Console().print(line, style="bold green" if is_good else "bold red", highlight=False)
