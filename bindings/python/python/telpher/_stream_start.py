"""Operations of a stream, started and not waited for, in the blocking face."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from telpher._operation import Operation
from telpher._options import Body, Compression, Durability
from telpher._record import Start, StreamOptions, seconds
from telpher._telpher import Appended, Command, GroupInfo, StreamInfo

if TYPE_CHECKING:
    from telpher._hub import Hub


class StreamStart:
    """Operations of a stream, started and not waited for; see `Stream` for each."""

    def __init__(self, hub: "Hub", name: str) -> None:
        self._hub = hub
        self._name = name

    def declare(
        self,
        *,
        partitions: int = 1,
        durability: Durability | None = None,
        age_max: float | None = None,
        bytes_max: int | None = None,
        records_max: int | None = None,
        compact: bool = False,
        tombstone_age: float | None = None,
        keep_unread: bool = False,
        compression: Compression | None = None,
        timeout: float | None = None,
    ) -> Operation[None]:
        """Start to make the stream."""
        options = StreamOptions(
            partitions=partitions,
            durability=durability,
            age_max=age_max,
            bytes_max=bytes_max,
            records_max=records_max,
            compact=compact,
            tombstone_age=tombstone_age,
            keep_unread=keep_unread,
            compression=compression,
        )
        return self._hub._started(Command.declare_stream(self._name, options), timeout)

    def append(
        self,
        body: Body,
        *,
        key: Body | None = None,
        headers: Mapping[str, Body] | None = None,
        partition: int | None = None,
        expect: int | None = None,
        timeout: float | None = None,
    ) -> Operation[Appended]:
        """Start to append a record.

        What is appended while something is on its way goes with what follows, in one batch: so
        many that were started before the first is waited for take far less time than as many that
        are waited for one by one.
        """
        place = partition, expect
        command = Command.append(self._name, body, key, headers, place)
        return self._hub._started(command, timeout)

    def bind(self, pattern: str, *, timeout: float | None = None) -> Operation[None]:
        """Start to bind a pattern of topics."""
        return self._hub._started(Command.bind_stream(pattern, self._name), timeout)

    def unbind(self, pattern: str, *, timeout: float | None = None) -> Operation[None]:
        """Start to end a binding."""
        return self._hub._started(Command.unbind_stream(pattern, self._name), timeout)

    def groups(self, *, timeout: float | None = None) -> Operation[list[GroupInfo]]:
        """Start to ask for the stream's reader groups."""
        return self._hub._started(Command.groups(self._name), timeout)

    def reset_group(
        self,
        group: str,
        *,
        partition: int | None = None,
        start: Start | None = None,
        offset: int | None = None,
        time: float | datetime | None = None,
        timeout: float | None = None,
    ) -> Operation[None]:
        """Start to put a group to another place."""
        place = start, offset, seconds(time)
        command = Command.reset_group(self._name, group, partition, place)
        return self._hub._started(command, timeout)

    def delete_group(self, group: str, *, timeout: float | None = None) -> Operation[None]:
        """Start to remove a group."""
        return self._hub._started(Command.delete_group(self._name, group), timeout)

    def inspect(self, *, timeout: float | None = None) -> Operation[StreamInfo]:
        """Start to ask for the stream's figures."""
        return self._hub._started(Command.inspect_stream(self._name), timeout)

    def delete(self, *, timeout: float | None = None) -> Operation[None]:
        """Start to remove the stream."""
        return self._hub._started(Command.delete_stream(self._name), timeout)
