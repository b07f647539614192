"""What an event is: the numbers that the native half gives it."""

from typing import Final

DONE: Final = 0
FAILED: Final = 1
STARTED: Final = 2
DELIVERY: Final = 3
REQUEST: Final = 4
WITHDRAWN: Final = 5
NOTICE: Final = 6
READY: Final = 7
PUBLISHED: Final = 8
GAP: Final = 9
ANSWER: Final = 10
RECORD: Final = 11
SKIPPED: Final = 12

BATCH: Final = 1024
"""Events taken at once."""

ANY_BYTES: Final = 2**64 - 1
"""No bound on the bytes of events taken at once."""
