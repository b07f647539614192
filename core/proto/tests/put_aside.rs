//! A segment of the journal that holds hardly anything but large batches of streams is put aside as
//! it is, and all of it is there all the same.

mod support;

use std::collections::BTreeSet;

use support::streams::*;
use support::{Faults, World, declare_on_disk, name, send};
use telpher_proto::base::limits::Sizes;
use telpher_proto::base::record::{ASIDE, STREAM_FILES};
use telpher_proto::base::{
    Command, Id, Kind, Message, Outcome, Part, QueueOptions, Start, StreamOptions,
};

/// Segments of 16 KiB, of which three or so stay; batches of 1,000 bytes are large.
const TINY: Sizes = Sizes {
    segment: (16 * 1024, 16 * 1024),
    group_max: 16 * 1024,
    group_worth: 4 * 1024,
    unsynced_max: 128 * 1024,
    pending_max: 1024 * 1024,
    garbage_min: 64 * 1024,
    journal_max: 48 * 1024,
    aside_batch: 1_000,
    aside_share: 50,
    resident_max: 2_000,
    compact_min: 4 * 1024,
};

fn body(number: u64) -> String {
    format!("{number:0>1200}")
}

fn bodies(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|number| format!("0 {number} {}", body(number))).collect()
}

fn fill(world: &mut World, program: usize, stream: &str, range: std::ops::Range<u64>) {
    for number in range {
        let id = world.run(program, append(stream, &body(number)));
        assert_eq!(place(world, program, id), (0, number));
        world.pass(1);
    }
}

fn with_records(count: u64, options: StreamOptions) -> (World, usize) {
    let mut world = World::with_sizes(TINY);
    let program = world.program();
    world.run(program, declare("log", options));
    fill(&mut world, program, "log", 0..count);
    world.pass(100);
    (world, program)
}

fn among(world: &World, numbers: std::ops::Range<u32>) -> BTreeSet<u32> {
    world.disk.files.range(numbers).map(|(number, _)| *number).collect()
}

fn aside(world: &World) -> BTreeSet<u32> {
    among(world, ASIDE..STREAM_FILES)
}

fn stream_files(world: &World) -> BTreeSet<u32> {
    among(world, STREAM_FILES..u32::MAX)
}

fn journal_size(world: &World) -> usize {
    world.disk.files.range(..ASIDE).map(|(_, content)| content.len()).sum()
}

#[test]
fn large_batches_leave_the_journal_without_being_written_again() {
    let (mut world, program) = with_records(500, StreamOptions::default());
    assert!(journal_size(&world) < 500 * 1_200 / 2, "{}", journal_size(&world));
    assert!(aside(&world).len() > 5, "{:?}", aside(&world));
    assert!(stream_files(&world).is_empty(), "{:?}", stream_files(&world));
    assert_eq!(all(&mut world, program, "log"), bodies(0..500));
}

#[test]
fn what_was_put_aside_is_there_under_the_next_host_whatever_its_name() {
    for forgets_removals in [false, true] {
        let (mut world, program) = with_records(100, StreamOptions::default());
        world.disk.forgets_removals = forgets_removals;
        for round in 0..9 {
            match round % 3 {
                0 => world.change_host(),
                1 => world.cut_power(),
                _ => world.hand_over(),
            }
            if round % 2 == 0 {
                world.disk.checkpoint = None;
            }
            world.pass(100);
            let end = 100 + round * 30;
            assert_eq!(all(&mut world, program, "log"), bodies(0..end), "round {round}");
            fill(&mut world, program, "log", end..end + 30);
        }
        let (first, last) = (aside(&world).pop_first().unwrap(), aside(&world).pop_last().unwrap());
        assert!(last - first > 10, "{:?}", aside(&world));
        let (oldest, _) = world.disk.files.range(..ASIDE).next().unwrap();
        assert!(ASIDE + oldest > last - 5, "old names are left: {oldest}, {last}");
    }
}

