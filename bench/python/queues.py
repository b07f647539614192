"""What the Python sides of a queue share: their arguments, and the report of each role."""

import sys
import time

from common import report


def passing(produce, consume, build="release"):
    """Runs `produce(at, count, window)` or `consume(…, ready)` as the arguments say.

    A consumer calls `ready()` once it would see a message; its time counts from there.
    """
    role, at, count, window = sys.argv[1:]
    start = [time.monotonic_ns()]

    def ready():
        print("ready", flush=True)
        start[0] = time.monotonic_ns()

    if role == "produce":
        start[0] = produce(at, int(count), int(window)) or start[0]
    else:
        consume(at, int(count), int(window), ready)
    report(build, int(count), start[0], time.monotonic_ns())
