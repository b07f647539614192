"""The example as a whole, as `make fan-in` runs it."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parents[1]


def test_the_buyer_gets_every_offer_in_time_and_names_who_is_missing() -> None:
    command = [sys.executable, str(HERE / "run.py"), "--offers", os.environ["FAN_IN_OFFERS"]]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    _, green, white, black = ended.stdout.split("\n$ ")

    def said(part: str, start: str) -> list[str]:
        return sorted(line for line in part.splitlines() if line.startswith(start))

    every = ["offer: ferry 395", "offer: harbour 420", "offer: hill 380"]
    assert said(green, "offer:") == every
    assert said(green, "best:") == ["best: hill 380"]
    assert "asked 3, 3 offers, 0 without one" in green

    assert said(white, "offer:") == every[:2]
    assert said(white, "no offer from") == ["no offer from hill: none left"]
    assert said(white, "best:") == ["best: ferry 395"]

    assert said(black, "offer:") == every
    assert said(black, "missing:") == ["missing: island (TIMED_OUT)"]
    assert said(black, "best:") == ["best: hill 380"]
    assert "asked 4, 3 offers, 0 without one" in black
