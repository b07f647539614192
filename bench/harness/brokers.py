"""The servers of durable queues, each told to confirm only what it has synced."""

import tempfile
from pathlib import Path

from . import peers
from .process import free_port
from .side import Server

RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
NATS_SYNCING = peers.VENV_PYTHON.with_name("nats-server")


def telpher(folder: str) -> tuple[Server, str]:
    """`telpher serve` of a new directory, and the address it listens at."""
    url = f"tcp://127.0.0.1:{free_port()}"
    directory = tempfile.mkdtemp(dir=folder)
    return Server([peers.COMMAND, "serve", directory, "--listen", url], "listening on"), url


def redis(folder: str, sync: str = "always") -> tuple[Server, str]:
    """Redis, which writes and syncs its log before it answers what one turn has read.

    With `sync` `everysec` it syncs once a second, and answers what it has written.
    """
    port = free_port()
    command = [peers.program("redis-server") or "redis-server", "--port", str(port),
               "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes",
               "--appendfsync", sync, "--dir", tempfile.mkdtemp(dir=folder)]
    return Server(command, "Ready to accept connections"), f"tcp:127.0.0.1:{port}"


def jetstream(folder: str, sync: str = "always") -> tuple[Server, str]:
    """nats-server with JetStream, which syncs each message; the version that Debian has can't.

    `sync` may also be a time, after which it syncs what it has confirmed before.
    """
    port = free_port()
    store = tempfile.mkdtemp(dir=folder)
    settings = Path(store) / "nats.conf"
    settings.write_text(
        f'host: "127.0.0.1"\nport: {port}\nmax_pending: 512MB\n'
        f'jetstream {{ store_dir: "{store}", sync_interval: {sync} }}\n')
    return Server([str(NATS_SYNCING), "-c", str(settings)], "Server is ready"), \
        f"tcp:127.0.0.1:{port}"


def rabbitmq(folder: str) -> tuple[list[Server], int]:
    """RabbitMQ as one node, with a port mapper of its own; and its port."""
    home = Path(tempfile.mkdtemp(dir=folder))
    port, mapper, distribution = free_port(), free_port(), free_port()
    settings = home / "rabbitmq.conf"
    settings.write_text(f"listeners.tcp.default = 127.0.0.1:{port}\nlog.file = false\n"
                        "log.console = true\nlog.console.level = info\n")
    environment = {
        "HOME": home, "ERL_EPMD_PORT": mapper, "RABBITMQ_NODENAME": "bench@localhost",
        "RABBITMQ_DIST_PORT": distribution, "RABBITMQ_CONFIG_FILE": settings,
        "RABBITMQ_MNESIA_BASE": home / "data", "RABBITMQ_LOG_BASE": home / "log",
        "RABBITMQ_ENABLED_PLUGINS_FILE": home / "plugins",
        # So that its script becomes the server, and nothing is left when that is ended.
        "NOTIFY_SOCKET": home / "nobody",
    }
    command = ["env", *(f"{name}={value}" for name, value in environment.items()), str(RABBITMQ)]
    mapping = [peers.program("epmd") or "epmd", "-d", "-port", str(mapper),
               "-address", "127.0.0.1"]
    return [Server(mapping, "epmd running"), Server(command, "Server startup complete")], port
