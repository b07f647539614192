"""The Python peer of the polyglot matrix: `call`, `serve`, `produce` and so on.

peer.py call URL NAME COUNT        calls, and checks that each reply is the body reversed
peer.py serve URL NAME             replies with the body reversed, until its input closes
peer.py produce URL QUEUE COUNT    sends message-0, message-1, …, each confirmed
peer.py consume URL QUEUE COUNT    acknowledges each of them, once
peer.py publish URL TOPIC COUNT    publishes message-0 to TOPIC.0 and so on, each confirmed
peer.py bind URL NAME COUNT        binds the topics below NAME to the queue NAME
peer.py subscribe URL TOPIC COUNT  gets them in this order, none lost
peer.py gather URL NAME COUNT      gathers, and checks that two instances reverse the body each time
peer.py append URL STREAM COUNT    appends message-0, message-1, …, behind those that are there
peer.py read URL STREAM COUNT      reads so many, each key's in one partition and in order
peer.py member URL STREAM          appends each of its records to STREAM.done, and commits with it
"""

import os
import sys
import threading
from collections import defaultdict

import telpher

TIMEOUT = 20.0
KEYS = 16


def call(hub: telpher.Hub, service: str, count: int) -> None:
    """Start all calls before waiting for the first."""
    bodies = [f"call-{index}".encode() for index in range(count)]
    calls = [hub.start.call(service, body, timeout=TIMEOUT) for body in bodies]
    for body, started in zip(bodies, calls, strict=True):
        reply = started.result()
        if reply != body[::-1]:
            sys.exit(f"peer: {body!r} was answered with {reply!r}")


def reverse(request: telpher.Request) -> bytes:
    """Answer with the body reversed."""
    return request.body[::-1]


def serve(hub: telpher.Hub, service: str) -> None:
    """Serve until the standard input closes."""
    own = f"peer-{os.getpid()}"
    with hub.serve(service, reverse, concurrency=4, instance_name=own):
        print("ready", flush=True)
        sys.stdin.read()


def produce(hub: telpher.Hub, queue: str, count: int) -> None:
    """Start all sends before waiting for the first confirmation."""
    start = hub.queue(queue).start
    sends = [start.send(b"message-%d" % index, timeout=TIMEOUT) for index in range(count)]
    for send in sends:
        send.result()


def consume(hub: telpher.Hub, queue: str, count: int) -> None:
    """Take as many messages as were sent, each exactly once."""
    missing = {b"message-%d" % index for index in range(count)}
    with hub.queue(queue).consume(prefetch=16) as consumer:
        print("ready", flush=True)
        while missing:
            with consumer.receive(timeout=TIMEOUT) as job:
                missing.remove(job.body)


def publish(hub: telpher.Hub, topic: str, count: int) -> None:
    """Start all before waiting for the first."""
    started = [
        hub.topic(f"{topic}.{index}").start.publish(b"message-%d" % index, timeout=TIMEOUT)
        for index in range(count)
    ]
    for operation in started:
        operation.result()


def bind(hub: telpher.Hub, queue: str, _count: int) -> None:
    """Bind what will be published to the queue of the same name."""
    hub.queue(queue).declare(durability="memory")
    hub.queue(queue).bind(f"{queue}.*")


def subscribe(hub: telpher.Hub, topic: str, count: int) -> None:
    """Take as many messages as were published, in their order."""
    with hub.subscribe(f"{topic}.*") as subscriber:
        print("ready", flush=True)
        for index in range(count):
            message = subscriber.receive(timeout=TIMEOUT)
            found = (message.topic, message.number, message.lost, message.body)
            if found != (f"{topic}.{index}", index + 1, 0, b"message-%d" % index):
                sys.exit(f"peer: {found} came as message {index}")


