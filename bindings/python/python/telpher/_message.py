"""A message of a topic, as both faces of the package see it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from telpher._options import Body
from telpher._telpher import Command, Core
from telpher.errors import Error, Invalid, Stale

Fields = tuple[str, int, Any, bytes, dict[str, bytes], int, int]
_Fire = Callable[[Command[None]], None]


class Asked:
    """Who is told of the answer to one message."""

    def __init__(self, core: Core, fire: _Fire, token: int) -> None:
        self.core = core
        self.token = token
        self._fire = fire
        self._open = [True]

    def answer(self, command: Command[None]) -> None:
        """Answer; `Stale` if that was done before, or nobody waits for it any more."""
        self.core.request_cancelled(self.token)
        try:
            self._open.pop()
        except IndexError:
            raise Stale("this message has been answered before") from None
        self._fire(command)


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
    _asked: Asked | None = field(default=None, repr=False, compare=False)

    @property
    def wants_reply(self) -> bool:
        """Whether whoever published it gathers answers. It may be answered once, or not at all."""
        return self._asked is not None

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for an answer, or no longer."""
        try:
            return self._asked is None or self._asked.core.request_cancelled(self._asked.token)
        except Error:
            return True

    def reply(self, body: Body = b"") -> None:
        """Answer, from any thread.

        `Invalid` if nobody gathers answers, `Stale` if it was answered before or nobody waits any
        more.
        """
        asked = self._gathering()
        asked.answer(Command.reply(asked.token, body))

    def fail(self, text: str, *, code: int = 1) -> None:
        """Say that it can't be answered: whoever gathers gets `Remote` with this code and text."""
        asked = self._gathering()
        asked.answer(Command.fail(asked.token, code, text))

    def _gathering(self) -> Asked:
        if self._asked is None:
            raise Invalid("nobody gathers answers to this message")
        return self._asked


class Numbers:
    """Tells from the numbers of one subscriber's messages how many it has lost between them.

    So all that is lost counts in the same way, wherever that was: in the hub, with a connection,
    or in the program.
    """

    def __init__(self, core: Core, fire: _Fire) -> None:
        self._core = core
        self._fire = fire
        self._last = 0

    def message(self, fields: Fields) -> TopicMessage:
        """The message that is handed out next."""
        topic, number, body, key, headers, priority, token = fields
        lost = number - self._last - 1
        self._last = number
        asked = Asked(self._core, self._fire, token) if token else None
        return TopicMessage(topic, number, lost, body, key, headers, priority, asked)
