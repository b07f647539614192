"""What a batch is made of, and who settles its jobs, for both faces of the package.

A job stays held until the batch has been carried out. Meanwhile the end of its `with` block leaves
it to the batch, except that an exception rejects it as long as the batch was not submitted. If the
batch is not carried out, what was left to it goes back to the queue, and every other job is as it
was before.
"""

import threading
from collections.abc import Mapping
from typing import Any

from telpher._delivery import Delivery
from telpher._member import Member
from telpher._options import Body
from telpher._record import Record
from telpher._telpher import Command, Core, Receipt, check_timeout
from telpher.errors import Error, Invalid, Stale


class Parts:
    """Sends, settlements, publishes, appends and commits, done all or not at all.

    It is for one thread.
    """

    receipts: list[Receipt]
    """Once it has been carried out: what each of its sends has reached, in their order. Nothing is
    told of what it has published and appended.
    """

    def __init__(self, core: Core, timeout: float | None) -> None:
        _check(timeout)
        self.receipts = []
        self._timeout = timeout
        self._core = core
        self._parts: list[Command[Any]] = []
        self._jobs: list[Delivery] = []
        self._left: list[Delivery] = []
        self._submitted = False
        self._under_way = False
        self._changing = threading.Lock()

    def send(
        self,
        queue: str,
        body: Body,
        *,
        key: Body | None = None,
        headers: Mapping[str, Body] | None = None,
        priority: int = 0,
    ) -> None:
        """Add: put a message into `queue`. A queue without room refuses the batch (`Full`)."""
        self._add(Command.send(queue, body, key, headers, priority))

    def publish(
        self,
        topic: str,
        body: Body,
        *,
        key: Body | None = None,
        headers: Mapping[str, Body] | None = None,
        priority: int = 0,
    ) -> None:
        """Add: publish a message, which happens only if the batch is done.

        A subscriber may lose it like any other. Where the topic is bound to a queue or a stream,
        what is stored there is a part of the batch: without room there, it is refused (`Full`).
        """
        self._add(Command.publish(topic, body, key, headers, priority))

    def append(
        self,
        stream: str,
        body: Body,
        *,
        key: Body | None = None,
        headers: Mapping[str, Body] | None = None,
        partition: int | None = None,
        expect: int | None = None,
    ) -> None:
        """Add: append a record to `stream`, as `Stream.append` does.

        Where it is, is not told. With `expect`, a partition or key must be stated; another next
        offset refuses the batch (`Conflict`), counting what the batch appends before. For a disk
        that is behind the batch waits until its time is over (`Full`).
        """
        self._add(Command.append(stream, body, key, headers, (partition, expect)))

    def commit(self, reader: Member, record: Record) -> None:
        """Add: the group of `reader` has done its work up to `record`, as `Reader.commit` says it.

        So what is sent and appended for a record happens once, whoever crashes: all of it with the
        commit, or nothing. `LeaseLost` refuses the batch.
        """
        if not isinstance(reader, Member):
            raise TypeError(f"only a reader commits, not {reader!r}")
        if reader._core_of() is not self._core:
            raise Invalid("the reader reads through another hub than the one of the batch")
        self._add(reader._commit(record))

    def acknowledge(self, job: Delivery) -> None:
        """Add: `job` is done."""
        self._add_job(job, "acknowledge", "")

    def reject(self, job: Delivery, reason: str = "") -> None:
        """Add: `job` can never be done, and goes to the dead-letter queue with `reason`."""
        self._add_job(job, "reject", reason)

    def requeue(self, job: Delivery, reason: str = "") -> None:
        """Add: `job` is tried again after a pause, with one more failure and `reason`."""
        self._add_job(job, "requeue", reason)

    def release(self, job: Delivery) -> None:
        """Add: `job` was not touched, and goes back to its place."""
        self._add_job(job, "release", "")

    def _add_job(self, job: Delivery, verdict: str, reason: str) -> None:
        if not isinstance(job, Delivery):
            raise TypeError(f"only a job can be settled, not {job!r}")
        if job._core is not self._core:
            raise Invalid("the job was received through another hub than the one of the batch")
        self._add(Command.settle(job._token, verdict, reason))
        self._jobs.append(job)
        job._batch = self

    def _add(self, part: Command[Any]) -> None:
        if self._submitted:
            raise Stale("the batch has been submitted before")
        self._parts.append(part)

    def _is_waiting(self) -> bool:
        """Whether it has parts and was not submitted."""
        return bool(self._parts) and not self._submitted

    def _takes_over(self, job: Delivery, error: BaseException | None) -> bool:
        """Whether a job whose `with` block ended so is the batch's to settle."""
        with self._changing:
            if job._batch is not self or (error is not None and not self._under_way):
                return False
            self._left.append(job)
            return True

    def _begin(self, timeout: float | None) -> Command[list[Receipt]]:
        """The parts as one command, to which nothing is added any more."""
        if self._submitted:
            raise Stale("the batch has been submitted before")
        try:
            _check(timeout)
            command = Command.batch(self._parts)
        except BaseException:
            self._refuse()
            raise
        with self._changing:
            self._submitted = self._under_way = True
            for job in self._jobs:
                job._batch = self
        return command

    def _succeed(self, receipts: list[Receipt]) -> None:
        """It was carried out."""
        self.receipts = receipts
        self._let_go(is_settled=True)

    def _fail(self, error: BaseException) -> None:
        """It was refused; or what became of it is unknown, and with it who holds its jobs."""
        if isinstance(error, Error) and not error.maybe_executed:
            self._refuse()
            return
        self._let_go(is_settled=True)
        if not isinstance(error, Error):  # It was broken off, perhaps before it was sent.
            self._give_back(self._jobs)

    def _drop(self) -> None:
        """Nothing of it shall be done, unless it was submitted before."""
        if not self._submitted:
            self._refuse()
            self._parts, self._jobs = [], []

    def _refuse(self) -> None:
        """Nothing of it was done: it may be changed and submitted again."""
        self._give_back(self._let_go(is_settled=False))
        self._submitted = False

    def _let_go(self, *, is_settled: bool) -> list[Delivery]:
        """End its say over its jobs; those that were left to it, which count as settled anyway."""
        with self._changing:
            self._under_way = False
            left, self._left = self._left, []
            for job in self._jobs if is_settled else left:
                job._settled = True
            for job in self._jobs:
                if job._batch is self:
                    job._batch = None
            return left

    def _give_back(self, jobs: list[Delivery]) -> None:
        """Release jobs that nobody will settle; one that is not held any more is left alone."""
        self._core.release([job._token for job in jobs])


def _check(timeout: float | None) -> None:
    """Refuse a wrong time limit before anything is begun."""
    if timeout is not None:
        check_timeout(timeout)
