"""The native half of Telpher; the package `telpher` is its public face."""

from collections import deque
from collections.abc import Mapping, Sequence
from types import GenericAlias
from typing import Any, Final, Generic, Literal, TypeVar, final

from telpher._answer import GatheredFields
from telpher._delivery import Fields
from telpher._options import Body, Options, QueueOptions
from telpher._record import Reading, Start, StreamOptions

_T = TypeVar("_T")

BUILD: Final[str]
VERSION: Final[str]
TIMEOUT_DEFAULT: Final[float]
REASON_SIZE_MAX: Final[int]
SUBSCRIPTION_BYTES_MAX: Final[int]
GATHER_BYTES_MAX: Final[int]
READ_BUFFER_DEFAULT: Final[int]
KINDS: Final[list[tuple[str, int, bool | None, str]]]

def check_timeout(seconds: float) -> float:
    """The seconds, or Invalid if they are not a time limit."""

@final
class Command(Generic[_T]):
    """One operation, to be started by a Core."""

    def __class_getitem__(cls, key: Any) -> GenericAlias:
        """Lets a type checker see what a command ends with."""

    @staticmethod
    def call(
        service: str,
        body: Body,
        key: Body | None = None,
        headers: Mapping[str, Body] | None = None,
    ) -> Command[bytes]:
        """Asks a service."""
    @staticmethod
    def serve(
        service: str,
        concurrency: int,
        line_max: int | None = None,
        instance_name: str | None = None,
    ) -> Command[None]:
        """Serves a name."""
    @staticmethod
    def reply(request: int, body: Body) -> Command[None]:
        """Answers a request."""
    @staticmethod
    def fail(request: int, code: int, text: str) -> Command[None]:
        """Answers a request with a failure."""
    @staticmethod
    def abandon(request: int, text: str) -> Command[None]:
        """Lets go of a request."""
    @staticmethod
    def declare(queue: str, options: QueueOptions) -> Command[None]:
        """Makes a queue, or checks that it is as stated."""
    @staticmethod
    def delete(queue: str) -> Command[int]:
        """Removes a queue with everything in it."""
    @staticmethod
    def purge(queue: str) -> Command[int]:
        """Removes the messages that nobody holds."""
    @staticmethod
    def inspect(queue: str) -> Command[QueueInfo]:
        """Asks for a queue's figures."""
    @staticmethod
    def send(
        queue: str,
        body: Body,
        key: Body | None = None,
        headers: Mapping[str, Body] | None = None,
        priority: int = 0,
    ) -> Command[Receipt]:
        """Puts a message into a queue."""
    @staticmethod
    def receive(queue: str) -> Command[Fields]:
        """Takes one message from a queue."""
    @staticmethod
    def consume(
        queue: str, prefetch: int | None = None, ack_deadline: float | None = None
    ) -> Command[None]:
        """Takes messages from a queue as they come."""
    @staticmethod
    def settle(delivery: int, verdict: str, reason: str = "") -> Command[None]:
        """Says what became of a delivery: "acknowledge", "reject", "requeue" or "release"; for a
        rejected or requeued one also why.
        """
    @staticmethod
    def extend(delivery: int, seconds: float | None = None) -> Command[None]:
        """Moves the end of a delivery's time: this long from now, or its whole time again."""
    @staticmethod
    def batch(parts: Sequence[Command[Any]]) -> Command[list[Receipt]]:
        """Sends, settlements, publishes, appends and commits, all or none of them."""
    @staticmethod
    def credit(consumer: int, prefetch: int) -> Command[None]:
        """Changes how many messages a consumer holds at once; 0 pauses it."""
    @staticmethod
    def publish(
        topic: str,
        body: Body,
        key: Body | None = None,
        headers: Mapping[str, Body] | None = None,
        priority: int = 0,
    ) -> Command[None]:
        """Gives a message to whoever is subscribed, and stores it where its topic is bound."""
    @staticmethod
    def bind(pattern: str, queue: str) -> Command[None]:
        """Binds a pattern of topics to a queue."""
    @staticmethod
    def unbind(pattern: str, queue: str) -> Command[None]:
        """Ends a binding."""
    @staticmethod
    def bind_stream(pattern: str, stream: str) -> Command[None]:
        """Binds a pattern of topics to a stream."""
    @staticmethod
    def unbind_stream(pattern: str, stream: str) -> Command[None]:
        """Ends a binding to a stream."""
    @staticmethod
    def declare_topic(pattern: str, overflow: str, line_max: int | None = None) -> Command[None]:
        """Says how topics are, or checks that it is as stated."""
    @staticmethod
    def delete_topic(pattern: str) -> Command[None]:
        """Removes a declaration of topics."""
    @staticmethod
    def inspect_topic(pattern: str) -> Command[TopicInfo]:
        """Asks for a declaration of topics."""
    @staticmethod
    def subscribe(pattern: str, buffer: int, instance_name: str | None = None) -> Command[None]:
        """Takes what is published to matching topics."""
    @staticmethod
    def gather(
        service: str,
        body: Body,
        count: int,
        key: Body | None = None,
        headers: Mapping[str, Body] | None = None,
    ) -> Command[GatheredFields]:
        """Asks every instance of a service."""
    @staticmethod
    def gather_topic(
        topic: str,
        body: Body,
        count: int,
        key: Body | None = None,
        headers: Mapping[str, Body] | None = None,
    ) -> Command[GatheredFields]:
        """Asks every subscriber of a topic."""
    @staticmethod
    def declare_stream(stream: str, options: StreamOptions) -> Command[None]:
        """Makes a stream, or checks that it is as stated."""
    @staticmethod
    def delete_stream(stream: str) -> Command[None]:
        """Removes a stream with everything in it."""
    @staticmethod
    def inspect_stream(stream: str) -> Command[StreamInfo]:
        """Asks for a stream's figures."""
    @staticmethod
    def append(
        stream: str,
        body: Body,
        key: Body | None,
        headers: Mapping[str, Body] | None,
        place: tuple[int | None, int | None],
    ) -> Command[Appended]:
        """Appends a record to a stream: `place` is the partition, if it is stated, and the offset
        that is expected there.
        """
    @staticmethod
    def read(stream: str, options: Reading) -> Command[None]:
        """Reads records of a stream."""
    @staticmethod
    def commit(reader: int, place: tuple[int, int, int]) -> Command[None]:
        """Says that a reader's group has done its work up to a record: `place` is the record's
        partition, generation and offset.
        """
    @staticmethod
    def groups(stream: str) -> Command[list[GroupInfo]]:
        """Asks for a stream's reader groups."""
    @staticmethod
    def reset_group(
        stream: str,
        group: str,
        partition: int | None,
        place: tuple[Start | None, int | None, float | None],
    ) -> Command[None]:
        """Puts a reader group to another place: `place` is a start, an offset or a time."""
    @staticmethod
    def delete_group(stream: str, group: str) -> Command[None]:
        """Removes a reader group with its places."""
    @property
    def concurrency(self) -> int:
        """Requests that a service handles at once; 0 for every other command."""

