//! Compaction of streams: what goes, what stays, and that nothing else changes.

mod support;

use std::collections::BTreeMap;

use support::streams::*;
use support::{World, name};
use telpher_proto::base::limits::Sizes;
use telpher_proto::base::{
    Command, Compression, Durability, Kind, Reading, Start, StreamOptions, What,
};

const AGE_MS: u64 = 10_000;

/// A world in which compaction begins with little data.
fn world(sizes: Sizes) -> (World, usize) {
    let mut world = World::with_sizes(Sizes { compact_min: 400, ..sizes });
    let program = world.program();
    (world, program)
}

fn compacted(durability: Durability) -> StreamOptions {
    let compression = (durability == Durability::Os).then_some(Compression::Zstd);
    StreamOptions { compact: true, tombstone_age_ms: AGE_MS, compression, ..plain(durability) }
}

/// Sets some keys again and again; returns the last value of each.
fn set(
    world: &mut World,
    program: usize,
    rounds: std::ops::Range<u64>,
    keys: u64,
) -> BTreeMap<String, String> {
    let mut last = BTreeMap::new();
    for round in rounds {
        for key in 0..keys {
            let (key, value) = (format!("k{key}"), format!("{key}={round}"));
            let id = world.run(program, keyed("log", &key, &value));
            assert!(world.outcome(program, id).is_ok());
            last.insert(key, value);
        }
    }
    last
}

/// What a new reader has at its end, and how many records it has read for that.
fn state(world: &mut World, program: usize) -> (BTreeMap<String, String>, usize) {
    let id = world.run(program, read("log", Start::Beginning, false));
    let (mut state, mut count, mut next) = (BTreeMap::new(), 0, 0);
    for event in world.programs[program].events.iter().filter(|event| event.id == id) {
        let What::Record(record) = &event.what else { continue };
        assert!(record.offset >= next, "{} comes after {next}", record.offset);
        (next, count) = (record.offset + 1, count + 1);
        let key = &record.message.properties.as_ref().expect("a key").key;
        let key = String::from_utf8(key.to_vec()).unwrap();
        match record.message.body.is_empty() {
            true => state.remove(&key),
            false => {
                let value = String::from_utf8(record.message.body.to_vec()).unwrap();
                state.insert(key, value)
            }
        };
    }
    (state, count)
}

#[test]
fn the_latest_record_of_each_key_stays_with_its_offset_and_few_others() {
    for durability in [Durability::Memory, Durability::Os, Durability::Disk] {
        let (mut world, program) = world(Sizes::default());
        world.run(program, declare("log", compacted(durability)));
        let last = set(&mut world, program, 0..100, 5);
        world.pass(100);
        let (found, count) = state(&mut world, program);
        assert_eq!(found, last);
        assert!(count < 60, "{count} records of 500 are left");
        let figures = info(&mut world, program, "log").partitions[0];
        assert_eq!((figures.first, figures.next), (0, 500), "offsets are what they were");
        assert!(figures.bytes < 6_000, "{} bytes", figures.bytes);
        let id = world.run(program, keyed("log", "k0", "new"));
        assert_eq!(place(&world, program, id), (0, 500));
    }
}

#[test]
fn a_key_that_was_set_once_stays_however_much_is_compacted_after_it() {
    let (mut world, program) = world(Sizes::default());
    world.run(program, declare("log", compacted(Durability::Os)));
    world.run(program, keyed("log", "once", "mine"));
    let mut last = set(&mut world, program, 0..200, 3);
    last.insert("once".to_owned(), "mine".to_owned());
    world.pass(100);
    assert_eq!(state(&mut world, program).0, last);
}

#[test]
fn a_tombstone_is_kept_for_its_time_and_takes_its_key_with_it() {
    let (mut world, program) = world(Sizes::default());
    world.run(program, declare("log", compacted(Durability::Os)));
    set(&mut world, program, 0..10, 4);
    let gone = world.run(program, keyed("log", "k1", ""));
    let offset = place(&world, program, gone).1;
    let mut last = set(&mut world, program, 10..40, 1);
    last.extend([("k2".to_owned(), "2=9".to_owned()), ("k3".to_owned(), "3=9".to_owned())]);
    world.pass(100);
    let has_it = |records: &[String]| records.contains(&format!("0 {offset} "));
    let records = all(&mut world, program, "log");
    assert!(has_it(&records), "{records:?}");
    assert!(!records.iter().any(|record| record.contains("1=")), "{records:?}");
    world.pass(AGE_MS);
    let records = all(&mut world, program, "log");
    assert!(!has_it(&records), "nothing was appended since: {records:?}");
    assert_eq!(state(&mut world, program).0, last);
}

#[test]
fn who_reads_while_it_is_compacted_misses_no_key_and_reads_on_from_any_offset() {
    let sizes = Sizes { resident_max: 1_000, ..Sizes::default() };
    let (mut world, writer) = world(sizes);
    let reader = world.program();
    world.run(writer, declare("log", compacted(Durability::Os)));
    let follower = world.run(reader, read("log", Start::Beginning, true));
    let last = set(&mut world, writer, 0..100, 4);
    world.pass(100);
    let records = got(&world, reader, follower);
    for value in last.values() {
        assert!(records.iter().any(|record| record.ends_with(value)), "{value}");
    }
    for from in (0..400).step_by(37) {
        let id = world.run(reader, read("log", Start::Offset(from), false));
        let records = got(&world, reader, id);
        let offsets = records.iter().map(|record| record.split(' ').nth(1).unwrap());
        let offsets: Vec<u64> = offsets.map(|offset| offset.parse().unwrap()).collect();
        assert!(offsets.iter().all(|offset| *offset >= from), "{from}: {offsets:?}");
        assert!(offsets.contains(&399), "{from}: {offsets:?}");
    }
}

