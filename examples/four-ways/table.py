"""The table, as it grows."""

from collections.abc import Sequence

from order import LIMIT_S
from trial import Fault, Row

COLUMNS = ("p50 ms", "p99 ms", "in time/s", "threads", "late", "lost", "half", "unsure", "twice")
WAY_WIDTH = 18
GAP = 2
INDENT = 2

LEGEND = f"""
p50, p99    from order to done, of the orders that were done
in time/s   goodput: orders done within {LIMIT_S:.0f} s, for each second in which orders come in
threads     most that the ordering program held
late        done after that
lost        never done
half        charged, and never shipped
unsure      the ordering program was told no more than that it may have been done
twice       charged or shipped more than once
"""


def legend() -> str:
    """What the columns mean."""
    return LEGEND.strip()


def heading(fault: Fault) -> str:
    """What stands above the rows of one fault."""
    names = "".join(name.rjust(len(name) + GAP) for name in COLUMNS)
    return f"\n{fault.name}: {fault.says}\n{' ' * (INDENT + WAY_WIDTH)}{names}"


def line(row: Row) -> str:
    """The row of one way."""
    figures = (
        milliseconds(row.p50_ms),
        milliseconds(row.p99_ms),
        f"{row.goodput:.0f}",
        *map(str, (row.threads, row.late, row.lost, row.half, row.unsure, row.twice)),
    )
    cells = (cell.rjust(len(name) + GAP) for name, cell in zip(COLUMNS, figures, strict=True))
    return f"{' ' * INDENT}{row.way:{WAY_WIDTH}}{''.join(cells)}"


def milliseconds(value: float | None) -> str:
    """A time, if there is one."""
    return "-" if value is None else f"{value:.0f}"


def errors(rows: Sequence[Row]) -> str:
    """With which errors requests ended, a line for each way that had any."""
    lines = []
    for row in rows:
        if row.errors:
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(row.errors.items()))
            lines.append(f"{' ' * INDENT}errors, {row.way}: {kinds}")
    return "\n".join(lines)
