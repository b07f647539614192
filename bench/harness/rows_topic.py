"""Rows of topics: a publisher, a hub and a subscriber in three processes, end to end.

A subscriber with several subscriptions gets each message as often, over one connection.
"""

from .compare import Comparison, Other
from .process import Place, free_port
from .rows_call import c, nats_server, telpher_hub
from .side import QueueSide, Side

WINDOW = "256"
COUNT = "{count}"
COUNT_MAX = 100_000  # as many as a subscription's buffers hold: none is lost, however slow it is


def bounded(side: QueueSide) -> Side:
    """The same in shorter rounds."""
    side.most = COUNT_MAX
    return side


def telpher(fanout: str) -> Side:
    """Telpher: each publish confirmed."""
    url = f"tcp://127.0.0.1:{free_port()}"
    return bounded(QueueSide(
        "Telpher", [telpher_hub(url)], [c("telpher"), "publish", url, COUNT, WINDOW],
        [c("telpher"), "subscribe", url, COUNT, fanout],
    ))


def nats(folder: str, fanout: str) -> Side:
    """NATS, which confirms nothing."""
    port = free_port()
    at = f"tcp:127.0.0.1:{port}"
    return bounded(QueueSide(
        "NATS", [nats_server(port, folder)], [c("nats"), "publish", at, COUNT],
        [c("nats"), "subscribe", at, COUNT, fanout],
    ))


def topics(places: dict[str, Place], folder: str) -> list[Comparison]:
    """To one subscription, to four and to a hundred."""
    return [
        Comparison(f"topic, 1 to {fanout}, {WINDOW} in flight", "messages/s", places["free"],
                   telpher(fanout), [Other(nats(folder, fanout), 2)])
        for fanout in ("1", "4", "100")
    ]
