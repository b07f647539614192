"""Rows of streams: a program at a broker that keeps them in files."""

import tempfile

from . import brokers, process
from .compare import Comparison, Other
from .process import Place, free_port
from .rows_call import SECONDS, c
from .side import Asked, CallSide, Server, fresh

WINDOW = "256"
BODIES = {"100": "100 B", "1024": "1 KiB"}
RECORDS = {"100": "100000", "1024": "20000"}  # as many as each side can keep
# How each confirms: `os` when it is written, `disk` when it is synced.
SYNCS = {"os": ("everysec", "1s"), "disk": ("always", "always")}
APPEND_OS_BAR = 3  # nothing is asked beside other systems of the other rows
LIMIT_BARS = {"append": 0.6, "read": 0.7}
STREAMS, PARTITIONS = "1000", "10"
SPREAD_COST = 1.5  # what a record of many streams may cost, where one of a single stream costs 1
READERS, CROWD = "1000", ["64", "4096"]  # records that all of them read, and bytes of each
READS_ASKED = 1.1


class CrowdSide(CallSide):
    """Readers of what has left memory: how many times the server reads it from its files."""

    def run(self, before: list[str]) -> dict:
        with fresh(self.folder):
            client = [part.format(pid=self.running[0].pid) for part in self.client]
            return process.result(process.start(before + client, self.place.client))


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
    asked = APPEND_OS_BAR if (role, level) == ("append", "os") else 0
    compared = [Other(other, asked) for other in others]
    if level == "os" and role in LIMIT_BARS:
        compared.insert(0, Other(limit(folder, work), LIMIT_BARS[role]))
    return telpher, compared


def limit(folder: str, work: list[str]) -> CallSide:
    """The same batches by a bare program: from a socket to a file, or from there to a socket."""
    at = f"tcp:127.0.0.1:{free_port()}"
    server = Server([c("limit_stream"), "serve", at, tempfile.mkdtemp(dir=folder)])
    role, *rest = work
    name = {"append": "socket, checksum, file", "read": "file, checksum, socket"}[role]
    return CallSide(name, [server], [c("limit_stream"), role, at, *rest], "per_second")


def spread(place: Place, folder: str) -> Comparison:
    """Batches of the same size to many partitions of many streams, and to a single one."""
    def side(name: str, streams: str, partitions: str) -> CallSide:
        hub, url = brokers.telpher(folder)
        client = [c("streams"), "spread", url, SECONDS, streams, partitions, "100"]
        return CallSide(name, [hub], client, "per_second")

    return Comparison(
        f"stream, batches of 128 to {STREAMS} of {PARTITIONS} partitions", "records/s", place,
        side("Telpher", STREAMS, PARTITIONS),
        [Other(side("Telpher, a single one", "1", "1"), round(1 / SPREAD_COST, 3))])


def crowd(place: Place, folder: str) -> Comparison:
    """Many readers at one place in what is on disk only."""
    hub, url = brokers.telpher(folder)
    client = [c("streams"), "crowd", url, "{pid}", READERS, *CROWD]
    return Comparison(
        f"stream, {READERS} readers of what has left memory", "reads", place,
        CrowdSide("Telpher", [hub], client, "times_read"), [Other(Asked(READS_ASKED), 1)])


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
    found += [spread(places["free"], folder), crowd(places["free"], folder)]
    return found
