"""Rows of streams: a program at a broker that keeps them in files."""

from . import brokers
from .compare import Comparison, Other
from .process import Place
from .rows_call import SECONDS, c
from .side import CallSide

WINDOW = "256"
BODIES = {"100": "100 B", "1024": "1 KiB"}
RECORDS = {"100": "100000", "1024": "20000"}  # as many as each side can keep
# How each confirms: `os` when it is written, `disk` when it is synced.
SYNCS = {"os": ("everysec", "1s"), "disk": ("always", "always")}
APPEND_OS_BAR = 3  # nothing is asked beside other systems of the other rows


def sides(folder: str, level: str, work: list[str], figure: str) -> tuple[CallSide, list[Other]]:
    """Telpher, and the others doing the same: `work` is what follows the address, role first."""
    (role, *rest), (redis_sync, nats_sync) = work, SYNCS[level]
    hub, url = brokers.telpher(folder)
    redis, redis_at = brokers.redis(folder, redis_sync)
    nats, nats_at = brokers.jetstream(folder, nats_sync)
    stated = [level] if role == "append" else []
    telpher = CallSide("Telpher", [hub], [c("streams"), role, url, *rest, *stated], figure)
    others = [
        CallSide(f"Redis Streams, AOF {redis_sync}", [redis],
                 [c("redis_stream"), role, redis_at, *rest], figure),
        CallSide(f"JetStream, syncing {nats_sync}", [nats],
                 [c("jetstream_stream"), role, nats_at, *rest], figure),
    ]
    bar = APPEND_OS_BAR if (role, level) == ("append", "os") else 0
    return telpher, [Other(other, bar) for other in others]


def streams(places: dict[str, Place], folder: str) -> list[Comparison]:
    """Appends, reading from the start, and how soon a reader at the end has what is appended."""
    found = []
    for size, body in BODIES.items():
        for level in SYNCS:
            work = ["append", SECONDS, WINDOW, size]
            found.append(Comparison(
                f"stream, appends of {body} on {level}, {WINDOW} in flight", "records/s",
                places["free"], *sides(folder, level, work, "per_second")))
        work = ["read", SECONDS, RECORDS[size], size]
        found.append(Comparison(
            f"stream, read from the start, {body}", "records/s", places["free"],
            *sides(folder, "os", work, "per_second")))
    work = ["follow", SECONDS, "100"]
    found.append(Comparison(
        "stream, append to reader at the end, 100 B on os", "us", places["free"],
        *sides(folder, "os", work, "p50_us")))
    return found
