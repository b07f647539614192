"""Rows of queues: producer, hub and consumer in three processes, end to end."""

import tempfile

from . import peers
from .compare import Comparison, Other
from .process import Place, free_port
from .rows_call import c, nats_server, telpher_hub
from .side import QueueSide, Server, Side

WINDOW = "256"
COUNT = "{count}"


def relay() -> Side:
    """The bare relay of the same four messages: send, confirmation, delivery, acknowledgement."""
    at = f"tcp:127.0.0.1:{free_port()}"
    return QueueSide(
        "bare relay", [Server([c("limit_relay"), "hub", "queue", at])],
        [c("limit_relay"), "produce", at, COUNT, WINDOW],
        [c("limit_relay"), "consume", at, COUNT, WINDOW],
    )


def redis(folder: str) -> Side:
    """Redis lists, used so that nothing a consumer holds is lost with it."""
    port = free_port()
    at = f"tcp:127.0.0.1:{port}"
    server = [peers.program("redis-server") or "redis-server", "--port", str(port),
              "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
              "--dir", tempfile.mkdtemp(dir=folder)]
    return QueueSide(
        "Redis lists", [Server(server, "Ready to accept connections")],
        [c("redis"), "produce", at, COUNT, WINDOW], [c("redis"), "consume", at, COUNT, WINDOW],
    )


def nats(folder: str) -> Side:
    """A NATS queue group, which neither confirms nor acknowledges: for orientation."""
    port = free_port()
    at = f"tcp:127.0.0.1:{port}"
    return QueueSide(
        "NATS queue group", [nats_server(port, folder)],
        [c("nats"), "produce", at, COUNT], [c("nats"), "consume", at, COUNT],
    )


def telpher() -> Side:
    """Telpher: confirmed sends, acknowledged deliveries."""
    url = f"tcp://127.0.0.1:{free_port()}"
    return QueueSide(
        "Telpher", [telpher_hub(url)],
        [c("telpher"), "produce", url, COUNT, WINDOW],
        [c("telpher"), "consume", url, COUNT, WINDOW],
    )


def queues(places: dict[str, Place], folder: str) -> list[Comparison]:
    """One queue in memory, as processors are shared and as they are free."""
    return [
        Comparison(
            f"memory queue end to end, {WINDOW} in flight", "messages/s", places[place], telpher(),
            [Other(relay(), 0.6), Other(redis(folder), 5), Other(nats(folder), 1)],
        )
        for place in ("samecpu", "free")
    ]
