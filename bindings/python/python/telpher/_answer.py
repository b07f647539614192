"""Answers to a gather and its end, as both faces of the package see them."""

from dataclasses import dataclass, field
from typing import Any

from telpher.errors import Error, Lost

AnswerFields = tuple[int, Any, bytes, dict[str, bytes], Error | None, str | None]
GatheredFields = tuple[int, int, list[tuple[int, Error, str | None]]]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a gather."""

    instance: int
    """Who gives it: a number that an instance or subscriber keeps while it is registered with one
    host, and that no other has.
    """
    body: Any
    """The answer; None if the handler failed."""
    key: bytes
    """What came with it as its key; empty if there was none."""
    headers: dict[str, bytes]
    """What came along; of a name that was given twice, the first value."""
    error: Error | None
    """How the handler failed: `Remote`, or `Abandoned` if it let go; None if it did not."""
    instance_name: str | None = None
    """What whoever gives it calls itself; None if it has stated no name. Several may have stated
    the same: `instance` tells them apart.
    """


@dataclass(frozen=True, slots=True)
class Missing:
    """One that was asked and did not answer."""

    instance: int
    """Who, as in the answers of other gathers."""
    error: Error
    """Why, and whether it may have run: `TimedOut`, `Expired` (it was busy all the time),
    `Cancelled` (enough others have answered), `Busy`, `NoService` (it stopped before it was asked),
    `Abandoned` (its session ended) or `Lost`.
    """
    instance_name: str | None = None
    """What it calls itself, as in answers."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """How a gather ended."""

    answered: int
    """Answers."""
    failed: int
    """Answers that say that the handler failed."""
    missing: list[Missing] = field(default_factory=list)
    """Who did not answer, in the order in which they were asked."""

    @property
    def asked(self) -> int:
        """How many were asked."""
        return self.answered + self.failed + len(self.missing)


def gathered(fields: GatheredFields, lost: list[Answer]) -> Gathered:
    """The end of a gather, some of whose answers the program had no room for."""
    answered, failed, missing = fields
    failures = sum(answer.error is not None for answer in lost)
    text = "the program took the answers too slowly"
    return Gathered(
        answered - len(lost) + failures,
        failed - failures,
        [Missing(*one) for one in missing]
        + [
            Missing(answer.instance, Lost(text, maybe_executed=True), answer.instance_name)
            for answer in lost
        ],
    )
