"""A message held from a queue, as both faces of the package see it."""

from typing import TYPE_CHECKING, Any

from telpher._telpher import REASON_SIZE_MAX, Core

if TYPE_CHECKING:
    from telpher._parts import Parts

Fields = tuple[int, int, int, bool, Any, bytes, dict[str, bytes], int]


class Delivery:
    """A message, held until it is settled."""

    __slots__ = (
        "_batch",
        "_core",
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
    """What was sent along; of a name that was given twice, the first value.

    A dead letter has more: `telpher.queue` (where it was), `telpher.reason` (`rejected`,
    `requeued`, `late`, `crashed` or `expired`), `telpher.error` (the last reason given),
    `telpher.failures` (a decimal number) and `telpher.history` (a line for each of the last 32
    failed attempts; fewer if its own headers leave no room for them).
    """
    priority: int
    """Higher is delivered first."""
    message_id: int
    """Unique in the hub."""
    failures: int
    """How many attempts have failed before."""
    redelivered: bool
    """Whether somebody held it before."""

    def __init__(self, core: Core, fields: Fields) -> None:
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
        self._core = core
        self._batch: Parts | None = None
        self._settled = False

    def __repr__(self) -> str:
        return f"Job(message_id={self.message_id}, body={self.body!r})"

    def _is_done(self, error: BaseException | None) -> bool:
        """Whether the end of its `with` block has nothing to settle: that was, or a batch does."""
        batch = self._batch
        # In this order: a batch that ends meanwhile lets go of the job after it counts as settled.
        return (batch is not None and batch._takes_over(self, error)) or self._settled


def verdict_after(error: BaseException | None) -> tuple[str, str]:
    """What becomes of a job whose `with` block ended so, and why; one broken off is released."""
    if error is None:
        return "acknowledge", ""
    return ("reject", reason_of(error)) if isinstance(error, Exception) else ("release", "")


def reason_of(error: Exception) -> str:
    """The type and text of an exception, as much of it as a reason may have."""
    try:
        text = str(error)
    except Exception:
        text = ""  # What cannot be printed is still an error of its type.
    name = type(error).__name__
    reason = (f"{name}: {text}" if text else name)[:REASON_SIZE_MAX]
    return reason.encode("utf-8", "replace")[:REASON_SIZE_MAX].decode("utf-8", "ignore")
