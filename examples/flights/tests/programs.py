"""What the tests of both versions run programs with."""

import subprocess
import sys
from pathlib import Path

FLIGHTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(FLIGHTS), str(FLIGHTS / "stream")]

PYTHON = (sys.executable, "-u")
SECONDS = 120


def processes_on(directory: Path) -> list[str]:
    """Command lines of what still runs on the hub in `directory`."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return [line for line in listed.stdout.splitlines() if str(directory / "data") in line]
