//! What streams keep leaves the journal's segments for stream files, and is there all the same.

mod support;

use std::collections::BTreeSet;

use support::bindings::is_golden;
use support::streams::*;
use support::{Faults, World, declare_on_disk, name, send};
use telpher_proto::base::limits::Sizes;
use telpher_proto::base::record::STREAM_FILES;
use telpher_proto::base::{
    Command, Compression, Id, Kind, Message, Part, QueueOptions, Reading, Start, StreamOptions,
    What,
};

/// Segments of 16 KiB, of which three or so stay; little in memory.
const TINY: Sizes = Sizes {
    segment: (16 * 1024, 16 * 1024),
    group_max: 16 * 1024,
    group_worth: 4 * 1024,
    unsynced_max: 128 * 1024,
    pending_max: 1024 * 1024,
    garbage_min: 64 * 1024,
    journal_max: 48 * 1024,
    aside_batch: u64::MAX,
    aside_share: 50,
    resident_max: 2_000,
    compact_min: 4 * 1024,
};

fn body(number: u64) -> String {
    format!("{number:0>200}")
}

fn fill_with(world: &mut World, program: usize, stream: &str, range: std::ops::Range<u64>) {
    for number in range {
        let id = world.run(program, append(stream, &body(number)));
        assert_eq!(place(world, program, id), (0, number));
        world.pass(1);
    }
}

fn bodies(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|number| format!("0 {number} {}", body(number))).collect()
}

/// A hub with a stream of so many records.
fn with_records(count: u64, options: StreamOptions) -> (World, usize) {
    let mut world = World::with_sizes(TINY);
    let program = world.program();
    world.run(program, declare("log", options));
    fill_with(&mut world, program, "log", 0..count);
    world.pass(100);
    (world, program)
}

fn stream_files(world: &World) -> BTreeSet<u32> {
    world.disk.files.keys().copied().filter(|number| *number > STREAM_FILES).collect()
}

fn journal_size(world: &World) -> usize {
    let segments = world.disk.files.range(..STREAM_FILES);
    segments.map(|(_, content)| content.len()).sum()
}

fn collect(world: &mut World, program: usize, start: Start) -> Vec<String> {
    let id = world.run(program, read("log", start, false));
    got(world, program, id)
}

#[test]
fn the_journal_stays_small_however_much_a_stream_keeps() {
    let (mut world, program) = with_records(2_000, StreamOptions::default());
    assert!(journal_size(&world) < 6 * 16 * 1024, "{}", journal_size(&world));
    assert!(stream_files(&world).len() > 10, "{:?}", stream_files(&world));
    assert_eq!(all(&mut world, program, "log"), bodies(0..2_000));
}

#[test]
fn a_stream_file_has_the_bytes_that_are_written_down() {
    let mut world = World::with_sizes(TINY);
    let program = world.program();
    world.run(program, declare("log", StreamOptions { partitions: 2, ..Default::default() }));
    world.run(program, declare_on_disk("jobs", QueueOptions::default()));
    for (key, body) in [("a", "1"), ("b", "2"), ("a", "3"), ("b", ""), ("a", "5")] {
        world.run(program, keyed("log", key, body));
    }
    for _ in 0..200 {
        world.run(program, send("jobs", &"x".repeat(1_000)));
    }
    world.pass(100);
    is_golden(&world, STREAM_FILES + 1, "stream_file.txt");
}

#[test]
fn small_batches_become_large_ones_so_that_few_places_are_kept_in_memory() {
    let (mut world, program) = with_records(1_000, StreamOptions::default());
    world.disk.records_read = 0;
    assert_eq!(all(&mut world, program, "log"), bodies(0..1_000));
    assert!(world.disk.records_read < 400, "{}", world.disk.records_read);
}

#[test]
fn what_was_filed_is_there_under_the_next_host_with_and_without_a_checkpoint() {
    let (mut world, program) = with_records(600, StreamOptions::default());
    for round in 0..6 {
        match round % 3 {
            0 => world.change_host(),
            1 => world.cut_power(),
            _ => world.hand_over(),
        }
        if round >= 3 {
            world.disk.checkpoint = None;
        }
        world.pass(100);
        let end = 600 + round * 50;
        assert_eq!(all(&mut world, program, "log"), bodies(0..end), "round {round}");
        fill_with(&mut world, program, "log", end..end + 50);
    }
}

