"""A message of a topic, as both faces of the package see it."""

from dataclasses import dataclass
from typing import Any

Fields = tuple[str, int, Any, bytes, dict[str, bytes], int]


@dataclass(slots=True)
class TopicMessage:
    """A message of a topic. It needs no settling."""

    topic: str
    """Where it was published."""
    number: int
    """Counts the messages of its subscriber from 1, the lost ones too."""
    lost: int
    """How many messages right before it never come: the program was too slow for them, or its
    connection broke. What was published while there was no hub is not known, and not counted.
    """
    body: Any
    """What was published: bytes, or a memoryview of a larger body if the hub is open with
    zero_copy.
    """
    key: bytes
    """Which messages belong together; empty if none was given."""
    headers: dict[str, bytes]
    """What was published along; of a name that was given twice, the first value."""
    priority: int
    """What the publisher stated, from 0 to 255; it changes nothing about the order."""


class Numbers:
    """Tells from the numbers of one subscriber's messages how many it has lost between them.

    So all that is lost counts in the same way, wherever that was: in the hub, with a connection,
    or in the program.
    """

    def __init__(self) -> None:
        self._last = 0

    def message(self, fields: Fields) -> TopicMessage:
        """The message that is handed out next."""
        topic, number, *rest = fields
        lost = number - self._last - 1
        self._last = number
        return TopicMessage(topic, number, lost, *rest)
