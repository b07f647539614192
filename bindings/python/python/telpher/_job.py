"""A message held from a queue, in the blocking face."""

from types import TracebackType
from typing import TYPE_CHECKING

from telpher._delivery import Delivery, Fields, verdict_after
from telpher._operation import Operation
from telpher._telpher import Command

if TYPE_CHECKING:
    from telpher._hub import Hub


class Job(Delivery):
    """A message, held until it is settled.

    `with job:` acknowledges it at the end of the block, and rejects it on an exception; a block
    that Ctrl-C breaks off gives it back untouched.
    """

    __slots__ = ("_hub",)

    def __init__(self, hub: "Hub", fields: Fields) -> None:
        super().__init__(fields)
        self._hub = hub

    @property
    def start(self) -> "JobStart":
        """The same operations, started and not waited for."""
        return JobStart(self)

    def acknowledge(self, *, timeout: float | None = None) -> None:
        """It is done: the message leaves the queue. `Stale` if it was settled before."""
        self._settle("acknowledge", timeout)

    def reject(self, *, timeout: float | None = None) -> None:
        """It can never be done: the message leaves the queue, counted as rejected."""
        self._settle("reject", timeout)

    def requeue(self, *, timeout: float | None = None) -> None:
        """Try it again: back to its place, with one more failure."""
        self._settle("requeue", timeout)

    def release(self, *, timeout: float | None = None) -> None:
        """It was not touched: back to its place, with no failure."""
        self._settle("release", timeout)

    def _settle(self, verdict: str, timeout: float | None) -> None:
        self._settled = True
        self._hub._core.run(Command.settle(self._token, verdict), timeout)

    def __enter__(self) -> "Job":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._settled:
            self._settle(verdict_after(error), None)


class JobStart:
    """Ways to settle a job, started and not waited for; see `Job` for each."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def acknowledge(self, *, timeout: float | None = None) -> Operation[None]:
        """Start to acknowledge."""
        return self._settle("acknowledge", timeout)

    def reject(self, *, timeout: float | None = None) -> Operation[None]:
        """Start to reject."""
        return self._settle("reject", timeout)

    def requeue(self, *, timeout: float | None = None) -> Operation[None]:
        """Start to requeue."""
        return self._settle("requeue", timeout)

    def release(self, *, timeout: float | None = None) -> Operation[None]:
        """Start to release."""
        return self._settle("release", timeout)

    def _settle(self, verdict: str, timeout: float | None) -> Operation[None]:
        self._job._settled = True
        return self._job._hub._started(Command.settle(self._job._token, verdict), timeout)
