"""What every program of the crash loop shares: names, options, and what a number stands for."""

import os
import time

import telpher

QUEUES = {
    "disk.in": "disk",
    "os.in": "os",
    "disk.out": "disk",
    "os.out": "os",
    "late": "disk",
    "spice": "memory",
    "disk.both": "disk",
    "os.both": "os",
}
DECLARED = {**QUEUES, "poison": "disk"}
OPTIONS = {"length_max": 300, "max_attempts": 3, "backoff_min": 0.005, "backoff_max": 0.05}
# Queues to which a topic is bound, by two patterns.
BOUND = ("disk.in", "os.in")
# Each of these topics is bound to one queue, and both to one stream.
TOPICS = {"both.disk": "disk.both", "both.os": "os.both"}
BOTH = "both"
# What is appended to a log a member of its group takes, and appends another to what is done.
LOGS = {"log.disk": "done.disk", "log.os": "done.os", "log.kept": "done.disk"}
# Of the last one of these little is kept, but never less than what its group has not read.
KEPT = "log.kept"
KEPT_OPTIONS = {"records_max": 20, "keep_unread": True}
# Of these, each key's latest.
LATEST = {"latest.disk": {"tombstone_age": 0.2}, "latest.os": {}}
STREAMS = ("log.disk", "log.os", "log.kept", "done.disk", "done.os", BOTH, *LATEST)
PARTITIONS = 3
GROUP = "members"
KEYS = 16
WINDOW = 8
TURNS = 60
IDLE = 30


def say(*fields: object) -> None:
    """Add a line to the history."""
    text = " ".join(str(field) for field in fields)
    os.write(1, f"{time.monotonic_ns() // 1000} {text}\n".encode())


def count_of(number: str) -> int:
    """Which of its program's it is."""
    return int(number.rpartition("-")[2])


def filled(number: str, size: int) -> bytes:
    """A body that begins with its number."""
    return f"{number}:".encode() + bytes([ord("a") + count_of(number) % 26]) * size


def body_of(number: str) -> bytes:
    """The one body that a number has, as every program makes it."""
    count = count_of(number)
    # Some large, so that the journal's segments, of a megabyte at first, come and go.
    size = 70_000 if count % 17 == 0 else count * 37 % 6_000 if count % 5 == 0 else count % 90
    return filled(number, size)


def record_of(number: str) -> bytes:
    """The one record that a number has: smaller, as streams keep all of them."""
    count = count_of(number)
    return filled(number, 6_000 if count % 50 == 0 else count % 90)


def key_of(number: str) -> str:
    """The key of what is put under one: those of all programs are the same few."""
    return f"key-{count_of(number) * 7 % KEYS}"


def value_of(number: str) -> bytes:
    """What is put under a key; now and then nothing, a tombstone, which says that it is gone.

    It is large enough for a few hundred of them to be compacted.
    """
    count = count_of(number)
    return b"" if count % 11 == 0 else filled(number, 2_000 + count % 90 * 10)


def number_of(record: telpher.Record) -> str:
    """The number of a record; a tombstone has it in a header alone."""
    if (header := record.headers.get("number")) is not None:
        return header.decode()
    return record.body.partition(b":")[0].decode()


def wholeness(name: str, record: telpher.Record) -> str:
    """Whether a record of a stream is as it was appended."""
    number = number_of(record)
    if name in LATEST:
        is_whole = (record.key, record.body) == (key_of(number).encode(), value_of(number))
    else:
        is_whole = record.body == (body_of if name == BOTH else record_of)(number)
    return "whole" if is_whole else "damaged"


def ending(error: telpher.Error | None) -> str:
    """How an operation ended: its status, and whether it may have been done."""
    return "OK 0" if error is None else f"{error.kind} {int(error.maybe_executed)}"
