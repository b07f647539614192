"""Rows of languages: caller and service in one language, through a hub in a third process."""

import filecmp
import os
from pathlib import Path

from . import peers
from .compare import Comparison, Other
from .process import Place, free_port
from .rows_call import WINDOW, nats_server, telpher_hub
from .side import CallSide, Server, Side

HERE = Path(__file__).resolve().parents[1]
PROJECT_PYTHON = peers.ROOT / ".venv" / "bin" / "python"
NODE_ADDON = peers.ROOT / "bindings" / "node" / "telpher.node"
SECONDS = "1.5"  # long enough for an interpreter to be warm most of the time


def side(name: str, hub: Server, program: list[str], url: str) -> Side:
    """A service and a client of one program."""
    client = [*program, "call", url, SECONDS, str(WINDOW)]
    return CallSide(name, [hub, Server([*program, "serve", url])], client, "per_second")


def telpher(program: list[str]) -> Side:
    """Telpher, from the language's own package."""
    url = f"tcp://127.0.0.1:{free_port()}"
    return side("Telpher", telpher_hub(url), program, url)


def nats(name: str, program: list[str], folder: str) -> Side:
    """NATS, from the language's own package."""
    port = free_port()
    return side(name, nats_server(port, folder), program, f"nats://127.0.0.1:{port}")


def node_build() -> str:
    """How Node's addon was built: it is a copy of what cargo built in release mode, or not."""
    built = peers.RELEASE / "libtelpher_node.so"
    there = built.exists() and NODE_ADDON.exists()
    return "release" if there and filecmp.cmp(built, NODE_ADDON, shallow=False) else "unknown"


def languages(places: dict[str, Place], folder: str) -> list[Comparison]:
    """Python's asyncio and Node."""
    os.environ["NATS_MODULE"] = str(peers.NODE_FOLDER / "node_modules" / "nats")
    os.environ["NODE_ADDON_BUILD"] = node_build()
    python, node = HERE / "python", HERE / "node"
    found = [
        ("Python asyncio", [str(PROJECT_PYTHON), str(python / "telpher_side.py")],
         "nats-py", [str(peers.VENV_PYTHON), str(python / "nats_side.py")], 10),
        ("Node", ["node", str(node / "telpher_side.cjs")],
         "nats.js", ["node", str(node / "nats_side.cjs")], 15),
    ]
    return [
        Comparison(f"{title} calls through a hub, {WINDOW} in flight", "calls/s", places["free"],
                   telpher(ours), [Other(nats(peer, theirs, folder), bar)])
        for title, ours, peer, theirs, bar in found
    ]
