"""What must be true of a history, whoever was killed when.

A message is known by its number: there is one send of it, alone or in a batch, and the hub gives it
one id. What is in streams is for streams.py. `check` returns a sentence for each breach.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from history import HARNESS, Line
from streams import Streams

SAFE = ("disk", "os", "late")
# What waits in a program may be taken back and done elsewhere before the program looks at it; then
# its own verdict comes too late, and only verdicts count.
LEASED = "late"
MAX_ATTEMPTS = 3
OF_STREAMS = {"append", "put", "appended", "join", "read", "record", "place"}
OF_STREAMS |= {"look", "saw", "looked"}
GOING = {"open", "dies", "end", "fault", "empty"}
# How operations on queues that survive may end, beside well: no room in time, or no host in time.
# The next host says INDETERMINATE where it refuses what the last one may have published.
HARMLESS = {"FULL", "EXPIRED", "HOST_UNRESPONSIVE", "CLOSED", "INDETERMINATE"}


@dataclass
class Verdict:
    """A settlement of a message: alone, or a part of a batch."""

    at_us: int
    process: str
    queue: str
    message_id: str
    verdict: str
    batch: str | None = None
    status: str | None = None
    maybe: bool = True
    ended_us: int = 0


@dataclass
class Message:
    """Everything that is known of a number."""

    number: str
    queue: str = ""
    sent_us: int = 0
    batch: str | None = None
    status: str | None = None
    maybe: bool = True
    ids: set[str] = field(default_factory=set)
    got: list[Line] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    dead: Line | None = None

    @property
    def is_safe(self) -> bool:
        """Whether it is in a queue that outlives its host."""
        return self.queue.startswith(SAFE)


@dataclass
class Batch:
    """A batch: numbers taken and sent."""

    taken: list[str]
    sent: list[str]
    status: str | None = None
    maybe: bool = True


class Checker:
    """A history, put together by number. `is_single` tells which processes have one receiver."""

    def __init__(self, lines: list[Line], drainer: str, is_single: Callable[[str], bool]) -> None:
        self.drainer = drainer
        self.is_single = is_single
        self.messages: dict[str, Message] = {}
        self.batches: dict[str, Batch] = {}
        self.published: set[str] = set()
        self.calls: dict[str, tuple[str, bool, str]] = {}
        self.started_calls: set[str] = set()
        self.runs: Counter[str] = Counter()
        self.wrong: list[str] = []
        # What each process was given comes in the order in which it said so.
        self.got: list[Line] = []
        self.streams = Streams(self.wrong, HARMLESS)
        self._open: dict[tuple[str, str, str], list[Verdict]] = defaultdict(list)
        for line in lines:
            if line.word in OF_STREAMS:
                getattr(self.streams, line.word)(line)
            elif line.process != HARNESS and line.word not in GOING:
                getattr(self, f"_{line.word}")(line)

    # --- what was said ----------------------------------------------------------------------------

    def _send(self, line: Line) -> None:
        number, queue = line.fields
        self.messages[number] = Message(number, queue, line.at_us)

    def _sent(self, line: Line) -> None:
        number, status, maybe, message_id = line.fields
        message = self.messages[number]
        message.status, message.maybe = status, maybe == "1"
        if status == "OK" and message_id != "0":
            message.ids.add(message_id)
        elif status != "OK" and message.is_safe and status not in HARMLESS:
            self.wrong.append(f"the send of {number} ended as {status}")

    def _publish(self, line: Line) -> None:
        number, queue, stream = line.fields
        self.messages[number] = Message(number, queue, line.at_us)
        # One of these topics may wait for room in its queue while the other goes on.
        self.streams.begin(line, number, stream, queue)
        self.published.add(number)

    def _published(self, line: Line) -> None:
        number, status, maybe = line.fields
        message, append = self.messages[number], self.streams.appends[number]
        message.status = append.status = status
        message.maybe = append.maybe = maybe == "1"
        if status != "OK" and status not in HARMLESS:
            self.wrong.append(f"the publish of {number} ended as {status}")

    def _got(self, line: Line) -> None:
        _, message_id, number, _, _, whole = line.fields
        if number not in self.messages:
            self.wrong.append(f"{number} was delivered and never sent")
            return
        if whole != "whole":
            self.wrong.append(f"{number} was delivered with another body")
        message = self.messages[number]
        message.ids.add(message_id)
        message.got.append(line)
        self.got.append(line)

    def _settle(self, line: Line) -> None:
        queue, message_id, number, verdict = line.fields
        made = Verdict(line.at_us, line.process, queue, message_id, verdict)
        self.messages[number].verdicts.append(made)
        # What one thread gives back may come to another of its process before it hears so.
        self._open[line.process, number, verdict].append(made)

    def _settled(self, line: Line) -> None:
        queue, _, number, verdict, status, maybe = line.fields
        made = self._open[line.process, number, verdict].pop(0)
        made.status, made.maybe, made.ended_us = status, maybe == "1", line.at_us
        # A queue with an ack_deadline takes back what is settled late.
        harmless = HARMLESS | {"OK"} | ({"LEASE_LOST"} if queue == LEASED else set())
        if queue.startswith(SAFE) and status not in harmless:
            self.wrong.append(f"{verdict} of {number} in {queue} ended as {status}")

    def _batch(self, line: Line) -> None:
        name, *parts = line.fields
        batch = self.batches[name] = Batch([], [])
        for part in parts:
            match part.split(":"):
                case ["take", queue, message_id, number]:
                    made = Verdict(line.at_us, line.process, queue, message_id, "acknowledge", name)
                    self.messages[number].verdicts.append(made)
                    batch.taken.append(number)
                case ["send", queue, number]:
                    self.messages[number] = Message(number, queue, line.at_us, batch=name)
                    batch.sent.append(number)

    def _batched(self, line: Line) -> None:
        name, status, *_ = line.fields
        # Some name a queue that is nowhere, on purpose.
        if status not in HARMLESS | {"OK", "NOT_FOUND"}:
            self.wrong.append(f"batch {name} ended as {status}")
        self._batch_ended(line)

    def _batch_ended(self, line: Line) -> None:
        name, status, maybe, *ids = line.fields
        batch = self.batches[name]
        batch.status, batch.maybe = status, maybe == "1"
        for number in batch.taken:
            made = next(each for each in self.messages[number].verdicts if each.batch == name)
            made.status, made.maybe, made.ended_us = status, maybe == "1", line.at_us
        for number in batch.sent:
            self.messages[number].status, self.messages[number].maybe = status, maybe == "1"
        for number, message_id in zip(batch.sent, ids, strict=status == "OK"):
            self.messages[number].ids.add(message_id)

    def _commit(self, line: Line) -> None:
        """A member's batch, which may take and send messages, too."""
        self.streams.commit(line)
        if any(part.startswith("send:") for part in line.fields):
            self._batch(line)

    def _committed(self, line: Line) -> None:
        self.streams.committed(line)
        if line.fields[0] in self.batches:
            self._batch_ended(line)

    def _call(self, line: Line) -> None:
        self.started_calls.add(line.fields[0])

    def _called(self, line: Line) -> None:
        number, status, maybe, right = line.fields
        self.calls[number] = (status, maybe == "1", right)

    def _run(self, line: Line) -> None:
        self.runs[line.fields[0]] += 1

    def _gone(self, line: Line) -> None:
        queue = line.fields[0]
        if queue.startswith(SAFE):
            self.wrong.append(f"{queue} was gone for {line.process}")

    def _dead(self, line: Line) -> None:
        self.messages[line.fields[1]].dead = line

    # --- what must be true ------------------------------------------------------------------------

    def check(self) -> list[str]:
        """A sentence for each breach."""
        for message in self.messages.values():
            self._check_identity(message)
            self._check_finality(message)
            self._check_attempts(message)
            if message.is_safe:
                self._check_end(message)
        for name, batch in self.batches.items():
            self._check_batch(name, batch)
        self._check_order()
        self._check_calls()
        self.streams.check()
        self._check_joined()
        return self.wrong

    def _check_joined(self) -> None:
        """What changes queues and streams has changed both, or neither."""
        for number in self.published:
            message, append = self.messages[number], self.streams.appends[number]
            is_there = self.streams.is_there(number)
            if is_there != bool(message.got):
                places = [append.stream, message.queue]
                there, missing = places if is_there else reversed(places)
                self.wrong.append(f"{number} was published to {there} and not to {missing}")
        for name in self.batches.keys() & self.streams.commits.keys():
            has_sent = any(self.messages[number].got for number in self.batches[name].sent)
            if has_sent != (name in self.streams.happened):
                there, missing = ("sent", "appended") if has_sent else ("appended", "sent")
                self.wrong.append(f"batch {name} has {there} and not {missing}")

    def _check_identity(self, message: Message) -> None:
        # A queue in memory is lost with its host, and what was not confirmed is sent anew.
        if message.is_safe and len(message.ids) > 1:
            self.wrong.append(f"{message.number} was stored twice: ids {sorted(message.ids)}")
        if message.got and message.status not in (None, "OK") and not message.maybe:
            self.wrong.append(f"{message.number} ended as {message.status} and was delivered")
        if message.got and message.got[0].at_us < message.sent_us:
            self.wrong.append(f"{message.number} was delivered before it was sent")

    def _check_finality(self, message: Message) -> None:
        final = self._final(message)
        if message.is_safe and len(final) > len(set(final)):
            self.wrong.append(f"{message.number} was settled for good twice: in {final}")
        for verdict in message.verdicts:
            if verdict.status != "OK" or verdict.verdict not in ("acknowledge", "reject"):
                continue
            for line in message.got:
                # What a lost host had in memory may be sent anew, and then has another id.
                is_it = line.fields[:2] == [verdict.queue, verdict.message_id]
                if is_it and line.at_us > verdict.ended_us and verdict.queue != LEASED:
                    self.wrong.append(
                        f"{message.number} came again to {line.process} after its"
                        f" {verdict.verdict} in {verdict.queue} was confirmed to {verdict.process}"
                    )

    def _final(self, message: Message, process: str = "") -> list[str]:
        """The queues in which it was settled for good, by this process or any, as was confirmed."""
        return [
            each.queue
            for each in message.verdicts
            if each.status == "OK"
            and each.verdict in ("acknowledge", "reject")
            and process in ("", each.process)
        ]

    def _check_attempts(self, message: Message) -> None:
        by_queue: dict[str, int] = defaultdict(int)
        for line in message.got:
            queue, failures = line.fields[0], int(line.fields[3])
            if failures < by_queue[queue] and queue != LEASED:
                self.wrong.append(f"{message.number} in {queue} has fewer failures than before")
            by_queue[queue] = max(by_queue[queue], failures)
        if message.dead is not None:
            self._check_reason(message, message.dead)

    def _check_reason(self, message: Message, dead: Line) -> None:
        _, _, reason, failures, origin = dead.fields
        verdicts = [each.verdict for each in message.verdicts if each.queue == origin]
        needed = {"rejected": "reject", "requeued": "requeue"}.get(reason)
        if needed and needed not in verdicts:
            self.wrong.append(f"{message.number} is dead as {reason}, and nobody has")
        # A process may have died before it could say that it held the message.
        if reason in ("requeued", "crashed", "late") and int(failures) != MAX_ATTEMPTS:
            self.wrong.append(f"{message.number} is dead after {failures} failures")

    def _check_end(self, message: Message) -> None:
        """Confirmed, it is drained once, or somebody began to acknowledge it."""
        drained = [line.fields[0] for line in message.got if line.process == self.drainer]
        if LEASED in drained:
            done = [LEASED] if LEASED in self._final(message, self.drainer) else []
            drained = [queue for queue in drained if queue != LEASED] + done
        if len(drained) > 1:
            self.wrong.append(f"{message.number} was drained from {drained}")
        confirmed = message.status == "OK" or bool(message.got)
        if not confirmed or drained:
            return
        began = [
            each
            for each in message.verdicts
            if each.verdict == "acknowledge" and self._may_be_done(each)
        ]
        if not began:
            self.wrong.append(f"{message.number} in {message.queue} is lost")

    def _may_be_done(self, verdict: Verdict) -> bool:
        """Whether a verdict may have had its effect; one in a batch, by what that has sent."""
        if verdict.batch is not None and not self._batch_happened(verdict.batch):
            return False
        return verdict.status in (None, "OK") or verdict.maybe

    def _batch_happened(self, name: str) -> bool:
        """Whether a batch was carried out: then it is seen by what it has sent."""
        batch = self.batches[name]
        return batch.status == "OK" or any(self.messages[number].got for number in batch.sent)

    def _check_batch(self, name: str, batch: Batch) -> None:
        seen = [bool(self.messages[number].got) for number in batch.sent]
        if any(seen) != all(seen):
            self.wrong.append(f"batch {name} has sent only some of {batch.sent}")
        if not any(seen):
            return  # That it took nothing either is seen where its messages end.
        first_us = min(line.at_us for number in batch.sent for line in self.messages[number].got)
        for number in batch.taken:
            made = next(each for each in self.messages[number].verdicts if each.batch == name)
            for line in self.messages[number].got:
                if line.at_us > first_us and line.fields[0] == made.queue:
                    self.wrong.append(f"batch {name} has sent, and {number} came again")

    def _check_order(self) -> None:
        """First deliveries reach a program's only receiver in the order of their queue.

        Where batches send to it is no order: a message of a batch is visible when all of that is as
        safe as the safest of its queues, so that a later one of a lesser batch may come before.
        """
        last: dict[tuple[str, str], int] = {}
        for line in self.got:
            queue, message_id, number, _, redelivered, _ = line.fields
            place = (line.process, queue)
            if redelivered == "1" or queue.endswith((".dead", ".out")):
                continue
            if not self.is_single(line.process):
                continue
            if int(message_id) < last.get(place, 0):
                self.wrong.append(
                    f"{number} came out of order to {line.process} from {queue}:"
                    f" its id is {message_id}, and {last[place]} came before"
                )
            last[place] = max(last.get(place, 0), int(message_id))

    def _check_calls(self) -> None:
        for number, count in self.runs.items():
            if count > 1:
                self.wrong.append(f"call {number} ran {count} times")
            if number not in self.started_calls:
                self.wrong.append(f"call {number} ran and was never made")
        for number, (status, maybe, right) in self.calls.items():
            if right != "right":
                self.wrong.append(f"call {number} got another's reply")
            if status == "OK" and not self.runs[number]:
                self.wrong.append(f"call {number} was answered and never ran")
            if status != "OK" and not maybe and self.runs[number]:
                self.wrong.append(f"call {number} ended as {status}, not executed, and ran")
