//! Stream files, and segments that were put aside, as they lie on a real disk: hosts that are
//! killed while they make them, copies, and damage.

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use support::*;
use telpher::*;

const LONG: Duration = Duration::from_secs(20);

/// What is appended, and what becomes of it.
struct Sort {
    /// Bytes of a record.
    size: usize,
    /// Records that are appended together.
    together: u64,
    /// What the names of files begin with in which it comes to lie.
    prefix: &'static str,
}

/// Batches that are put together in stream files.
const SMALL: Sort = Sort { size: 16 * 1024, together: 3, prefix: "stream." };

/// Batches that stay where they are.
const LARGE: Sort = Sort { size: 64 * 1024, together: 100, prefix: "aside." };

fn record(number: u64, size: usize) -> Vec<u8> {
    let mut body = vec![number as u8; size];
    body[..8].copy_from_slice(&number.to_le_bytes());
    body
}

/// Appends so many records, and calls `confirmed` with how many there are, now and then.
fn append(hub: &Hub, sort: &Sort, (from, count): (u64, u64), confirmed: &mut dyn FnMut(u64)) {
    let stream = hub.stream("log").unwrap();
    let Sort { size, together, .. } = *sort;
    for first in (from..from + count).step_by(together as usize) {
        let numbers = first..(first + together).min(from + count);
        let pending = numbers.map(|number| stream.start_append(record(number, size)).unwrap());
        let pending: Vec<_> = pending.collect();
        for pending in pending {
            confirmed(pending.wait().unwrap().offset + 1);
        }
    }
}

/// How many records there are: each is what it was, and none is missing.
fn count(hub: &Hub, sort: &Sort) -> u64 {
    let reader = hub.stream("log").unwrap().read(Reading::default()).unwrap();
    let mut next = 0;
    while let Some(found) = reader.receive(LONG).unwrap() {
        assert_eq!(found.offset, next);
        assert!(found.message.body == record(next, sort.size), "record {next}");
        next += 1;
    }
    next
}

/// Bytes of the files whose names begin with this, and how many these are.
fn files(path: &Path, prefix: &str) -> (u64, usize) {
    let files = fs::read_dir(path).unwrap().map(|file| file.unwrap());
    let files = files.filter(|file| file.file_name().to_str().unwrap().starts_with(prefix));
    let sizes: Vec<u64> = files.map(|file| file.metadata().unwrap().len()).collect();
    (sizes.iter().sum(), sizes.len())
}

fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + LONG;
    while !is() {
        assert!(std::time::Instant::now() < end, "{what}");
        std::thread::yield_now();
    }
}

fn kill_hosts(name: &str, sort: &Sort, each: u64) {
    if let Some(role) = role() {
        let (url, from) = role.split_once(' ').unwrap();
        let hub = reach(url, Drive::Library);
        hub.stream("log").unwrap().declare(StreamOptions::default()).unwrap();
        let (mut told, from) = (0, from.parse().unwrap());
        append(&hub, sort, (from, u64::MAX / 2), &mut |confirmed| {
            if confirmed >= told + 100 {
                told = confirmed;
                tell(&format!("confirmed {confirmed}"));
            }
        });
    }
    let scratch = Scratch::new();
    let mut there = 0;
    for round in 1..=6 {
        let mut writer = process(name, &format!("{} {there}", scratch.url()));
        let mut confirmed = 0;
        while confirmed < there + each + round * 37 {
            confirmed = hear(&mut writer, "confirmed ").parse().unwrap();
        }
        kill(writer);
        let report = offline::check(&scratch.hub()).unwrap();
        assert_eq!(report.damage, None);
        let hub = reach(&scratch.url(), Drive::Library);
        there = count(&hub, sort);
        assert!(there >= confirmed, "{confirmed} were confirmed, {there} are there");
        hub.close(PATIENCE).unwrap();
    }
    let (size, files) = files(&scratch.hub(), sort.prefix);
    assert!(files > 2 && size > 50 * 1024 * 1024, "{files} files with {size} bytes");
}

#[test]
fn hosts_that_are_killed_while_they_file_lose_nothing_that_was_confirmed() {
    let name = "hosts_that_are_killed_while_they_file_lose_nothing_that_was_confirmed";
    kill_hosts(name, &SMALL, 2_400);
}

#[test]
fn hosts_that_are_killed_while_they_put_segments_aside_lose_nothing_that_was_confirmed() {
    let name =
        "hosts_that_are_killed_while_they_put_segments_aside_lose_nothing_that_was_confirmed";
    kill_hosts(name, &LARGE, 900);
}

fn copy_and_damage(sort: &Sort, records: u64) {
    let scratch = Scratch::new();
    let hub = reach(&scratch.url(), Drive::Library);
    hub.stream("log").unwrap().declare(StreamOptions::default()).unwrap();
    append(&hub, sort, (0, records), &mut |_| {});
    wait_until("the journal becomes small", || {
        files(&scratch.hub(), "journal.").0 <= 4 * 64 * 1024 * 1024
    });
    let target = scratch.0.join("copy");
    let report = offline::backup(&scratch.hub(), &target).unwrap();
    assert_eq!((report.damage, report.stream_records), (None, records));
    let copied = report.stream_files;
    assert!(!copied.is_empty() && copied.iter().all(|file| file.file.starts_with(sort.prefix)));
    let url = format!("file://{}", target.display());
    let copy = reach(&url, Drive::Library);
    assert_eq!(count(&copy, sort), records);
    copy.close(PATIENCE).unwrap();

    let path = target.join(&copied[0].file);
    let mut content = fs::read(&path).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::write(&path, content).unwrap();
    let damage = offline::check(&target).unwrap().damage.expect("damage");
    assert_eq!((&damage.file, &*damage.what), (&copied[0].file, "the frame's body is damaged"));
    assert!(damage.offset <= middle as u64, "{damage:?}");
    let copy = reach(&url, Drive::Library);
    let reader = copy.stream("log").unwrap().read(Reading::default()).unwrap();
    let error = loop {
        match reader.receive(LONG) {
            Ok(found) => assert!(found.is_some(), "the end was reached"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), Kind::Corrupt);
    copy.close(PATIENCE).unwrap();

    fs::remove_file(&path).unwrap();
    let damage = offline::check(&target).unwrap().damage.expect("damage");
    assert_eq!((&damage.file, &*damage.what), (&copied[0].file, "it is missing"));
}

#[test]
fn copies_have_stream_files_and_damage_in_one_is_found() {
    copy_and_damage(&SMALL, 14_000);
}

#[test]
fn copies_have_segments_that_were_put_aside_and_damage_in_one_is_found() {
    copy_and_damage(&LARGE, 4_000);
}
