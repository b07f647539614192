"""The options of `open` and `declare`, the same for both faces of the package."""

import os
from collections.abc import Callable, Sequence
from typing import Literal, TypedDict

from telpher._telpher import Notice

Url = str | os.PathLike[str]
Body = bytes | bytearray | memoryview
OnNotice = Callable[[Notice], object]
HostRole = Literal["auto", "never", "always"]
Durability = Literal["memory", "os", "disk"]
Compression = Literal["lz4", "zstd"]
Overflow = Literal["wait", "reject"]
TopicOverflow = Literal["drop", "wait"]


class Options(TypedDict):
    """As the native half takes them."""

    host: HostRole
    timeout: float | None
    in_flight_max: int
    listen: Sequence[str]
    insecure: bool
    session_grace: float | None
    zero_copy: bool


class QueueOptions(TypedDict):
    """As the native half takes them; times are in seconds."""

    durability: Durability | None
    length_max: int
    bytes_max: int
    overflow: Overflow
    max_attempts: int
    backoff_min: float | None
    backoff_max: float | None
    ack_deadline: float | None
    ttl: float | None
    dead_letter: str | None
