"""An order, and the numbers that the shop and the worker agree on."""

from dataclasses import dataclass
from typing import Self

LIMIT_S = 1.0
"""So long a customer waits. What is done later is late; a call that long ends with an error."""

HANDS = 8
"""Orders that the worker has in hand at once: threads, and partitions of the stream."""

CHARGE, SHIP = "charge", "ship"
"""The two steps of the work. An order is done when it is shipped."""

CHARGE_S, SHIP_S = 0.015, 0.010
"""So long they take."""

SLOW_S = 0.5
"""So long charging takes if the bank is slow."""

CAPACITY = HANDS / (CHARGE_S + SHIP_S)
"""Orders that the worker manages in a second, at best."""

LINE_MAX = 64
"""Calls that may wait for the worker, a fifth of a second's work; the next one is `BUSY`."""

COMMIT_EVERY = 8
"""Orders of a stream after which a reader commits its place. What it has not committed comes again
if it is killed."""

QUIET_S = 0.2
"""A reader without orders for so long commits what it has done."""


@dataclass(frozen=True)
class Order:
    """What a customer orders."""

    number: int
    """The customer's own: an order that is sent twice has the same number twice."""
    charge_s: float

    def body(self) -> bytes:
        """As it travels."""
        return f"{self.number} {self.charge_s}".encode()

    @classmethod
    def read(cls, body: bytes) -> Self:
        """The order of a body."""
        number, charge_s = body.split()
        return cls(int(number), float(charge_s))
