//! `telpher streams`, `declare-stream`, `delete-stream`, `append` and `read` as a user meets them.

mod support;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::Value;
use support::streams::*;
use support::*;

#[test]
fn what_is_appended_is_printed_with_its_place_and_time() {
    let world = World::begin();
    let hub = &*world.data;
    assert_eq!(said(&["declare-stream", hub, "log"]), "");
    assert_eq!(said(&["append", hub, "log", "one\ntwo"]), "partition 0, offset 0\n");
    assert_eq!(said(&["append", hub, "log", "x", "--key", "k"]), "partition 0, offset 1\n");
    let shown = said(&["read", hub, "log"]);
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines[0].starts_with("0:0  20") && lines[0].ends_with("Z  one\\ntwo"), "{shown}");
    assert!(lines[1].starts_with("0:1  20") && lines[1].ends_with("Z  [k]  x"), "{shown}");
    assert_eq!(lines.len(), 2);
}

#[test]
fn json_has_all_of_a_record_and_of_an_append() {
    let world = World::begin();
    let hub = &*world.data;
    said(&["declare-stream", hub, "log", "--durability", "os"]);
    let (is_well, place) = fed(
        &["append", hub, "log", "--key", "k", "--header", "source=cron", "--json"],
        b"\xff\x00",
    );
    let place: Value = serde_json::from_str(&place).unwrap();
    assert!(is_well);
    assert_eq!((&place["partition"], &place["offset"]), (&0.into(), &0.into()));
    assert_eq!(place["durability"], "os");
    let record = json(&["read", hub, "log"]);
    assert_eq!((&record["partition"], &record["offset"]), (&0.into(), &0.into()));
    assert_eq!((&record["key"], &record["body_hex"]), (&"k".into(), &"ff00".into()));
    assert_eq!(record["headers"][0]["value"], "cron");
    assert!(record["time_ms"].as_u64().unwrap() > 1_600_000_000_000);
}

#[test]
fn each_line_of_stdin_is_a_record_and_reading_begins_where_it_is_told_to() {
    let world = World::begin();
    let hub = &*world.data;
    said(&["declare-stream", hub, "log"]);
    let input: String = (0..2_000).map(|number| format!("{number}\n")).collect();
    let (is_well, words) = fed(&["append", hub, "log", "--lines"], input.as_bytes());
    assert_eq!((is_well, &*words), (true, "2,000 records appended to log\n"));
    let all: Vec<String> = (0..2_000).map(|number| number.to_string()).collect();
    assert_eq!(bodies(&[hub, "log"]), all);
    assert_eq!(bodies(&[hub, "log", "--from", "1998"]), ["1998", "1999"]);
    assert_eq!(bodies(&[hub, "log", "--from", "2000"]), [""; 0]);
    assert_eq!(bodies(&[hub, "log", "--from", "end"]), [""; 0]);
    assert_eq!(bodies(&[hub, "log", "--from", "5", "--count", "1"]), ["5"]);
    assert_eq!(bodies(&[hub, "log", "--from", "1h"]).len(), 2_000);
    assert_eq!(bodies(&[hub, "log", "--from", "2100-01-01T00:00:00Z"]), [""; 0]);
    assert!(refusal(&["read", hub, "log", "--from", "2001"]).contains("0 up to 2000"));
    assert!(refusal(&["read", hub, "log", "--from", "middle"]).contains("10m"));
}

