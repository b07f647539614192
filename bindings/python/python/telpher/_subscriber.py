"""Messages of topics as they come, in the blocking face."""

from typing import TYPE_CHECKING

from telpher._events import PUBLISHED
from telpher._incoming import Incoming
from telpher._message import Numbers, TopicMessage
from telpher._telpher import SUBSCRIPTION_BYTES_MAX, Command

if TYPE_CHECKING:
    from telpher._hub import Hub


class Subscriber(Incoming[TopicMessage]):
    """An iterator over messages of topics; made by `Hub.subscribe`. Any thread may take from it.

    It goes on by itself when the connection breaks or another host takes over. A program that is
    too slow for it loses the oldest messages, and the next one says in `lost` how many; or
    publishers wait for it, where the topic is declared so (`Topics.declare`). When it is closed or
    dropped, what it has not handed out is gone.
    """

    _arrival = PUBLISHED

    def __init__(
        self, hub: "Hub", command: Command[None], buffer: int, timeout: float | None
    ) -> None:
        # What is fetched counts as taken, and the hub sends as much again: no more than that.
        core = hub._core
        super().__init__(
            hub,
            command,
            timeout,
            Numbers(core, lambda answer: core.fire(answer, True)).message,
            waiting_max=buffer,
            bytes_max=SUBSCRIPTION_BYTES_MAX,
        )
