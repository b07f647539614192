//! `telpher groups`, `reset-group`, `delete-group` and `read --group` as a user meets them.

mod support;

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStderr, ChildStdout, Stdio};
use std::time::Instant;

use rustix::process::Signal;
use serde_json::Value;
use support::streams::*;
use support::*;
use telpher::Start;

/// A hub with a stream of so many partitions, which has records `0`, `1`, … one in each in turns.
fn filled(partitions: usize, records: usize) -> World {
    let world = World::begin();
    said(&["declare-stream", &world.data, "log", "--partitions", &partitions.to_string()]);
    append(&world, partitions, 0..records);
    world
}

fn append(world: &World, partitions: usize, records: std::ops::Range<usize>) {
    for number in records {
        let partition = (number % partitions).to_string();
        said(&["append", &world.data, "log", &number.to_string(), "--partition", &partition]);
    }
}

fn sorted(bodies: Vec<String>) -> Vec<u32> {
    let mut numbers: Vec<u32> = bodies.iter().map(|body| body.parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

/// Partitions of the first group: the next offset, and how many records there are before it.
fn places(hub: &str) -> Vec<(u64, u64)> {
    let found = json(&["groups", hub]);
    let partitions = found["groups"][0]["partitions"].as_array().unwrap();
    let number = |place: &Value, what: &str| place[what].as_u64().unwrap();
    partitions.iter().map(|place| (number(place, "next"), number(place, "lag"))).collect()
}

/// A member that follows, once it reads.
struct Member {
    child: Child,
    out: Lines<BufReader<ChildStdout>>,
    _err: Lines<BufReader<ChildStderr>>,
}

impl Member {
    fn join(hub: &str) -> Member {
        let mut command = telpher(&["read", hub, "log", "--group", "billing", "--follow"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut err = BufReader::new(child.stderr.take().unwrap()).lines();
        assert_eq!(err.next().unwrap().unwrap(), "telpher: reading log");
        let out = BufReader::new(child.stdout.take().unwrap()).lines();
        Member { child, out, _err: err }
    }

    fn body(&mut self) -> String {
        let line = self.out.next().unwrap().unwrap();
        line.rsplit("  ").next().unwrap().to_owned()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until what `groups --json` says of the first group fits.
fn wait_until(hub: &str, fits: impl Fn(&Value) -> bool) {
    let begun = Instant::now();
    loop {
        let found = json(&["groups", hub]);
        if fits(&found["groups"][0]) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{found}");
    }
}

#[test]
fn a_second_run_goes_on_where_the_first_one_ended() {
    let world = filled(3, 7);
    let hub = &*world.data;
    let group = [hub, "log", "--group", "billing"];
    assert_eq!(sorted(bodies(&[&group[..], &["--count", "3"]].concat())).len(), 3);
    let second = bodies(&group);
    assert_eq!(second.len(), 4);
    assert_eq!(bodies(&group), [""; 0]);
    append(&world, 3, 7..9);
    assert_eq!(sorted(bodies(&group)), [7, 8]);
    assert_eq!(places(hub), [(3, 0); 3]);
    // Another group has its own places; a new one begins where it is told to.
    assert_eq!(bodies(&[hub, "log", "--group", "other"]).len(), 9);
    assert_eq!(bodies(&[hub, "log", "--group", "new", "--from", "end"]), [""; 0]);
    append(&world, 3, 9..10);
    assert_eq!(bodies(&[hub, "log", "--group", "new"]), ["9"]);
}

#[test]
fn a_long_backlog_is_committed_on_the_way_and_places_survive_whoever_is_killed() {
    let mut world = filled(1, 0);
    let hub = world.data.clone();
    let hub = &*hub;
    let input: String = (0..5_000).map(|number| format!("{number}\n")).collect();
    assert!(fed(&["append", hub, "log", "--lines"], input.as_bytes()).0);
    let mut command = telpher(&["read", hub, "log", "--group", "billing"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    // Nobody reads the pipe, which takes 64 KiB: some thousand lines.
    wait_until(hub, |group| group["partitions"][0]["next"] == 1_000);
    child.kill().unwrap();
    child.wait().unwrap();
    world.end(Signal::KILL);
    assert_eq!(places(hub), [(1_000, 4_000)]);
    world.serve();
    let rest: Vec<String> = (1_000..5_000).map(|number| number.to_string()).collect();
    assert_eq!(bodies(&[hub, "log", "--group", "billing"]), rest);
    assert_eq!(places(hub), [(5_000, 0)]);
}

#[test]
fn what_nobody_could_read_is_not_committed() {
    let world = filled(1, 0);
    let hub = &*world.data;
    let input = format!("{}\n", "x".repeat(1_000)).repeat(900);
    assert!(fed(&["append", hub, "log", "--lines"], input.as_bytes()).0);
    let mut command = telpher(&["read", hub, "log", "--group", "billing"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    // A pipe takes 64 KiB; it is closed before anything has been read of the rest.
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
    assert_eq!(places(hub), [(0, 900)]);
    assert_eq!(bodies(&[hub, "log", "--group", "billing"]).len(), 900);
}

#[test]
fn members_share_the_partitions_and_what_one_leaves_goes_to_the_others() {
    let world = filled(2, 0);
    let hub = &*world.data;
    let mut one = Member::join(hub);
    let mut other = Member::join(hub);
    wait_until(hub, |group| group["members"] == 2 && group["partitions"][1]["is_read"] == true);
    append(&world, 2, 0..2);
    let seen = [one.body(), other.body()];
    assert_eq!(sorted(seen.to_vec()), [0, 1], "each has one partition");
    wait_until(hub, |group| group["lag"] == 0);
    drop(one);
    wait_until(hub, |group| group["members"] == 1);
    append(&world, 2, 2..4);
    let seen = [other.body(), other.body()];
    assert_eq!(sorted(seen.to_vec()), [2, 3], "the other one has both");
    wait_until(hub, |group| group["lag"] == 0);
    // One that does not follow has nothing to do, and ends.
    assert_eq!(bodies(&[hub, "log", "--group", "billing"]), [""; 0]);
    said(&["delete-group", hub, "log", "billing"]);
    assert!(!other.child.wait().unwrap().success());
}

#[test]
fn who_waits_for_another_member_says_so_and_ends_when_that_has_left() {
    let world = filled(1, 2);
    let hub = &*world.data;
    let other = open(&format!("file://{hub}"));
    let reader = other.stream("log").unwrap().join("billing", Start::Beginning).unwrap();
    let held = reader.receive(PATIENCE).unwrap().unwrap();
    let mut command = telpher(&["read", hub, "log", "--group", "billing"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let said = BufReader::new(child.stderr.take().unwrap()).lines().next().unwrap().unwrap();
    assert!(said.contains("waiting for other members of billing"), "{said}");
    reader.commit(&held).unwrap();
    drop(reader);
    let seen: Vec<String> = lines(child.stdout.take().unwrap()).collect();
    assert!(seen.len() == 1 && seen[0].ends_with("  1"), "{seen:?}");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_group_is_put_where_it_is_told_to_and_removed() {
    let world = filled(2, 6);
    let hub = &*world.data;
    let group = [hub, "log", "--group", "billing"];
    assert_eq!(bodies(&group).len(), 6);
    let reset = |to: &[&str]| said(&[&["reset-group", hub, "log", "billing", "--to"], to].concat());
    assert_eq!(reset(&["beginning"]), "");
    assert_eq!(places(hub), [(0, 3), (0, 3)]);
    reset(&["end"]);
    assert_eq!(places(hub), [(3, 0), (3, 0)]);
    reset(&["2", "--partition", "1"]);
    assert_eq!(places(hub), [(3, 0), (2, 1)]);
    reset(&["1h"]);
    assert_eq!(places(hub), [(0, 3), (0, 3)]);
    reset(&["2100-01-01T00:00:00Z"]);
    assert_eq!(places(hub), [(3, 0), (3, 0)]);
    reset(&["1"]);
    assert_eq!(sorted(bodies(&group)), [2, 3, 4, 5]);
    assert_eq!(said(&["delete-group", hub, "log", "billing"]), "");
    assert_eq!(said(&["groups", hub]), "There are no reader groups.\n");
    assert_eq!(bodies(&group).len(), 6, "a new group of the same name begins anew");
}

#[test]
fn what_limits_removed_before_a_group_has_read_it_is_told() {
    let world = World::begin();
    let hub = &*world.data;
    said(&["declare-stream", hub, "log", "--records-max", "2"]);
    append(&world, 1, 0..1);
    assert_eq!(bodies(&[hub, "log", "--group", "billing"]), ["0"]);
    append(&world, 1, 1..6);
    let output = output(&["read", hub, "log", "--group", "billing"]);
    assert!(text(&output.stdout).ends_with("  5\n"), "{}", text(&output.stdout));
    assert_eq!(
        text(&output.stderr),
        "telpher: partition 0: 1 to 3 were removed by the stream's limits before the group has \
         read them\n"
    );
}

#[test]
fn a_group_does_not_wait_for_what_compaction_has_removed() {
    let world = World::begin();
    let hub = &*world.data;
    said(&["declare-stream", hub, "log", "--compact", "--tombstone-age", "1ms"]);
    // Enough to be compacted, and an empty record, which says that the key is gone.
    let input = format!("{}\n", "x".repeat(1_000)).repeat(500) + "\n";
    let begun = Instant::now();
    while !bodies(&[hub, "log"]).is_empty() || places_kept(hub) == 0 {
        assert!(begun.elapsed() < PATIENCE, "it is never empty");
        assert!(fed(&["append", hub, "log", "--lines", "--key", "k"], input.as_bytes()).0);
        let appended = Instant::now();
        while !bodies(&[hub, "log"]).is_empty() && appended.elapsed() < PATIENCE / 20 {}
    }
    assert_eq!(bodies(&[hub, "log", "--group", "billing"]), [""; 0]);
    said(&["append", hub, "log", "last", "--key", "other"]);
    assert_eq!(bodies(&[hub, "log", "--group", "billing"]), ["last"]);
}

/// Offsets of the stream's only partition that are kept, whatever they hold.
fn places_kept(hub: &str) -> u64 {
    let partition = &json(&["streams", hub, "log"])["partitions"][0];
    partition["next"].as_u64().unwrap() - partition["first"].as_u64().unwrap()
}

#[test]
fn groups_look_the_same_through_their_host_and_from_the_directory() {
    let mut world = filled(2, 6);
    let hub = world.data.clone();
    let hub = &*hub;
    assert_eq!(said(&["groups", hub, "log"]), "The stream log has no reader groups.\n");
    said(&["read", hub, "log", "--group", "billing", "--count", "4"]);
    said(&["read", hub, "log", "--group", "audit", "--from", "end"]);
    said(&["declare-stream", hub, "in-memory", "--durability", "memory"]);
    said(&["append", hub, "in-memory", "x"]);
    said(&["append", hub, "in-memory", "y"]);
    said(&["read", hub, "in-memory", "--group", "billing", "--count", "1"]);
    let look = || (said(&["groups", hub]), said(&["groups", hub, "log"]), json(&["groups", hub]));
    let live = look();
    let words = |text: &str| -> Vec<Vec<String>> {
        let row = |line: &str| line.split_whitespace().map(str::to_owned).collect();
        text.lines().map(row).collect()
    };
    let all = words(&live.0);
    assert_eq!(all[0], ["STREAM", "GROUP", "MEMBERS", "LAG"]);
    assert_eq!(all[1], ["in-memory", "billing", "0", "1"]);
    assert_eq!(all[2..], [["log", "billing", "0", "2"], ["log", "audit", "0", "0"]]);
    let one = words(&live.1);
    assert_eq!(one[0], ["GROUP", "MEMBERS", "PARTITION", "NEXT", "LAG", "READ"]);
    assert_eq!(one[3], ["audit", "0", "0", "3", "0", "no"]);
    assert_eq!(one.len(), 5);
    world.end(Signal::TERM);
    assert_eq!(look(), live);
    world.serve();
    world.end(Signal::KILL);
    let killed = json(&["groups", hub]);
    assert_eq!(killed["groups"][0]["lag"], 0, "what was in memory is lost");
    assert_eq!(killed["groups"][1], live.2["groups"][1]);
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let mut world = filled(2, 2);
    let hub = world.data.clone();
    let hub = &*hub;
    for arguments in [
        &["groups", hub, "none"][..],
        &["reset-group", hub, "none", "billing", "--to", "end"],
        &["delete-group", hub, "none", "billing"],
        &["read", hub, "none", "--group", "billing"],
    ] {
        let said = refusal(arguments);
        assert!(said.contains("telpher streams") && said.contains("lists those"), "{said}");
    }
    for arguments in [
        &["reset-group", hub, "log", "billing", "--to", "end"][..],
        &["delete-group", hub, "log", "billing"],
    ] {
        let said = refusal(arguments);
        assert!(said.contains("no group \"billing\"") && said.contains("telpher groups"), "{said}");
    }
    said(&["read", hub, "log", "--group", "billing"]);
    let reset = |more: &[&str]| refusal(&[&["reset-group", hub, "log", "billing"], more].concat());
    assert!(reset(&["--to", "2"]).contains("0 up to 1"));
    assert!(reset(&["--to", "end", "--partition", "2"]).contains("has 2, from 0"));
    assert!(reset(&["--to", "middle"]).contains("10m"));
    assert!(reset(&[]).contains("--to"));
    let both = refusal(&["read", hub, "log", "--group", "billing", "--partition", "1"]);
    assert!(both.contains("--partition") && both.contains("--group"), "{both}");
    let old = output(&["read", hub, "log", "--group", "billing", "--from", "beginning"]);
    assert!(old.status.success() && text(&old.stderr).contains("telpher reset-group"));
    world.end(Signal::TERM);
    assert!(refusal(&["groups", hub, "none"]).contains("telpher streams"));
    for arguments in [
        &["reset-group", hub, "log", "billing", "--to", "end"][..],
        &["delete-group", hub, "log", "billing"],
        &["read", hub, "log", "--group", "billing"],
    ] {
        let said = refusal(arguments);
        assert!(said.contains("telpher serve") && said.contains(arguments[0]), "{said}");
    }
}

#[test]
fn a_member_prints_what_has_the_key_and_ends_where_the_group_is_done_with_the_rest() {
    let world = filled(1, 0);
    let hub = &*world.data;
    for number in 0..6 {
        let key = if number % 2 == 0 { "even" } else { "odd" };
        said(&["append", hub, "log", &number.to_string(), "--key", key]);
    }
    let group = [hub, "log", "--group", "billing", "--key", "even", "--max-processing", "10s"];
    assert_eq!(bodies(&group), ["0", "2", "4"]);
    assert_eq!(places(hub), [(6, 0)]);
    assert_eq!(bodies(&group), [""; 0]);
    said(&["append", hub, "log", "7", "--key", "odd"]);
    assert_eq!(bodies(&group), [""; 0], "nothing is wanted, and it ends");
    assert_eq!(places(hub), [(7, 0)]);
    let wrong = refusal(&["read", hub, "log", "--max-processing", "10s"]);
    assert!(wrong.contains("--group"), "{wrong}");
    let wrong = refusal(&["read", hub, "log", "--group", "g", "--max-processing", "2days"]);
    assert!(wrong.contains("max_processing_ms is 172800000; allowed are 0 to 86400000"), "{wrong}");
}