@final
class Registration:
    """A consumer, service, subscriber or reader: stopped when this is dropped."""

    @property
    def id(self) -> int:
        """What its events are asked for with."""

@final
class Core:
    """A handle to a hub, for the package's own use."""

    def __new__(cls, url: str, options: Options, user: int | None, noted: bool) -> Core: ...
    def opened(self) -> HubInfo:
        """Blocks until the hub is open."""
    def run(self, command: Command[_T], timeout: float | None) -> _T:
        """Starts an operation and blocks for its outcome."""
    def register(self, command: Command[None], timeout: float | None) -> Registration:
        """Starts a consumer, service, subscriber or reader and blocks until it is live."""
    def begin(self, command: Command[None], timeout: float | None) -> Registration:
        """Starts a reader whose events are asked for with next, the first that it is live."""
    def gather(self, command: Command[GatheredFields], timeout: float | None) -> Registration:
        """Starts a gather, whose events come from next."""
    def start(self, command: Command[Any], timeout: float | None, user: int, may_wait: bool) -> int:
        """Starts an operation whose events come from poll, with the number `user`."""
    def fire(self, command: Command[None], may_wait: bool) -> None:
        """Starts an operation that nobody waits for; its failure is logged."""
    def next(
        self,
        id: int,
        events: deque[tuple[int, int, Any]],
        bounds: tuple[int, int],
        timeout: float | None,
    ) -> None:
        """Blocks for the next events of a consumer, service, subscriber or reader, one and what
        else is there already, until that are as many events and bytes as `bounds` says, and adds
        them to `events`.
        """
    def take(self, id: int, events: deque[tuple[int, int, Any]], bounds: tuple[int, int]) -> None:
        """As next, without waiting, and without turning the reactor."""
    def poll(self, capacity: int, timeout: float) -> list[tuple[int, int, Any]]:
        """Takes what has ended or arrived; blocks for the first."""
    def flush(self) -> None:
        """Sends what has been started and takes in what has arrived, without waiting."""
    def fileno(self) -> int:
        """The descriptor that is readable whenever poll has something to do."""
    def cancel(self, id: int) -> None:
        """Asks for a ticket's end."""
    def detach(self, id: int) -> None:
        """Lets go of a ticket; stops a consumer, service, subscriber or reader."""
    def release(self, deliveries: list[int]) -> None:
        """Gives deliveries back untouched, without waiting."""
    def request_cancelled(self, request: int) -> bool:
        """True if the caller of this request no longer waits."""
    def request_remaining(self, request: int) -> float | None:
        """Seconds that are left of the request's time; None if it has no deadline."""
    def close(self, timeout: float | None) -> None:
        """Says goodbye; every open ticket ends as CLOSED."""
    def stats(self) -> Stats:
        """The handle's counters."""
    def capabilities(self) -> list[str]:
        """What the hub can do, by name."""
    def forked(self) -> bool:
        """True in a process that was forked from the one that opened the handle."""

