"""Several changes that are done all or not at all, in the asyncio face."""

import asyncio
from functools import partial
from types import TracebackType
from typing import Any

from telpher._delivery import Delivery
from telpher._parts import Parts
from telpher._telpher import Receipt
from telpher.aio._starter import Starter


class Batch(Parts):
    """Several changes that are done all or not at all; made by `Hub.batch`.

    They are sends, settlements, publishes, appends to streams and commits of reader groups.

    `async with hub.batch() as batch:` submits it at the end of the block, if it has any parts, and
    waits; `receipts` says then what its sends have reached. A block that ends by an exception
    submits nothing, and its jobs are as they were before.
    """

    def __init__(self, starter: Starter, timeout: float | None) -> None:
        super().__init__(starter.turner.core, timeout)
        self._starter = starter

    def submit(self, *, timeout: float | None = None) -> asyncio.Future[list[Receipt]]:
        """Carry it out; it ends when that is as safe as its safest queue or stream promises.

        1 to 1,024 parts, with at most 8 MiB of bodies, keys and headers. If it is refused, nothing
        of it was done, the error names the part, every job can still be settled, and it may be
        submitted again. Among the reasons: `NotFound`; `Full`, also where a send would wait;
        `LeaseLost` and `Stale` for a job; `Conflict` for an append and `LeaseLost` for a commit;
        `Unsupported` if it joins what is in memory with what is on disk; `NoSpace`. If it is
        cancelled, it may have been carried out or not.
        """
        command = self._begin(timeout)
        try:
            started = self._starter.start(command, timeout)
        except BaseException as error:
            self._fail(error)
            raise
        # A future of its own, as its jobs must know of the end before who waits for it does.
        told: asyncio.Future[list[Receipt]] = self._starter.turner.loop.create_future()
        told.add_done_callback(partial(_forward_cancel, started))
        started.add_done_callback(partial(self._end, told))
        return told

    def _end(
        self, told: asyncio.Future[list[Receipt]], started: asyncio.Future[list[Receipt]]
    ) -> None:
        if started.cancelled():
            self._fail(asyncio.CancelledError())
            told.cancel()
            return
        error = started.exception()
        if error is None:
            self._succeed(started.result())
        else:
            self._fail(error)
        if told.done():
            return
        if error is None:
            told.set_result(started.result())
        else:
            told.set_exception(error)

    def _give_back(self, jobs: list[Delivery]) -> None:
        super()._give_back(jobs)
        self._starter.turner.send_soon()

    async def __aenter__(self) -> "Batch":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._drop()
        elif self._is_waiting():
            await self.submit(timeout=self._timeout)


def _forward_cancel(started: asyncio.Future[Any], told: asyncio.Future[Any]) -> None:
    if told.cancelled():
        started.cancel()
