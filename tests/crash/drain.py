"""Takes everything out of every queue, when nobody else is there: `drain.py URL NAME`.

It says of each message what it found, as history.py describes, and acknowledges it. It ends well
when the queues say of themselves that they are empty. Then it does what is left for the groups of
streams, and says what is in each stream.
"""

import random
import sys
from collections.abc import Iterator

import telpher
from workers.common import GROUP, LATEST, LOGS, QUEUES, STREAMS, number_of, say, wholeness
from workers.worker import Worker

EMPTY_S = 0.2
MESSAGES_MAX = 1_000_000


def drain(worker: Worker, queue: telpher.Queue) -> None:
    """Take what there is until the queue is empty."""
    with queue.consume(prefetch=64) as consumer:
        for _ in range(MESSAGES_MAX):
            try:
                job = consumer.receive(timeout=EMPTY_S)
            except telpher.Pending:
                info = queue.inspect()
                if info.ready + info.held + info.delayed == 0:
                    say("empty", queue.name, info.damaged)
                    return
                continue
            number = worker.got(queue.name, job)
            if "telpher.reason" in job.headers:
                words = ("telpher.reason", "telpher.failures", "telpher.queue")
                said = (job.headers[word].decode() for word in words)
                say("dead", queue.name, number, *said)
            worker.settle(queue.name, job, "acknowledge")
    raise SystemExit(f"{queue.name} is never empty")


def lag(stream: telpher.Stream) -> int:
    """What its group has still to do."""
    return sum(place.lag for group in stream.groups() for place in group.places)


def finish(worker: Worker, name: str, numbers: Iterator[str]) -> None:
    """Do what is left for the group of a stream, and say where it is then."""
    stream = worker.hub.stream(name)
    for _ in range(MESSAGES_MAX):
        # A group that nobody was a member of is not there yet.
        if stream.groups() and lag(stream) == 0:
            break
        worker.work(random.Random(0), name, numbers)
    ends = [partition.next for partition in stream.inspect().partitions]
    for group in stream.groups():
        assert group.name == GROUP
        for partition, place in enumerate(group.places):
            say("place", name, partition, place.next, ends[partition])


def list_records(worker: Worker, name: str) -> None:
    """Say what is in a stream."""
    for record in worker.hub.stream(name).read():
        number = number_of(record)
        say("record", name, record.partition, record.offset, number, wholeness(name, record))


def main() -> None:
    """Empty every queue, and the dead-letter queues after those that fill them."""
    url, name = sys.argv[1:]
    with telpher.open(url) as hub:
        worker = Worker(hub, name, 0)
        # Its queues are empty by the time that it is a member.
        worker.mixes = False
        say("open", hub.info.epoch)
        for queue in [*QUEUES, *(f"{each}.dead" for each in QUEUES)]:
            try:
                drain(worker, hub.queue(queue))
            except telpher.NotFound:
                say("gone", queue)
        numbers = worker.numbers("r")
        for stream in LOGS:
            finish(worker, stream, numbers)
        for stream in STREAMS:
            if stream in LATEST:
                worker.look_at(stream)
            else:
                list_records(worker, stream)
    say("end")


if __name__ == "__main__":
    main()
