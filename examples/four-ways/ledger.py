"""What the worker has done, in SQLite: a row for each step that an order has taken.

With ids, a step of an order goes into `seen` in the transaction that records its effect, so that an
order that comes twice has each effect once. Without ids it has as many as it comes.
"""

import sqlite3
import threading
import time

SCHEMA = """
CREATE TABLE IF NOT EXISTS seen (number INTEGER, step TEXT, PRIMARY KEY (number, step));
CREATE TABLE IF NOT EXISTS effects (number INTEGER, step TEXT, at_s REAL);
"""
HAS = "SELECT count(*) FROM seen WHERE number = ? AND step = ?"
SEE = "INSERT INTO seen VALUES (?, ?) ON CONFLICT DO NOTHING"
ADD = "INSERT INTO effects VALUES (?, ?, ?)"
ALL = "SELECT number, at_s FROM effects WHERE step = ? ORDER BY at_s"


class Ledger:
    """An open ledger. Any thread may use it."""

    def __init__(self, path: str, *, notes_ids: bool) -> None:
        self._database = sqlite3.connect(path, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")  # Outlives the process.
        self._database.executescript(SCHEMA)
        self._notes_ids = notes_ids
        self._using = threading.Lock()

    def has(self, number: int, step: str) -> bool:
        """Whether the step is known to be done: never without ids."""
        with self._using:
            (count,) = self._database.execute(HAS, (number, step)).fetchone()
        return bool(count)

    def record(self, number: int, step: str) -> None:
        """Record that a step of an order was done now, unless its id says that it was before."""
        with self._using, self._database:  # One transaction: the id and the effect, or neither.
            if self._notes_ids and self._database.execute(SEE, (number, step)).rowcount == 0:
                return
            self._database.execute(ADD, (number, step, time.monotonic()))

    def effects(self, step: str) -> list[tuple[int, float]]:
        """Each time that a step was done: for which order, and when, by the clock of all."""
        with self._using:
            return self._database.execute(ALL, (step,)).fetchall()

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()
