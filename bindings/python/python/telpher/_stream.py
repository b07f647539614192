"""The blocking face: streams."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from telpher._options import Body, Compression, Durability
from telpher._reader import Reader
from telpher._record import Start, StreamOptions, reading, seconds
from telpher._stream_start import StreamStart
from telpher._telpher import Appended, Command, GroupInfo, StreamInfo

if TYPE_CHECKING:
    from telpher._hub import Hub


class Stream:
    """A stream of a hub; made by `Hub.stream`.

    It keeps records, in the order in which they are appended, until its limits remove the oldest.
    Reading takes nothing out of it.
    """

    def __init__(self, hub: "Hub", name: str) -> None:
        self.name = name
        self._hub = hub

    @property
    def start(self) -> StreamStart:
        """The same operations, started and not waited for."""
        return StreamStart(self._hub, self.name)

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
    ) -> None:
        """Make the stream, or check that it is as stated (`Mismatch` names a difference).

        - `partitions`: parts that keep an order each, 1 to 1,024.
        - `durability`: how safe a confirmed record is: `memory`, lost with the process that hosts
          the hub; `os`, survives the processes; `disk`, survives the machine. None is `disk` where
          the hub has a directory, else `memory`, and then the others are `Unsupported`.
        - `age_max`: seconds, from 0.001, after which records are removed; None: never for their
          age.
        - `bytes_max`: bytes of one partition from which on its oldest records are removed, at most
          1 GiB in memory, else 1 TiB; None is 64 MiB in memory, else 1 GiB.
        - `records_max`: records of one partition from which on its oldest are removed; None: any
          number. What was appended in one batch is removed at once, and so is what a hub has put
          together on its disk, which is at most a sixteenth of each limit: what is kept differs
          from the limits by as much, and of records it is never less.
        - `compact`: keep of each key the latest record at least; those that a later one of their
          partition has replaced are removed in the background. Each record needs a key
          (`Invalid`); one with an empty body, a tombstone, says that its key is gone. Offsets stay
          as they are, and the limits hold as well.
        - `tombstone_age`: with `compact`, seconds from 0.001 after which tombstones are removed;
          None is one day. A reader that is further behind may miss that a key is gone.
        - `keep_unread`: what a reader group has not committed stays: an append for which
          `bytes_max` or `records_max` would remove it is `Full`, and `age_max` waits. Otherwise
          the limits win, and the group's reader is told what it has missed.
        - `compression`: how programs pack their records, as they stay until they are read: `lz4`
          (fast) or `zstd` (smaller); None: not at all.

        What is removed is gone for every reader. `NoSpace`: the disk is full, and `Full`: the hub
        has 100,000 streams or partitions; the stream was not made.
        """
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
        self._hub._core.run(Command.declare_stream(self.name, options), timeout)

    def append(
        self,
        body: Body,
        *,
        key: Body | None = None,
        headers: Mapping[str, Body] | None = None,
        partition: int | None = None,
        expect: int | None = None,
        timeout: float | None = None,
    ) -> Appended:
        """Append a record, and wait until it is as safe as the stream promises; where it is.

        Records with the same `key` are in one partition, in order; those without a key are in any,
        unless `partition` states one. With `expect` it is appended only if that is the offset that
        it gets there; then a partition or key must be stated, if the stream has several partitions.
        A body has at most 8 MiB, a key 1,024 bytes. It must be done within `timeout` seconds (None:
        30).

        `Conflict`: the partition's next offset is another than `expect`, and the text says which.
        `NotFound`: there is no such stream; `Mismatch`: it was made anew meanwhile. `TooLarge`:
        that is also more than a partition keeps. `Full`: the disk was behind until the time was
        over. `NoSpace`; `Expired`. After each of these it was not appended. `Indeterminate` and
        `HostUnresponsive`: it may have been.
        """
        place = partition, expect
        command = Command.append(self.name, body, key, headers, place)
        return self._hub._core.run(command, timeout)

    def read(
        self,
        *,
        start: Start | None = None,
        offset: int | None = None,
        time: float | datetime | None = None,
        partition: int | None = None,
        follow: bool = False,
        group: str | None = None,
        buffer: int | None = None,
        key: Body | None = None,
        headers: Mapping[str, Body] | None = None,
        max_processing: float | None = None,
        timeout: float | None = None,
    ) -> Reader:
        """Read records as they come: an iterator that is live when this returns.

        Reading begins at one of these, in each partition that is read:

        - `start`: `beginning`, at the oldest record that is kept (this is the default), or `end`,
          behind the newest.
        - `offset`: at this record, or at the next to be appended.
        - `time`: at the oldest record that was appended then or later by the hub's clock: seconds
          since 1970, as `Record.time` has them, or a datetime with a time zone. A group begins
          with the batch in which that record lies, so it may begin a little earlier.

        It reads one `partition` (0 to 1,023), or all. With `follow` it goes on with what is
        appended later, else it ends where the stream ended when it began. With `group` it is a
        member of that group, which is made if it is new, and then begins there: the partitions are
        spread over the members, each goes on where the group has committed, and it follows; no
        partition can be stated then.

        `buffer` bytes of records (1 to 64 MiB; None: 1 MiB) may be on their way, and a quarter as
        many wait in the iterator; a larger record comes alone.

        With `key` (1 to 1,024 bytes) only records with that very key come, with `headers` (at most
        8) only those that have each of them with that very value. All members of a group should
        state the same: what is passed over for one is done for all, once all before it is.

        A member that was handed records (those in the iterator count) and commits nothing for
        `max_processing` seconds (0.001 to 86,400; None: any time) ends as `LeaseLost`, and others
        get its partitions. A commit, a new connection and a new host begin the time anew.

        `NotFound`: there is no such stream. `OutOfRange`: `offset` is not kept any more, or not
        there yet; the text tells the range. `Invalid`: the stream has no such partition, or one is
        stated together with a group. `Full`: the stream has as many groups as it may.
        """
        wanted = reading(
            start=start,
            offset=offset,
            time=time,
            partition=partition,
            follow=follow,
            group=group,
            buffer=buffer,
            key=key,
            headers=headers,
            max_processing=max_processing,
        )
        return Reader(self._hub, self.name, wanted, timeout)

    def bind(self, pattern: str, *, timeout: float | None = None) -> None:
        """Bind a pattern of topics; `*` stands for one segment of a topic, `**` for any number.

        From then on each message that is published to a topic that matches is appended to this
        stream, once, whether anybody is there or not: to the partition of its key, or without a key
        to any. The header `telpher.topic` names its topic. A binding lives as long as the stream,
        and binding what is bound changes nothing. `Full` at the limit of 256 patterns for a stream,
        and of 10,000 for a hub; `NotFound`; `NoSpace`.
        """
        return self._hub._core.run(Command.bind_stream(pattern, self.name), timeout)

    def unbind(self, pattern: str, *, timeout: float | None = None) -> None:
        """End a binding; what was appended stays. `NotFound` if the pattern is not bound."""
        return self._hub._core.run(Command.unbind_stream(pattern, self.name), timeout)

    def groups(self, *, timeout: float | None = None) -> list[GroupInfo]:
        """The stream's reader groups, and how far each has come.

        `NotFound`: there is no such stream.
        """
        return self._hub._core.run(Command.groups(self.name), timeout)

    def reset_group(
        self,
        group: str,
        *,
        partition: int | None = None,
        start: Start | None = None,
        offset: int | None = None,
        time: float | datetime | None = None,
        timeout: float | None = None,
    ) -> None:
        """Put a group to another place, in one `partition` or in all of them.

        `start`, `offset` or `time` say where, as for `read`; without any, it is the beginning.
        What its members have read before and commit later is `LeaseLost`.

        `NotFound`: there is no such stream or group. `OutOfRange`: `offset` is not kept any more,
        or not there yet. `NoSpace`: the disk is full to the last. `Invalid`: the stream has no such
        partition. The group is then where it was.
        """
        place = start, offset, seconds(time)
        command = Command.reset_group(self.name, group, partition, place)
        return self._hub._core.run(command, timeout)

    def delete_group(self, group: str, *, timeout: float | None = None) -> None:
        """Remove a group with its places; its readers end as `NotFound`."""
        return self._hub._core.run(Command.delete_group(self.name, group), timeout)

    def inspect(self, *, timeout: float | None = None) -> StreamInfo:
        """The stream's figures. `NotFound`: there is no such stream."""
        return self._hub._core.run(Command.inspect_stream(self.name), timeout)

    def delete(self, *, timeout: float | None = None) -> None:
        """Remove the stream with everything in it; its readers end as `NotFound`."""
        return self._hub._core.run(Command.delete_stream(self.name), timeout)
