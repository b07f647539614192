"""A message held from a queue, in the asyncio face."""

import asyncio
from types import TracebackType

from telpher._delivery import Delivery, Fields, verdict_after
from telpher._telpher import Command
from telpher.aio._starter import Starter


class Job(Delivery):
    """A message, held until it is settled, or taken back after its queue's `ack_deadline`.

    `async with job:` acknowledges it at the end of the block; an exception rejects it, with the
    type and text of the exception as the reason; a block that is cancelled gives it back untouched.

    To settle it is `Stale` if that was done before, and `LeaseLost` if it was taken back before:
    then the verdict had no effect. The job is still held after `NoSpace` (the disk is full to the
    last) and after `TooLarge`: a reason may have 1,024 bytes as UTF-8.
    """

    __slots__ = ("_starter",)

    def __init__(self, starter: Starter, fields: Fields) -> None:
        super().__init__(starter.turner.core, fields)
        self._starter = starter

    def acknowledge(self, *, timeout: float | None = None) -> asyncio.Future[None]:
        """It is done: the message leaves the queue."""
        return self._settle("acknowledge", "", timeout)

    def reject(self, reason: str = "", *, timeout: float | None = None) -> asyncio.Future[None]:
        """It can never be done: the message goes to the dead-letter queue, with `reason`."""
        return self._settle("reject", reason, timeout)

    def requeue(self, reason: str = "", *, timeout: float | None = None) -> asyncio.Future[None]:
        """Try it again: after a pause back to its place, with one more failure.

        `reason` goes into its history. After its queue's `max_attempts` failures the message goes
        to the dead-letter queue instead.
        """
        return self._settle("requeue", reason, timeout)

    def release(self, *, timeout: float | None = None) -> asyncio.Future[None]:
        """It was not touched: back to its place at once, with no failure."""
        return self._settle("release", "", timeout)

    def extend(
        self, seconds: float | None = None, *, timeout: float | None = None
    ) -> asyncio.Future[None]:
        """Ask for more time: it is taken back `seconds` from now, at most a day.

        None is the whole `ack_deadline` again; without an `ack_deadline` nothing happens.
        `LeaseLost` if it was taken back before; `Stale` if it was settled.
        """
        return self._starter.start(Command.extend(self._token, seconds), timeout)

    def _let_go(self) -> None:
        self._settled = True
        self._starter.fire(Command.settle(self._token, "release"))

    def _settle(self, verdict: str, reason: str, timeout: float | None) -> asyncio.Future[None]:
        command = Command.settle(self._token, verdict, reason)
        self._settled = True
        return self._starter.start(command, timeout)

    async def __aenter__(self) -> "Job":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_done(error):
            return
        if isinstance(error, asyncio.CancelledError):
            self._let_go()
        else:
            await self._settle(*verdict_after(error), None)
