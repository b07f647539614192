"""Takes everything out of every queue, when nobody else is there: `drain.py URL NAME`.

It says of each message what it found, as history.py describes, and acknowledges it. It ends well
when the queues say of themselves that they are empty.
"""

import sys

import telpher
from workers.worker import QUEUES, Worker, say

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


def main() -> None:
    """Empty every queue, and the dead-letter queues after those that fill them."""
    url, name = sys.argv[1:]
    with telpher.open(url) as hub:
        worker = Worker(hub, name, 0)
        say("open", hub.info.epoch)
        for queue in [*QUEUES, *(f"{each}.dead" for each in QUEUES)]:
            try:
                drain(worker, hub.queue(queue))
            except telpher.NotFound:
                say("gone", queue)
    say("end")


if __name__ == "__main__":
    main()