@final
class Payload:
    """A received body, lent to a read-only memoryview."""

    def __len__(self) -> int: ...

@final
class Receipt:
    """What a confirmed send has reached."""

    @property
    def message_id(self) -> int:
        """The message's id, unique in the hub."""
    @property
    def durability(self) -> Literal["memory", "os", "disk"]:
        """How safe it is now: "memory", "os" or "disk"."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

@final
class QueueInfo:
    """A queue's figures and options."""

    @property
    def ready(self) -> int:
        """Messages waiting that could be handed out now."""
    @property
    def held(self) -> int:
        """Messages held by consumers."""
    @property
    def delayed(self) -> int:
        """Messages that wait for their next attempt."""
    @property
    def damaged(self) -> int:
        """Messages whose body on disk was found damaged: they count till a purge."""
    @property
    def bytes(self) -> int:
        """Bytes of bodies, keys and headers, waiting and held."""
    @property
    def sends_waiting(self) -> int:
        """Sends waiting for room."""
    @property
    def consumers(self) -> int:
        """Consumers, and receives that wait."""
    @property
    def sent(self) -> int:
        """Messages stored since the queue was made, dead letters of other queues included."""
    @property
    def acknowledged(self) -> int:
        """Messages acknowledged."""
    @property
    def rejected(self) -> int:
        """Messages rejected."""
    @property
    def requeued(self) -> int:
        """Times that an attempt failed and the message was to be tried again."""
    @property
    def dead_lettered(self) -> int:
        """Messages that went to the dead-letter queue."""
    @property
    def length_max(self) -> int:
        """Bound on messages."""
    @property
    def bytes_max(self) -> int:
        """Bound on bytes."""
    @property
    def overflow(self) -> Literal["wait", "reject"]:
        """What happens at a bound: "wait" or "reject"."""
    @property
    def durability(self) -> Literal["memory", "os", "disk"]:
        """How safe a confirmed message is: "memory", "os" or "disk"."""
    @property
    def max_attempts(self) -> int:
        """Failed attempts after which a message goes to the dead-letter queue."""
    @property
    def backoff_min(self) -> float:
        """Pause after the first failed attempt, in seconds."""
    @property
    def backoff_max(self) -> float:
        """Longest pause, in seconds."""
    @property
    def ack_deadline(self) -> float | None:
        """Seconds after which an unsettled message is taken back; None: never."""
    @property
    def ttl(self) -> float | None:
        """Seconds after which a waiting message goes to the dead-letter queue; None: never."""
    @property
    def dead_letter(self) -> str | None:
        """The queue where dead letters go; None: they are gone."""
    @property
    def bindings(self) -> list[str]:
        """Patterns of topics that are bound to it, in order."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

@final
class TopicInfo:
    """A declaration of topics, and what waits because of it."""

    @property
    def overflow(self) -> Literal["drop", "wait"]:
        """What happens while a subscriber is slow: "drop" or "wait"."""
    @property
    def line_max(self) -> int:
        """Publishes that may wait in line; 0 if none ever does."""
    @property
    def waiting(self) -> int:
        """Publishes that wait in line now."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

