//! What is seen of a hub's directory from outside, and copies of it.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use support::*;
use telpher::*;

/// Every file of a directory with its content and the time of its last change.
fn content(path: &Path) -> BTreeMap<String, (Vec<u8>, std::time::SystemTime)> {
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
    let files = entries.map(|entry| {
        let name = entry.file_name().into_string().unwrap();
        let content = fs::read(entry.path()).unwrap_or_default();
        (name, (content, entry.metadata().unwrap().modified().unwrap()))
    });
    files.collect()
}

fn close(hub: Hub) {
    hub.close(PATIENCE).unwrap();
}

/// A hub that has ended, with messages in two queues.
fn left_behind(scratch: &Scratch) {
    let hub = reach(&scratch.url(), Drive::Library);
    let jobs = hub.queue("jobs").unwrap();
    jobs.declare(QueueOptions::default()).unwrap();
    for number in 0..10 {
        jobs.send(format!("job {number}")).unwrap();
    }
    let notes = hub.queue("notes").unwrap();
    notes.declare(memory()).unwrap();
    notes.send("a note").unwrap();
    close(hub);
}

#[test]
fn a_hub_that_has_freed_its_first_segments_is_recovered() {
    let scratch = Scratch::new();
    let hub = reach(&scratch.url(), Drive::Library);
    let jobs = hub.queue("jobs").unwrap();
    jobs.declare(QueueOptions::default()).unwrap();
    let first = scratch.hub().join("journal.00000001");
    let mut sent = 0;
    while first.exists() {
        jobs.send(vec![7; 64 * 1024]).unwrap();
        jobs.receive(Duration::from_secs(5)).unwrap().acknowledge().unwrap();
        sent += 1;
        assert!(sent < 2_000, "nothing was freed");
    }
    jobs.send("the last").unwrap();
    close(hub);
    let report = offline::check(&scratch.hub()).unwrap();
    assert_eq!((report.damage, report.messages), (None, 1));
    let hub = reach(&scratch.url(), Drive::Library);
    let job = hub.queue("jobs").unwrap().receive(Duration::from_secs(5)).unwrap();
    assert_eq!(&job.message().body[..], b"the last");
}

#[test]
fn looking_at_a_directory_changes_nothing_in_it() {
    let scratch = Scratch::new();
    left_behind(&scratch);
    let before = content(&scratch.hub());
    let path = scratch.hub();
    assert_eq!(offline::host(&path).unwrap(), None);
    let report = offline::check(&path).unwrap();
    assert_eq!((report.damage, report.torn), (None, None));
    assert_eq!((report.queues, report.messages, report.is_closed), (2, 11, true));
    assert_eq!(report.last, report.records);
    let queues = offline::queues(&path).unwrap();
    let figures: Vec<_> = queues.iter().map(|(name, info)| (name.as_str(), info.ready)).collect();
    assert_eq!(figures, [("jobs", 10), ("notes", 1)]);
    let peeked = offline::peek(&path, &name("jobs"), 3).unwrap();
    let bodies: Vec<_> = peeked.iter().map(|peeked| &peeked.message.body[..]).collect();
    assert_eq!(bodies, [b"job 0", b"job 1", b"job 2"]);
    let notes = offline::peek(&path, &name("notes"), 3).unwrap();
    assert_eq!(&notes[0].message.body[..], b"a note");
    assert_eq!(kind(offline::peek(&path, &name("none"), 3)), Kind::NotFound);
    assert_eq!(before, content(&path));
}

#[test]
fn reader_groups_are_seen_with_their_places_and_nobody_in_them() {
    let scratch = Scratch::new();
    let hub = reach(&scratch.url(), Drive::Library);
    for (stream, durability) in [("log", Durability::Disk), ("notes", Durability::Memory)] {
        let stream = hub.stream(stream).unwrap();
        let durability = Some(durability);
        stream.declare(StreamOptions { durability, ..StreamOptions::default() }).unwrap();
        for number in 0..3 {
            stream.append(format!("{number}")).unwrap();
        }
        let reader = stream.join("billing", Start::Beginning).unwrap();
        reader.commit(&reader.receive(PATIENCE).unwrap().unwrap()).unwrap();
    }
    hub.stream("empty").unwrap().declare(StreamOptions::default()).unwrap();
    close(hub);
    let found = offline::groups(&scratch.hub()).unwrap();
    let names: Vec<_> = found.iter().map(|(name, groups)| (name.as_str(), groups.len())).collect();
    assert_eq!(names, [("empty", 0), ("log", 1), ("notes", 1)]);
    let place = GroupPlace { next: 1, lag: 2, is_read: false };
    let group = GroupInfo { name: name("billing"), members: 0, places: vec![place] };
    assert_eq!((&found[1].1[0], &found[2].1[0]), (&group, &group));
}

#[test]
fn a_host_is_seen_from_outside() {
    let scratch = Scratch::new();
    let hub = reach(&scratch.url(), Drive::Library);
    assert_eq!(offline::host(&scratch.hub()).unwrap(), Some(std::process::id()));
    let report = offline::check(&scratch.hub()).unwrap();
    assert_eq!((report.host, report.damage), (Some(std::process::id()), None));
    close(hub);
    assert_eq!(offline::host(&scratch.hub()).unwrap(), None);
}

#[test]
fn what_is_no_hub_is_refused_and_left_alone() {
    let scratch = Scratch::new();
    let missing = scratch.0.join("missing");
    assert_eq!(kind(offline::check(&missing)), Kind::Io);
    let error = offline::check(&scratch.0).unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    assert!(error.detail().contains("not a hub's directory"), "{error}");
    fs::write(scratch.0.join("VERSION"), "telpher directory 9\n").unwrap();
    assert_eq!(kind(offline::queues(&scratch.0)), Kind::Unsupported);
    assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 1);
}

