"""Records of a stream as they come, in the blocking face."""

import math
from typing import TYPE_CHECKING, Any

from telpher._events import RECORD, SKIPPED
from telpher._incoming import Incoming
from telpher._member import Member, Skips
from telpher._operation import Operation
from telpher._record import Reading, Record, waiting_bytes_max
from telpher._telpher import Command, Core
from telpher.errors import Closed, Error, Stale

if TYPE_CHECKING:
    from telpher._hub import Hub


class Reader(Incoming[Record], Member):
    """An iterator over records of a stream; made by `Stream.read`. Any thread may take from it.

    It goes on by itself when the connection breaks or another host takes over; no record comes
    twice, none is left out, and each partition's come in their order. It takes nothing out of the
    stream.

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

    _arrival = RECORD

    def __init__(self, hub: "Hub", name: str, reading: Reading, timeout: float | None) -> None:
        self._follows = reading["follow"]
        self._is_member = reading["group"] is not None
        self._is_complete = self._is_closed = False
        self._skips = Skips()
        command = Command.read(name, reading)
        bytes_max = waiting_bytes_max(reading["buffer"])
        super().__init__(hub, command, timeout, self._skips.record, bytes_max=bytes_max)

    def receive(self, *, timeout: float | None = None) -> Record:
        """The next record; `Pending` if none comes within `timeout` seconds (None: 30)."""
        return super().receive(timeout=timeout)

    @property
    def start(self) -> "ReaderStart":
        """The commit, started and not waited for."""
        return ReaderStart(self)

    def commit(self, record: Record, *, timeout: float | None = None) -> None:
        """Say that the group has done its work up to `record`.

        All before it in its partition is included. It waits until that is as safe as the stream
        promises. A place never goes back.

        `LeaseLost`: another member has the partition by now, or the group was reset, or the reader
        is closed; nothing has changed. `NoSpace`: the disk is full to the last; it may be
        committed again. `Invalid`: the reader is in no group. Within `timeout` seconds (None: 30).
        """
        self._hub._core.run(self._commit(record), timeout)

    def close(self) -> None:
        """Stop reading; what was not handed out stays in the stream."""
        self._is_closed = True
        super().close()
        with self._fetching:
            self._let_go()

    def _core_of(self) -> Core:
        return self._hub._core

    def _number(self) -> int:
        return self._registration.id

    def _note(self, tag: int, value: Any) -> None:
        if tag == SKIPPED:
            self._skips.skip(value)

    def _end(self, failure: Error | None) -> None:
        if self._is_closed:
            super()._end(failure)
            return
        # What came before the end is still handed out.
        self._is_complete = failure is None
        self._ended = failure or Closed("every record was read")

    def __next__(self) -> Record:
        try:
            return self.receive(timeout=math.inf)
        except (Closed, Stale):
            if self._is_closed or self._is_complete or self._follows:
                raise StopIteration from None
            raise


class ReaderStart:
    """What a reader commits, started and not waited for."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def commit(self, record: Record, *, timeout: float | None = None) -> Operation[None]:
        """Start to say that the group has done its work up to `record`; see `Reader.commit`."""
        return self._reader._hub._started(self._reader._commit(record), timeout)