#[test]
fn readers_begin_and_go_on_in_the_middle_of_what_was_put_together() {
    let (mut world, program) = with_records(500, StreamOptions::default());
    for from in [0, 1, 37, 250, 499] {
        assert_eq!(collect(&mut world, program, Start::Offset(from)), bodies(from..500));
    }
    let reading =
        Reading { start: Start::Offset(3), follow: true, buffer: 1_000, ..Reading::default() };
    let id = world.run(program, Command::Read { stream: name("log"), reading: Box::new(reading) });
    take(&mut world, program, id, 7);
    world.break_connection(program);
    world.pass(200);
    world.change_host();
    world.pass(200);
    for _ in 0..500 {
        take(&mut world, program, id, 10);
    }
    assert_eq!(got(&world, program, id), bodies(3..500));
}

/// When each record of a stream was appended.
fn times(world: &mut World, program: usize) -> Vec<u64> {
    let id = world.run(program, read("log", Start::Beginning, false));
    let events = world.programs[program].events.iter().filter(|event| event.id == id);
    let records = events.filter_map(|event| match &event.what {
        What::Record(record) => Some(record.time_ms),
        _ => None,
    });
    records.collect()
}

#[test]
fn records_keep_their_times_and_are_found_by_them() {
    let mut world = World::with_sizes(TINY);
    let program = world.program();
    world.run(program, declare("log", StreamOptions::default()));
    fill_with(&mut world, program, "log", 0..60);
    assert!(stream_files(&world).is_empty());
    let before = times(&mut world, program);
    fill_with(&mut world, program, "log", 60..400);
    world.pass(100);
    assert!(!stream_files(&world).is_empty());
    let after = times(&mut world, program);
    assert_eq!(after[..60], before);
    for at in [0, 17, 59] {
        assert_eq!(collect(&mut world, program, Start::Time(before[at])), bodies(at as u64..400));
    }
}

#[test]
fn compressed_batches_are_put_together_too() {
    for compression in [Compression::Lz4, Compression::Zstd] {
        let options = StreamOptions { compression: Some(compression), ..StreamOptions::default() };
        let (mut world, program) = with_records(1_500, options);
        assert!(!stream_files(&world).is_empty());
        assert_eq!(all(&mut world, program, "log"), bodies(0..1_500));
        let kept = info(&mut world, program, "log").partitions[0].bytes;
        assert!(kept < 1_500 * 100, "{kept} bytes, compressed together");
    }
}

#[test]
fn limits_remove_stream_files_and_keep_what_they_promise() {
    let options = StreamOptions { records_max: 400, ..StreamOptions::default() };
    let (mut world, program) = with_records(3_000, options);
    let files = stream_files(&world);
    assert!(files.len() < 8, "{files:?}");
    let first = info(&mut world, program, "log").partitions[0].first;
    assert!((2_600 - 400 / 16..=2_600).contains(&first), "{first}");
    assert_eq!(all(&mut world, program, "log"), bodies(first..3_000));
    world.cut_power();
    world.pass(100);
    let first = info(&mut world, program, "log").partitions[0].first;
    assert_eq!(all(&mut world, program, "log"), bodies(first..3_000));
}

#[test]
fn a_deleted_stream_takes_its_files_along() {
    let (mut world, program) = with_records(1_000, StreamOptions::default());
    world.run(program, declare("other", StreamOptions::default()));
    world.run(program, Command::DeleteStream { stream: name("log") });
    fill_with(&mut world, program, "other", 0..1_000);
    world.pass(100);
    let (files, stream) = (stream_files(&world), all(&mut world, program, "other"));
    assert_eq!(stream, bodies(0..1_000));
    world.change_host();
    world.pass(100);
    assert!(stream_files(&world).is_subset(&files), "{files:?}");
    assert_eq!(all(&mut world, program, "other"), bodies(0..1_000));
}

