"""The exception classes, read back against the core's own table."""

import pickle

import pytest
import telpher
from telpher import _telpher, errors

ALSO = {
    telpher.TimedOut: TimeoutError,
    telpher.Expired: TimeoutError,
    telpher.Pending: TimeoutError,
    telpher.HostUnresponsive: TimeoutError,
    telpher.HostLost: ConnectionError,
    telpher.NoHost: ConnectionError,
    telpher.Protocol: ConnectionError,
    telpher.Invalid: ValueError,
    telpher.TooLarge: ValueError,
    telpher.Io: OSError,
}


@pytest.mark.parametrize(("kind", "number", "executed", "meaning"), _telpher.KINDS)
def test_every_kind_has_its_class(
    kind: str, number: int, executed: bool | None, meaning: str
) -> None:
    name = "".join(word.capitalize() for word in kind.split("_"))
    made = getattr(telpher, name)
    assert name in telpher.__all__ and name in errors.__all__
    assert (made.__name__, made.__module__) == (name, "telpher")
    assert issubclass(made, telpher.Error)
    assert (made.kind, made.number, made.__doc__) == (kind, number, meaning)
    assert made().maybe_executed is bool(executed)
    copy = pickle.loads(pickle.dumps(made("why", maybe_executed=True)))
    assert (type(copy), copy.detail, copy.maybe_executed) == (made, "why", True)


def test_there_is_no_class_without_a_kind() -> None:
    assert len(errors.__all__) == len(_telpher.KINDS) + 1


@pytest.mark.parametrize(("made", "base"), ALSO.items())
def test_some_are_errors_of_python_too(made: type[telpher.Error], base: type) -> None:
    assert issubclass(made, base)


def test_an_error_prints_its_detail_or_its_meaning() -> None:
    assert str(telpher.NoService("nobody serves x")) == "nobody serves x"
    assert str(telpher.NoService()) == telpher.NoService.__doc__
