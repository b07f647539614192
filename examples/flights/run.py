"""Runs the flights pipeline: starts its programs in order, shows what they say, ends them all.

    python run.py --scorer PROGRAM --file FLIGHTS.json [--count N] [--workers N] [--url ./data]

None of this is needed for Telpher: each program can as well be started by hand, in a terminal of
its own. Ctrl-C ends all of them, in order. The exit code is 0 only if the result was right, and
every program ended well and in time.
"""

import argparse
import signal
import sys
import time
from pathlib import Path

from stage import Failed, Stage
from tally import number

HERE = Path(__file__).resolve().parent


def arguments() -> argparse.Namespace:
    """What to run, and on how much."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scorer", type=Path, required=True, help="the compiled scorer.c")
    parser.add_argument("--file", type=Path, required=True, help="flights-200k.json")
    parser.add_argument("--count", type=number, help="how many flights of it (all)")
    parser.add_argument("--workers", type=number, default=3, help="how many workers (3)")
    parser.add_argument("--url", default="./data", help="the hub (./data)")
    parser.add_argument("--seconds", type=number, default=300, help="give up after these (300)")
    return parser.parse_args()


def pipeline(stage: Stage, options: argparse.Namespace) -> None:
    """Start everything, wait for the checked result, and let the collector leave last."""
    started = time.monotonic()
    many = f"{options.workers} worker{'s' if options.workers > 1 else ''}"
    stage.say(f"producer (Node) ─▶ {many} (Python) ─▶ collector (Python)")
    stage.say("                   each calls the scorer (C)")
    python = [sys.executable, "-u"]
    data = [options.file, *([options.count] if options.count else [])]
    collector = stage.start(
        "collector", *python, HERE / "collector.py", options.url, *data, paints=True
    )
    stage.ready(collector)
    scorer = stage.start("scorer", options.scorer.resolve(), options.url)
    stage.ready(scorer)
    workers = [
        stage.start(f"worker {at + 1}", *python, HERE / "worker.py", options.url)
        for at in range(options.workers)
    ]
    producer = stage.start("producer", "node", HERE / "producer.mjs", options.url, *data)
    producer.may_end = True
    stage.ready(*workers, producer)
    stage.hold_for(collector)
    stage.wait_for(collector, "accounted for")
    stage.finish(producer)
    stage.finish(*workers, by=signal.SIGTERM)
    stage.finish(scorer, by=signal.SIGTERM)
    stage.finish(collector)
    seconds = time.monotonic() - started
    stage.say(f"done in {seconds:.1f} s, through a hub that nobody had to start")


def main() -> int:
    """Run it to its end."""
    options = arguments()
    for number_of_signal in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number_of_signal, signal.default_int_handler)
    stage = Stage(options.seconds)
    code, words = 0, ""
    try:
        pipeline(stage, options)
    except Failed as failure:
        code, words = 1, f"failed: {failure}"
    except KeyboardInterrupt:
        code, words = 130, "stopped"
    finally:
        stage.end_all()
    if words:
        stage.say(words)
    return code


if __name__ == "__main__":
    sys.exit(main())
