"""Rows of topics: a publisher, a hub and a subscriber in three processes, end to end.

A subscriber with several subscriptions gets each message as often, over one connection. NATS
confirms nothing. Telpher confirms each publish; either the publisher looks at the end of each, or
at none: then it goes on as fast as the hub takes its publishes, as NATS's does.
"""

from .compare import Comparison, Other
from .process import Place, free_port
from .rows_call import c, nats_server, telpher_hub
from .side import QueueSide, Server, Side

WINDOW = "256"
UNSEEN = "0"
COUNT = "{count}"
COUNT_MAX = 100_000  # as many as a subscription's buffers hold: none is lost, however slow it is
CLIENTS = {  # the client that NATS offers, and the leanest that can be: no allocation, no thread
    "offered": ("nats_client", "nats://", "NATS, nats.c client"),
    "bare": ("nats", "tcp:", "NATS, bare C client"),
}
COPIES_MAX = 4_000_000  # as many as may wait in the hub for all subscriptions together


def bounded(side: QueueSide, fanout: str) -> Side:
    """The same in shorter rounds."""
    side.most = min(COUNT_MAX, COPIES_MAX // int(fanout))
    return side


def telpher(fanout: str, window: str) -> Side:
    """Telpher: each publish confirmed, and with a window looked at."""
    url = f"tcp://127.0.0.1:{free_port()}"
    return bounded(QueueSide(
        "Telpher", [telpher_hub(url)], [c("telpher"), "publish", url, COUNT, window],
        [c("telpher"), "subscribe", url, COUNT, fanout],
    ), fanout)


def nats(folder: str, fanout: str, client: str) -> Side:
    """NATS, which confirms nothing."""
    port = free_port()
    program, scheme, name = CLIENTS[client]
    at = f"{scheme}127.0.0.1:{port}"
    return bounded(QueueSide(
        name, [nats_server(port, folder)], [c(program), "publish", at, COUNT],
        [c(program), "subscribe", at, COUNT, fanout],
    ), fanout)


def zmq(fanout: str) -> Side:
    """libzmq's proxy, which confirms nothing either."""
    into, out = (f"tcp://127.0.0.1:{free_port()}" for _ in range(2))
    return bounded(QueueSide(
        "zmq_proxy", [Server([c("zmq"), "proxy", into, out])],
        [c("zmq"), "publish", into, COUNT, fanout], [c("zmq"), "subscribe", out, COUNT, fanout],
    ), fanout)


def topics(places: dict[str, Place], folder: str) -> list[Comparison]:
    """To one subscription, to four and to a hundred; each publish looked at, or none."""
    kinds = ((f"{WINDOW} in flight", WINDOW), ("unseen", UNSEEN))
    return [
        Comparison(f"topic, 1 to {fanout}, {kind}", "messages/s", places["free"],
                   telpher(fanout, window), [
                       Other(nats(folder, fanout, "offered"), 2),
                       Other(nats(folder, fanout, "bare"), 0), Other(zmq(fanout), 2)])
        for fanout in ("1", "4", "100")
        for kind, window in kinds
    ]
