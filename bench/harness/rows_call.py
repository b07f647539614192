"""Rows of calls: a client and a service over one socket, and through a hub in a third process."""

import tempfile
from pathlib import Path

from . import peers
from .compare import Comparison, Other
from .process import Place, free_port
from .side import ROUND_S, CallSide, Server, Side

SECONDS = str(ROUND_S)
WINDOW = 64


def c(name: str) -> str:
    """A C program of the bench."""
    return str(peers.BUILD / name)


def address(kind: str, folder: str) -> tuple[str, str]:
    """A fresh address, as the limits write it and as a URL."""
    if kind == "unix":
        path = Path(folder) / f"{free_port()}.socket"
        return f"unix:{path}", f"unix://{path}"
    port = free_port()
    return f"tcp:127.0.0.1:{port}", f"tcp://127.0.0.1:{port}"


def limit(kind: str, folder: str, window: int, figure: str) -> Side:
    """The bare ping-pong, or with more in flight the bare pipelined echo."""
    at, _ = address(kind, folder)
    name = "bare ping-pong" if window == 1 else "bare pipelined echo"
    client = [c("limit_call"), "call", at, SECONDS, str(window)]
    return CallSide(name, [Server([c("limit_call"), "serve", at])], client, figure)


def zmq(kind: str, folder: str, window: int, figure: str) -> Side:
    """libzmq: REQ/REP one at a time, DEALER/ROUTER with more in flight."""
    _, url = address(kind, folder)
    url = url.replace("unix://", "ipc://")
    server, client, name = "rep", "req", "libzmq REQ/REP"
    if window > 1:
        server, client, name = "router", "dealer", "libzmq DEALER/ROUTER"
    client = [c("zmq"), "call", client, url, SECONDS, str(window)]
    return CallSide(name, [Server([c("zmq"), "serve", server, url])], client, figure)


def telpher(kind: str, folder: str, window: int, figure: str, drive: str) -> Side:
    """Telpher: the service hosts the hub, `inline` on its own thread or in the background."""
    _, url = address(kind, folder)
    hosting, calling = ("inline", "caller") if drive == "inline" else ("host", "library")
    server = Server([c("telpher"), "serve", url, hosting])
    client = [c("telpher"), "call", url, calling, SECONDS, str(window)]
    return CallSide("Telpher", [server], client, figure)


def direct(places: dict[str, Place], folder: str) -> list[Comparison]:
    """Client and service over one socket, one at a time and many."""
    one = "p50_us"
    same = places["samecpu"]
    found = []
    for kind, title in (("tcp", "TCP"), ("unix", "Unix socket")):
        found.append(Comparison(
            f"blocking call, inline hub, {title}", "us", same,
            telpher(kind, folder, 1, one, "inline"),
            [Other(limit(kind, folder, 1, one), 0.8), Other(zmq(kind, folder, 1, one), 2.5)],
        ))
    found.append(Comparison(
        "blocking call, hub on its background thread, TCP", "us", same,
        telpher("tcp", folder, 1, one, "background"),
        [Other(limit("tcp", folder, 1, one), 0.455), Other(zmq("tcp", folder, 1, one), 1)],
    ))
    many = "per_second"
    found.append(Comparison(
        f"calls, {WINDOW} in flight, inline hub, TCP", "calls/s", same,
        telpher("tcp", folder, WINDOW, many, "inline"),
        [Other(limit("tcp", folder, WINDOW, many), 0.6),
         Other(zmq("tcp", folder, WINDOW, many), 3)],
    ))
    return found


def telpher_hub(url: str) -> Server:
    """A hub in a process of its own, as anybody would run it."""
    return Server([peers.COMMAND, "serve", "--listen", url], "listening on")


def nats_server(port: int, folder: str) -> Server:
    """nats-server, with room for a consumer that lags: it would cut it off."""
    settings = Path(tempfile.mkdtemp(dir=folder)) / "nats.conf"
    settings.write_text(f'host: "127.0.0.1"\nport: {port}\nmax_pending: 512MB\n')
    return Server([peers.program("nats-server") or "nats-server", "-c", str(settings)],
                  "Server is ready")


def hub_relay(window: int, figure: str) -> Side:
    """The bare relay between a client and a service."""
    at = f"tcp:127.0.0.1:{free_port()}"
    servers = [Server([c("limit_relay"), "hub", "call", at]),
               Server([c("limit_relay"), "serve", at])]
    client = [c("limit_relay"), "call", at, SECONDS, str(window)]
    return CallSide("bare relay", servers, client, figure)


def hub_nats(folder: str, window: int, figure: str) -> Side:
    """NATS request-reply, spoken by the leanest client that can be: no allocation, no thread."""
    port = free_port()
    at = f"tcp:127.0.0.1:{port}"
    servers = [nats_server(port, folder), Server([c("nats"), "serve", at])]
    client = [c("nats"), "call", at, SECONDS, str(window)]
    return CallSide("NATS, bare C client", servers, client, figure)


def hub_nats_client(folder: str, window: int, figure: str) -> Side:
    """NATS request-reply with the client that NATS offers."""
    port = free_port()
    url = f"nats://127.0.0.1:{port}"
    servers = [nats_server(port, folder), Server([peers.NATS_CLIENT, "serve", url])]
    client = [peers.NATS_CLIENT, "call", url, SECONDS, str(window)]
    return CallSide("NATS, async-nats client", servers, client, figure)


def hub_telpher(window: int, figure: str) -> Side:
    """Telpher: client, hub and service in three processes."""
    url = f"tcp://127.0.0.1:{free_port()}"
    servers = [telpher_hub(url), Server([c("telpher"), "serve", url, "caller"])]
    client = [c("telpher"), "call", url, "caller", SECONDS, str(window)]
    return CallSide("Telpher", servers, client, figure)


def through_hub(places: dict[str, Place], folder: str) -> list[Comparison]:
    """Client, hub and service in three processes.

    What performance asks is asked against NATS as its users have it; against the bare client, that
    Telpher is not slower. Of the relay no part is asked: it is shown to tell what can be had.
    """
    rows = [("call through a hub in a third process", "us", 1, "p50_us", 1.667),
            (f"calls through a hub, {WINDOW} in flight", "calls/s", WINDOW, "per_second", 5)]
    return [
        Comparison(name, unit, places["samecpu"], hub_telpher(window, figure),
                   [Other(hub_relay(window, figure), 0),
                    Other(hub_nats_client(folder, window, figure), of_nats),
                    Other(hub_nats(folder, window, figure), 1)])
        for name, unit, window, figure, of_nats in rows
    ]
