"""A message held from a queue, as both faces of the package see it."""

from typing import Any

Fields = tuple[int, int, int, bool, Any, bytes, dict[str, bytes], int]


class Delivery:
    """A message, held until it is settled."""

    __slots__ = (
        "_settled",
        "_token",
        "body",
        "failures",
        "headers",
        "key",
        "message_id",
        "priority",
        "redelivered",
    )

    body: Any
    """What was sent: bytes, or a memoryview of a larger body if the hub is open with zero_copy."""
    key: bytes
    """Which messages belong together."""
    headers: dict[str, bytes]
    """What was sent along."""
    priority: int
    """Higher is delivered first."""
    message_id: int
    """Unique in the hub."""
    failures: int
    """How often it was tried before and requeued."""
    redelivered: bool
    """Whether somebody held it before."""

    def __init__(self, fields: Fields) -> None:
        (
            self._token,
            self.message_id,
            self.failures,
            self.redelivered,
            self.body,
            self.key,
            self.headers,
            self.priority,
        ) = fields
        self._settled = False

    def __repr__(self) -> str:
        return f"Job(message_id={self.message_id}, body={self.body!r})"


def verdict_after(error: BaseException | None) -> str:
    """What becomes of a job whose `with` block ended so; one broken off is given back untouched."""
    if error is None:
        return "acknowledge"
    return "reject" if isinstance(error, Exception) else "release"