def gather(hub: telpher.Hub, service: str, count: int) -> None:
    """Each of two instances answers once, under its name, and nobody is missing."""
    instances = set()
    for index in range(count):
        body = b"gather-%d" % index
        gathering = hub.gather(service, body, timeout=TIMEOUT)
        answers = list(gathering)
        instances.update((answer.instance, answer.instance_name) for answer in answers)
        if [answer.body for answer in answers] != [body[::-1]] * 2 or gathering.missing:
            sys.exit(f"peer: {body!r} got {answers}, and {gathering.missing} are missing")
    names = {name for _, name in instances if name and name.startswith("peer-")}
    if len(instances) != 2 or len(names) != 2:
        sys.exit(f"peer: these answered: {instances}")


def records(stream: telpher.Stream) -> int:
    """How many the stream has had."""
    return sum(partition.next for partition in stream.inspect().partitions)


def append(hub: telpher.Hub, name: str, count: int) -> None:
    """Start all before waiting for the first."""
    stream = hub.stream(name)
    first = records(stream)
    started = [
        stream.start.append(b"message-%d" % number, key=b"key-%d" % (number % KEYS))
        for number in range(first, first + count)
    ]
    for operation in started:
        operation.result(TIMEOUT)


def feed(hub: telpher.Hub, name: str, count: int) -> None:
    """Bind the stream to topics and publish to these; start all before waiting for the first."""
    hub.stream(name).bind(f"{name}.*")
    started = [
        hub.topic(f"{name}.{number}").start.publish(
            b"message-%d" % number, key=b"key-%d" % (number % KEYS), timeout=TIMEOUT
        )
        for number in range(count)
    ]
    for operation in started:
        operation.result()


def fed(hub: telpher.Hub, name: str, count: int) -> None:
    """As `read`, of what was published."""
    read(hub, name, count, is_fed=True)


def read(hub: telpher.Hub, name: str, count: int, *, is_fed: bool = False) -> None:
    """Offsets have no hole, and each key is in one partition, in order."""
    stream = hub.stream(name)
    offsets: defaultdict[int, int] = defaultdict(int)
    keys: dict[bytes, tuple[int, int]] = {}
    with stream.read(follow=True) as reader:
        print("ready", flush=True)
        for _ in range(count):
            record = reader.receive(timeout=TIMEOUT)
            number = int(record.body.removeprefix(b"message-"))
            topic = record.headers.get("telpher.topic")
            found = record.offset, record.key, topic, (record.partition, number)
            key, wanted = b"key-%d" % (number % KEYS), f"{name}.{number}".encode()
            place = keys.get(key, (record.partition, number % KEYS))
            if found != (offsets[record.partition], key, wanted if is_fed else None, place):
                sys.exit(f"peer: {found} came where {place} was expected")
            offsets[record.partition] += 1
            keys[key] = record.partition, number + KEYS
    if records(stream) != count:
        sys.exit(f"peer: the stream has {records(stream)} records, not {count}")


def member(hub: telpher.Hub, name: str) -> None:
    """Handle records until the standard input closes; at least one."""
    handled = 0
    with hub.stream(name).read(group="members") as reader:

        def watch() -> None:
            sys.stdin.read()
            reader.close()

        print("ready", flush=True)
        threading.Thread(target=watch).start()
        for record in reader:
            with hub.batch() as batch:
                batch.append(f"{name}.done", record.body, key=record.key)
                batch.commit(reader, record)
            handled += 1
    if handled == 0:
        sys.exit("peer: no record came")


ROLES = {
    "call": call,
    "produce": produce,
    "consume": consume,
    "publish": publish,
    "subscribe": subscribe,
    "bind": bind,
    "gather": gather,
    "append": append,
    "read": read,
    "feed": feed,
    "fed": fed,
}
LIVE = {"serve": serve, "member": member}


def main() -> None:
    """Play the role that the arguments name."""
    match sys.argv[1:]:
        case [role, url, name] if role in LIVE:
            with telpher.open(url, timeout=TIMEOUT) as hub:
                LIVE[role](hub, name)
        case [role, url, name, count] if role in ROLES:
            with telpher.open(url, timeout=TIMEOUT) as hub:
                ROLES[role](hub, name, int(count))
        case _:
            sys.exit(f"usage: peer.py {'|'.join([*LIVE, *ROLES])} URL NAME [COUNT]")


if __name__ == "__main__":
    main()
