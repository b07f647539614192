//! Streams: where records go, who reads what, what is kept, and what outlives connection, host and
//! machine.

mod support;

use support::streams::*;
use support::{World, name};
use telpher_proto::base::limits::Sizes;
use telpher_proto::base::stream::partition_of;
use telpher_proto::base::{
    Command, Compression, Durability, Id, Kind, Message, Outcome, Reading, Start, StreamOptions,
};

#[test]
fn records_get_offsets_that_follow_each_other_and_are_read_in_that_order() {
    let mut world = World::new();
    let (writer, reader) = (world.program(), world.program());
    world.run(writer, declare("log", StreamOptions::default()));
    fill(&mut world, writer, "log", 0..5);
    let id = world.run(reader, read("log", Start::Beginning, false));
    assert_eq!(got(&world, reader, id), numbers(0..5));
    assert!(matches!(world.outcome(reader, id), Ok(Outcome::Empty)), "it ends where it ended");
}

#[test]
fn reading_begins_where_it_is_told_to_and_goes_on_with_what_is_appended_later() {
    let mut world = World::new();
    let (writer, reader) = (world.program(), world.program());
    world.run(writer, declare("log", plain(Durability::Os)));
    fill(&mut world, writer, "log", 0..3);
    world.pass(1_000);
    // The hub began at 1,000,000, and the later ones come a second after that.
    let time_ms = 1_000_500;
    fill(&mut world, writer, "log", 3..6);
    let readers = [Start::Beginning, Start::Offset(2), Start::Time(time_ms), Start::End]
        .map(|start| world.run(reader, read("log", start, true)));
    fill(&mut world, writer, "log", 6..8);
    for (id, from) in readers.into_iter().zip([0, 2, 3, 6]) {
        assert_eq!(got(&world, reader, id), numbers(from..8));
        assert!(world.ended(reader, id).is_none(), "it follows");
    }
    let beyond = world.run(reader, read("log", Start::Time(u64::MAX), false));
    assert!(got(&world, reader, beyond).is_empty());
    let later = world.run(reader, read("log", Start::Time(u64::MAX), true));
    fill(&mut world, writer, "log", 8..9);
    assert_eq!(got(&world, reader, later), numbers(8..9), "what is new comes all the same");
}

