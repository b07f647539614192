"""A record of a stream, and how streams are declared and read, for both faces of the package."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypedDict

from telpher._options import Body, Compression, Durability
from telpher._telpher import READ_BUFFER_DEFAULT
from telpher.errors import Invalid

Start = Literal["beginning", "end"]
Fields = tuple[int, int, float, Any, bytes, dict[str, bytes], int]


@dataclass(slots=True)
class Record:
    """A record of a stream. It needs no settling, and stays in the stream."""

    partition: int
    """The part of the stream that it is in."""
    offset: int
    """Counts the records of the partition, from 0, without a gap."""
    time: float
    """When it was appended, by the hub's clock, in seconds since 1970, as `time.time()` tells them;
    never less than of the record before it in the partition.
    """
    body: Any
    """What was appended: bytes, or a memoryview of a larger body if the hub is open with
    zero_copy.
    """
    key: bytes
    """Which records belong together, and so are in one partition; empty if none was given."""
    headers: dict[str, bytes]
    """What was appended along; of a name that was given twice, the first value."""
    skipped: int = 0
    """How many records right before it in the partition never come: the stream's limits have taken
    them before the group read them. Always 0 for a reader that is in no group.
    """
    _generation: int = field(default=0, repr=False, compare=False)


class StreamOptions(TypedDict):
    """As the native half takes them; times are in seconds."""

    partitions: int
    durability: Durability | None
    age_max: float | None
    bytes_max: int | None
    records_max: int | None
    compact: bool
    tombstone_age: float | None
    keep_unread: bool
    compression: Compression | None


class Reading(TypedDict):
    """As the native half takes it; times are in seconds, `time` since 1970."""

    start: Start | None
    offset: int | None
    time: float | None
    partition: int | None
    follow: bool
    group: str | None
    buffer: int
    key: Body | None
    headers: Mapping[str, Body] | None
    max_processing: float | None


def reading(
    *,
    start: Start | None,
    offset: int | None,
    time: float | datetime | None,
    partition: int | None,
    follow: bool,
    group: str | None,
    buffer: int | None,
    key: Body | None,
    headers: Mapping[str, Body] | None,
    max_processing: float | None,
) -> Reading:
    """What is read, as the native half takes it."""
    return Reading(
        start=start,
        offset=offset,
        time=seconds(time),
        partition=partition,
        follow=follow or group is not None,
        group=group,
        buffer=READ_BUFFER_DEFAULT if buffer is None else buffer,
        key=key,
        headers=headers,
        max_processing=max_processing,
    )


def waiting_bytes_max(buffer: int) -> int:
    """Bytes that wait in the iterator: as many of its buffer as the hub sends anew at once."""
    return max(buffer // 4, 1)


def seconds(time: float | datetime | None) -> float | None:
    """A time as seconds since 1970."""
    if not isinstance(time, datetime):
        return time
    if time.utcoffset() is None:
        raise Invalid(f"time is {time.isoformat()}, without a time zone; state one, as UTC")
    return time.timestamp()
