"""Where what the bench keeps on disk goes: a file system that can lose and keep things, or nowhere.

In a folder of memory a sync costs nothing, and every figure would be of something else.
"""

import tempfile
from pathlib import Path

from . import peers

IN_MEMORY = ("tmpfs", "ramfs")


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
