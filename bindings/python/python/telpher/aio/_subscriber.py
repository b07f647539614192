"""Messages of topics as they come, in the asyncio face."""

from telpher._events import BATCH, PUBLISHED
from telpher._message import Numbers, TopicMessage
from telpher._telpher import SUBSCRIPTION_BYTES_MAX, Command
from telpher.aio._fetching import Fetched, Fetching
from telpher.aio._starter import Starter


class Subscriber(Fetched[TopicMessage]):
    """An asynchronous iterator over messages of topics; made by `Hub.subscribe`.

    It starts when it is entered or first asked for a message, and is live in the hub then. It goes
    on by itself when the connection breaks or another host takes over. A program that is too slow
    for it loses the oldest messages, and the next one says in `lost` how many; or publishers wait
    for it, where the topic is declared so (`Topics.declare`). When it is closed or dropped, what it
    has not handed out is gone.
    """

    def __init__(
        self, starter: Starter, command: Command[None], buffer: int, timeout: float | None
    ) -> None:
        make = Numbers(starter.turner.core, starter.fire).message
        bounds = (min(buffer, BATCH), SUBSCRIPTION_BYTES_MAX)
        super().__init__(starter, command, timeout, make, Fetching(starter, PUBLISHED, bounds))