/// Turns one bit of a file.
fn damage(path: &Path, offset: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[offset] ^= 4;
    fs::write(path, bytes).unwrap();
}

#[test]
fn damage_is_found_wherever_it_is_and_named_with_file_and_offset() {
    let scratch = Scratch::new();
    left_behind(&scratch);
    let path = scratch.hub();
    let report = offline::check(&path).unwrap();
    let used = report.segments.iter().map(|segment| segment.used).max().unwrap() as usize;
    let segment = report.segments.iter().find(|segment| segment.used as usize == used).unwrap();
    let file = path.join(&segment.file);
    let whole = fs::read(&file).unwrap();
    let mut found = 0;
    // The last group is closed by a commit of its own; only that may be taken for a torn write.
    for offset in (0..used - 100).step_by(149) {
        damage(&file, offset);
        let seen = offline::check(&path).unwrap();
        if let Some(damage) = seen.damage {
            assert_eq!(damage.file, segment.file);
            assert!(damage.offset as usize <= offset, "{damage:?} for {offset}");
            let error = offline::queues(&path).unwrap_err();
            assert_eq!(error.kind(), Kind::Corrupt);
            assert!(error.detail().contains(&segment.file), "{error}");
            found += 1;
        } else {
            assert!(seen.torn.is_some(), "damage at {offset} was not seen");
        }
        fs::write(&file, &whole).unwrap();
    }
    assert!(found > 5, "{found}");
    fs::remove_file(path.join("HUB")).unwrap();
    let damage = offline::check(&path).unwrap().damage.unwrap();
    assert_eq!((damage.file.as_str(), damage.what.as_str()), ("HUB", "it is missing"));
    let error = telpher::open(&scratch.url()).unwrap_err();
    assert!(file.exists(), "a hub that is damaged was made anew: {error}");
}

#[test]
fn what_was_never_confirmed_is_a_torn_tail_and_no_damage() {
    let scratch = Scratch::new();
    left_behind(&scratch);
    let segments = offline::check(&scratch.hub()).unwrap().segments;
    let last = segments.iter().rfind(|segment| segment.used > 0).unwrap();
    let path = scratch.hub().join(&last.file);
    let mut bytes = fs::read(&path).unwrap();
    bytes[last.used as usize + 4_000..][..100].fill(0xab);
    fs::write(&path, bytes).unwrap();
    let report = offline::check(&scratch.hub()).unwrap();
    let torn = report.torn.expect("something lies behind the end");
    assert_eq!((torn.file, torn.offset, report.damage), (last.file.clone(), last.used, None));
    // A copy has none of it.
    let copied = offline::backup(&scratch.hub(), &scratch.0.join("copy")).unwrap();
    assert_eq!((copied.torn, copied.messages), (None, 11));
}

#[test]
fn a_copy_is_another_hub_and_gives_what_programs_of_the_first_one_hold() {
    let scratch = Scratch::new();
    let hub = reach(&scratch.url(), Drive::Library);
    let jobs = hub.queue("jobs").unwrap();
    jobs.declare(QueueOptions::default()).unwrap();
    for body in ["held", "waiting"] {
        jobs.send(body).unwrap();
    }
    let held = jobs.receive(Duration::from_secs(5)).unwrap();
    let target = scratch.0.join("copy");
    let report = offline::backup(&scratch.hub(), &target).unwrap();
    assert_eq!((report.messages, report.damage), (2, None));
    assert_eq!(mode(&target), 0o700);
    held.acknowledge().unwrap();
    assert_ne!(report.hub_id, offline::check(&scratch.hub()).unwrap().hub_id);

    let copy = reach(&format!("file://{}", target.display()), Drive::Library);
    for body in ["held", "waiting"] {
        let job = copy.queue("jobs").unwrap().receive(Duration::from_secs(5)).unwrap();
        assert_eq!(&job.message().body[..], body.as_bytes());
        job.acknowledge().unwrap();
    }
    close(copy);
    // The next host of the copy goes on as any other.
    let copy = reach(&format!("file://{}", target.display()), Drive::Library);
    assert_eq!(copy.queue("jobs").unwrap().inspect().unwrap().acknowledged, 2);
}

#[test]
fn a_backup_goes_only_where_nothing_is_and_leaves_nothing_if_it_fails() {
    let scratch = Scratch::new();
    left_behind(&scratch);
    let before = content(&scratch.hub());
    let target = scratch.0.join("copy");
    fs::create_dir(&target).unwrap();
    fs::write(target.join("thesis.tex"), "x").unwrap();
    assert_eq!(kind(offline::backup(&scratch.hub(), &target)), Kind::Refused);
    assert_eq!(fs::read_dir(&target).unwrap().count(), 1);
    let inside = scratch.hub().join("copy");
    assert_eq!(kind(offline::backup(&scratch.hub(), &inside)), Kind::Refused);
    assert!(!inside.exists());
    let nowhere = scratch.0.join("missing/copy");
    assert_eq!(kind(offline::backup(&scratch.hub(), &nowhere)), Kind::Io);
    assert_eq!(before, content(&scratch.hub()));

    let file = scratch.hub().join("journal.00000001");
    damage(&file, 200);
    let fresh = scratch.0.join("fresh");
    assert_eq!(kind(offline::backup(&scratch.hub(), &fresh)), Kind::Corrupt);
    assert!(!fresh.exists());
}
