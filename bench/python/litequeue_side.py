"""litequeue's side of a durable queue: WINDOW messages in each transaction, but for taking them.

    litequeue_side.py produce|consume FILE COUNT WINDOW
"""

import threading
import time

from common import BODY
from litequeue import LiteQueue
from queues import passing

PAYLOAD = "x" * len(BODY)
POLL_S = 0.0005  # nothing tells a consumer of litequeue's that there is something: it has to look


def open_queue(path):
    """The queue, of a connection that syncs what it commits: litequeue's own choice does not."""
    queue = LiteQueue(path, timeout=30)
    queue.conn.execute("PRAGMA synchronous = FULL")
    return queue


def produce(path, count, window):
    queue = open_queue(path)
    start = time.monotonic_ns()
    for first in range(0, count, window):
        size = min(window, count - first)
        if size == 1:
            queue.put(PAYLOAD)
            continue
        with queue.transaction(mode="IMMEDIATE"):
            for _ in range(size):
                queue.put(PAYLOAD)
    return start


def consume(path, count, window, ready):
    queue = open_queue(path)
    held, never = [], threading.Event()
    ready()
    while count > 0:
        message = queue.pop()
        if message is not None:
            held.append(message.message_id)
        if len(held) == window or len(held) == count or (held and message is None):
            with queue.transaction(mode="IMMEDIATE"):
                for number in held:
                    queue.done(number)
            count -= len(held)
            held.clear()
        elif message is None:
            never.wait(POLL_S)


passing(produce, consume)
