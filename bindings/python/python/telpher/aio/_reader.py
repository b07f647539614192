"""Records of a stream as they come, in the asyncio face."""

import asyncio
from typing import Any

from telpher._events import BATCH, RECORD, SKIPPED
from telpher._member import Member, Skips
from telpher._record import Fields, Reading, Record, waiting_bytes_max
from telpher._telpher import Command, Core
from telpher.aio._fetching import Fetched, Fetching
from telpher.aio._starter import Starter
from telpher.errors import Closed, Error


class _Inbox(Fetching):
    """Records."""

    def __init__(self, starter: Starter, buffer: int) -> None:
        super().__init__(starter, RECORD, (BATCH, waiting_bytes_max(buffer)))
        self.is_closed = self.is_complete = False
        self._skips = Skips()

    def take(self, tag: int, value: Any) -> None:
        if tag == SKIPPED:
            self._skips.skip(value)
        super().take(tag, value)

    def add(self, value: Fields) -> None:
        super().add(self._skips.record(value))

    def close(self) -> None:
        self.is_closed = True
        super().close()

    def let_go(self) -> None:
        if self.is_closed:  # Else what came before the end is still handed out.
            super().let_go()

    def end(self, failure: Error | None) -> None:
        if failure is None and not self.is_closed:
            self.is_complete = True
            failure = Closed("every record was read")
        super().end(failure)


def _as_it_is(record: Record) -> Record:
    return record


class Reader(Fetched[Record], Member):
    """An asynchronous iterator over records of a stream; made by `Stream.read`.

    It starts when it is entered or first asked for a record, and is live in the hub then. It goes
    on by itself when the connection breaks or another host takes over; no record comes twice, none
    is left out, and each partition's come in their order. It takes nothing out of the stream.

    It ends when it is closed, or without `follow` when every record that was there was handed out:
    then a loop ends, and `receive` is `Closed`. Otherwise it ends with an error, behind the records
    that came before it: `OutOfRange` if the stream's limits have removed what was to be read next;
    `NotFound` if the stream was deleted; `Corrupt` for damage on disk. If its hub is closed, a loop
    with `follow` ends, and one without gets `Closed`: it has not read everything.

    A member of a group goes on where the group has committed, so what was not committed comes again
    to whoever has the partition next. It is not `OutOfRange`: what the limits have removed is
    passed over, and `Record.skipped` says how much. A deleted group is `NotFound`. It is
    `LeaseLost` if it has committed nothing for as long as its `max_processing`.
    """

    _inbox: _Inbox

    def __init__(
        self, starter: Starter, name: str, reading: Reading, timeout: float | None
    ) -> None:
        self._follows = reading["follow"]
        self._is_member = reading["group"] is not None
        command = Command.read(name, reading)
        inbox = _Inbox(starter, reading["buffer"])
        super().__init__(starter, command, timeout, _as_it_is, inbox)

    async def receive(self) -> Record:
        """The next record. A time limit: `async with asyncio.timeout(…)`."""
        if not self._inbox.waiting:
            await asyncio.sleep(0)  # Others have their turn, however much there is to be read.
        return await super().receive()

    def commit(self, record: Record, *, timeout: float | None = None) -> asyncio.Future[None]:
        """Say that the group has done its work up to `record`.

        All before it in its partition is included. It ends when that is as safe as the stream
        promises. A place never goes back.

        `LeaseLost`: another member has the partition by now, or the group was reset, or the reader
        is closed; nothing has changed. `NoSpace`: the disk is full to the last; it may be
        committed again. `Invalid`: the reader is in no group. Within `timeout` seconds (None: 30).
        """
        return self._starter.start(self._commit(record), timeout)

    async def close(self) -> None:
        """Stop reading; what was not handed out stays in the stream."""
        self._stop()

    def _core_of(self) -> Core:
        return self._starter.turner.core

    def _number(self) -> int:
        return self._id

    async def __anext__(self) -> Record:
        try:
            return await self.receive()
        except Closed:
            inbox = self._inbox
            if inbox.is_closed or inbox.is_complete or self._follows:
                raise StopAsyncIteration from None
            raise
