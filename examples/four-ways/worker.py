"""The worker: charges and ships orders, which come to it in one of the ways.

    python worker.py URL NAME WAY LEDGER [--no-ids]      WAY: calls, queue or stream

NAME is that of the service, queue or stream. The work is the same in each way, and so is the number
of orders in hand. SIGTERM ends it when what it has in hand is done; it is made to be killed, too.
"""

import argparse
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial

import telpher

import clock
from ledger import Ledger
from order import CHARGE, COMMIT_EVERY, HANDS, LINE_MAX, QUIET_S, SHIP, SHIP_S, Order

Work = Callable[[bytes], None]


def charge_and_ship(ledger: Ledger, body: bytes) -> None:
    """Do the work of one order, as far as it is not known to be done."""
    order = Order.read(body)
    for step, seconds in ((CHARGE, order.charge_s), (SHIP, SHIP_S)):
        if not ledger.has(order.number, step):
            clock.pause(seconds)  # The bank and the parcel service take their time.
            ledger.record(order.number, step)


@contextlib.contextmanager
def calls(hub: telpher.Hub, name: str, work: Work) -> Iterator[None]:
    """Answer calls. Whoever calls has its answer when the order is shipped."""
    service = hub.serve(
        name, lambda request: work(request.body), concurrency=HANDS, line_max=LINE_MAX
    )
    yield
    service.close()
    service.join()


@contextlib.contextmanager
def queue(hub: telpher.Hub, name: str, work: Work) -> Iterator[None]:
    """Consume a queue. A message is acknowledged when the order is shipped."""

    def take() -> None:
        for job in consumer:
            with job:
                work(job.body)

    consumer = hub.queue(name).consume(prefetch=HANDS)
    threads = run_all([take] * HANDS)
    yield
    consumer.close()
    join_all(threads)


@contextlib.contextmanager
def stream(hub: telpher.Hub, name: str, work: Work) -> Iterator[None]:
    """Read a stream as one group: each of its readers has a partition, and takes it in order."""
    # With a small buffer: a partition goes to a new reader when what was sent of it is committed.
    readers = [hub.stream(name).read(group="workers", buffer=1) for _ in range(HANDS)]
    threads = run_all([partial(follow, reader, work) for reader in readers])
    yield
    for reader in readers:
        reader.close()
    join_all(threads)


def follow(reader: telpher.Reader, work: Work) -> None:
    """Work through what a reader gets, and commit from time to time."""
    count = 0
    last: dict[int, telpher.Record] = {}  # Of each partition, the last one done.
    while True:
        try:
            record = reader.receive(timeout=QUIET_S)
        except telpher.Pending:
            commit(reader, last)
            continue
        except (telpher.Closed, telpher.Stale):
            return
        work(record.body)
        last[record.partition] = record
        count += 1
        if count % COMMIT_EVERY == 0:
            commit(reader, last)


def commit(reader: telpher.Reader, last: dict[int, telpher.Record]) -> None:
    """Say how far the group has come."""
    for record in last.values():
        with contextlib.suppress(telpher.LeaseLost):  # Another reader has the partition by now.
            reader.commit(record)
    last.clear()


def run_all(targets: list[Callable[[], None]]) -> list[threading.Thread]:
    """Run each on a thread."""
    threads = [threading.Thread(target=target, daemon=True) for target in targets]
    for thread in threads:
        thread.start()
    return threads


def join_all(threads: list[threading.Thread]) -> None:
    """Wait until all have ended."""
    for thread in threads:
        thread.join()


WAYS = {"calls": calls, "queue": queue, "stream": stream}


def main() -> None:
    """Work until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("name")
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("ledger")
    parser.add_argument("--no-ids", action="store_true", help="note no ids of orders")
    given = parser.parse_args()

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    with contextlib.closing(Ledger(given.ledger, notes_ids=not given.no_ids)) as ledger:

        def work(body: bytes) -> None:
            charge_and_ship(ledger, body)

        with (
            telpher.open(given.url, host="never") as hub,
            WAYS[given.way](hub, given.name, work),
        ):
            print("ready", flush=True)
            signal.sigwait({signal.SIGTERM})


if __name__ == "__main__":
    main()
