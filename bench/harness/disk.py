"""Where what the bench keeps on disk goes: a file system that can lose and keep things, or nowhere.

In a folder of memory a sync costs nothing, and every figure would be of something else.
"""

import sys
import tempfile
import time
from pathlib import Path

from . import peers, process
from .process import Failed

IN_MEMORY = ("tmpfs", "ramfs")
HELD_BACK_US = 1500
PATIENCE_S = 20


def file_system(path: Path) -> str:
    """The kind of file system that holds `path`."""
    kind, longest = "unknown", -1
    with open("/proc/self/mounts") as mounts:
        for line in mounts:
            _, place, found = line.split()[:3]
            if path.is_relative_to(place) and len(place) > longest:
                kind, longest = found, len(place)
    return kind


def folder() -> tempfile.TemporaryDirectory:
    """A folder beside what the bench has built, which goes when it is left."""
    peers.BUILD.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(dir=peers.BUILD, prefix="disk-")


def refused(where: str) -> str | None:
    """Why nothing can be measured there, if so."""
    kind = file_system(Path(where).resolve())
    return f"{where} is on {kind}, which keeps nothing" if kind in IN_MEMORY else None


def settle(where: str) -> None:
    """Waits for a sync to cost what it costs by itself; says so if it does not come to that.

    A virtual machine's disk that was kept busy may be held back for a while, to a few hundred syncs
    a second: then everything waits for that, and all sides look alike.
    """
    until = time.monotonic() + PATIENCE_S
    with tempfile.TemporaryDirectory(dir=where) as folder:
        probe = [str(peers.BUILD / "limit_disk"), "send", f"{folder}/log", "0.1", "128", "1"]
        while True:
            try:
                found = process.result(process.start(probe, process.places()["free"].client))
            except (Failed, OSError):
                return  # the row itself will say it
            if found["p50_us"] < HELD_BACK_US:
                return
            if time.monotonic() > until:
                print(f"bench: the disk is held back: a sync takes {found['p50_us']:,.0f} us",
                      file=sys.stderr)
                return
