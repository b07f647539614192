"""Hubs that were dropped, or left open when the program ends, in the blocking face."""

import threading
import time

from telpher._telpher import Core
from telpher.errors import Error

LEAVE_TIME = 2.0
"""Seconds that a hub which was left open may take to close when the program ends."""


def leave(core: Core, threads: list[threading.Thread]) -> None:
    """Close a hub that was dropped, or left open when the program ends."""
    until = time.monotonic() + LEAVE_TIME
    try:
        core.close(LEAVE_TIME)
    except Error:
        return  # It is closed already, or belongs to the process that this one was forked from.
    for thread in threads:
        if thread.is_alive() and thread is not threading.current_thread():
            thread.join(max(until - time.monotonic(), 0.0))
