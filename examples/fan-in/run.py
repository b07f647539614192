"""Starts the programs of the example, lets the buyer ask three times, and ends them.

python run.py --offers PATH        PATH: the built offers.c
"""

import argparse
import contextlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
SLOW_MS = "60000"


@contextlib.contextmanager
def running(*command: str) -> Iterator[None]:
    """A program that offers tea, from when it is ready until the end of the block."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.startswith("ready: "):
                sys.exit(f"{' '.join(command)} did not get ready: {line!r}")
            print(line, end="", flush=True)
            yield
        finally:
            process.send_signal(signal.SIGTERM)


def buy(*given: str) -> None:
    """Let the buyer ask, and show what it finds."""
    print(f"\n$ buyer.py {' '.join(given)}", flush=True)
    subprocess.run([sys.executable, str(HERE / "buyer.py"), *given], check=True)


def main() -> None:
    """Run it all in a directory of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--offers", required=True)
    offers = parser.parse_args().offers
    node = ("node", str(HERE / "offers.mjs"))
    with tempfile.TemporaryDirectory(prefix="telpher-") as scratch:
        url = f"{scratch}/data"
        with (
            running(offers, url, "harbour", "420"),
            running(sys.executable, str(HERE / "offers.py"), url, "hill", "380"),
            running(*node, url, "ferry", "395"),
        ):
            buy(url, "green")
            buy(url, "white")
            with running(*node, url, "island", "100", SLOW_MS):
                buy(url, "black", "--timeout", "1")


if __name__ == "__main__":
    main()