#[test]
fn records_with_one_key_are_in_one_partition_and_those_without_are_spread() {
    let mut world = World::new();
    let program = world.program();
    let options = StreamOptions { partitions: 4, ..StreamOptions::default() };
    world.run(program, declare("log", options));
    for key in ["a", "b", "c", "d", "e"] {
        let expected = partition_of(key.as_bytes(), 4);
        for _ in 0..3 {
            let id = world.run(program, keyed("log", key, "x"));
            assert_eq!(place(&world, program, id).0, expected, "{key}");
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..4 {
        let id = world.run(program, append("log", "x"));
        seen.insert(place(&world, program, id).0);
    }
    assert_eq!(seen.len(), 4);
    let all = world.run(program, read("log", Start::Beginning, false));
    assert_eq!(got(&world, program, all).len(), 19, "all partitions, merged");
    let reading = Reading { partition: Some(2), ..Reading::default() };
    let one = world.run(program, Command::Read { stream: name("log"), reading: Box::new(reading) });
    assert!(got(&world, program, one).iter().all(|record| record.starts_with("2 ")));
}

#[test]
fn an_append_that_expects_another_offset_is_refused_and_appends_nothing() {
    let mut world = World::new();
    let program = world.program();
    world.run(program, declare("log", StreamOptions::default()));
    let expecting = |offset| append_as("log", Message::new("x"), None, Some(offset));
    let ids = [0, 0, 1, 7].map(|offset| world.start(program, expecting(offset)));
    world.settle();
    assert_eq!(place(&world, program, ids[0]), (0, 0));
    assert_eq!(world.kind(program, ids[1]), Kind::Conflict);
    assert_eq!(text(&world, program, ids[1]), "offset 0 is expected; the next one is 1");
    assert_eq!(place(&world, program, ids[2]), (0, 1));
    assert_eq!(world.kind(program, ids[3]), Kind::Conflict);
    assert_eq!(info(&mut world, program, "log").partitions[0].next, 2);
}

#[test]
fn what_is_wrong_is_said_with_limit_and_value() {
    let mut world = World::new();
    let program = world.program();
    let unknown = world.run(program, append("log", "x"));
    assert_eq!(world.kind(program, unknown), Kind::NotFound);
    let unknown = world.run(program, read("log", Start::End, true));
    assert_eq!(world.kind(program, unknown), Kind::NotFound);
    let options = StreamOptions { partitions: 2, bytes_max: 4_096, ..StreamOptions::default() };
    world.run(program, declare("log", options.clone()));
    let same = world.run(program, declare("log", options));
    assert!(world.outcome(program, same).is_ok());
    let other = world.run(program, declare("log", StreamOptions::default()));
    assert_eq!(world.kind(program, other), Kind::Mismatch);
    assert!(text(&world, program, other).contains("partitions 2, not 1"));
    let beyond = world.run(program, append_as("log", Message::new("x"), Some(2), None));
    assert_eq!(world.kind(program, beyond), Kind::Invalid);
    assert!(text(&world, program, beyond).contains("partition is 2; the stream \"log\" has 2"));
    let large = world.run(program, append("log", &"x".repeat(5_000)));
    assert_eq!(world.kind(program, large), Kind::TooLarge);
    assert!(text(&world, program, large).contains("keeps at most 4096"));
    let vague = world.run(program, append_as("log", Message::new("x"), None, Some(0)));
    assert_eq!(world.kind(program, vague), Kind::Invalid);
    let reading = Reading { start: Start::Offset(9), ..Reading::default() };
    let out = world.run(program, Command::Read { stream: name("log"), reading: Box::new(reading) });
    assert_eq!(world.kind(program, out), Kind::OutOfRange);
    assert!(text(&world, program, out).contains("partition 0 has 0 up to 0"));
    assert!(
        declare("x", StreamOptions { partitions: 1_025, ..Default::default() }).check().is_err()
    );
}

#[test]
fn a_partition_keeps_no_more_than_its_limits_and_tells_what_it_has() {
    for (options, kept) in [
        (StreamOptions { records_max: 3, ..StreamOptions::default() }, 7..10),
        (StreamOptions { bytes_max: 330, ..StreamOptions::default() }, 5..10),
    ] {
        let mut world = World::new();
        let program = world.program();
        world.run(program, declare("log", options));
        let early = world.run(program, read("log", Start::Beginning, true));
        fill(&mut world, program, "log", 0..10);
        assert_eq!(got(&world, program, early), numbers(0..10), "it was quick enough");
        let figures = info(&mut world, program, "log").partitions[0];
        assert_eq!((figures.first, figures.next), (kept.start, kept.end));
        let id = world.run(program, read("log", Start::Beginning, false));
        assert_eq!(got(&world, program, id), numbers(kept.clone()));
        let gone = world.run(program, read("log", Start::Offset(kept.start - 1), false));
        assert_eq!(world.kind(program, gone), Kind::OutOfRange);
        world.change_host();
        world.pass(100);
        let figures = info(&mut world, program, "log").partitions[0];
        assert_eq!((figures.first, figures.next), (kept.start, kept.end), "the next host, too");
    }
}

#[test]
fn records_that_are_too_old_are_removed_in_time() {
    let mut world = World::new();
    let program = world.program();
    let options = StreamOptions { age_max_ms: 1_000, ..StreamOptions::default() };
    world.run(program, declare("log", options));
    fill(&mut world, program, "log", 0..2);
    world.pass(600);
    fill(&mut world, program, "log", 2..4);
    world.pass(500);
    assert_eq!(info(&mut world, program, "log").partitions[0].first, 2);
    world.change_host();
    world.pass(1_200);
    let figures = info(&mut world, program, "log").partitions[0];
    assert_eq!((figures.first, figures.next, figures.bytes), (4, 4, 0));
    fill(&mut world, program, "log", 4..5);
}

#[test]
fn a_reader_that_the_limits_have_overtaken_hears_so_with_the_range() {
    let mut world = World::new();
    let (writer, slow) = (world.program(), world.program());
    let options = StreamOptions { records_max: 2, ..StreamOptions::default() };
    world.run(writer, declare("log", options));
    let reading = Reading { follow: true, buffer: 1, ..Reading::default() };
    let id = world.run(slow, Command::Read { stream: name("log"), reading: Box::new(reading) });
    fill(&mut world, writer, "log", 0..6);
    assert_eq!(got(&world, slow, id), numbers(0..1), "as much as its buffer takes");
    take(&mut world, slow, id, 1);
    assert_eq!(world.kind(slow, id), Kind::OutOfRange);
    assert!(text(&world, slow, id).contains("offset 1 is not kept: partition 0 has 4 up to 6"));
}

#[test]
fn a_slow_reader_gets_everything_in_its_own_time_and_slows_nobody() {
    let mut world = World::new();
    let (writer, slow, quick) = (world.program(), world.program(), world.program());
    world.run(writer, declare("log", StreamOptions::default()));
    let reading = Reading { follow: true, buffer: 200, ..Reading::default() };
    let behind = world.run(slow, Command::Read { stream: name("log"), reading: Box::new(reading) });
    let ahead = world.run(quick, read("log", Start::Beginning, true));
    fill(&mut world, writer, "log", 0..30);
    assert_eq!(got(&world, quick, ahead), numbers(0..30));
    let mut taken = 0;
    while taken < 30 {
        let there = got(&world, slow, behind).len();
        assert!(there > taken, "something is on its way");
        assert!(there - taken <= 5, "and no more than fits");
        take(&mut world, slow, behind, 1);
        taken += 1;
    }
    assert_eq!(got(&world, slow, behind), numbers(0..30));
}

#[test]
fn after_a_broken_connection_nothing_is_appended_twice_and_nothing_read_twice() {
    let mut world = World::new();
    let (writer, reader) = (world.program(), world.program());
    world.run(writer, declare("log", StreamOptions::default()));
    let id = world.run(reader, read("log", Start::Beginning, true));
    fill(&mut world, writer, "log", 0..3);
    for round in 0..3 {
        world.programs[writer].deaf = true;
        let lost = world.run(writer, append("log", &(3 + round).to_string()));
        assert!(world.ended(writer, lost).is_none());
        world.programs[writer].deaf = false;
        world.break_connection(writer);
        world.break_connection(reader);
        world.pass(50);
        assert_eq!(place(&world, writer, lost), (0, 3 + round));
    }
    assert_eq!(got(&world, reader, id), numbers(0..6));
}

#[test]
fn what_was_confirmed_is_there_after_a_crash_of_host_or_machine_and_is_appended_once() {
    for is_power_cut in [false, true] {
        let mut world = World::new();
        let (writer, reader) = (world.program(), world.program());
        world.run(writer, declare("log", StreamOptions::default()));
        let id = world.run(reader, read("log", Start::Beginning, true));
        fill(&mut world, writer, "log", 0..3);
        world.programs[writer].deaf = true;
        let lost = world.run(writer, append("log", "3"));
        world.programs[writer].deaf = false;
        if is_power_cut {
            world.cut_power();
        } else {
            world.change_host();
        }
        world.pass(100);
        assert_eq!(place(&world, writer, lost), (0, 3), "the next host knows it");
        fill(&mut world, writer, "log", 4..6);
        assert_eq!(got(&world, reader, id), numbers(0..6));
    }
}

#[test]
fn a_stream_in_memory_is_handed_over_at_a_clean_end_and_lost_at_a_kill() {
    let mut world = World::new();
    let program = world.program();
    world.run(program, declare("log", plain(Durability::Memory)));
    fill(&mut world, program, "log", 0..3);
    world.hand_over();
    world.pass(100);
    fill(&mut world, program, "log", 3..4);
    let id = world.run(program, read("log", Start::Beginning, false));
    assert_eq!(got(&world, program, id), numbers(0..4));
    world.change_host();
    world.pass(100);
    let figures = info(&mut world, program, "log").partitions[0];
    assert_eq!((figures.first, figures.next), (figures.next, figures.first), "it is empty");
    let id = world.run(program, append("log", "x"));
    assert!(world.outcome(program, id).is_ok());
}

#[test]
fn who_follows_a_stream_in_memory_hears_that_it_was_lost_though_as_much_was_appended_since() {
    let mut world = World::new();
    let (reader, other) = (world.program(), world.program());
    world.run(other, declare("log", plain(Durability::Memory)));
    fill(&mut world, other, "log", 0..3);
    let id = world.run(reader, read("log", Start::Beginning, true));
    assert_eq!(got(&world, reader, id), numbers(0..3));
    world.programs[reader].cut = true;
    world.change_host();
    world.pass(100);
    for number in 3..10 {
        let id = world.run(other, append("log", &number.to_string()));
        assert!(world.outcome(other, id).is_ok());
    }
    world.programs[reader].cut = false;
    world.pass(10_000);
    let error = world.outcome(reader, id).unwrap_err();
    assert_eq!(error.kind(), Kind::OutOfRange, "{error}");
    assert_eq!(got(&world, reader, id), numbers(0..3), "and nothing was left out of the middle");
}

#[test]
fn what_is_no_longer_in_memory_is_read_from_disk_and_once_for_all_who_want_it() {
    let sizes = Sizes { resident_max: 2_000, ..Sizes::default() };
    let mut world = World::with_sizes(sizes);
    let (writer, reader) = (world.program(), world.program());
    world.run(writer, declare("log", StreamOptions::default()));
    fill(&mut world, writer, "log", 0..100);
    let reads = world.disk.records_read;
    let readers = [(); 20].map(|()| world.start(reader, read("log", Start::Beginning, false)));
    world.settle();
    for id in readers {
        assert_eq!(got(&world, reader, id), numbers(0..100));
    }
    assert!(world.disk.records_read > reads, "it was not in memory");
    assert!(
        world.disk.records_read - reads <= 200,
        "{} reads for 100 batches",
        world.disk.records_read - reads
    );
}

#[test]
fn a_thousand_readers_that_wait_at_one_place_cause_one_read_of_the_disk() {
    let sizes = Sizes { resident_max: 2_000, ..Sizes::default() };
    let mut world = World::with_sizes(sizes);
    let programs = [(); 10].map(|()| world.program());
    world.run(programs[0], declare("log", StreamOptions::default()));
    world.run(programs[0], declare("other", StreamOptions::default()));
    fill(&mut world, programs[0], "log", 0..1);
    world.run(programs[0], append("other", &"x".repeat(3_000)));
    let before = world.disk.records_read;
    world.disk.is_paused = true;
    let readers: Vec<(usize, Id)> = (0..1_000)
        .map(|number| programs[number % programs.len()])
        .map(|program| (program, world.start(program, read("log", Start::Beginning, true))))
        .collect();
    world.settle();
    assert_eq!(world.disk.waiting.len(), 1, "{:?}", world.disk.waiting);
    world.disk.is_paused = false;
    world.settle();
    for (program, id) in readers {
        assert_eq!(got(&world, program, id), numbers(0..1));
    }
    assert_eq!(world.disk.records_read - before, 1);
}

#[test]
fn records_outlive_the_segments_in_which_they_were_written() {
    let sizes = Sizes {
        segment: (16_384, 16_384),
        garbage_min: 32_768,
        unsynced_max: 32_768,
        resident_max: 2_000,
        ..Sizes::default()
    };
    let mut world = World::with_sizes(sizes);
    let program = world.program();
    world.run(program, declare("kept", plain(Durability::Os)));
    let few = StreamOptions { records_max: 5, ..plain(Durability::Os) };
    world.run(program, declare("busy", few));
    fill(&mut world, program, "kept", 0..10);
    let large = "x".repeat(1_000);
    for _ in 0..400 {
        world.run(program, append("busy", &large));
    }
    let oldest = *world.disk.files.keys().min().expect("a segment");
    assert!(oldest > 3, "old segments go: {oldest}");
    for _ in 0..2 {
        let id = world.run(program, read("kept", Start::Beginning, false));
        assert_eq!(got(&world, program, id), numbers(0..10));
        world.cut_power();
        world.pass(100);
    }
    fill(&mut world, program, "kept", 10..12);
}

#[test]
fn whoever_reads_a_stream_that_is_deleted_hears_so_and_a_new_one_of_that_name_is_another() {
    let mut world = World::new();
    let (writer, reader) = (world.program(), world.program());
    world.run(writer, declare("log", StreamOptions::default()));
    fill(&mut world, writer, "log", 0..3);
    let id = world.run(reader, read("log", Start::Beginning, true));
    let gone = world.run(writer, Command::DeleteStream { stream: name("log") });
    assert!(world.outcome(writer, gone).is_ok());
    assert_eq!(world.kind(reader, id), Kind::NotFound);
    let again = world.run(writer, Command::DeleteStream { stream: name("log") });
    assert_eq!(world.kind(writer, again), Kind::NotFound);
    let options = StreamOptions { partitions: 3, ..StreamOptions::default() };
    world.run(writer, declare("log", options));
    // The program knew it with one partition: it is told, and asks anew.
    let stale = world.run(writer, append("log", "x"));
    assert_eq!(world.kind(writer, stale), Kind::Mismatch);
    let id = world.run(writer, append("log", "x"));
    assert_eq!(place(&world, writer, id).1, 0);
    world.change_host();
    world.pass(100);
    assert_eq!(info(&mut world, writer, "log").partitions.len(), 3);
}

#[test]
fn an_append_that_is_cancelled_before_it_was_sent_is_not_appended() {
    let mut world = World::new();
    let program = world.program();
    world.run(program, declare("log", StreamOptions::default()));
    fill(&mut world, program, "log", 0..1);
    let first = world.start(program, append("log", "1"));
    let second = world.start(program, append("log", "never"));
    let third = world.start(program, append("log", "2"));
    world.programs[program].client.cancel(world.now, second);
    world.settle();
    assert_eq!(place(&world, program, first), (0, 1));
    assert_eq!(world.kind(program, second), Kind::Cancelled);
    assert!(!world.outcome(program, second).unwrap_err().maybe_executed());
    assert_eq!(place(&world, program, third), (0, 2));
}

#[test]
fn streams_are_listed_by_name() {
    let mut world = World::new();
    let program = world.program();
    for stream in ["b", "a", "c"] {
        world.run(program, declare(stream, StreamOptions::default()));
    }
    let id = world.run(program, Command::ListStreams { after: Some(name("a")) });
    let Ok(Outcome::Streams(streams)) = world.outcome(program, id) else { panic!("no list") };
    let names: Vec<&str> = streams.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["b", "c"]);
}

#[test]
fn compressed_records_take_less_room_and_are_read_as_they_were() {
    let mut sizes = Vec::new();
    for compression in [None, Some(Compression::Lz4), Some(Compression::Zstd)] {
        let sizes_of_world = Sizes { resident_max: 1_000, ..Sizes::default() };
        let mut world = World::with_sizes(sizes_of_world);
        let (writer, reader) = (world.program(), world.program());
        let options = StreamOptions { compression, ..plain(Durability::Disk) };
        world.run(writer, declare("log", options));
        let bodies: Vec<String> = (0..100).map(|at| format!("{at} ").repeat(100)).collect();
        let ids: Vec<Id> =
            bodies.iter().map(|body| world.start(writer, append("log", body))).collect();
        world.settle();
        let wanted: Vec<String> =
            bodies.iter().zip(0..).map(|(body, at)| format!("0 {at} {body}")).collect();
        for (id, at) in ids.into_iter().zip(0..) {
            assert_eq!(place(&world, writer, id), (0, at));
        }
        assert_eq!(all(&mut world, reader, "log"), wanted);
        sizes.push(info(&mut world, writer, "log").partitions[0].bytes);
        world.cut_power();
        world.pass(100);
        assert_eq!(all(&mut world, reader, "log"), wanted, "{compression:?}");
    }
    assert!(sizes[1] * 3 < sizes[0] && sizes[2] * 3 < sizes[0], "{sizes:?}");
}

#[test]
fn what_is_on_its_way_to_a_reader_is_bounded_by_what_it_unpacks_to() {
    let mut world = World::new();
    let program = world.program();
    let options = StreamOptions { compression: Some(Compression::Zstd), ..plain(Durability::Os) };
    world.run(program, declare("log", options));
    for _ in 0..10 {
        world.run(program, append("log", &"x".repeat(100_000)));
    }
    assert!(info(&mut world, program, "log").partitions[0].bytes < 10_000);
    let reading = Reading { buffer: 250_000, ..Reading::default() };
    let id = world.run(program, Command::Read { stream: name("log"), reading: Box::new(reading) });
    for taken in 0..7 {
        assert_eq!(got(&world, program, id).len(), taken + 3);
        take(&mut world, program, id, 1);
    }
}
