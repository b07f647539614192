"""The end of hubs: closed, dropped, or left open when the program ends, in the asyncio face."""

from telpher._leaving import LEAVE_TIME
from telpher.aio._turner import Turner
from telpher.errors import Closed, Error


async def close_turner(turner: Turner, timeout: float | None) -> None:
    """Close the handle and let go of the loop; what is still open ends as `Closed`."""
    turner.leave()
    try:
        # A goodbye may take a while, which must not hold up the loop.
        await turner.loop.run_in_executor(None, turner.core.close, timeout)
    finally:
        turner.end_all(Closed("the hub was closed", maybe_executed=True))


def leave(turner: Turner) -> None:
    """Close a hub that was dropped, or left open when the program ends."""
    try:
        if not turner.loop.is_closed():
            turner.leave()
            turner.end_all(Closed("the hub was dropped", maybe_executed=True), is_quiet=True)
        turner.core.close(LEAVE_TIME)
    except (Error, RuntimeError):
        pass  # It is closed already, or belongs to the process that this one was forked from.