#[test]
fn what_little_is_left_of_a_stream_file_goes_to_another() {
    let mut world = World::with_sizes(TINY);
    let program = world.program();
    world.run(program, declare("keep", StreamOptions::default()));
    let options = StreamOptions { records_max: 50, ..StreamOptions::default() };
    world.run(program, declare("log", options));
    for number in 0..3_000 {
        world.run(program, append("log", &body(number)));
        if number % 20 == 0 {
            world.run(program, append("keep", &body(number / 20)));
        }
    }
    world.pass(100);
    let size: usize = world.disk.files.values().map(Vec::len).sum();
    assert!(size < 3_000 * 260 / 4, "{size} bytes, though few records are kept");
    assert_eq!(all(&mut world, program, "keep"), bodies(0..150));
    world.cut_power();
    world.pass(100);
    assert_eq!(all(&mut world, program, "keep"), bodies(0..150));
}

#[test]
fn damage_in_a_stream_file_ends_its_readers_with_the_offsets_and_nobody_else() {
    let (mut world, program) = with_records(1_000, StreamOptions::default());
    let first = *stream_files(&world).first().unwrap();
    let content = world.disk.files.get_mut(&first).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    let id = world.run(program, read("log", Start::Beginning, false));
    let before = got(&world, program, id).len() as u64;
    assert!(before < 1_000);
    assert_eq!(got(&world, program, id), bodies(0..before));
    let detail = text(&world, program, id);
    assert!(detail.starts_with(&format!("the records from offset {before} to ")), "{detail}");
    let to = detail.split(" to ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    let behind = to.parse::<u64>().unwrap() + 1;
    assert_eq!(collect(&mut world, program, Start::Offset(behind)), bodies(behind..1_000));
}

#[test]
fn a_stream_file_that_is_gone_or_cut_short_is_named_when_the_next_host_begins() {
    for cut in [false, true] {
        let (mut world, _) = with_records(1_000, StreamOptions::default());
        let first = *stream_files(&world).first().unwrap();
        match cut {
            true => world.disk.files.get_mut(&first).unwrap().truncate(4_000),
            false => drop(world.disk.files.remove(&first)),
        }
        let error = world.take_over().unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt);
        let expected = match cut {
            true => "stream.00000001 is damaged at offset 4000: it ends before what it is to hold",
            false => "stream.00000001 is missing",
        };
        assert_eq!(error.detail(), expected);
    }
}

#[test]
fn a_full_disk_leaves_everything_in_the_journal_until_there_is_room() {
    let mut world = World::with_sizes(Sizes { journal_max: 1024 * 1024, ..TINY });
    let program = world.program();
    world.run(program, declare("log", StreamOptions::default()));
    fill_with(&mut world, program, "log", 0..500);
    world.sizes = TINY;
    let used: usize = world.disk.files.values().map(Vec::len).sum();
    world.disk.capacity = Some(used as u64 + 20_000);
    world.change_host();
    world.pass(2_000);
    assert_eq!(all(&mut world, program, "log"), bodies(0..500));
    world.disk.capacity = None;
    world.pass(2_000);
    assert!(!stream_files(&world).is_empty());
    assert!(journal_size(&world) < 8 * 16 * 1024, "{}", journal_size(&world));
    assert_eq!(all(&mut world, program, "log"), bodies(0..500));
}

#[test]
fn a_compacted_stream_is_filed_and_keeps_the_latest_of_every_key() {
    let mut world = World::with_sizes(TINY);
    let program = world.program();
    world.run(program, declare("log", StreamOptions { compact: true, ..StreamOptions::default() }));
    for number in 0..2_000u64 {
        // A few keys change all the time, and some are set once.
        let key = if number % 10 == 0 { number } else { number % 7 };
        world.run(program, keyed("log", &format!("k{key}"), &body(number)));
        if number % 500 == 499 {
            world.cut_power();
        }
    }
    world.pass(1_000);
    assert!(!stream_files(&world).is_empty());
    let records = all(&mut world, program, "log");
    let there = |number: u64| records.contains(&format!("0 {number} {}", body(number)));
    assert!((10..2_000).step_by(10).all(there));
    assert!((1_993..2_000).all(there));
    assert!(records.len() < 900, "{}", records.len());
}

