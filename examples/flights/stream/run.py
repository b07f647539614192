"""Runs the stream of flights: starts its programs, kills one of them, shows what they say.

    python run.py --replay PROGRAM --file FLIGHTS.json [--url ./data] [--days-per-second N]

None of this is needed for Telpher: each program can as well be started by hand, in a terminal of
its own. When January is over `daily` is killed; when February is over it is started again, and
`replay` for the first time. Ctrl-C ends all of them. The exit code is 0 only if everything is as in
the file, and every program ended well and in time.
"""

import argparse
import signal
import sys
import time
from pathlib import Path

from season import Sum, day, read_season, total

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))

from stage import Failed, Program, Stage  # noqa: E402

REPLAY_FROM = "2001/02/15"


def arguments() -> argparse.Namespace:
    """What to run, and how fast."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--replay", type=Path, required=True, help="the compiled replay.c")
    parser.add_argument("--file", type=Path, required=True, help="flights-20k.json")
    parser.add_argument("--url", default="./data", help="the hub, empty (./data)")
    parser.add_argument("--days-per-second", type=float, help="a pace (as fast as it goes)")
    parser.add_argument("--seconds", type=float, default=120, help="give up after these (120)")
    return parser.parse_args()


def follow(stage: Stage, options: argparse.Namespace) -> None:
    """Start everything, kill and start again, and wait for all ends."""

    def start(name: str, *command: object, paints: bool = False) -> Program:
        program = stage.start(name, *command, paints=paints)
        program.may_end = True  # Each ends by itself when all flights were there.
        return program

    url, file = options.url, options.file
    python = [sys.executable, "-u"]
    node = ["node", HERE / "daily.mjs"]
    pace = ["--days-per-second", options.days_per_second] if options.days_per_second else []
    append = start("append", *python, HERE / "append.py", url, file, *pace)
    stage.ready(append)
    if not append.has_said("ready: 0 of"):
        raise Failed(f"in {url} are flights already; begin with an empty hub")
    table = start("table", *python, HERE / "table.py", url, file, paints=True)
    daily = start("daily", *node, url)
    stage.ready(table, daily)
    stage.hold_for(table)
    stage.wait_for(append, "2001/01 is there")
    stage.kill(daily)
    stage.say("daily was killed")
    stage.wait_for(append, "2001/02 is there")
    daily = start("daily", *node, url)
    replay = start("replay", options.replay.resolve(), url, REPLAY_FROM)
    for program, words in ((table, "as in the file"), (daily, "done"), (replay, "since")):
        stage.wait_for(program, words)
    stage.finish(append, table, daily, replay)
    check_replay(replay, file)
    check = start("check", *python, HERE / "check.py", url, file)
    stage.wait_for(check, "as the file")
    stage.finish(check)


def check_replay(replay: Program, file: Path) -> None:
    """See that what was replayed is what the file has since then."""
    expected = total(each for each in read_season(file) if day(each) >= REPLAY_FROM)
    if not replay.has_said(words(expected)):
        raise Failed(f"replay should have said: {words(expected)}")


def words(since: Sum) -> str:
    """What replay says of flights."""
    return f"since {REPLAY_FROM}: {since.flights} flights, {since.delay} minutes of delay"


def main() -> int:
    """Run it to its end."""
    options = arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    stage = Stage(options.seconds)
    started = time.monotonic()
    code = 0
    try:
        stage.say("append (Python) ─▶ flights ─▶ table (Python), daily (Node), replay (C)")
        follow(stage, options)
        last = f"done in {time.monotonic() - started:.1f} s, through a hub that nobody had to start"
    except Failed as failure:
        code, last = 1, f"failed: {failure}"
    except KeyboardInterrupt:
        code, last = 130, "stopped"
    finally:
        stage.end_all()
    stage.say(last)
    return code


if __name__ == "__main__":
    sys.exit(main())
