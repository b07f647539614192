"""Telpher for asyncio: the same hub, with awaitables and asynchronous iterators.

The hub is turned by the event loop it was opened on, without a thread; it is for the thread of
that loop, except `Request.reply`, which any thread may call.
"""

from telpher.aio._batch import Batch
from telpher.aio._consumer import Consumer
from telpher.aio._gather import Gather
from telpher.aio._hub import Hub
from telpher.aio._job import Job
from telpher.aio._open import open
from telpher.aio._queue import Queue
from telpher.aio._reader import Reader
from telpher.aio._service import Service
from telpher.aio._stream import Stream
from telpher.aio._subscriber import Subscriber
from telpher.aio._topic import Topic
from telpher.aio._topics import Topics

__all__ = [
    "Batch",
    "Consumer",
    "Gather",
    "Hub",
    "Job",
    "Queue",
    "Reader",
    "Service",
    "Stream",
    "Subscriber",
    "Topic",
    "Topics",
    "open",
]
