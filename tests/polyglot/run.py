"""The polyglot matrix: every language against every other, over every kind of hub.

Each of C, Python, Node and Rust calls a service of each, produces for a consumer of each, publishes
to a subscriber of each, to a queue that each has bound, and to a stream that it has bound itself
and each reads, gathers answers of two instances of each, appends for a reader of each, and shares a
reader group with each, over the hub of a directory, a Unix socket and TCP: 4 x 4 x 8 x 3 = 384
cells of 200 operations. What every peer must
be able to do on its command line is written in tests/polyglot/rust/src/main.rs.

Over a directory the calls need no other program: the peer that serves also hosts the hub. Sockets
are those of one `telpher serve`. Every process has a time limit, and only processes started here
are ever ended. A cell that fails shows the output of both of its processes.

    python3 tests/polyglot/run.py              all cells
    python3 tests/polyglot/run.py node rust    only those of these languages
"""

import asyncio
import os
import socket
import sys
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", TOP / "target"))
PEERS = {
    "c": [str(TARGET / "c" / "release" / "telpher-c-peer")],
    "python": [
        str(TOP / ".venv" / "bin" / "python"),
        str(TOP / "tests" / "polyglot" / "python" / "peer.py"),
    ],
    "node": ["node", str(TOP / "tests" / "polyglot" / "node" / "peer.mjs")],
    "rust": [str(TARGET / "release" / "telpher-peer")],
}
KEEPER = PEERS["rust"]
SERVER = str(TARGET / "release" / "telpher")
COUNT = "200"
# For one step of one process. A step takes well under a second; a busy machine may be far slower.
PATIENCE_S = 60


class CellFailed(Exception):
    """What went wrong, with the output of the process."""


@dataclass(frozen=True)
class Cell:
    """One field of the matrix: who starts it, who answers, doing what, over what."""

    link: str
    kind: str
    active: str
    passive: str

    @property
    def name(self) -> str:
        """The name of the service, queue or stream; no other cell has it."""
        return f"{self.kind}.{self.link}.{self.active}.{self.passive}"


class Peer:
    """A process with a time limit on each of its steps."""

    def __init__(self, command: list[str], process: asyncio.subprocess.Process) -> None:
        self.command = command
        self.process = process
        self.output = b""

    async def says(self, text: str) -> None:
        """Waits for a line of output that has `text` in it."""
        assert self.process.stdout is not None
        while line := await self.step(self.process.stdout.readline(), f"said {text!r}"):
            self.output += line
            if text.encode() in line:
                return
        raise self.failed(f"ended before it said {text!r}")

    async def ends(self) -> None:
        """Closes its input and waits for its good end."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.output += await self.step(self.process.stdout.read(), "ended")
        code = await self.step(self.process.wait(), "ended")
        if code != 0:
            raise self.failed(f"ended with code {code}")

    async def step(self, step, what: str):
        """The outcome of `step`, unless it takes too long."""
        try:
            return await asyncio.wait_for(step, PATIENCE_S)
        except TimeoutError:
            raise self.failed(f"has not {what} within {PATIENCE_S} s") from None

    def failed(self, what: str) -> CellFailed:
        """The failure `what` of this process, with its output so far."""
        output = self.output.decode(errors="replace").strip() or "(no output)"
        return CellFailed(f"{' '.join(self.command)}\n{what}\n{output}")


@asynccontextmanager
async def peer(*command: str):
    """Starts a process, and makes sure that it is gone afterwards."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield Peer(list(command), process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def call(cell: Cell, url: str) -> None:
    """`active` calls a service of `passive`."""
    async with peer(*PEERS[cell.passive], "serve", url, cell.name) as server:
        await server.says("ready")
        async with peer(*PEERS[cell.active], "call", url, cell.name, COUNT) as caller:
            await caller.ends()
        await server.ends()


async def queue(cell: Cell, url: str) -> None:
    """`active` produces for `passive`."""
    async with peer(*KEEPER, "keep", url, cell.name) as keeper:
        await keeper.says("ready")
        async with peer(*PEERS[cell.passive], "consume", url, cell.name, COUNT) as consumer:
            await consumer.says("ready")
            async with peer(*PEERS[cell.active], "produce", url, cell.name, COUNT) as producer:
                await producer.ends()
            await consumer.ends()
        await keeper.ends()


async def topic(cell: Cell, url: str) -> None:
    """`active` publishes to `passive`."""
    async with peer(*PEERS[cell.passive], "subscribe", url, cell.name, COUNT) as subscriber:
        await subscriber.says("ready")
        async with peer(*PEERS[cell.active], "publish", url, cell.name, COUNT) as publisher:
            await publisher.ends()
        await subscriber.ends()


async def bound(cell: Cell, url: str) -> None:
    """`active` publishes while nobody is there, and `passive` consumes it from a bound queue."""
    async with peer(*KEEPER, "keep", url, cell.name) as keeper:
        await keeper.says("ready")
        async with peer(*PEERS[cell.passive], "bind", url, cell.name, COUNT) as binder:
            await binder.ends()
        async with peer(*PEERS[cell.active], "publish", url, cell.name, COUNT) as publisher:
            await publisher.ends()
        async with peer(*PEERS[cell.passive], "consume", url, cell.name, COUNT) as consumer:
            await consumer.says("ready")
            await consumer.ends()
        await keeper.ends()


async def gather(cell: Cell, url: str) -> None:
    """`active` gathers answers of two instances of a service, both in programs of `passive`."""
    async with peer(*PEERS[cell.passive], "serve", url, cell.name) as one:
        await one.says("ready")
        async with peer(*PEERS[cell.passive], "serve", url, cell.name) as other:
            await other.says("ready")
            async with peer(*PEERS[cell.active], "gather", url, cell.name, COUNT) as gatherer:
                await gatherer.ends()
            await other.ends()
        await one.ends()


