"""Rows of durable queues in Python: Telpher, and the queues of PyPI that keep them in SQLite.

With one in flight each message is sent, taken and acknowledged by itself. With more, a library
that has transactions may put as many into one as Telpher has in flight: none of them is confirmed
before all are.
"""

import tempfile

from . import brokers, peers
from .compare import Comparison, Other
from .process import Place
from .rows_call import c
from .rows_language import HERE, PROJECT_PYTHON
from .side import QueueSide, Server, Side

WINDOWS = (1, 64)
LEAST = {1: 200, 64: 2000}
PACKAGES = {"honker": "honker_side.py", "litequeue": "litequeue_side.py"}
COUNT = "{count}"


def side(name: str, servers: list[Server], program: list[str], at: str, window: int) -> Side:
    """A producer and a consumer in Python."""
    producer, consumer = ([*program, role, at, COUNT, str(window)]
                          for role in ("produce", "consume"))
    made = QueueSide(name, servers, producer, consumer)
    made.least = LEAST[window]
    return made


def telpher(folder: str, window: int) -> Side:
    """Telpher: a directory that a third process hosts."""
    directory = tempfile.mkdtemp(dir=folder)
    hub = Server([peers.COMMAND, "serve", directory], "ready: hub")
    program = [str(PROJECT_PYTHON), str(HERE / "python" / "telpher_queue.py")]
    return side("Telpher", [hub], program, f"file://{directory}", window)


def from_c(folder: str, window: int) -> Side:
    """Telpher from C, which Python is to be near."""
    directory = tempfile.mkdtemp(dir=folder)
    hub = Server([peers.COMMAND, "serve", directory], "ready: hub")
    producer, consumer = ([c("telpher"), role, f"file://{directory}", COUNT, str(window), "disk"]
                          for role in ("produce", "consume"))
    made = QueueSide("Telpher from C", [hub], producer, consumer)
    made.least = LEAST[window]
    return made


def package(name: str, folder: str, window: int) -> Side:
    """A package of PyPI: a file that both processes open, new for each round."""
    program = [str(peers.VENV_PYTHON), str(HERE / "python" / PACKAGES[name])]
    made = side(f"{name}, synced", [], program, "{fresh}/queue.db", window)
    made.folder = folder
    return made


def aio_pika(folder: str, window: int) -> Side:
    """RabbitMQ, from asyncio."""
    servers, port = brokers.rabbitmq(folder)
    program = [str(peers.VENV_PYTHON), str(HERE / "python" / "aio_pika_side.py")]
    return side("RabbitMQ, aio-pika", servers, program, f"amqp://127.0.0.1:{port}/", window)


def durable_python(places: dict[str, Place], folder: str) -> list[Comparison]:
    """One at a time, and many."""
    found = []
    for window in WINDOWS:
        others = [Other(from_c(folder, window), 0.769)]
        others += [Other(package(name, folder, window), 10) for name in PACKAGES]
        if window > 1:
            others.append(Other(aio_pika(folder, window), 15))
        found.append(Comparison(f"Python durable queue end to end, {window} in flight",
                                "messages/s", places["free"], telpher(folder, window), others))
    return found
