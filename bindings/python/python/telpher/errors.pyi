"""One exception class for each kind of error, made from the core's own table."""

# Made by errors_stub.py; change the table in the core.

import concurrent.futures

class Error(Exception):
    """Why an operation could not be started, or how it ended."""

    kind: str
    """The stable name, the same in every language: NO_SERVICE."""
    number: int
    """The number of the kind in C and on the wire."""
    code: int
    """The code that a failing handler gave; 0 otherwise."""
    maybe_executed: bool
    """Whether the operation may have taken effect."""
    detail: str
    """What was wrong, with the limit and the value."""
    def __init__(
        self, detail: str = "", *, code: int | None = None, maybe_executed: bool | None = None
    ) -> None: ...

__all__ = [
    "Abandoned",
    "Busy",
    "Cancelled",
    "Closed",
    "Conflict",
    "Corrupt",
    "Error",
    "Expired",
    "Forked",
    "Full",
    "HostLost",
    "HostUnresponsive",
    "Indeterminate",
    "Internal",
    "Interrupted",
    "Invalid",
    "Io",
    "LeaseLost",
    "Lost",
    "Mismatch",
    "NoHost",
    "NoService",
    "NoSpace",
    "NotFound",
    "OutOfRange",
    "Pending",
    "Protocol",
    "Refused",
    "Remote",
    "Stale",
    "TimedOut",
    "TooLarge",
    "UnknownProducer",
    "Unsupported",
    "WouldDeadlock",
]

class Abandoned(Error):
    """The handler let go of the request, or ended, without an answer."""

class Busy(Error):
    """The service's line of waiting requests is full. The request was not run."""

class Cancelled(Error, concurrent.futures.CancelledError):
    """Cancelled at the program's own wish."""

class Closed(Error):
    """The handle is closed, or was while the operation was open."""

class Conflict(Error):
    """The partition's next offset is another than was expected. Nothing was appended."""

class Corrupt(Error):
    """Damage was found on disk; the text names the file and the offset. Nothing of it is used."""

class Expired(Error, TimeoutError):
    """The time ran out before the operation began. It was dropped unrun."""

class Forked(Error):
    """The handle was opened before a fork, by the parent. The child must open its own."""

class Full(Error):
    """As much is in flight as may be, or the queue is full. Nothing was stored; one READY
    event follows when half of what may be in flight is free again."""

class HostLost(Error, ConnectionError):
    """The host that held the operation is gone, or no longer knows this session."""

class HostUnresponsive(Error, TimeoutError):
    """The deadline passed without a verdict of the hub."""

class Indeterminate(Error):
    """Whether it was done cannot be found out."""

class Internal(Error):
    """A fault in Telpher itself was caught; the handle refuses further work."""

class Interrupted(Error):
    """A signal arrived during the wait. Nothing has changed: call again."""

class Invalid(Error, ValueError):
    """An argument is wrong; the text says which, its limit and its value. Nothing was started."""

class Io(Error, OSError):
    """The operating system refused; the text carries its words."""

class LeaseLost(Error):
    """The delivery or request was taken back before this answer came. The answer had no
    effect."""

class Lost(Error):
    """Of a gather: the request or its answer was dropped on the way, as a buffer was full or a
    connection broke."""

class Mismatch(Error):
    """It exists with other options; the text names the difference. Nothing was changed."""

class NoHost(Error, ConnectionError):
    """Nobody hosts the hub and this handle may not, or the hub could not be reached in time."""

class NoService(Error):
    """No instance serves this name. The request was not run."""

class NoSpace(Error):
    """The disk is full. Nothing was stored; settling what is held frees room."""

class NotFound(Error):
    """No queue or stream has this name."""

class OutOfRange(Error):
    """What was to be read is not kept any more, or not there yet; the text tells the range."""

class Pending(Error, TimeoutError):
    """The wait's own time passed first. The ticket is still open; nothing has changed."""

class Protocol(Error, ConnectionError):
    """The other side broke the wire protocol; the connection was ended with this reason."""

class Refused(Error):
    """Refused by policy: not without a stated permission. Nothing was done."""

class Remote(Error):
    """The handler failed; the error carries its code and text."""

class Stale(Error):
    """The id names nothing any more: its ticket was redeemed, or its delivery settled, before."""

class TimedOut(Error, TimeoutError):
    """The time ran out while the handler was running."""

class TooLarge(Error, ValueError):
    """A body, key, header or name is over its limit. Nothing was started."""

class UnknownProducer(Error):
    """The hub does not know this producer any more, so it cannot tell a repeat from a new
    message."""

class Unsupported(Error):
    """The hub cannot do this; the text names the feature. Nothing was done."""

class WouldDeadlock(Error):
    """Waiting here would wait for oneself: inside a callback or handler, or on a second
    driver."""