async def stream(cell: Cell, url: str) -> None:
    """`active` appends for `passive`: half before it reads, and half while it does."""
    half = str(int(COUNT) // 2)
    async with peer(*KEEPER, "keep", url, cell.name) as keeper:
        await keeper.says("ready")
        async with peer(*PEERS[cell.active], "append", url, cell.name, half) as first:
            await first.ends()
        async with peer(*PEERS[cell.passive], "read", url, cell.name, COUNT) as reader:
            await reader.says("ready")
            async with peer(*PEERS[cell.active], "append", url, cell.name, half) as second:
                await second.ends()
            await reader.ends()
        await keeper.ends()


async def fed(cell: Cell, url: str) -> None:
    """`active` binds a stream and publishes to it; `passive` reads what is there and its topics."""
    async with peer(*KEEPER, "keep", url, cell.name) as keeper:
        await keeper.says("ready")
        async with peer(*PEERS[cell.active], "feed", url, cell.name, COUNT) as feeder:
            await feeder.ends()
        async with peer(*PEERS[cell.passive], "fed", url, cell.name, COUNT) as reader:
            await reader.says("ready")
            await reader.ends()
        await keeper.ends()


async def group(cell: Cell, url: str) -> None:
    """`active` and `passive` share what `active` appends; then `active` is the only member.

    Each appends to another stream what it has, and `passive` finds every record there once. Before
    the second half the hub of a directory ends, and the next one goes on at the group's places.
    """
    count, half = int(COUNT), str(int(COUNT) // 2)
    for members, done in (([cell.active, cell.passive], count // 2), ([cell.active], count)):
        async with peer(*KEEPER, "keep", url, cell.name) as keeper, AsyncExitStack() as stack:
            await keeper.says("ready")
            started = []
            for language in members:
                member = peer(*PEERS[language], "member", url, cell.name)
                started.append(await stack.enter_async_context(member))
                await started[-1].says("ready")
            async with peer(*PEERS[cell.active], "append", url, cell.name, half) as appender:
                await appender.ends()
            read = [*PEERS[cell.passive], "read", url, f"{cell.name}.done", str(done)]
            async with peer(*read) as reader:
                await reader.says("ready")
                await reader.ends()
            for member in started:
                await member.ends()
            await keeper.ends()


KINDS = {
    "call": call,
    "queue": queue,
    "topic": topic,
    "bound": bound,
    "gather": gather,
    "stream": stream,
    "fed": fed,
    "group": group,
}


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


async def run(cells: list[Cell], directory: Path) -> dict[Cell, str]:
    """Runs every cell; returns what went wrong in those that failed."""
    sockets = {"unix": f"unix://{directory}/hub.sock", "tcp": f"tcp://127.0.0.1:{free_port()}"}
    failures: dict[Cell, str] = {}
    turn = asyncio.Semaphore(os.cpu_count() or 1)

    async def run_cell(cell: Cell) -> None:
        url = sockets.get(cell.link) or f"file://{directory}/{cell.name}"
        async with turn:
            try:
                await KINDS[cell.kind](cell, url)
            except (CellFailed, OSError) as failure:
                failures[cell] = str(failure)

    async with AsyncExitStack() as stack:
        listen = [f"--listen={url}" for url in sockets.values()]
        server = await stack.enter_async_context(peer(SERVER, "serve", *listen))
        for url in sockets.values():
            await server.says(f"listening on {url}")
        await asyncio.gather(*(run_cell(cell) for cell in cells))
        server.process.terminate()
        await server.ends()
    return failures


def show(cells: list[Cell], languages: list[str], failures: dict[Cell, str]) -> None:
    """Prints the matrix: one row for each pair that acts over a link, one column per answerer."""
    titles = {
        "call": "calls: caller \\ server",
        "queue": "queues: producer \\ consumer",
        "topic": "topics: publisher \\ subscriber",
        "bound": "bound: publisher \\ consumer",
        "gather": "gathers: gatherer \\ instances",
        "stream": "streams: appender \\ reader",
        "fed": "bound streams: publisher \\ reader",
        "group": "groups: member \\ member",
    }
    for kind, title in titles.items():
        print(f"\n{title:32}" + "".join(f"{language:>8}" for language in languages))
        for link in ("directory", "unix", "tcp"):
            for active in languages:
                row = [Cell(link, kind, active, passive) for passive in languages]
                marks = ["FAILED" if cell in failures else "ok" for cell in row]
                print(f"  {link:12}{active:18}" + "".join(f"{mark:>8}" for mark in marks))
    for cell in cells:
        if cell in failures:
            print(f"\n--- {cell.kind} over {cell.link}: {cell.active} with {cell.passive}")
            print(failures[cell])
    print(f"\n{len(cells) - len(failures)} passed, {len(failures)} failed")


def main() -> int:
    """Runs the matrix of the languages named, or of all."""
    languages = sys.argv[1:] or list(PEERS)
    unknown = [language for language in languages if language not in PEERS]
    if unknown:
        print(f"no peer speaks {', '.join(unknown)}; there are {', '.join(PEERS)}", file=sys.stderr)
        return 2
    cells = [
        Cell(link, kind, active, passive)
        for kind in KINDS
        for link in ("directory", "unix", "tcp")
        for active in languages
        for passive in languages
    ]
    with tempfile.TemporaryDirectory(prefix="telpher-") as directory:
        failures = asyncio.run(run(cells, Path(directory)))
    show(cells, languages, failures)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
