"""The checker must find what is planted: histories with one thing wrong, and one with nothing."""

from collections.abc import Mapping

from checker import Checker
from history import Line
from programs import Failed, World

# A message that is sent, requeued, acknowledged; one that is moved in a batch; a call.
GOOD = """
a send a-s-1 disk.in
a sent a-s-1 OK 0 7
a send a-s-2 os.in
a sent a-s-2 OK 0 8
b got disk.in 7 a-s-1 0 0 whole
b settle disk.in 7 a-s-1 requeue
b settled disk.in 7 a-s-1 requeue OK 0
b got disk.in 7 a-s-1 1 1 whole
b settle disk.in 7 a-s-1 acknowledge
b settled disk.in 7 a-s-1 acknowledge OK 0
b got os.in 8 a-s-2 0 0 whole
b batch b-x-1 take:os.in:8:a-s-2 send:disk.out:b-b-1
b batched b-x-1 OK 0 9
a call a-c-1
b run a-c-1
a called a-c-1 OK 0 right
a send a-s-3 disk.in
a sent a-s-3 OK 0 10
a send a-s-4 spice
b got spice 11 a-s-4 0 0 whole
b settle spice 11 a-s-4 acknowledge
b settled spice 11 a-s-4 acknowledge OK 0
b got spice 12 a-s-4 0 0 whole
b gone spice
drain got disk.in 10 a-s-3 0 0 whole
drain got disk.out 9 b-b-1 0 0 whole
""".strip()

# What is wrong, the line it is done to, and what stands there instead.
PLANTED = {
    "is lost": ("drain got disk.in 10 a-s-3 0 0 whole", ""),
    "never sent": ("a call a-c-1", "b got disk.in 11 z-s-1 0 0 whole"),
    "another body": ("b got os.in 8 a-s-2 0 0 whole", "b got os.in 8 a-s-2 0 0 damaged"),
    "stored twice": ("b got os.in 8 a-s-2 0 0 whole", "b got os.in 12 a-s-2 0 0 whole"),
    "came again to": ("a call a-c-1", "c got disk.in 7 a-s-1 1 1 whole\na call a-c-1"),
    "a-s-4 came again to": (
        "b got spice 12 a-s-4 0 0 whole",
        "b got spice 11 a-s-4 0 0 whole",
    ),
    "was gone for b": ("b gone spice", "b gone disk.in"),
    "has sent, and": (
        "drain got disk.out 9 b-b-1 0 0 whole",
        "drain got disk.out 9 b-b-1 0 0 whole\ndrain got os.in 8 a-s-2 0 1 whole",
    ),
    "settled for good twice": (
        "b settled disk.in 7 a-s-1 acknowledge OK 0",
        "b settled disk.in 7 a-s-1 acknowledge OK 0\n"
        "c settle disk.in 7 a-s-1 reject\nc settled disk.in 7 a-s-1 reject OK 0",
    ),
    "out of order": (
        "drain got disk.in 10 a-s-3 0 0 whole",
        "drain got disk.in 10 a-s-3 0 0 whole\ndrain got disk.in 7 a-s-1 0 0 whole",
    ),
    "fewer failures": (
        "b got disk.in 7 a-s-1 1 1 whole",
        "b got disk.in 7 a-s-1 1 1 whole\nb got disk.in 7 a-s-1 0 1 whole",
    ),
    "ended as FULL and": ("a sent a-s-3 OK 0 10", "a sent a-s-3 FULL 0 0"),
    "ended as HOST_LOST": ("a sent a-s-3 OK 0 10", "a sent a-s-3 HOST_LOST 1 0"),
    "ended as LEASE_LOST": (
        "b settled disk.in 7 a-s-1 requeue OK 0",
        "b settled disk.in 7 a-s-1 requeue LEASE_LOST 0",
    ),
    "ran 2 times": ("b run a-c-1", "b run a-c-1\nc run a-c-1"),
    "never ran": ("b run a-c-1", ""),
    "not executed, and ran": ("a called a-c-1 OK 0 right", "a called a-c-1 BUSY 0 right"),
    "another's reply": ("a called a-c-1 OK 0 right", "a called a-c-1 OK 0 wrong"),
    "rejected, and nobody has": (
        "drain got disk.in 10 a-s-3 0 0 whole",
        "drain got disk.in.dead 10 a-s-3 0 0 whole\n"
        "drain dead disk.in.dead a-s-3 rejected 1 disk.in",
    ),
    "requeued, and nobody has": (
        "drain got disk.in 10 a-s-3 0 0 whole",
        "drain got disk.in.dead 10 a-s-3 0 0 whole\n"
        "drain dead disk.in.dead a-s-3 requeued 3 disk.in",
    ),
    "dead after 2 failures": (
        "drain got disk.in 10 a-s-3 0 0 whole",
        "drain got disk.in.dead 10 a-s-3 0 0 whole\n"
        "drain dead disk.in.dead a-s-3 crashed 2 disk.in",
    ),
}


