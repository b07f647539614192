"""Rows of memory: what a hub takes while it idles, per idle connection and per waiting message."""

import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import peers, process
from .compare import Comparison, Other
from .process import Failed, Place, free_port
from .rows_call import c, nats_server, telpher_hub
from .side import Asked, Server, Side

MIB = 1024 * 1024
CONNECTIONS = 1000
WAITING = 1_000_000
PATIENCE_S = 30


@dataclass
class Broker:
    """A server, where it is, and what its clients say and hear when they connect."""

    name: str
    server: Server
    port: int
    hello: bytes = b""
    heard: bytes = b""


class ResidentSide(Side):
    """A server started anew for every round, and what its resident memory grows by, per `count`."""

    warm_ups = 0

    def __init__(self, broker: Broker, count: int = 0):
        super().__init__(broker.name, [])
        self.broker = broker
        self.count = count

    def start(self, place: Place) -> None:
        self.place = place

    def round(self) -> float:
        server = process.start(self.broker.server.command, self.place.server, serving=True)
        try:
            process.await_text(server, self.broker.server.ready)
            before = process.resident(server.pid)
            if self.count == 0:
                return before / MIB
            held = self.grow()
            after = process.resident(server.pid)
            for part in held:
                part.close()
            return (after - before) / self.count
        finally:
            process.stop(server)

    def counted_round(self) -> None:
        return None

    def grow(self) -> list:
        """Does what memory is wanted for; what it holds open is closed after the measurement."""
        raise NotImplementedError


class WeightSide(Side):
    """What the C library takes on disk as packagers ship it: without any symbols."""

    warm_ups = 0

    def __init__(self) -> None:
        super().__init__("libtelpher.so, stripped", [])

    def round(self) -> float:
        with tempfile.NamedTemporaryFile() as stripped:
            library = peers.RELEASE.parent / "c" / "release" / "libtelpher.so"
            subprocess.run(["strip", "-o", stripped.name, library], check=True)
            return Path(stripped.name).stat().st_size / MIB

    def counted_round(self) -> None:
        return None


class Program:
    """A client that goes on until it is closed."""

    def __init__(self, command: list[str], place: Place):
        self.process = process.start(command, place.client, serving=True)
        process.await_text(self.process, "ready\n")

    def close(self) -> None:
        """Ends it."""
        process.stop(self.process)


class HandlesSide(ResidentSide):
    """Telpher's handles that have opened a hub and do nothing."""

    def grow(self) -> list:
        at = f"tcp://127.0.0.1:{self.broker.port}"
        each = min(self.count, CONNECTIONS)  # a handle has a few descriptors
        return [Program([c("telpher"), "connect", at, str(each)], self.place)
                for _ in range(self.count // each)]


class SocketsSide(ResidentSide):
    """Connections that have said hello, been answered, and do nothing."""

    def grow(self) -> list:
        return [self.connect() for _ in range(self.count)]

    def connect(self) -> socket.socket:
        """One of them."""
        link = socket.create_connection(("127.0.0.1", self.broker.port), PATIENCE_S)
        link.sendall(self.broker.hello)
        heard = b""
        while not heard.endswith(self.broker.heard):
            part = link.recv(65536)
            if not part:
                raise Failed(f"{self.broker.name} hung up")
            heard += part
        return link


class WaitingSide(ResidentSide):
    """Messages that wait in a queue; who sent them has gone."""

    def __init__(self, broker: Broker, count: int, producer: list[str]):
        super().__init__(broker, count)
        self.producer = producer

    def grow(self) -> list:
        command = [*self.producer, str(self.count), "1000"]
        process.result(process.start(command, self.place.client))
        return []


def telpher() -> Broker:
    """`telpher serve`, in memory."""
    port = free_port()
    return Broker("Telpher", telpher_hub(f"tcp://127.0.0.1:{port}"), port)


def redis(folder: str) -> Broker:
    """redis-server, which keeps nothing on disk."""
    port = free_port()
    command = [peers.program("redis-server") or "redis-server", "--port", str(port),
               "--bind", "127.0.0.1", "--save", "", "--dir", tempfile.mkdtemp(dir=folder)]
    return Broker("Redis", Server(command, "Ready to accept connections"), port,
                  b"PING\r\n", b"+PONG\r\n")


def nats(folder: str) -> Broker:
    """nats-server."""
    port = free_port()
    return Broker("NATS", nats_server(port, folder), port,
                  b'CONNECT {"verbose":false}\r\nPING\r\n', b"PONG\r\n")


def memory(places: dict[str, Place], folder: str, scale: int = 1) -> list[Comparison]:
    """All of them; `scale` times as many connections."""
    place, connections = places["free"], CONNECTIONS * scale
    hub, other = telpher(), redis(folder)
    sending = [c("telpher"), "produce", f"tcp://127.0.0.1:{hub.port}"]
    pushing = [c("redis"), "produce", f"tcp:127.0.0.1:{other.port}"]
    return [
        Comparison("memory of an idle hub", "MiB", place, ResidentSide(telpher()),
                   [Other(Asked(6), 1), Other(ResidentSide(redis(folder)), 0),
                    Other(ResidentSide(nats(folder)), 0)]),
        Comparison(f"memory of an idle connection, {connections:,} of them", "bytes", place,
                   HandlesSide(telpher(), connections),
                   [Other(Asked(2048), 1), Other(SocketsSide(redis(folder), connections), 0),
                    Other(SocketsSide(nats(folder), connections), 0)]),
        Comparison(f"memory of a waiting message of 64 bytes, {WAITING:,} of them", "bytes", place,
                   WaitingSide(hub, WAITING, sending),
                   [Other(Asked(160), 1), Other(WaitingSide(other, WAITING, pushing), 0)]),
        Comparison("size of the C library", "MiB", place, WeightSide(), [Other(Asked(3), 1)]),
    ]
