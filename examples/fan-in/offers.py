"""Offers tea at a price, in Python: one instance of the service `offers`.

python offers.py URL NAME PRICE        e.g.  python offers.py ./data hill 380

It states its name as that of the instance, so whoever asks knows whose answer it is, or is missing.
Of some teas it has none: then it fails, which is an answer too. SIGINT or SIGTERM ends it.
"""

import signal
import sys

import telpher

SOLD_OUT = {b"white"}
NONE_LEFT = 1


def main() -> None:
    """Serve until a signal comes."""
    if len(sys.argv) != 4:
        sys.exit("usage: offers.py URL NAME PRICE")
    _, url, name, price = sys.argv

    def offer(request: telpher.Request) -> bytes:
        if request.body in SOLD_OUT:
            raise telpher.Remote("none left", code=NONE_LEFT)
        return price.encode()

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    with telpher.open(url) as hub, hub.serve("offers", offer, instance_name=name):
        print(f"ready: {name} {price}", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main()