def breaches(text: str, step_us: int = 1) -> list[str]:
    """What the checker says of a history whose lines follow one another."""
    lines = []
    for count, line in enumerate(filter(None, text.splitlines()), 1):
        process, word, *fields = line.split(" ")
        lines.append(Line(count * step_us, process, word, fields))
    return Checker(lines, "drain", lambda process: process != "c").check()


def must_find(good: str, planted: Mapping[str, list[tuple[str, str]]], step_us: int = 1) -> None:
    """What is planted is found, and called what it is: by name, lines and what replaces them."""
    for name, changes in planted.items():
        history = good
        for line, instead in changes:
            if line not in history:
                raise Failed(f"no such line: {line}")
            history = history.replace(line, instead, 1)
        found = breaches(history, step_us)
        if not any(name in each for each in found):
            raise Failed(f"{name!r} was planted, and found was {found}")


def canary_a_history_without_a_breach_passes(_: World) -> None:
    """Nothing is found where nothing is wrong."""
    if found := breaches(GOOD):
        raise Failed(str(found))


def canary_what_comes_in_one_moment_is_in_the_order_in_which_it_was_said(_: World) -> None:
    """Two deliveries of the same microsecond are not taken for the other way round."""
    first, second = "drain got disk.in 7 b-s-1 0 0 whole", "drain got disk.in 8 a-s-1 0 0 whole"
    sent = "a send a-s-1 disk.in\nb send b-s-1 disk.in\nb sent b-s-1 OK 0 7\na sent a-s-1 OK 0 8"
    if found := breaches(f"{sent}\n{first}\n{second}", step_us=0):
        raise Failed(str(found))
    found = breaches(f"{sent}\n{second}\n{first}", step_us=0)
    if not any("out of order" in each for each in found):
        raise Failed(f"another order was planted, and found was {found}")


def canary_each_planted_breach_is_found(_: World) -> None:
    """Each is found, and called what it is."""
    must_find(GOOD, {name: [change] for name, change in PLANTED.items()})


def canary_half_a_batch_is_found(_: World) -> None:
    """All of it or nothing: half of what it sends, or its sends and what it takes as well."""
    batch = "b batch b-x-1 take:os.in:8:a-s-2 send:disk.out:b-b-1"
    torn = GOOD.replace(batch, f"{batch} send:disk.out:b-b-2").replace("OK 0 9", "OK 0 9 13")
    untaken = GOOD.replace("b batched b-x-1 OK 0 9", "").replace(
        "drain got disk.out 9 b-b-1 0 0 whole", ""
    )
    for history, named in ((torn, "has sent only some"), (untaken, "is lost")):
        if not any(named in each for each in breaches(history)):
            raise Failed(f"{named!r} was planted, and found was {breaches(history)}")


CANARIES = [
    canary_a_history_without_a_breach_passes,
    canary_what_comes_in_one_moment_is_in_the_order_in_which_it_was_said,
    canary_each_planted_breach_is_found,
    canary_half_a_batch_is_found,
]
