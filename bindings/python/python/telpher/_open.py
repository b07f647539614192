"""Opens a hub, in the blocking face."""

import os
from collections.abc import Sequence

from telpher._hub import Hub
from telpher._leaving import LEAVE_TIME
from telpher._options import HostRole, OnNotice, Options, Url
from telpher._telpher import Core


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
) -> Hub:
    """Open a hub and wait until it is there.

    - `url`: a directory (`./data`, `file:///…`), `mem://name`, `unix:///path`, `tcp://host:port`.
    - `host`: whether this process may host the hub of a directory: `auto`, `never`, `always`.
    - `timeout`: seconds; None is the default of 30, `math.inf` no bound.
    - `in_flight_max`: operations in flight, 1 to 65,536.
    - `listen`: further addresses at which a hub hosted here listens; `insecure` allows others
      than loopback; `session_grace` is how long, in seconds, a broken remote session is kept.
    - `zero_copy`: bodies of 1,024 bytes and more come as read-only memoryviews of the buffer
      they were received in, which they keep in memory.
    - `on_notice`: is told what happens to the hub, on a thread of its own.

    Raises `NoHost` if the hub was not reached in time, `Corrupt` for a damaged directory (with file
    and offset), `NoSpace` if this process would host and the disk has no room to begin.
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
    core = Core(os.fspath(url), options, None, on_notice is not None)
    try:
        return Hub(core, core.opened(), on_notice)
    except BaseException:
        core.close(LEAVE_TIME)
        raise
