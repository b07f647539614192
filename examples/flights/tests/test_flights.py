"""The pipeline as a whole, on real flights; `make flights-test` builds what it needs."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
import telpher
from programs import FLIGHTS, PYTHON, SECONDS, processes_on

from stage import Failed, Stage
from tally import Tally, direct, read_flights, score

FILE = Path(os.environ["FLIGHTS_FILE"])
SCORER = Path(os.environ["FLIGHTS_SCORER"])


def run(directory: Path, *options: str) -> list[str]:
    """The command line of the pipeline, in a directory of its own."""
    command = [*PYTHON, FLIGHTS / "run.py", "--scorer", SCORER, "--file", FILE, *options]
    return [str(word) for word in [*command, "--url", directory / "data"]]


def test_the_pipeline_accounts_for_every_flight(tmp_path: Path) -> None:
    ran = subprocess.run(run(tmp_path, "--count", "3000"), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "all 3,000 flights accounted for; totals match" in ran.stdout
    assert "answered 3000 calls" in ran.stdout
    hours = re.findall(r"^collector │ +\d\d:00 +([\d,]+)", ran.stdout, re.MULTILINE)
    assert sum(int(hour.replace(",", "")) for hour in hours) == 3000
    assert processes_on(tmp_path) == []


def test_a_killed_worker_loses_no_flight(tmp_path: Path, stage: Stage) -> None:
    url = tmp_path / "data"
    collector = stage.start("collector", *PYTHON, FLIGHTS / "collector.py", url, FILE, 10000)
    stage.ready(collector)
    scorer = stage.start("scorer", SCORER, url)
    stage.ready(scorer)
    workers = [stage.start("worker", *PYTHON, FLIGHTS / "worker.py", url) for _ in range(2)]
    stage.ready(*workers)
    producer = stage.start("producer", "node", FLIGHTS / "producer.mjs", url, FILE, 10000)
    producer.may_end = True
    stage.wait_for(collector, "10 % scored")
    workers[0].process.kill()
    with pytest.raises(Failed, match="worker ended, with exit code -9"):
        stage.wait_for(collector, "accounted for")
    stage.wait_for(collector, "all 10,000 flights accounted for; totals match")
    stage.finish(workers[1], scorer, by=signal.SIGTERM)
    stage.finish(collector)


def test_a_flight_that_comes_twice_is_counted_once(tmp_path: Path, stage: Stage) -> None:
    url = tmp_path / "data"
    collector = stage.start("collector", *PYTHON, FLIGHTS / "collector.py", url, FILE, 3)
    stage.ready(collector)
    flights = read_flights(FILE, 3)
    with telpher.open(url, host="never") as hub:
        for place in [0, 0, *flights]:
            scored = flights[place] | {"score": score(flights[place])}
            hub.queue("scored").send(json.dumps(scored).encode(), key=str(place).encode())
        stage.wait_for(collector, "3 flights accounted for; totals match (2 came twice")
    stage.finish(collector)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_programs(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen(run(tmp_path), stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if "10 % scored" in line:
                running.send_signal(number)
        assert running.wait(SECONDS) == 130
    assert processes_on(tmp_path) == []


def test_a_worker_that_fails_fails_the_pipeline(tmp_path: Path) -> None:
    broken = tmp_path / "scorer"
    broken.write_text("#!/bin/sh\necho ready\ncat >/dev/null\n")
    broken.chmod(0o755)
    command = run(tmp_path, "--count", "100")
    command[command.index(str(SCORER))] = str(broken)
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 1
    assert "nobody serves `score`: start the scorer first" in ran.stdout
    assert processes_on(tmp_path) == []


def test_a_wrong_count_is_refused(tmp_path: Path) -> None:
    for count in ("0", "-1", "many", ""):
        ran = subprocess.run(run(tmp_path, f"--count={count}"), capture_output=True, text=True)
        assert ran.returncode == 2
        assert f"{count!r} is not a whole number from 1 up" in ran.stderr


def test_a_tally_tells_every_difference_from_the_file() -> None:
    flights = read_flights(FILE, 1000)
    expected, short, wrong = direct(flights), Tally(), direct(flights)
    assert expected.differences(direct(flights)) == []
    for place, flight in list(flights.items())[1:]:
        assert place > 0
        short.add(flight, 0)
    wrong.hours[12].score += 1
    assert any("00:00 flights" in each for each in short.differences(expected))
    assert len(wrong.differences(expected)) == 1
    assert "12:00 sum of scores" in wrong.differences(expected)[0]


def test_flights_are_taken_evenly_from_the_file() -> None:
    everything = read_flights(FILE, None)
    assert len(everything) == 200_000
    assert list(read_flights(FILE, 4)) == [0, 50_000, 100_000, 150_000]
    assert len(read_flights(FILE, 999_999)) == 200_000