#[test]
fn what_was_compacted_outlives_hosts_and_power_and_the_segments_in_which_it_was() {
    let segment = (16_384, 16_384);
    let sizes = Sizes { segment, garbage_min: 32_768, resident_max: 1_000, ..Sizes::default() };
    let (mut world, program) = world(sizes);
    world.run(program, declare("log", compacted(Durability::Disk)));
    let mut last = BTreeMap::new();
    for round in 0..8 {
        last.extend(set(&mut world, program, round * 40..round * 40 + 40, 6));
        if round % 2 == 0 {
            world.cut_power();
        } else {
            world.change_host();
        }
        world.pass(100);
        assert_eq!(state(&mut world, program).0, last, "round {round}");
    }
    let oldest = *world.disk.files.keys().min().expect("a segment");
    assert!(oldest > 3, "old segments go: {oldest}");
    let (_, count) = state(&mut world, program);
    assert!(count < 100, "{count} records of 1,920 are left");
}

#[test]
fn records_keep_the_time_of_their_append_and_are_found_by_it() {
    let (mut world, program) = world(Sizes::default());
    world.run(program, declare("log", compacted(Durability::Os)));
    for number in 0..30 {
        world.run(program, keyed("log", &format!("k{number}"), &number.to_string()));
        world.run(program, keyed("log", "busy", &"x".repeat(20)));
        world.pass(1_000);
    }
    let times = |world: &World, id| -> Vec<u64> {
        let events = world.programs[program].events.iter().filter(|event| event.id == id);
        let times = events.filter_map(|event| match &event.what {
            What::Record(record) => Some(record.time_ms),
            _ => None,
        });
        times.collect()
    };
    let id = world.run(program, read("log", Start::Beginning, false));
    let all = times(&world, id);
    assert!(all.len() < 45, "it was compacted: {} are left", all.len());
    for since in [1_000_000, 1_004_500, 1_005_000, 1_020_001] {
        let id = world.run(program, read("log", Start::Time(since), false));
        let wanted: Vec<u64> = all.iter().copied().filter(|time| *time >= since).collect();
        assert_eq!(times(&world, id), wanted, "since {since}");
    }
}

#[test]
fn a_record_without_a_key_has_no_place_in_it() {
    let (mut world, program) = world(Sizes::default());
    world.run(program, declare("log", compacted(Durability::Os)));
    let id = world.run(program, append("log", "x"));
    assert_eq!(world.kind(program, id), Kind::Invalid);
    let said = text(&world, program, id);
    assert!(said.contains("a record has no key"), "{said}");
    assert_eq!(info(&mut world, program, "log").partitions[0].next, 0);
}

#[test]
fn it_is_declared_once_and_a_difference_is_named() {
    let (mut world, program) = world(Sizes::default());
    world.run(program, declare("log", compacted(Durability::Os)));
    for (options, named) in [
        (StreamOptions { keep_unread: true, ..compacted(Durability::Os) }, "keep_unread false"),
        (plain(Durability::Os), "compact true, not false"),
        (plain(Durability::Os), "compression zstd, not none"),
        (StreamOptions { tombstone_age_ms: 5, ..compacted(Durability::Os) }, "10000, not 5"),
    ] {
        let id = world.run(program, declare("log", options));
        let said = text(&world, program, id);
        assert!(said.contains(named), "{said}");
    }
    let options = StreamOptions { tombstone_age_ms: 5, ..plain(Durability::Os) };
    let said = options.check().expect_err("no tombstones").detail().to_owned();
    assert!(said.contains("tombstone_age_ms is 5, and compact is not stated"), "{said}");
}

#[test]
fn a_stream_that_is_deleted_in_the_middle_of_it_is_gone() {
    let (mut world, program) = world(Sizes { resident_max: 0, ..Sizes::default() });
    world.run(program, declare("log", compacted(Durability::Os)));
    set(&mut world, program, 0..20, 4);
    world.run(program, Command::DeleteStream { stream: name("log") });
    world.run(program, declare("log", compacted(Durability::Os)));
    let last = set(&mut world, program, 0..50, 2);
    world.pass(100);
    assert_eq!(state(&mut world, program).0, last);
}

#[test]
fn a_reader_that_ends_gets_each_key_also_if_its_record_is_replaced_meanwhile() {
    let (mut world, writer) = world(Sizes::default());
    let reader = world.program();
    world.run(writer, declare("log", compacted(Durability::Os)));
    // As large as several of the batches that compaction makes.
    let value = |round: u32, key: u32| format!("{key}={round} {}", "x".repeat(4_000));
    let keys = 40;
    let rounds = |world: &mut World, rounds: std::ops::Range<u32>| {
        for (round, key) in rounds.flat_map(|round| (0..keys).map(move |key| (round, key))) {
            let id = world.run(writer, keyed("log", &key.to_string(), &value(round, key)));
            assert!(world.outcome(writer, id).is_ok());
        }
    };
    rounds(&mut world, 0..2);
    let reading = Reading { buffer: 1, ..Reading::default() };
    let id = world.run(reader, Command::Read { stream: name("log"), reading: Box::new(reading) });
    // All that it has not read yet is replaced by what comes behind its end.
    rounds(&mut world, 2..12);
    world.pass(100);
    while world.ended(reader, id).is_none() {
        take(&mut world, reader, id, 1);
    }
    let records = got(&world, reader, id);
    for key in 0..keys {
        let has_it = records.iter().any(|record| record.contains(&format!(" {key}=")));
        assert!(has_it, "{key} of {} records", records.len());
    }
}
