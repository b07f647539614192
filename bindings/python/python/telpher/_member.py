"""Readers that are members of a group: what they commit, and what they have not seen."""

from telpher._record import Fields, Record
from telpher._telpher import Command, Core
from telpher.errors import Invalid


class Member:
    """A reader, which may be a member of a group."""

    _is_member: bool

    def _core_of(self) -> Core:
        """The handle through which it reads."""
        raise NotImplementedError

    def _number(self) -> int:
        """The reader's number there."""
        raise NotImplementedError

    def _commit(self, record: Record) -> Command[None]:
        """Say that the group has done its work up to this record."""
        if not isinstance(record, Record):
            raise TypeError(f"only a record can be committed, not {record!r}")
        if not self._is_member:  # The hub has forgotten a reader that is at its end.
            raise Invalid("the reader is in no group, so it has no place to commit")
        place = record.partition, record._generation, record.offset
        return Command.commit(self._number(), place)


class Skips:
    """Tells which records of one reader come right behind some that never will."""

    def __init__(self) -> None:
        self._skipped: dict[int, tuple[int, int]] = {}

    def skip(self, fields: tuple[int, int, int]) -> None:
        """The records from the first offset up to the last one never come."""
        partition, first, last = fields
        begin, end = self._skipped.get(partition, (first, first))
        self._skipped[partition] = (begin if end == first else first, last + 1)

    def record(self, fields: Fields) -> Record:
        """The record that comes next."""
        partition, offset, time, body, key, headers, generation = fields
        begin, end = self._skipped.pop(partition, (0, 0))
        skipped = end - begin if end == offset else 0
        return Record(partition, offset, time, body, key, headers, skipped, generation)
