"""The history: what the programs said, a file for each process, and how it is read back.

A line is `MICROSECONDS WORD FIELD...`, by the machine's monotonic clock. It is said before an
operation starts and again when its outcome is known:

    open EPOCH                                      the hub was reached
    send NUMBER QUEUE                               sent NUMBER STATUS MAYBE ID
    got QUEUE ID NUMBER FAILURES REDELIVERED whole  a message was delivered
    settle QUEUE ID NUMBER VERDICT                  settled QUEUE ID NUMBER VERDICT STATUS MAYBE
    batch NAME take:QUEUE:ID:NUMBER... send:QUEUE:NUMBER...
                                                    batched NAME STATUS MAYBE ID...
    call NUMBER                                     called NUMBER STATUS MAYBE right
    run NUMBER                                      a call's handler runs
    publish NUMBER QUEUE STREAM                     published NUMBER STATUS MAYBE
    append NUMBER STREAM                            appended NUMBER STATUS MAYBE PARTITION OFFSET
    put NUMBER STREAM KEY value|tombstone           the same for what has a key of its own
    look STREAM                                     a stream with keys is to be read, all of it
    saw STREAM PARTITION OFFSET NUMBER whole        a record was found there
    looked STREAM                                   that was the last one
    join STREAM                                     a member of the stream's group is to begin
    read STREAM PARTITION OFFSET NUMBER whole       a member got a record
    commit NAME read:STREAM:PARTITION:OFFSET... append:STREAM:NUMBER... and as a batch
                                                    committed NAME STATUS MAYBE ID...
    record STREAM PARTITION OFFSET NUMBER whole     what is in a stream at the end
    place STREAM PARTITION NEXT END                 where its group is then, and where it ends
    dead QUEUE NUMBER REASON FAILURES ORIGIN        what a dead letter says of itself
    gone QUEUE                                      a queue in memory was lost with its host
    dies                                            the program kills itself
    fault WHERE WORDS                               what no program may meet; it ends
    end                                             it has closed its hub, and ends well

MAYBE is 1 if a failed operation may have been done. The harness has a file of its own:

    kill PROCESS host|other    stop PROCESS    go PROCESS    ends PROCESS host|other
"""

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

HARNESS = "harness"


@dataclass(frozen=True, slots=True)
class Line:
    """One line, and the process that said it."""

    at_us: int
    process: str
    word: str
    fields: list[str]


class History:
    """Files that grow: what was said is in the system's hands at once, and synced now and then."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.directory = directory
        self._files: dict[str, BinaryIO] = {}
        self._lock = threading.Lock()

    def add(self, process: str, line: bytes) -> None:
        """Append a line that a process has said."""
        with self._lock:
            file = self._files.get(process)
            if file is None:
                file = open(self.directory / f"{process}.log", "ab", buffering=0)
                self._files[process] = file
        file.write(line)

    def sync(self) -> None:
        """Make everything durable."""
        with self._lock:
            for file in self._files.values():
                os.fdatasync(file.fileno())

    def close(self, process: str) -> None:
        """Nothing more comes from this process."""
        with self._lock:
            if file := self._files.pop(process, None):
                os.fdatasync(file.fileno())
                file.close()


def read(directory: Path) -> list[Line]:
    """Every line, in the order of time; those of a process in the order in which it said them."""
    lines = []
    for path in sorted(directory.glob("*.log")):
        for line in path.read_text().splitlines():
            at_us, word, *fields = line.split(" ")
            lines.append(Line(int(at_us), path.stem, word, fields))
    lines.sort(key=lambda line: line.at_us)
    return lines
