"""Prints the stub of `telpher.errors`, from the classes as they are."""

import builtins
import concurrent.futures

from telpher import errors

HEAD = '''"""One exception class for each kind of error, made from the core's own table."""

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
'''


def base_name(base: type) -> str:
    """The name of a base class as the stub writes it."""
    if base is concurrent.futures.CancelledError:
        return "concurrent.futures.CancelledError"
    return base.__name__ if hasattr(builtins, base.__name__) else "Error"


def document(text: str) -> list[str]:
    """A docstring within 100 columns."""
    lines, line = [], '    """'
    for word in text.split():
        if len(line) + len(word) + 1 > 96:
            lines, line = [*lines, line.rstrip()], "    "
        line += word + " "
    return [*lines, line.rstrip() + '"""']


def main() -> None:
    """Print the stub."""
    print(HEAD, end="")
    print("\n__all__ = [")
    print("\n".join(f'    "{name}",' for name in errors.__all__))
    print("]")
    for made in (getattr(errors, name) for name in errors.__all__ if name != "Error"):
        bases = ", ".join(base_name(base) for base in made.__bases__)
        print(f"\nclass {made.__name__}({bases}):")
        print("\n".join(document(made.__doc__)))


if __name__ == "__main__":
    main()