@final
class Appended:
    """Where a confirmed record is."""

    @property
    def partition(self) -> int:
        """The part of the stream that it is in."""
    @property
    def offset(self) -> int:
        """Counts the records of the partition, from 0."""
    @property
    def durability(self) -> Literal["memory", "os", "disk"]:
        """How safe it is now: "memory", "os" or "disk"."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

@final
class PartitionInfo:
    """A partition's figures."""

    @property
    def first(self) -> int:
        """The offset of the oldest record that is kept; that of the next one if none is."""
    @property
    def next(self) -> int:
        """The offset that the next record gets."""
    @property
    def bytes(self) -> int:
        """Bytes of what is kept."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

@final
class StreamInfo:
    """A stream's figures and options."""

    @property
    def partitions(self) -> tuple[PartitionInfo, ...]:
        """Each partition's figures."""
    @property
    def durability(self) -> Literal["memory", "os", "disk"]:
        """How safe a confirmed record is: "memory", "os" or "disk"."""
    @property
    def age_max(self) -> float | None:
        """Age in seconds from which records are removed; None: never for their age."""
    @property
    def bytes_max(self) -> int:
        """Bytes of one partition from which on its oldest records are removed."""
    @property
    def records_max(self) -> int | None:
        """Records of one partition from which on its oldest are removed; None: any number."""
    @property
    def compact(self) -> bool:
        """Of each key the latest record is kept."""
    @property
    def tombstone_age(self) -> float | None:
        """With `compact`: age in seconds from which tombstones are removed; None without it."""
    @property
    def keep_unread(self) -> bool:
        """What a reader group has not committed stays."""
    @property
    def compression(self) -> Literal["lz4", "zstd"] | None:
        """How programs pack their records: "lz4" or "zstd"; None: not at all."""
    @property
    def bindings(self) -> tuple[str, ...]:
        """Patterns of topics that are bound to it, in order."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

@final
class GroupPlace:
    """How far a reader group has come in one partition."""

    @property
    def next(self) -> int:
        """The next offset: what is below is committed, or not kept any more."""
    @property
    def lag(self) -> int:
        """Offsets from there to the partition's end.

        As many records come at most: fewer where compaction has removed some, or where members
        read only some.
        """
    @property
    def is_read(self) -> bool:
        """True if a member reads it now."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

@final
class GroupInfo:
    """A reader group's figures."""

    @property
    def name(self) -> str:
        """What it is called."""
    @property
    def members(self) -> int:
        """Readers that are members now."""
    @property
    def places(self) -> tuple[GroupPlace, ...]:
        """How far it has come in each partition."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

@final
class HubInfo:
    """Which hub a handle has reached."""

    @property
    def hub_id(self) -> str:
        """The hub, for ever: 32 hexadecimal digits."""
    @property
    def epoch(self) -> int:
        """Rises with every host that the hub has had."""
    @property
    def session_id(self) -> int:
        """This handle's session."""
    @property
    def memory_only(self) -> bool:
        """True if the hub has no directory: its queues are kept in memory only."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

@final
class Notice:
    """Something happened to the hub."""

    @property
    def kind(self) -> Literal["DISCONNECTED", "RESUMED", "HUB_CHANGED"]:
        """ "DISCONNECTED", "RESUMED" or "HUB_CHANGED"."""
    @property
    def reason(self) -> str:
        """Why the connection broke; empty otherwise."""
    @property
    def epoch(self) -> int:
        """The new host's epoch; 0 if the hub has not changed."""
    @property
    def memory_lost(self) -> bool:
        """True if what queues with durability "memory" held is gone."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

@final
class Stats:
    """Counters of one handle, since it was opened."""

    @property
    def in_flight(self) -> int:
        """Operations open now, handed-over outcomes not counted."""
    @property
    def in_flight_bytes(self) -> int:
        """Bytes of bodies open now."""
    @property
    def started(self) -> int:
        """Operations started."""
    @property
    def failed(self) -> int:
        """Operations that ended with an error."""
    @property
    def failed_unseen(self) -> int:
        """Of these, with nobody to look at them."""
    @property
    def connects(self) -> int:
        """Connections made."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

__all__ = [
    "BUILD",
    "GATHER_BYTES_MAX",
    "KINDS",
    "READ_BUFFER_DEFAULT",
    "REASON_SIZE_MAX",
    "SUBSCRIPTION_BYTES_MAX",
    "TIMEOUT_DEFAULT",
    "VERSION",
    "Appended",
    "Command",
    "Core",
    "GroupInfo",
    "GroupPlace",
    "HubInfo",
    "Notice",
    "PartitionInfo",
    "Payload",
    "QueueInfo",
    "Receipt",
    "Registration",
    "Stats",
    "StreamInfo",
    "TopicInfo",
    "check_timeout",
]
