"""Several changes that are done all or not at all, in the blocking face."""

from types import TracebackType
from typing import TYPE_CHECKING

from telpher._operation import Operation
from telpher._parts import Parts
from telpher._telpher import Receipt

if TYPE_CHECKING:
    from telpher._hub import Hub


class Batch(Parts):
    """Several changes that are done all or not at all; made by `Hub.batch`.

    They are sends, settlements, publishes, appends to streams and commits of reader groups.

    `with hub.batch() as batch:` submits it at the end of the block, if it has any parts, and waits;
    `receipts` says then what its sends have reached. A block that ends by an exception submits
    nothing, and its jobs are as they were before.
    """

    def __init__(self, hub: "Hub", timeout: float | None) -> None:
        super().__init__(hub._core, timeout)
        self._hub = hub

    @property
    def start(self) -> "BatchStart":
        """The same operation, started and not waited for."""
        return BatchStart(self)

    def submit(self, *, timeout: float | None = None) -> list[Receipt]:
        """Carry it out, and wait until it is as safe as its safest queue or stream promises.

        1 to 1,024 parts, with at most 8 MiB of bodies, keys and headers. If it is refused, nothing
        of it was done, the error names the part, every job can still be settled, and it may be
        submitted again. Among the reasons: `NotFound`; `Full`, also where a send would wait;
        `LeaseLost` and `Stale` for a job; `Conflict` for an append and `LeaseLost` for a commit;
        `Unsupported` if it joins what is in memory with what is on disk; `NoSpace`.
        """
        command = self._begin(timeout)
        try:
            receipts = self._core.run(command, timeout)
        except BaseException as error:
            self._fail(error)
            raise
        self._succeed(receipts)
        return receipts

    def __enter__(self) -> "Batch":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._drop()
        elif self._is_waiting():
            self.submit(timeout=self._timeout)


class BatchStart:
    """A batch, started and not waited for."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def submit(self, *, timeout: float | None = None) -> Operation[list[Receipt]]:
        """Start to carry it out; see `Batch.submit`."""
        batch = self._batch
        command = batch._begin(timeout)

        def succeed(receipts: list[Receipt]) -> list[Receipt]:
            batch._succeed(receipts)
            return receipts

        try:
            return batch._hub._started(command, timeout, succeed, batch._fail)
        except BaseException as error:
            batch._fail(error)
            raise
