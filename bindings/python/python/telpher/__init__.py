"""Telpher: messaging as a library.

A program opens a hub and has calls, queues, topics and streams: `telpher.open()` for blocking
code, `telpher.aio.open()` for asyncio. Every error is a class of its own under `telpher.Error`.
"""

from telpher._answer import Answer, Gathered, Missing
from telpher._batch import Batch
from telpher._consumer import Consumer
from telpher._gather import Gather
from telpher._hub import Hub
from telpher._job import Job
from telpher._message import TopicMessage
from telpher._open import open
from telpher._operation import Operation
from telpher._queue import Queue
from telpher._reader import Reader
from telpher._record import Record
from telpher._request import LATER, Request
from telpher._service import Service
from telpher._stream import Stream
from telpher._subscriber import Subscriber
from telpher._telpher import BUILD as __build__
from telpher._telpher import VERSION as __version__
from telpher._telpher import (
    Appended,
    GroupInfo,
    GroupPlace,
    HubInfo,
    Notice,
    PartitionInfo,
    QueueInfo,
    Receipt,
    Stats,
    StreamInfo,
    TopicInfo,
)
from telpher._topic import Topic
from telpher._topics import Topics
from telpher.errors import (
    Abandoned,
    Busy,
    Cancelled,
    Closed,
    Conflict,
    Corrupt,
    Error,
    Expired,
    Forked,
    Full,
    HostLost,
    HostUnresponsive,
    Indeterminate,
    Internal,
    Interrupted,
    Invalid,
    Io,
    LeaseLost,
    Lost,
    Mismatch,
    NoHost,
    NoService,
    NoSpace,
    NotFound,
    OutOfRange,
    Pending,
    Protocol,
    Refused,
    Remote,
    Stale,
    TimedOut,
    TooLarge,
    UnknownProducer,
    Unsupported,
    WouldDeadlock,
)

__all__ = [
    "LATER",
    "Abandoned",
    "Answer",
    "Appended",
    "Batch",
    "Busy",
    "Cancelled",
    "Closed",
    "Conflict",
    "Consumer",
    "Corrupt",
    "Error",
    "Expired",
    "Forked",
    "Full",
    "Gather",
    "Gathered",
    "GroupInfo",
    "GroupPlace",
    "HostLost",
    "HostUnresponsive",
    "Hub",
    "HubInfo",
    "Indeterminate",
    "Internal",
    "Interrupted",
    "Invalid",
    "Io",
    "Job",
    "LeaseLost",
    "Lost",
    "Mismatch",
    "Missing",
    "NoHost",
    "NoService",
    "NoSpace",
    "NotFound",
    "Notice",
    "Operation",
    "OutOfRange",
    "PartitionInfo",
    "Pending",
    "Protocol",
    "Queue",
    "QueueInfo",
    "Reader",
    "Receipt",
    "Record",
    "Refused",
    "Remote",
    "Request",
    "Service",
    "Stale",
    "Stats",
    "Stream",
    "StreamInfo",
    "Subscriber",
    "TimedOut",
    "TooLarge",
    "Topic",
    "TopicInfo",
    "TopicMessage",
    "Topics",
    "UnknownProducer",
    "Unsupported",
    "WouldDeadlock",
    "__build__",
    "__version__",
    "open",
]