#[test]
fn following_goes_on_until_there_were_enough_or_nobody_reads_them() {
    let world = World::begin();
    let hub = &*world.data;
    said(&["declare-stream", hub, "log"]);
    said(&["append", hub, "log", "old"]);
    let follow = |more: &[&str]| {
        let mut command = telpher(&[&["read", hub, "log", "--follow"], more].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut child = follow(&["--count", "2"]);
    let mut seen = lines(child.stdout.take().unwrap());
    assert!(seen.next().unwrap().ends_with("  old"));
    said(&["append", hub, "log", "new"]);
    assert!(seen.next().unwrap().ends_with("  new"));
    assert!(child.wait().unwrap().success());

    let mut unread = follow(&["--from", "end"]);
    let mut live = String::new();
    BufReader::new(unread.stderr.take().unwrap()).read_line(&mut live).unwrap();
    assert_eq!(live, "telpher: reading log\n");
    drop(unread.stdout.take());
    said(&["append", hub, "log", "x"]);
    assert!(unread.wait().unwrap().success());
}

#[test]
fn streams_look_the_same_through_their_host_and_from_the_directory_and_check_counts_them() {
    let mut world = World::begin();
    let hub = world.data.clone();
    let hub = &*hub;
    assert_eq!(said(&["streams", hub]), "There are no streams.\n");
    said(&["declare-stream", hub, "log", "--partitions", "2", "--records-max", "3"]);
    said(&["declare-stream", hub, "in-memory", "--durability", "memory", "--age-max", "7d"]);
    for body in 0..5 {
        said(&["append", hub, "log", &body.to_string(), "--partition", "1"]);
    }
    said(&["append", hub, "in-memory", "x"]);
    let live = (said(&["streams", hub]), said(&["streams", hub, "log"]), json(&["streams", hub]));
    let (table, one, _) = &live;
    let rows: Vec<Vec<&str>> =
        table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["STREAM", "PARTITIONS", "RECORDS", "SIZE", "SAFE"]);
    assert_eq!((rows[1][0], rows[1][1], rows[1][2]), ("in-memory", "1", "1"));
    assert_eq!((rows[2][0], rows[2][1], rows[2][2]), ("log", "2", "3"));
    assert_eq!((*rows[1].last().unwrap(), *rows[2].last().unwrap()), ("memory", "disk"));
    let last: Vec<&str> = one.lines().last().unwrap().split_whitespace().collect();
    assert_eq!(last[..4], ["1", "2", "5", "3"], "{one}");
    let checked = |is_closed: bool| {
        let report = json(&["check", hub]);
        let count = |what: &str| report[what].as_u64().unwrap();
        assert_eq!((&report["sound"], &report["closed"]), (&true.into(), &is_closed.into()));
        assert_eq!((count("streams"), count("stream_records")), (2, 3 + u64::from(is_closed)));
        assert!(count("stream_bytes") > 0);
        assert!(said(&["check", hub]).contains("2 streams with"));
    };
    world.end(Signal::TERM);
    let offline =
        (said(&["streams", hub]), said(&["streams", hub, "log"]), json(&["streams", hub]));
    assert_eq!(offline, live);
    checked(true);
    let copy = format!("{hub}-copy");
    said(&["backup", hub, &copy]);
    assert_eq!(said(&["streams", &copy]), offline.0);

    world.serve();
    world.end(Signal::KILL);
    let killed = json(&["streams", hub]);
    assert_eq!(killed["streams"][0]["partitions"][0]["bytes"], 0, "what was in memory is lost");
    assert_eq!(killed["streams"][1], offline.2["streams"][1]);
    checked(false);
    world.serve();
    let next = json(&["streams", hub]);
    assert_eq!(next["streams"][1], killed["streams"][1]);
    let (lost, begun) = (&killed["streams"][0], &next["streams"][0]["partitions"][0]);
    assert_eq!((&begun["bytes"], &begun["first"]), (&0.into(), &begun["next"]));
    let was = lost["partitions"][0]["next"].as_u64();
    assert!(begun["first"].as_u64() > was, "no offset is given again");
    assert_eq!(bodies(&[hub, "log"]), ["2", "3", "4"]);
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let mut world = World::begin();
    let hub = world.data.clone();
    let hub = &*hub;
    let unknown = refusal(&["append", hub, "log", "x"]);
    assert!(unknown.contains("NOT_FOUND") && unknown.contains("declare-stream"), "{unknown}");
    let (is_well, words) = fed(&["append", hub, "log", "--lines"], b"a\nb\n");
    assert!(!is_well && words.contains("0 records appended before"), "{words}");
    for arguments in [["read", hub, "log"], ["streams", hub, "log"], ["delete-stream", hub, "log"]]
    {
        let said = refusal(&arguments);
        assert!(said.contains("telpher streams") && said.contains("lists those"), "{said}");
    }
    said(&["declare-stream", hub, "log", "--bytes-max", "1MiB"]);
    said(&["declare-stream", hub, "log", "--bytes-max", "1024KiB"]);
    assert!(refusal(&["declare-stream", hub, "log"]).contains("bytes_max 1048576"));
    assert!(refusal(&["declare-stream", hub, "x", "--partitions", "1025"]).contains("1025"));
    assert!(refusal(&["declare-stream", hub, "x", "--bytes-max", "1MB"]).contains("MiB"));
    said(&["append", hub, "log", "x", "--expect", "0"]);
    let conflict = refusal(&["append", hub, "log", "x", "--expect", "0"]);
    assert!(conflict.contains("CONFLICT: offset 0 is expected; the next one is 1"), "{conflict}");
    assert!(refusal(&["append", hub, "log", "x", "--partition", "1"]).contains("has 1, from 0"));
    assert!(refusal(&["append", hub, "log", "x", "--lines"]).contains("--lines"));
    said(&["delete-stream", hub, "log"]);
    assert_eq!(said(&["streams", hub]), "There are no streams.\n");
    world.end(Signal::TERM);
    for command in ["append", "read", "declare-stream", "delete-stream"] {
        let said = refusal(&[command, hub, "log"]);
        assert!(said.contains("telpher serve") && said.contains(command), "{said}");
    }
}

#[test]
fn a_stream_says_that_it_keeps_each_keys_latest_record_and_what_is_unread() {
    let world = World::begin();
    let hub = world.data.clone();
    let hub = &*hub;
    let options = ["--compact", "--tombstone-age", "12h", "--keep-unread", "--compression", "zstd"];
    said(&[&["declare-stream", hub, "state"][..], &options].concat());
    let one = said(&["streams", hub, "state"]);
    assert!(one.contains("the latest record of each; empty ones go after 12h"), "{one}");
    assert!(one.contains("stays until every reader group has read it"), "{one}");
    let stream = &json(&["streams", hub])["streams"][0];
    assert_eq!((&stream["compact"], &stream["keep_unread"]), (&true.into(), &true.into()));
    assert_eq!(
        (&stream["tombstone_age_ms"], &stream["compression"]),
        (&43_200_000.into(), &"zstd".into())
    );
    assert!(one.contains("zstd"), "{one}");
    let refused = refusal(&["append", hub, "state", "x"]);
    assert!(refused.contains("a record has no key"), "{refused}");
    said(&["append", hub, "state", "x", "--key", "k"]);
}

#[test]
fn only_what_has_the_key_and_the_headers_is_printed() {
    let world = World::begin();
    let hub = &*world.data;
    said(&["declare-stream", hub, "log"]);
    for (key, kind) in [("a", "new"), ("b", "new"), ("a", "old"), ("a", "new=er")] {
        let header = format!("kind={kind}");
        let body = format!("{key} {kind}");
        said(&["append", hub, "log", &body, "--key", key, "--header", &header, "--header", "x=1"]);
    }
    assert_eq!(bodies(&[hub, "log", "--key", "a"]), ["a new", "a old", "a new=er"]);
    assert_eq!(bodies(&[hub, "log", "--header", "kind=new"]), ["a new", "b new"]);
    let all = ["--key", "a", "--header", "kind=new", "--header", "x=1"];
    assert_eq!(bodies(&[&[hub, "log"], &all[..]].concat()), ["a new"]);
    assert_eq!(bodies(&[hub, "log", "--header", "kind=new=er"]), ["a new=er"]);
    assert!(bodies(&[hub, "log", "--key", "none"]).is_empty());
    let wrong = refusal(&["read", hub, "log", "--key", ""]);
    assert!(wrong.contains("the size of key is 0; allowed are 1 to 1024"), "{wrong}");
    let wrong = refusal(&["read", hub, "log", "--header", "kind"]);
    assert!(wrong.contains("a header is like NAME=VALUE"), "{wrong}");
    let many = ["--header", "x=1"].repeat(9);
    let wrong = refusal(&[&["read", hub, "log"], &many[..]].concat());
    assert!(wrong.contains("the number of headers is 9; allowed are 0 to 8"), "{wrong}");
}