#[test]
fn messages_in_a_segment_are_written_anew_before_it_is_put_aside() {
    let mut world = World::with_sizes(TINY);
    let program = world.program();
    world.run(program, declare("log", StreamOptions::default()));
    world.run(program, declare_on_disk("jobs", QueueOptions::default()));
    for number in 0..20 {
        world.run(program, send("jobs", &format!("waits {number}")));
    }
    let first = *world.disk.files.keys().next().unwrap();
    fill(&mut world, program, "log", 0..100);
    world.pass(100);
    assert!(aside(&world).contains(&(ASIDE + first)), "{:?}", aside(&world));
    assert_eq!(all(&mut world, program, "log"), bodies(0..100));
    world.cut_power();
    world.pass(100);
    for number in 0..20 {
        let id = world.run(program, Command::Receive { queue: name("jobs") });
        let expected = format!("waits {number}");
        match world.ended(program, id).unwrap().as_ref().unwrap() {
            Outcome::Delivery(delivery) => assert_eq!(delivery.message.body, expected),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(all(&mut world, program, "log"), bodies(0..100));
}

#[test]
fn batches_of_several_parts_are_put_aside_too() {
    let mut world = World::with_sizes(TINY);
    let program = world.program();
    for stream in ["log", "other"] {
        world.run(program, declare(stream, StreamOptions::default()));
    }
    for number in 0..60 {
        let part = |stream: &str| {
            let message = Message::new(body(number).into_bytes());
            Part::Append { stream: name(stream), message, partition: None, expect: None }
        };
        world.run(program, Command::Batch { parts: vec![part("log"), part("other")] });
    }
    world.pass(100);
    assert!(!aside(&world).is_empty());
    for _ in 0..2 {
        assert_eq!(all(&mut world, program, "log"), bodies(0..60));
        assert_eq!(all(&mut world, program, "other"), bodies(0..60));
        world.cut_power();
        world.pass(100);
    }
}

#[test]
fn what_limits_remove_frees_the_segments_that_were_put_aside() {
    let options = StreamOptions { records_max: 100, ..StreamOptions::default() };
    let (mut world, program) = with_records(600, options);
    assert!((1..14).contains(&aside(&world).len()), "{:?}", aside(&world));
    for _ in 0..2 {
        let first = info(&mut world, program, "log").partitions[0].first;
        assert!((450..=500).contains(&first), "{first}");
        assert_eq!(all(&mut world, program, "log"), bodies(first..600));
        world.cut_power();
        world.pass(100);
    }
    world.run(program, Command::DeleteStream { stream: name("log") });
    world.run(program, declare("log", StreamOptions::default()));
    fill(&mut world, program, "log", 0..60);
    world.pass(100);
    let size: usize = world.disk.files.range(ASIDE..).map(|(_, content)| content.len()).sum();
    assert!(size < 60 * 1_400, "those of the stream that was deleted are gone: {size}");
    assert_eq!(all(&mut world, program, "log"), bodies(0..60));
}

#[test]
fn what_little_is_left_of_a_segment_that_was_put_aside_goes_to_a_stream_file() {
    let mut world = World::with_sizes(TINY);
    let program = world.program();
    world.run(program, declare("keep", StreamOptions::default()));
    let options = StreamOptions { records_max: 50, ..StreamOptions::default() };
    world.run(program, declare("log", options));
    for number in 0..600 {
        world.run(program, append("log", &body(number)));
        if number % 20 == 0 {
            world.run(program, append("keep", &body(number / 20)));
        }
    }
    world.pass(100);
    let size: usize = world.disk.files.values().map(Vec::len).sum();
    assert!(size < 600 * 1_200 / 3, "{size} bytes, though few records are kept");
    assert!(!stream_files(&world).is_empty());
    assert_eq!(all(&mut world, program, "keep"), bodies(0..30));
    world.cut_power();
    world.pass(100);
    assert_eq!(all(&mut world, program, "keep"), bodies(0..30));
}

#[test]
fn a_compacted_stream_is_put_aside_and_keeps_the_latest_of_every_key() {
    let mut world = World::with_sizes(TINY);
    let program = world.program();
    world.run(program, declare("log", StreamOptions { compact: true, ..StreamOptions::default() }));
    for number in 0..800u64 {
        let key = if number % 4 == 0 { number } else { number % 7 };
        world.run(program, keyed("log", &format!("k{key}"), &body(number)));
        if number % 200 == 199 {
            world.cut_power();
        }
    }
    world.pass(1_000);
    assert!(!aside(&world).is_empty());
    let records = all(&mut world, program, "log");
    let there = |number: u64| records.contains(&format!("0 {number} {}", body(number)));
    assert!((8..800).step_by(4).all(there));
    assert!(records.len() < 500, "{}", records.len());
}

#[test]
fn damage_in_a_segment_that_was_put_aside_ends_its_readers_and_nobody_else() {
    let (mut world, program) = with_records(200, StreamOptions::default());
    let first = *aside(&world).first().unwrap();
    let content = world.disk.files.get_mut(&first).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    let id = world.run(program, read("log", Start::Beginning, false));
    let before = got(&world, program, id).len() as u64;
    assert!(before < 20, "{before}");
    let detail = text(&world, program, id);
    assert!(detail.starts_with(&format!("the records from offset {before} to ")), "{detail}");
    let behind = before + 1;
    let id = world.run(program, read("log", Start::Offset(behind), false));
    assert_eq!(got(&world, program, id), bodies(behind..200));
}

#[test]
fn a_segment_that_was_put_aside_and_is_gone_or_cut_short_is_named_when_the_next_host_begins() {
    for cut in [false, true] {
        let (mut world, _) = with_records(200, StreamOptions::default());
        let first = *aside(&world).first().unwrap();
        match cut {
            true => world.disk.files.get_mut(&first).unwrap().truncate(4_096),
            false => drop(world.disk.files.remove(&first)),
        }
        let error = world.take_over().unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt);
        let number = first - ASIDE;
        let expected = match cut {
            true => "is damaged at offset 4096: it ends before what it is to hold",
            false => "is missing",
        };
        assert_eq!(error.detail(), format!("aside.{number:08} {expected}"));
    }
}

#[test]
fn putting_aside_survives_every_fault_of_the_disk() {
    let step = if std::env::var_os("TELPHER_SOAK").is_some() { 1 } else { 7 };
    for at in (1..).step_by(step) {
        let mut is_met = false;
        for (for_ever, is_cut) in [(false, false), (false, true), (true, true)] {
            let mut world = World::with_sizes(Sizes { journal_max: 16 * 1024, ..TINY });
            let program = world.program();
            world.disk.forgets_removals = at % 2 == 0;
            world.run(program, declare("log", StreamOptions::default()));
            world.disk.faults = Faults { count: 0, at, for_ever };
            let sent: Vec<Id> = (0..70)
                .map(|number| {
                    let id = world.start(program, append("log", &body(number)));
                    world.settle();
                    id
                })
                .collect();
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
        }
        if !is_met {
            return;
        }
    }
}
