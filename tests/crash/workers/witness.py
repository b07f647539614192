"""What a program sees of a change of host, told by lines what to do next.

    -m workers.witness URL NAME

It holds a message, waits for a call, consumes and serves; then it says `ready`. Told `send`, it
starts sends and waits for none; told `settle`, it acknowledges what it held; told `ask`, it sends
and calls with little time. Whatever ends is said, as history.py describes.
"""

import sys
import threading

import telpher
from workers.common import ending, say

SENDS = 10
MOMENT_S = 0.3


def notice(what: telpher.Notice) -> None:
    """Say what has happened to the hub."""
    say("notice", what.kind, int(what.memory_lost or False))


def consume(hub: telpher.Hub, name: str) -> None:
    """Take and acknowledge whatever comes."""
    for job in hub.queue(f"work.{name}").consume():
        say("took", job.body.decode())
        job.acknowledge()
        say("acknowledged", job.body.decode())


def send_some(hub: telpher.Hub, name: str) -> None:
    """Start sends; each says how it ended."""
    for number in range(SENDS):
        send = hub.queue(f"sent.{name}").start.send(b"%d" % number, timeout=20)
        send.add_done_callback(lambda send: say("sent", ending(send.exception())))
    hub.flush()
    say("sending")


def outcome(operation: telpher.Operation) -> str:
    """How it ended."""
    return ending(operation.exception())


def ask(hub: telpher.Hub, name: str) -> None:
    """Operations that have little time."""
    send = hub.queue(f"sent.{name}").start.send(b"asked", timeout=MOMENT_S)
    call = hub.start.call(f"echo.{name}", b"asked", timeout=MOMENT_S)
    say("asked", outcome(send), outcome(call))


def main() -> None:
    """Get ready, and then do what is asked."""
    url, name = sys.argv[1:]
    with telpher.open(url, on_notice=notice) as hub:
        held = hub.queue(f"held.{name}").receive()
        threading.Thread(target=consume, args=(hub, name), daemon=True).start()
        hub.serve(f"echo.{name}", lambda request: request.body)
        call = hub.start.call("never", b"", timeout=60)
        call.add_done_callback(lambda call: say("called", ending(call.exception())))
        say("ready")
        for line in sys.stdin:
            match line.strip():
                case "send":
                    send_some(hub, name)
                case "settle":
                    say("settled", outcome(held.start.acknowledge()))
                case "ask":
                    ask(hub, name)
    say("end")


if __name__ == "__main__":
    main()
