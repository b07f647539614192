"""The power is cut under a hub on a real file system.

An ext4 in an image of its own is mounted by loop. While a program works on a hub in it, the file
system is shut down as if the power had failed (FS_IOC_SHUTDOWN without flushing its log): what was
not synced is gone. It is mounted again, and what was confirmed is compared with what is there.
"""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from workers import Background, Failed, Ledger, Skipped, Worker, check, pause

FS_IOC_SHUTDOWN = 0x8004587D
NO_FLUSH = 2
SIZE = 256 * 1024 * 1024


class Image:
    """A file system in a file."""

    def __init__(self, size: int = SIZE) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="telpher-image-"))
        self.file, self.mount = self.place / "image", self.place / "mount"
        self.mount.mkdir()
        with self.file.open("wb") as file:
            file.truncate(size)
        quiet = {"check": True, "capture_output": True, "text": True}
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(self.file)], **quiet)

    def up(self) -> None:
        """Mounts it."""
        command = ["mount", "-o", "loop", str(self.file), str(self.mount)]
        subprocess.run(command, check=True, capture_output=True, text=True)

    def down(self) -> None:
        """Unmounts it, as soon as nobody uses it."""
        for _ in range(400):
            done = subprocess.run(["umount", str(self.mount)], capture_output=True, text=True)
            if done.returncode == 0:
                return
            pause(0.05)
        raise Failed(f"can't unmount: {done.stderr}")

    def cut_power(self) -> None:
        """What is not on the disk by now never will be."""
        fd = os.open(self.mount, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, FS_IOC_SHUTDOWN, struct.pack("I", NO_FLUSH))
        finally:
            os.close(fd)

    def remove(self) -> None:
        """Unmounts and deletes it."""
        subprocess.run(["umount", str(self.mount)], capture_output=True)
        shutil.rmtree(self.place, ignore_errors=True)


def unavailable() -> str:
    """Why file systems can't be mounted here; empty if they can."""
    if os.geteuid() != 0:
        return "it takes root to mount a file system"
    if shutil.which("mkfs.ext4") is None:
        return "there is no mkfs.ext4"
    image = Image(16 * 1024 * 1024)
    try:
        image.up()
        image.cut_power()
        image.down()
        return ""
    except (OSError, subprocess.CalledProcessError, Failed) as error:
        return f"no file system can be mounted by loop: {getattr(error, 'stderr', '') or error}"
    finally:
        image.remove()


def work(worker: Worker, ledger: Ledger, draw: random.Random, stop: threading.Event) -> None:
    """Sends and settles until something fails, or the program is killed."""
    while not stop.is_set():
        try:
            if not step(worker, ledger, draw):
                return
        except Failed as failure:
            if "died (SIGKILL)" in str(failure):
                return
            raise


def step(worker: Worker, ledger: Ledger, draw: random.Random) -> bool:
    """One thing; whether it went well."""
    kind = draw.random()
    if kind < 0.4:
        answer = ledger.send(worker, "jobs", draw.choice([20, 2_000, 60_000]))
    elif kind < 0.6:
        answer = ledger.many(worker, "jobs", draw.randint(1, 50), draw.choice([20, 5_000]))
    elif kind < 0.9:
        name = ledger.take(worker, "jobs", 50)
        answer = ledger.acknowledge(worker, name) if name else ["ok"]
    else:
        ledger.batch(worker, ledger.take(worker, "jobs", 50), "jobs")
        answer = ["ok"]
    return answer[0] == "ok"


def round_of(image: Image, ledger: Ledger, draw: random.Random) -> None:
    """Works for a while, loses the power, and looks."""
    url = f"file://{image.mount}/hub"
    image.up()
    with Worker() as worker:
        worker.do(f"open {url} 60000")
        worker.do("declare jobs 20")
        background = Background(lambda stop: work(worker, ledger, draw, stop))
        pause(draw.uniform(0.02, 0.6))
        if draw.random() < 0.3:
            # The host dies first, and the next begins; then the power goes.
            background.join()
            worker.end()
            with Worker() as other:
                other.tell(f"open {url} 60000")
                pause(draw.uniform(0.0, 0.1))
                image.cut_power()
        else:
            image.cut_power()
            worker.end()
            background.join()
    image.down()


def compare(image: Image, ledger: Ledger) -> None:
    """Everything that was confirmed is there."""
    image.up()
    with Worker() as worker:
        worker.do(f"open file://{image.mount}/hub 60000")
        ledger.compare(worker, ["jobs", "jobs.dead"])
        worker.do("close")
    image.down()


def main(seed: int, seconds: float) -> tuple[int, int]:
    """As many power cuts as there is time for."""
    if why := unavailable():
        raise Skipped(why)
    draw, end, cuts, confirmed = random.Random(seed), time.monotonic() + seconds, 0, 0
    failed = 0
    while time.monotonic() < end and not failed:
        image, ledger = Image(), Ledger()
        try:
            for _ in range(draw.randint(1, 4)):
                round_of(image, ledger, draw)
                cuts += 1
            compare(image, ledger)
            check(bool(ledger.confirmed), "nothing was confirmed in all that time")
            confirmed += len(ledger.confirmed)
        except (Failed, subprocess.CalledProcessError) as error:
            failed += 1
            print(f"FAILED power, seed {seed}, cut {cuts}: {error}", flush=True)
        finally:
            image.remove()
    print(f"power: {cuts} cuts, {confirmed} messages confirmed, seed {seed}", flush=True)
    return cuts - failed, failed
