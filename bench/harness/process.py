"""Programs of the bench: started where they belong, waited for, and ended by their number.

A server is up when it has said so. A client ends by itself and leaves one line of JSON. Nothing
here waits without a bound, and whatever was started dies with the harness.
"""

import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field

PATIENCE_S = 30
PR_SET_PDEATHSIG = 1
PERF_EVENTS = "raw_syscalls:sys_enter,context-switches,task-clock"
SYNC_EVENTS = "syscalls:sys_enter_fdatasync,syscalls:sys_enter_fsync,syscalls:sys_enter_pwritev2"

_libc = ctypes.CDLL(None)


class Failed(Exception):
    """A program of the bench did not do what it should."""


@dataclass
class Place:
    """Which processors a program may use: all on one, servers and clients apart, or free."""

    name: str
    server: set[int] = field(default_factory=set)
    client: set[int] = field(default_factory=set)


def places() -> dict[str, Place]:
    """The placements this machine offers; `2cpus` only where there are two."""
    cpus = sorted(os.sched_getaffinity(0))
    found = {
        "samecpu": Place("samecpu", {cpus[-1]}, {cpus[-1]}),
        "free": Place("free", set(cpus), set(cpus)),
    }
    if len(cpus) > 1:
        found["2cpus"] = Place("2cpus", {cpus[-2]}, {cpus[-1]})
    return found


def free_port() -> int:
    """A port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(command: list[str], cpus: set[int], serving: bool = False) -> subprocess.Popen:
    """Starts a program on `cpus`, with its standard output to be read.

    What a server says as an error comes in the same pipe, as some say there that they are ready.
    """

    def prepare() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.sched_setaffinity(0, cpus)

    errors = subprocess.STDOUT if serving else subprocess.PIPE
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
        preexec_fn=prepare,
    )


def resident(pid: int, what: str = "VmRSS") -> int:
    """Bytes of memory that a process has now; with `VmHWM`, the most it ever had."""
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith(what + ":"):
                return int(line.split()[1]) * 1024
    raise Failed(f"process {pid} has ended")


def stop(process: subprocess.Popen) -> None:
    """Ends a program: asked first, then made to."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(PATIENCE_S)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def await_text(process: subprocess.Popen, text: str) -> None:
    """Waits until the program has written `text`."""
    until = time.monotonic() + PATIENCE_S
    seen = b""
    while time.monotonic() < until:
        readable, _, _ = select.select([process.stdout], [], [], 0.5)
        if readable:
            byte = os.read(process.stdout.fileno(), 1)
            seen += byte
            if seen.endswith(text.encode()):
                return
            if not byte:
                break
    process.kill()
    seen += process.stderr.read() if process.stderr is not None else b""
    stop(process)
    raise Failed(f"{described(process)} did not say {text!r}: {seen[-400:].decode().strip()}")


def described(process: subprocess.Popen) -> str:
    """The program and what it was to do, shortly."""
    return " ".join(os.path.basename(part) for part in process.args[:3])


def result(process: subprocess.Popen) -> dict:
    """Waits for a client's end; its last line is its report."""
    try:
        out, errors = process.communicate(timeout=PATIENCE_S * 2)
    except subprocess.TimeoutExpired:
        process.kill()
        _, errors = process.communicate(timeout=PATIENCE_S)
        words = errors.decode()[-400:].strip()
        raise Failed(f"{described(process)} did not end: {words}") from None
    lines = out.decode().strip().splitlines()
    if process.returncode != 0 or not lines:
        raise Failed(f"{described(process)}: {errors.decode()[-400:].strip()}")
    report = json.loads(lines[-1])
    if report.get("build") != "release":
        raise Failed(f"{process.args[0]} is not a release build")
    return report


def counted(command: list[str], file: str, events: str = PERF_EVENTS) -> list[str]:
    """The same command, its system calls and context switches written to `file`."""
    return ["perf", "stat", "-x", ",", "-e", events, "-o", file, "--", *command]


def counting(pids: list[int], file: str, command: list[str]) -> list[str]:
    """The same command; meanwhile what `pids` do is counted into `file`."""
    of = ",".join(map(str, pids))
    return ["perf", "stat", "-x", ",", "-e", PERF_EVENTS, "-o", file, "-p", of, "--", *command]


def events(file: str) -> dict[str, float]:
    """What perf has counted, by the names of the events."""
    with open(file) as lines:
        fields = [line.split(",") for line in lines if "," in line]
    return {field[2]: float(field[0]) for field in fields if field[0][:1].isdigit()}


def counts(file: str) -> dict[str, float]:
    """System calls, context switches, and processor time in us."""
    found = events(file)
    return {
        "system_calls": found["raw_syscalls:sys_enter"],
        "switches": found["context-switches"],
        "processor_us": found["task-clock"] * 1000,
    }
