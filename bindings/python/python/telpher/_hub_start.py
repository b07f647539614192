"""Operations of a hub, started and not waited for, in the blocking face."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from telpher._operation import Operation
from telpher._options import Body
from telpher._request import inherited
from telpher._telpher import Command

if TYPE_CHECKING:
    from telpher._hub import Hub


class HubStart:
    """Operations of a hub, started and not waited for."""

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub

    def call(
        self,
        service: str,
        body: Body = b"",
        *,
        timeout: float | None = None,
        key: Body | None = None,
        headers: Mapping[str, Body] | None = None,
    ) -> Operation[bytes]:
        """Start a call; see `Hub.call`."""
        command = Command.call(service, body, key, headers)
        return self._hub._started(command, inherited(timeout))
