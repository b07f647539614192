"""A message held from a queue, in the blocking face."""

from types import TracebackType
from typing import TYPE_CHECKING

from telpher._delivery import Delivery, Fields, verdict_after
from telpher._operation import Operation
from telpher._telpher import Command

if TYPE_CHECKING:
    from telpher._hub import Hub


class Job(Delivery):
    """A message, held until it is settled, or taken back after its queue's `ack_deadline`.

    `with job:` acknowledges it at the end of the block; an exception rejects it, with the type and
    text of the exception as the reason; a block that Ctrl-C breaks off gives it back untouched.

    To settle it is `Stale` if that was done before, and `LeaseLost` if it was taken back before:
    then the verdict had no effect. The job is still held after `NoSpace` (the disk is full to the
    last) and after `TooLarge`: a reason may have 1,024 bytes as UTF-8.
    """

    __slots__ = ("_hub",)

    def __init__(self, hub: "Hub", fields: Fields) -> None:
        super().__init__(hub._core, fields)
        self._hub = hub

    @property
    def start(self) -> "JobStart":
        """The same operations, started and not waited for."""
        return JobStart(self)

    def acknowledge(self, *, timeout: float | None = None) -> None:
        """It is done: the message leaves the queue."""
        self._settle("acknowledge", "", timeout)

    def reject(self, reason: str = "", *, timeout: float | None = None) -> None:
        """It can never be done: the message goes to the dead-letter queue, with `reason`."""
        self._settle("reject", reason, timeout)

    def requeue(self, reason: str = "", *, timeout: float | None = None) -> None:
        """Try it again: after a pause back to its place, with one more failure.

        `reason` goes into its history. After its queue's `max_attempts` failures the message goes
        to the dead-letter queue instead.
        """
        self._settle("requeue", reason, timeout)

    def release(self, *, timeout: float | None = None) -> None:
        """It was not touched: back to its place at once, with no failure."""
        self._settle("release", "", timeout)

    def extend(self, seconds: float | None = None, *, timeout: float | None = None) -> None:
        """Ask for more time: it is taken back `seconds` from now, at most a day.

        None is the whole `ack_deadline` again; without an `ack_deadline` nothing happens.
        `LeaseLost` if it was taken back before; `Stale` if it was settled.
        """
        self._core.run(Command.extend(self._token, seconds), timeout)

    def _settle(self, verdict: str, reason: str, timeout: float | None) -> None:
        command = Command.settle(self._token, verdict, reason)
        self._settled = True
        self._core.run(command, timeout)

    def __enter__(self) -> "Job":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._is_done(error):
            self._settle(*verdict_after(error), None)


class JobStart:
    """What can be done with a job, started and not waited for; see `Job` for each."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def acknowledge(self, *, timeout: float | None = None) -> Operation[None]:
        """Start to acknowledge."""
        return self._settle("acknowledge", "", timeout)

    def reject(self, reason: str = "", *, timeout: float | None = None) -> Operation[None]:
        """Start to reject."""
        return self._settle("reject", reason, timeout)

    def requeue(self, reason: str = "", *, timeout: float | None = None) -> Operation[None]:
        """Start to requeue."""
        return self._settle("requeue", reason, timeout)

    def release(self, *, timeout: float | None = None) -> Operation[None]:
        """Start to release."""
        return self._settle("release", "", timeout)

    def extend(
        self, seconds: float | None = None, *, timeout: float | None = None
    ) -> Operation[None]:
        """Start to ask for more time."""
        job = self._job
        return job._hub._started(Command.extend(job._token, seconds), timeout)

    def _settle(self, verdict: str, reason: str, timeout: float | None) -> Operation[None]:
        job = self._job
        command = Command.settle(job._token, verdict, reason)
        job._settled = True
        return job._hub._started(command, timeout)
