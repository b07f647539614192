"""One exception class for each kind of error, made from the core's own table."""

import concurrent.futures
import logging

from telpher._telpher import KINDS

_LOG = logging.getLogger("telpher")
_LOG.addHandler(logging.NullHandler())

_ALSO = {
    "CANCELLED": (concurrent.futures.CancelledError,),
    "EXPIRED": (TimeoutError,),
    "HOST_LOST": (ConnectionError,),
    "HOST_UNRESPONSIVE": (TimeoutError,),
    "INVALID": (ValueError,),
    "IO": (OSError,),
    "NO_HOST": (ConnectionError,),
    "PENDING": (TimeoutError,),
    "PROTOCOL": (ConnectionError,),
    "TIMED_OUT": (TimeoutError,),
    "TOO_LARGE": (ValueError,),
}


class Error(Exception):
    """Why an operation could not be started, or how it ended."""

    kind = ""
    number = 0
    code = 0
    maybe_executed = False

    def __init__(self, detail="", *, code=None, maybe_executed=None):
        super().__init__(detail)
        self.detail = detail
        if code is not None:
            self.code = code
        if maybe_executed is not None:
            self.maybe_executed = maybe_executed

    def __str__(self):
        return self.detail or (type(self).__doc__ or "")


def _class_of(kind, number, executed, meaning):
    name = "".join(word.capitalize() for word in kind.split("_"))
    members = {"__doc__": meaning, "__module__": "telpher", "kind": kind, "number": number}
    if executed is not None:
        members["maybe_executed"] = executed
    if kind == "REMOTE":
        members["code"] = 1
    return type(name, (Error, *_ALSO.get(kind, ())), members)


Error.__module__ = "telpher"
_CLASSES = {number: _class_of(kind, number, *rest) for kind, number, *rest in KINDS}
globals().update({made.__name__: made for made in _CLASSES.values()})
__all__ = sorted(made.__name__ for made in (Error, *_CLASSES.values()))


def _from_core(number, detail, code, maybe_executed):
    """Make the exception for an error of the core."""
    return _CLASSES[number](detail, code=code, maybe_executed=maybe_executed)


def _log_unseen(error):
    """Log a failure that nobody waits for."""
    _LOG.warning("an operation that nobody waits for failed: %s: %s", error.kind, error)
