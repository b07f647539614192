"""Redis Streams, asked for the same as Telpher.

A partition is a stream of its own there. A record's id is `MOMENT-NUMBER`: the moment that the
harness noted before it was appended, and its offset plus one, since Redis has no number 0. So a
range from `MOMENT-0` on is a read by time, and one from a record's whole id on a read by offset.

A group's place is the first record that is pending; with none, the one behind the last that was
delivered. What a trim has taken stays pending in Redis, without its body: it is passed over.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

PATIENCE_S = 20.0
MEMBER = "member"

Placed = tuple[int, bytes]


def program() -> str | None:
    """Where redis-server is, or nothing."""
    return shutil.which("redis-server")


class Server:
    """A redis-server with nothing in it, and a connection."""

    def __init__(self, executable: str, directory: Path) -> None:
        path = directory / "redis.sock"
        quiet = ["--save", "", "--appendonly", "no", "--loglevel", "warning"]
        command = [executable, "--port", "0", "--unixsocket", str(path), *quiet]
        self.process = subprocess.Popen(
            [*command, "--dir", str(directory)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE_S)
        while self.process.poll() is None:
            # It listens in a moment, or ends.
            with suppress(FileNotFoundError, ConnectionRefusedError):
                self.socket.connect(str(path))
                break
        else:
            raise OSError("redis-server has ended: " + self.process.communicate()[0].decode())
        self.replies = self.socket.makefile("rb")

    def close(self) -> None:
        """Ends it."""
        self.socket.close()
        self.process.kill()
        self.process.communicate()

    def ask(self, *words: str | int | bytes) -> Any:
        """The reply to a command."""
        (reply,) = self.ask_all([words])
        if isinstance(reply, RuntimeError):
            raise reply
        return reply

    def ask_all(self, commands: list[tuple[str | int | bytes, ...]]) -> list[Any]:
        """The replies to commands that are sent together; a refusal is one of them."""
        parts = []
        for words in commands:
            parts.append(b"*%d\r\n" % len(words))
            for word in words:
                word = word if isinstance(word, bytes) else str(word).encode()
                parts.append(b"$%d\r\n%b\r\n" % (len(word), word))
        self.socket.sendall(b"".join(parts))
        return [self._reply() for _ in commands]

    def _reply(self) -> Any:
        line = self.replies.readline().removesuffix(b"\r\n")
        kind, rest = line[:1], line[1:]
        match kind:
            case b"+":
                return rest
            case b"-":
                return RuntimeError(f"redis: {rest.decode()}")
            case b":":
                return int(rest)
            case b"$" if rest == b"-1":
                return None
            case b"$":
                return self.replies.read(int(rest) + 2)[:-2]
            case b"*":
                return None if rest == b"-1" else [self._reply() for _ in range(int(rest))]
            case _:
                raise OSError(f"redis-server said {line!r}")


def offset_of(record_id: bytes) -> int:
    """The offset that an id stands for."""
    return int(record_id.split(b"-")[1]) - 1


class RedisSide:
    """A stream, its groups, and the stream to which records are moved."""

    def __init__(self, server: Server, partitions: int) -> None:
        self.server = server
        self.keys = [f"log:{number}" for number in range(partitions)]
        self.ids: list[list[str]] = [[] for _ in range(partitions)]
        self.moved = 0
        server.ask("FLUSHALL")

    def append(
        self, partition: int, body: bytes, moment: int, records_max: int | None = None
    ) -> int:
        """Appends a record, and keeps no more than so many; its offset."""
        ids = self.ids[partition]
        ids.append(f"{moment}-{len(ids) + 1}")
        limit = ["MAXLEN", "=", records_max] if records_max else []
        record_id = self.server.ask("XADD", self.keys[partition], *limit, ids[-1], "body", body)
        return offset_of(record_id)

    def trim(self, partition: int, first: int) -> None:
        """Removes what is before an offset."""
        self.server.ask("XTRIM", self.keys[partition], "MINID", "=", self.ids[partition][first])

    def read(self, partition: int, begin: str) -> list[Placed]:
        """Records from an id on."""
        found = self.server.ask("XRANGE", self.keys[partition], begin, "+")
        return [(offset_of(record_id), fields[1]) for record_id, fields in found]

    def id_of(self, partition: int, offset: int) -> str:
        """The id of a record, or behind the last one."""
        ids = self.ids[partition]
        return ids[offset] if offset < len(ids) else "+"

    def bounds(self, partition: int) -> tuple[int, int]:
        """The first offset that is kept, and the next one."""
        next_offset = len(self.ids[partition])
        found = self.server.ask("XRANGE", self.keys[partition], "-", "+", "COUNT", 1)
        return (offset_of(found[0][0]) if found else next_offset), next_offset

    def groups(self) -> set[str]:
        """The names of the groups."""
        if not self.server.ask("EXISTS", self.keys[0]):
            return set()
        found = self.server.ask("XINFO", "GROUPS", self.keys[0])
        return {group[1].decode() for group in found}

    def make_group(self, group: str, behind: list[str]) -> None:
        """A group that begins, in each partition, behind an id."""
        for key, last in zip(self.keys, behind, strict=True):
            self.server.ask("XGROUP", "CREATE", key, group, last, "MKSTREAM")

    def reset_group(self, group: str, partition: int, behind: str) -> None:
        """Puts a group behind an id; nothing is pending then."""
        key = self.keys[partition]
        self.server.ask("XGROUP", "DESTROY", key, group)
        self.server.ask("XGROUP", "CREATE", key, group, behind, "MKSTREAM")

    def delete_group(self, group: str) -> None:
        """Removes a group."""
        for key in self.keys:
            self.server.ask("XGROUP", "DESTROY", key, group)

    def place(self, group: str, partition: int) -> int:
        """The offset at which a group goes on."""
        key = self.keys[partition]
        first, _ = self.bounds(partition)
        pending = self.server.ask("XPENDING", key, group, "-", "+", 1)
        if pending:
            return max(first, offset_of(pending[0][0]))
        for fields in self.server.ask("XINFO", "GROUPS", key):
            found = dict(zip(fields[::2], fields[1::2], strict=True))
            if found[b"name"] == group.encode():
                return max(first, self._behind(partition, found[b"last-delivered-id"].decode()))
        raise RuntimeError(f"redis: {key} has no group {group}")

    def _behind(self, partition: int, last: str) -> int:
        """The offset of the first record, kept or not, whose id is greater."""
        order = tuple(map(int, last.split("-")))
        ids = self.ids[partition]
        behind = (at for at, found in enumerate(ids) if tuple(map(int, found.split("-"))) > order)
        return next(behind, len(ids))

    def take(self, group: str, partition: int, count: int) -> list[Placed]:
        """What a member reads: first what is pending, then what is new."""
        key = self.keys[partition]
        taken: list[Placed] = []
        for begin in ("0", ">"):
            reading = ["GROUP", group, MEMBER, "COUNT", count + len(self.ids[partition])]
            if begin == ">":
                reading[-1] = count - len(taken)
            if reading[-1] == 0:
                break
            found = self.server.ask("XREADGROUP", *reading, "STREAMS", key, begin)
            for record_id, fields in found[0][1] if found else []:
                if fields is None:
                    self.server.ask("XACK", key, group, record_id)
                else:
                    taken.append((offset_of(record_id), fields[1]))
        return taken[:count]

    def commit(self, group: str, partition: int, offsets: list[int]) -> None:
        """What a member has done."""
        ids = [self.ids[partition][offset] for offset in offsets]
        if ids:
            self.server.ask("XACK", self.keys[partition], group, *ids)

    def move(self, group: str, taken: dict[int, list[Placed]], bodies: list[bytes]) -> None:
        """Appends to the other stream and commits, both or neither."""
        commands: list[tuple[str | int | bytes, ...]] = [("MULTI",)]
        for body in bodies:
            self.moved += 1
            commands.append(("XADD", "out", f"0-{self.moved}", "body", body))
        for partition, records in taken.items():
            ids = [self.ids[partition][offset] for offset, _ in records]
            commands.append(("XACK", self.keys[partition], group, *ids))
        done = self.server.ask_all([*commands, ("EXEC",)])[-1]
        if isinstance(done, RuntimeError):
            raise done

    def out(self) -> list[Placed]:
        """What was moved."""
        found = self.server.ask("XRANGE", "out", "-", "+")
        return [(offset_of(record_id), fields[1]) for record_id, fields in found]
