"""The results as a table for people, and as files for programs."""

import json
import os
import platform
from pathlib import Path

from .compare import Row

BAR_WIDTH = 20


def line(row: Row) -> str:
    """One row: both figures, the ratio with its spread, and how much of the bar it reaches."""
    low, high = min(row.rounds), max(row.rounds)
    ratio = f"{row.ratio:6.2f} ({low:.2f} to {high:.2f})"
    head = f"{row.telpher:>12,.1f} {row.peer:>12,.1f} {row.unit:<10} {ratio:<24}"
    return f"{head} {gauge(row.ratio, row.bar)}"


def gauge(ratio: float, bar: float) -> str:
    """A bar that is full where the ratio is what is asked."""
    if bar == 0:
        return "for orientation"
    full = min(BAR_WIDTH, int(BAR_WIDTH * ratio / bar))
    verdict = "reached" if ratio >= bar else "not yet"
    return f"[{'#' * full}{'.' * (BAR_WIDTH - full)}] {verdict} (at least {bar:g})"


def text(rows: list[Row]) -> str:
    """The whole table, rows of one measurement together."""
    out = [f"{'':31}{'Telpher':>12} {'peer':>12} {'unit':<10} {'ratio (spread)':<24} asked"]
    title = None
    for row in rows:
        if (row.name, row.placement) != title:
            title = (row.name, row.placement)
            out.append(f"{row.name} [{row.placement}]")
        out.append(f"    {row.peer_name:<27}{line(row)}")
    return "\n".join(out)


def counted(rows: list[Row]) -> str:
    """What perf has counted per message, of each side once."""
    out, seen = [], set()
    for row in rows:
        for side, found in row.counted.items():
            key = (row.name, row.placement, side)
            if key in seen or not found:
                continue
            seen.add(key)
            parts = [role + " " + " / ".join(f"{per:g}" for per in counts.values())
                     for role, counts in found.items()]
            out.append(f"    {row.name} [{row.placement}], {side}: {', '.join(parts)}")
    if out:
        out.insert(0, "system calls / context switches / processor time in us, per message:")
    return "\n".join(out)


def machine() -> dict:
    """Where and when, and how busy it was meanwhile."""
    return {"kernel": platform.release(), "processors": len(os.sched_getaffinity(0)),
            "load": os.getloadavg(), "stolen_ticks": stolen_ticks()}


def stolen_ticks() -> int:
    """Time that neighbours of a virtual machine took, in ticks of 10 ms."""
    with open("/proc/stat") as stat:
        return int(stat.readline().split()[8])


def write(rows: list[Row], folder: Path, before: dict) -> None:
    """`latest.json` for programs, `details.json` for whoever wants to know more."""
    folder.mkdir(parents=True, exist_ok=True)
    details = {"before": before, "after": machine(),
               "rows": [{**row.published(), "rounds": row.rounds, "counted": row.counted}
                        for row in rows]}
    for name, content in (("latest.json", [row.published() for row in rows]),
                          ("details.json", details)):
        unfinished = folder / f"{name}.tmp"
        unfinished.write_text(json.dumps(content, indent=2) + "\n")
        unfinished.replace(folder / name)
