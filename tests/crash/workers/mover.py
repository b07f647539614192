"""Moves records of a stream to a queue: each is read, sent and committed in one batch.

    mover.py HUB NAME

It is a member of a group, and may be killed at any moment, also as the host. Its lines are `TIME
open`, and `TIME moved PARTITION OFFSET` for each record whose batch was confirmed.
"""

import sys
import time

import telpher


def say(*words: object) -> None:
    """Print a line with the time before it."""
    print(time.monotonic_ns() // 1000, *words, flush=True)


def main() -> None:
    """Move what comes, until killed."""
    hub_path, _ = sys.argv[1:]
    with telpher.open(hub_path) as hub:
        reader = hub.stream("in").read(group="movers", follow=True)
        say("open")
        for record in reader:
            batch = hub.batch()
            batch.send("out", record.body)
            batch.commit(reader, record)
            try:
                batch.submit()
            except telpher.LeaseLost:
                continue  # Another mover has the partition by now.
            say("moved", record.partition, record.offset)


if __name__ == "__main__":
    main()
