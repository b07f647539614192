"""The stream of flights and its readers; `make flights-test` builds what they need."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
import telpher
from programs import FLIGHTS, PYTHON, SECONDS, processes_on

from season import Sum, day, differences, origin, read_season, sums, total
from stage import Program, Stage

FILE = Path(os.environ["FLIGHTS_SEASON"])
REPLAY = Path(os.environ["FLIGHTS_REPLAY"])
STREAM = FLIGHTS / "stream"


def run(directory: Path, *options: str) -> list[str]:
    """The command line of the demo, in a directory of its own."""
    command = [*PYTHON, STREAM / "run.py", "--replay", REPLAY, "--file", FILE, *options]
    return [str(word) for word in [*command, "--url", directory / "data"]]


class Programs:
    """The programs of the example on one hub."""

    def __init__(self, stage: Stage, url: Path) -> None:
        self.stage = stage
        self.url = url

    def append(self, days_per_second: float = 0) -> Program:
        pace = ["--days-per-second", days_per_second] if days_per_second else []
        return self._start("append", *PYTHON, STREAM / "append.py", self.url, FILE, *pace)

    def append_all(self) -> None:
        self.ends_well(self.append())

    def table(self) -> Program:
        return self._start("table", *PYTHON, STREAM / "table.py", self.url, FILE)

    def daily(self) -> Program:
        return self._start("daily", "node", STREAM / "daily.mjs", self.url)

    def replay(self, since: str) -> Program:
        return self._start("replay", REPLAY, self.url, since)

    def check(self) -> None:
        """See that both streams are as the file."""
        check = self._start("check", *PYTHON, STREAM / "check.py", self.url, FILE)
        self.stage.wait_for(check, "as the file")
        self.stage.finish(check)

    def ends_well(self, *programs: Program) -> None:
        """Wait for what each says last, and for its end."""
        last = {"append": "flights are there", "table": "as in the file", "daily": "done"}
        for program in programs:
            self.stage.wait_for(program, last.get(program.name, "since"))
        self.stage.finish(*programs)

    def _start(self, name: str, *command: object) -> Program:
        program = self.stage.start(name, *command)
        program.may_end = True
        if name != "check":
            self.stage.ready(program)
        return program


@pytest.fixture
def programs(stage: Stage, tmp_path: Path) -> Programs:
    return Programs(stage, tmp_path / "data")


def replayed(since: str) -> str:
    """What replay is to say, by the file."""
    found = total(flight for flight in read_season(FILE) if day(flight) >= since)
    return f"since {since}: {found.flights} flights, {found.delay} minutes of delay;"


def test_the_readers_agree_with_the_file(tmp_path: Path) -> None:
    ran = subprocess.run(run(tmp_path), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "all 20,000 flights are in the table, as in the file" in ran.stdout
    assert "daily was killed" in ran.stdout
    assert replayed("2001/02/15") in ran.stdout
    assert "20,000 flights, 154,078 minutes of delay, 90 days" in ran.stdout
    assert processes_on(tmp_path) == []


def test_daily_counts_each_flight_once_however_often_it_is_killed(programs: Programs) -> None:
    programs.append_all()
    with telpher.open(programs.url) as hub:
        kill_while_it_writes(programs, hub, programs.daily(), range(20, 181, 40))
    programs.check()


def test_daily_counts_each_flight_once_when_the_hub_is_killed_with_it(programs: Programs) -> None:
    programs.append_all()
    daily = programs.daily()  # Alone, and so the host.
    with telpher.open(programs.url, host="never") as hub:
        kill_while_it_writes(programs, hub, daily, [50])
    programs.check()


def kill_while_it_writes(
    programs: Programs, hub: telpher.Hub, daily: Program, offsets: Iterable[int]
) -> None:
    """Kill it when it has written each of these records, and start it again."""
    with hub.stream("daily").read(follow=True) as reader:
        for offset in offsets:
            while reader.receive().offset < offset:
                pass
            programs.stage.kill(daily)
            daily = programs.daily()
            assert not daily.has_said("ready: 0 days")
    programs.ends_well(daily)


def test_two_that_sum_up_the_days_do_not_spoil_each_others_sums(programs: Programs) -> None:
    programs.append_all()
    both = [programs.daily(), programs.daily()]
    with telpher.open(programs.url) as hub, hub.stream("daily").read(follow=True) as reader:
        ended = (record.key for record in reader if b"end of partition" in record.key)
        assert len({next(ended) for _ in range(4)}) == 4
    programs.check()
    for program in both:
        programs.stage.kill(program)


def test_a_table_that_is_killed_reads_everything_again(programs: Programs) -> None:
    append = programs.append(days_per_second=100)
    table = programs.table()
    programs.stage.wait_for(table, "% in the table,")
    programs.stage.kill(table)
    programs.ends_well(programs.table(), append)


def test_what_is_killed_while_it_appends_goes_on_with_the_next_day(programs: Programs) -> None:
    append = programs.append(days_per_second=100)  # It is the host, too.
    readers = [programs.table(), programs.daily()]
    programs.stage.wait_for(append, "2001/01 is there")
    programs.stage.kill(append)
    append = programs.append()
    (ready,) = [re.search(r"ready: (\d+) of 90", line) for line in append.lines[:1]]
    assert ready and 31 <= int(ready[1]) < 90
    programs.ends_well(append, *readers)
    programs.check()


def test_two_that_append_the_same_season_append_it_once(programs: Programs) -> None:
    programs.ends_well(programs.append(days_per_second=300), programs.append(days_per_second=300))
    programs.ends_well(programs.daily())
    programs.check()


def test_a_replay_begins_at_its_date_however_often_it_is_started(programs: Programs) -> None:
    programs.append_all()
    for since in ("2000/01/01", "2001/02/15", "2001/02/15", "2001/03/31"):
        replay = programs.replay(since)
        programs.ends_well(replay)
        assert replay.has_said(f"{replayed(since)} 0 earlier")
    after = programs.replay("2001/04/01")
    programs.ends_well(after)
    assert after.has_said(f"{replayed('2001/04/01')} 202 earlier"), "the last day comes first"


def test_a_replay_that_is_killed_begins_at_its_date_again(programs: Programs) -> None:
    append = programs.append(days_per_second=100)
    programs.stage.wait_for(append, "2001/01 is there")
    programs.stage.kill(programs.replay("2001/01/20"))
    replay = programs.replay("2001/01/20")
    programs.ends_well(replay, append)
    assert replay.has_said(f"{replayed('2001/01/20')} 0 earlier")


def test_a_replay_waits_for_a_date_that_has_not_come(programs: Programs) -> None:
    append = programs.append(days_per_second=100)
    replay = programs.replay("2001/03/20")
    programs.ends_well(replay, append)
    assert replay.has_said(replayed("2001/03/20"))
    assert not replay.has_said("; 0 earlier")


def test_the_check_tells_what_is_not_as_in_the_file(programs: Programs) -> None:
    programs.append_all()
    programs.ends_well(programs.daily())
    again = read_season(FILE)[0]
    wrong = {"flights": 1, "delay": 2}
    with telpher.open(programs.url) as hub:
        hub.stream("flights").append(json.dumps(again).encode(), key=again["origin"].encode())
        hub.stream("daily").append(json.dumps(wrong).encode(), key=b"2001/02/03")
    command = [*PYTHON, STREAM / "check.py", programs.url, FILE]
    ran = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert ran.returncode == 1
    assert f"MISMATCH at {again['origin']}: 459 flights" in ran.stdout
    assert "MISMATCH at 2001/02/03: 1 flights, 2 minutes of delay" in ran.stdout
    assert ran.stdout.count("MISMATCH") == 2


def test_ctrl_c_ends_the_stream_of_flights(tmp_path: Path) -> None:
    command = run(tmp_path, "--days-per-second", "6")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if "10 % in the table" in line:
                running.send_signal(signal.SIGINT)
        assert running.wait(SECONDS) == 130
    assert processes_on(tmp_path) == []


def test_sums_tell_every_difference_from_the_file() -> None:
    season = read_season(FILE)
    assert differences(sums(season, day), sums(season, day)) == []
    assert len(differences(sums(season[1:], day), sums(season, day))) == 1
    assert len(differences({}, sums(season, day))) == 90
    assert differences({"ABC": Sum(1, 2)}, {}) == [
        "ABC: 1 flights, 2 minutes of delay; the file says 0 flights, 0 minutes of delay"
    ]
    assert sum(each.flights for each in sums(season, origin).values()) == len(season)
