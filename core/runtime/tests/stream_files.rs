//! Stream files as they lie on a real disk: hosts that are killed while they make them, copies, and
//! damage.

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use support::*;
use telpher::*;

const LONG: Duration = Duration::from_secs(20);

/// Bytes of a record.
const SIZE: usize = 64 * 1024;

fn record(number: u64) -> Vec<u8> {
    let mut body = vec![number as u8; SIZE];
    body[..8].copy_from_slice(&number.to_le_bytes());
    body
}

/// Appends so many records, and calls `confirmed` with how many there are, now and then.
fn append(hub: &Hub, from: u64, count: u64, confirmed: &mut dyn FnMut(u64)) {
    let stream = hub.stream("log").unwrap();
    for hundred in (from..from + count).step_by(100) {
        let numbers = hundred..(hundred + 100).min(from + count);
        let pending = numbers.map(|number| stream.start_append(record(number)).unwrap());
        let pending: Vec<_> = pending.collect();
        for pending in pending {
            confirmed(pending.wait().unwrap().offset + 1);
        }
    }
}

/// How many records there are: each is what it was, and none is missing.
fn count(hub: &Hub) -> u64 {
    let reader = hub.stream("log").unwrap().read(Reading::default()).unwrap();
    let mut next = 0;
    while let Some(found) = reader.receive(LONG).unwrap() {
        assert_eq!(found.offset, next);
        assert_eq!(found.message.body, record(next), "record {next}");
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

#[test]
fn hosts_that_are_killed_while_they_file_lose_nothing_that_was_confirmed() {
    let name = "hosts_that_are_killed_while_they_file_lose_nothing_that_was_confirmed";
    if let Some(role) = role() {
        let (url, from) = role.split_once(' ').unwrap();
        let hub = reach(url, Drive::Library);
        hub.stream("log").unwrap().declare(StreamOptions::default()).unwrap();
        let mut told = 0;
        append(&hub, from.parse().unwrap(), u64::MAX / 2, &mut |confirmed| {
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
        while confirmed < there + 900 + round * 37 {
            confirmed = hear(&mut writer, "confirmed ").parse().unwrap();
        }
        kill(writer);
        let report = offline::check(&scratch.hub()).unwrap();
        assert_eq!(report.damage, None);
        let hub = reach(&scratch.url(), Drive::Library);
        there = count(&hub);
        assert!(there >= confirmed, "{confirmed} were confirmed, {there} are there");
        hub.close(PATIENCE).unwrap();
    }
    let (size, files) = files(&scratch.hub(), "stream.");
    assert!(files > 2 && size > 100 * 1024 * 1024, "{files} files with {size} bytes");
}

#[test]
fn copies_have_stream_files_and_damage_in_one_is_found() {
    let scratch = Scratch::new();
    let hub = reach(&scratch.url(), Drive::Library);
    hub.stream("log").unwrap().declare(StreamOptions::default()).unwrap();
    append(&hub, 0, 4_000, &mut |_| {});
    wait_until("the journal becomes small", || {
        files(&scratch.hub(), "journal.").0 <= 4 * 64 * 1024 * 1024
    });
    let target = scratch.0.join("copy");
    let report = offline::backup(&scratch.hub(), &target).unwrap();
    assert_eq!((report.damage, report.stream_records), (None, 4_000));
    let copied = report.stream_files;
    assert!(!copied.is_empty());
    let url = format!("file://{}", target.display());
    let copy = reach(&url, Drive::Library);
    assert_eq!(count(&copy), 4_000);
    copy.close(PATIENCE).unwrap();

    let path = target.join(&copied[0].file);
    let mut content = fs::read(&path).unwrap();
    content[100_000] ^= 1;
    fs::write(&path, content).unwrap();
    let damage = offline::check(&target).unwrap().damage.expect("damage");
    assert_eq!((&damage.file, &*damage.what), (&copied[0].file, "the frame's body is damaged"));
    assert!(damage.offset <= 100_000, "{damage:?}");
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
