"""Rows of what is confirmed on disk: sends against the bare disk, queues against brokers."""

import sys
import tempfile

from . import brokers, process
from .compare import Comparison, Other
from .process import Failed, Place, free_port
from .rows_call import SECONDS, c
from .side import CallSide, QueueSide, Server, Side

WINDOW = 256
BODY, LARGE_BODY = 64, 1024
RECORD_HEAD = 64  # what a log keeps of a message beside its body: marks, lengths, a checksum
COUNT = "{count}"
FILE = "file://{fresh}"


class Embedded(CallSide):
    """Telpher: the sender hosts the hub of a new directory."""

    def __init__(self, folder: str, window: int, body: int, figure: str):
        client = [c("durable"), "send", FILE, "host", SECONDS, str(window), str(body)]
        super().__init__("Telpher", [], client, figure)
        self.folder = folder

    def messages_per_sync(self) -> float:
        """How many messages one sync confirms, as perf counts them."""
        with tempfile.NamedTemporaryFile() as file:
            count = self.run(process.counted([], file.name, process.SYNC_EVENTS))["count"]
            return count / max(1, sum(process.events(file.name).values()))


class BareDisk(CallSide):
    """The bare program: records written after one another, each write synced."""

    def __init__(self, folder: str, body: int, figure: str, name: str):
        client = [c("limit_disk"), "send", "{fresh}/log", SECONDS, str(body + RECORD_HEAD), "1"]
        super().__init__(name, [], client, figure)
        self.folder = folder


class BareBatches(BareDisk):
    """The same with as many records in each write as one sync of Telpher's confirms."""

    def __init__(self, folder: str, of: Embedded):
        super().__init__(folder, LARGE_BODY, "per_second", "bare write and sync of such batches")
        self.of = of

    def start(self, place: Place) -> None:
        super().start(place)
        batch = WINDOW
        try:
            self.of.place = place
            batch = max(1, round(self.of.messages_per_sync()))
            print(f"bench: one sync of Telpher's confirms {batch} messages", file=sys.stderr)
        except (Failed, OSError) as why:
            print(f"bench: batches of {batch}, as Telpher's can't be counted: {why}",
                  file=sys.stderr)
        self.client[-1] = str(batch)


def joined(folder: str) -> Side:
    """Telpher: a host in one process, the sender in another."""
    url = f"file://{tempfile.mkdtemp(dir=folder)}"
    client = [c("durable"), "send", url, "join", SECONDS, "1", str(BODY)]
    return CallSide("Telpher", [Server([c("durable"), "host", url])], client, "p50_us")


def synced_echo(folder: str, sockets: str) -> Side:
    """The bare ping-pong whose server writes and syncs before it answers."""
    at = f"unix:{sockets}/{free_port()}.socket"
    log = f"{tempfile.mkdtemp(dir=folder)}/log"
    server = Server([c("limit_disk"), "serve", at, log, str(BODY + RECORD_HEAD)])
    return CallSide("bare ping-pong with write and sync", [server],
                    [c("limit_call"), "call", at, SECONDS, "1"], "p50_us")


def sends(places: dict[str, Place], folder: str, sockets: str) -> list[Comparison]:
    """Sends confirmed on disk: one at a time in one process and across two, and many."""
    bare, found = "bare write and sync", []
    for place in ("samecpu", "free"):
        found.append(Comparison(
            "durable send, one at a time, one process", "us", places[place],
            Embedded(folder, 1, BODY, "p50_us"),
            [Other(BareDisk(folder, BODY, "p50_us", bare), 0.769)],
        ))
        found.append(Comparison(
            "durable send, one at a time, two processes", "us", places[place], joined(folder),
            [Other(BareDisk(folder, BODY, "p50_us", bare), 0.625),
             Other(synced_echo(folder, sockets), 0)],
        ))
    many = Embedded(folder, WINDOW, LARGE_BODY, "per_second")
    found.append(Comparison(
        f"durable sends of 1 KiB, {WINDOW} in flight, one process", "messages/s", places["free"],
        many, [Other(BareBatches(folder, many), 0.7)],
    ))
    return found


def passing(name: str, servers: list[Server], program: list[str], at: list[str]) -> Side:
    """A producer and a consumer, one program, at a broker."""
    producer, consumer = ([*program, role, at[0], COUNT, str(WINDOW), *at[1:]]
                          for role in ("produce", "consume"))
    side = QueueSide(name, servers, producer, consumer)
    side.least = 2000
    return side


def queues(places: dict[str, Place], folder: str) -> list[Comparison]:
    """A queue on disk, end to end: producer, broker and consumer in three processes."""
    hub, url = brokers.telpher(folder)
    telpher = passing("Telpher", [hub], [c("telpher")], [url, "disk"])
    rabbits, port = brokers.rabbitmq(folder)
    nats, nats_at = brokers.jetstream(folder)
    redis, redis_at = brokers.redis(folder)
    others = [
        Other(passing("RabbitMQ", rabbits, [c("rabbitmq")], [str(port)]), 5),
        Other(passing("JetStream, syncing always", [nats], [c("jetstream")], [nats_at]), 3),
        Other(passing("Redis lists, AOF always", [redis], [c("redis")], [redis_at]), 3),
    ]
    return [Comparison(f"durable queue end to end, {WINDOW} in flight", "messages/s",
                       places["free"], telpher, others)]


def durable(places: dict[str, Place], folder: str, sockets: str) -> list[Comparison]:
    """Everything of this file; `folder` is on disk, `sockets` has a short name."""
    return [*sends(places, folder, sockets), *queues(places, folder)]
