"""Runs every part of the tests, one after the other, and adds up what they say.

Each part is a make target. Its output is shown as it comes, and read for the counts that its test
tool prints. A part that fails without saying how many of its tests did counts as one failure, so
that no part can be lost. All parts run even if one fails; the exit code tells whether any did.

    python3 tests/all.py             every part
    python3 tests/all.py rust-test   only the named ones
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

# The make target of each part, in order: quick ones whose failure explains others come first.
PARTS = [
    "rust-test",
    "simulate-test",
    "c-test",
    "c-valgrind",
    "cpp-test",
    "cpp-valgrind",
    "python-test",
    "node-test",
    "readme-test",
    "polyglot",
    "storage",
    "differential",
    "crash",
    "flights-test",
    "idempotent",
    "fan-in-test",
    "four-ways-test",
]

# Parts that need a tool that a machine may lack: without it they are skipped, and that is said.
CXX = os.environ.get("CXX", "c++").split()[0]
NEEDS = {
    "c-valgrind": ["valgrind"],
    "cpp-test": [CXX],
    "cpp-valgrind": [CXX, "valgrind"],
    "differential": ["redis-server"],
}

# What the test tools print, each with a group for what passed or failed.
PASSED = [
    re.compile(r"^test result: \w+\. (\d+) passed"),  # cargo test
    re.compile(r"^\s*Summary .* tests? run: (\d+) passed"),  # cargo nextest
    re.compile(r"^=+ .*?(\d+) passed"),  # pytest
    re.compile(r"^(?:\d+ failed, )?(\d+) passed"),  # pytest -q, and Telpher's own
    re.compile(r"^(?:#|ℹ) pass (\d+)"),  # node --test
    re.compile(r"^(\d+) seeds from \d+ passed"),  # the simulator
]
FAILED = [
    re.compile(r"^test result: .*?(\d+) failed"),
    re.compile(r"^\s*Summary .* tests? run: .*?(\d+) failed"),
    re.compile(r"^\s*Summary .* tests? run: .*?(\d+) timed out"),
    re.compile(r"^=+ .*?(\d+) failed"),
    re.compile(r"^=+ .*?(\d+) error"),
    re.compile(r"^(?:\d+ passed, )?(\d+) failed"),
    re.compile(r"^(?:#|ℹ) fail (\d+)"),
    re.compile(r"^(?:#|ℹ) cancelled (\d+)"),
]
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Result:
    """What became of one part."""

    name: str
    passed: int = 0
    failed: int = 0
    seconds: float = 0.0
    skipped: str = ""

    def __str__(self) -> str:
        if self.skipped:
            return f"skipped {self.name:14} {self.skipped}"
        verdict = "FAILED" if self.failed else "ok"
        figures = f"{self.passed:5} passed {self.failed:4} failed {self.seconds:7.1f} s"
        return f"{verdict:7} {self.name:14} {figures}"


def count(patterns: list[re.Pattern[str]], line: str, *, all_of: bool) -> int:
    """The number that `line` states: of the first pattern that fits, or of all together."""
    found = [int(match[1]) for pattern in patterns if (match := pattern.search(line))]
    return sum(found) if all_of else sum(found[:1])


def run(name: str) -> Result:
    """Runs one part to its end."""
    print(f"\n=== {name}", flush=True)
    missing = [tool for tool in NEEDS.get(name, []) if shutil.which(tool) is None]
    if missing:
        result = Result(name, skipped=f"without {' and '.join(missing)}")
        print(result, flush=True)
        return result
    begun = time.monotonic()
    passed = failed = 0
    command = ["make", "--no-print-directory", name]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            plain = COLOUR.sub("", line)
            passed += count(PASSED, plain, all_of=False)
            failed += count(FAILED, plain, all_of=True)
    if process.returncode != 0:
        failed = max(failed, 1)
    elif passed == 0 and failed == 0:
        passed = 1
    return Result(name, passed, failed, time.monotonic() - begun)


def main() -> int:
    """Runs the parts and prints what they came to."""
    unknown = [name for name in sys.argv[1:] if name not in PARTS]
    if unknown:
        print(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    # A shell that starts this in the background has it ignored, and tests press Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    results = [run(name) for name in sys.argv[1:] or PARTS]
    print()
    for result in results:
        print(result)
    passed = sum(result.passed for result in results)
    failed = sum(result.failed for result in results)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
