"""Opens a hub, in the asyncio face."""

import os
from collections.abc import Sequence

from telpher._leaving import LEAVE_TIME
from telpher._options import HostRole, OnNotice, Options, Url
from telpher._telpher import Core
from telpher.aio._hub import Hub
from telpher.aio._leaving import close_turner
from telpher.aio._opening import Opening
from telpher.aio._turner import OPENING, Turner


def open(
    url: Url,
    *,
    host: HostRole = "auto",
    timeout: float | None = None,
    in_flight_max: int = 1024,
    listen: Sequence[str] = (),
    insecure: bool = False,
    session_grace: float | None = None,
    zero_copy: bool = False,
    on_notice: OnNotice | None = None,
) -> Opening[Hub]:
    """Open a hub on the running loop: `await` it, or use `async with`.

    The options are those of `telpher.open`; `on_notice` is called on the loop.
    """
    options = Options(
        host=host,
        timeout=timeout,
        in_flight_max=in_flight_max,
        listen=listen,
        insecure=insecure,
        session_grace=session_grace,
        zero_copy=zero_copy,
    )

    async def begin() -> Hub:
        core = Core(os.fspath(url), options, OPENING, True)
        turner = Turner(core, on_notice)
        try:
            return Hub(turner, await turner.opening)
        except BaseException:
            await close_turner(turner, LEAVE_TIME)
            raise

    return Opening(begin)