/// Appends, reads in a group, batches, limits: with many a fault of the disk in between.
fn scenario(world: &mut World, program: usize) -> Vec<Id> {
    let mut sent = Vec::new();
    for number in 0..240u64 {
        let command = match number % 6 {
            0 => {
                let message = Message::new(body(number).into_bytes());
                let (stream, partition, expect) = (name("log"), None, None);
                Command::Batch { parts: vec![Part::Append { stream, message, partition, expect }] }
            }
            _ => append("log", &body(number)),
        };
        sent.push(world.start(program, command));
        world.settle();
        if number % 60 == 59 {
            world.pass(50);
        }
    }
    sent
}

#[test]
fn filing_survives_every_fault_of_the_disk() {
    let step = if std::env::var_os("TELPHER_SOAK").is_some() { 1 } else { 11 };
    for at in (1..).step_by(step) {
        let mut is_met = false;
        for (for_ever, is_cut) in [(false, false), (false, true), (true, true)] {
            let mut world = World::with_sizes(Sizes { journal_max: 32 * 1024, ..TINY });
            let program = world.program();
            world.run(program, declare("log", StreamOptions::default()));
            world.disk.faults = Faults { count: 0, at, for_ever };
            let sent = scenario(&mut world, program);
            is_met |= world.disk.faults.count >= at;
            world.disk.faults = Faults::default();
            match is_cut {
                true => world.cut_power(),
                false => world.change_host(),
            }
            world.pass(5_000);
            let records = all(&mut world, program, "log");
            for (at, record) in records.iter().enumerate() {
                assert!(record.starts_with(&format!("0 {at} ")), "{record} at {at}");
            }
            let is_confirmed = |id: &&Id| world.ended(program, **id).is_some_and(|it| it.is_ok());
            let confirmed = sent.iter().filter(is_confirmed).count();
            assert!(records.len() >= confirmed, "{confirmed} confirmed, {} there", records.len());
            let distinct: BTreeSet<&str> =
                records.iter().filter_map(|record| record.split(' ').nth(2)).collect();
            assert_eq!(distinct.len(), records.len(), "nothing is there twice");
        }
        if !is_met {
            return;
        }
    }
}

#[test]
fn what_is_not_durable_yet_cannot_be_read_as_part_of_what_was_filed() {
    let (mut world, program) = with_records(300, StreamOptions::default());
    world.disk.no_sync = true;
    let sent: Vec<Id> =
        (300..600).map(|number| world.start(program, append("log", &body(number)))).collect();
    world.settle();
    world.pass(100);
    assert!(sent.iter().all(|id| world.ended(program, *id).is_none()));
    assert_eq!(all(&mut world, program, "log"), bodies(0..300));
    world.disk.no_sync = false;
    world.settle();
    world.pass(100);
    assert_eq!(all(&mut world, program, "log"), bodies(0..600));
}

#[test]
fn what_is_put_together_stays_small_when_it_is_unpacked() {
    let mut world = World::with_sizes(TINY);
    let program = world.program();
    let compression = Some(Compression::Zstd);
    world.run(program, declare("log", StreamOptions { compression, ..StreamOptions::default() }));
    let large = |number: u64| format!("{number}{}", "0".repeat(600_000));
    for number in 0..100 {
        world.run(program, append("log", &large(number)));
    }
    world.run(program, declare("other", StreamOptions::default()));
    fill_with(&mut world, program, "other", 0..600);
    world.pass(100);
    let expected: Vec<String> = (0..100).map(|at| format!("0 {at} {}", large(at))).collect();
    assert!(!world.disk.files.contains_key(&1), "all of the first segment was filed");
    let reading = Reading { buffer: 64 << 20, ..Reading::default() };
    let id = world.run(program, Command::Read { stream: name("log"), reading: Box::new(reading) });
    assert!(got(&world, program, id) == expected);
}
