//! Streams when something goes wrong: records that are lost on their way, a disk that is behind, a
//! stream that is made anew, limits that overtake a reader.

mod support;

use support::streams::*;
use support::{World, declare_on_disk, name, on, send};
use telpher_proto::base::limits::Sizes;
use telpher_proto::base::{
    Command, Durability, Id, Kind, Message, Outcome, Part, Reading, Start, StreamOptions,
};

#[test]
fn a_new_stream_under_the_next_host_is_no_deleted_one() {
    let mut world = World::new();
    let (writer, reader) = (world.program(), world.program());
    world.run(writer, declare("log", StreamOptions::default()));
    fill(&mut world, writer, "log", 0..3);
    let id = world.run(reader, read("log", Start::Beginning, true));
    assert_eq!(got(&world, reader, id), numbers(0..3));
    world.programs[reader].deaf = true;
    let gone = world.run(writer, Command::DeleteStream { stream: name("log") });
    assert!(world.outcome(writer, gone).is_ok());
    world.change_host();
    world.programs[reader].deaf = true;
    world.pass(10);
    world.run(writer, declare("log", StreamOptions::default()));
    for number in 0..5 {
        world.run(writer, append("log", &format!("new {number}")));
    }
    world.programs[reader].deaf = false;
    world.break_connection(reader);
    world.pass(200);
    assert_eq!(got(&world, reader, id), numbers(0..3), "nothing of the new one");
    assert_eq!(world.kind(reader, id), Kind::NotFound);
}

#[test]
fn what_is_gathered_is_no_more_than_a_partition_keeps() {
    let mut world = World::new();
    let program = world.program();
    let options = StreamOptions { bytes_max: 4_096, ..StreamOptions::default() };
    world.run(program, declare("log", options));
    let body = "x".repeat(100);
    let ids: Vec<Id> = (0..100).map(|_| world.start(program, append("log", &body))).collect();
    world.settle();
    for (id, offset) in ids.into_iter().zip(0..) {
        assert_eq!(place(&world, program, id), (0, offset));
    }
    assert!(info(&mut world, program, "log").partitions[0].bytes <= 4_096);
}

#[test]
fn an_append_that_waits_for_the_disk_until_its_time_is_over_is_refused() {
    let sizes = Sizes { pending_max: 2_000, ..Sizes::default() };
    let mut world = World::with_sizes(sizes);
    let (first, second, third) = (world.program(), world.program(), world.program());
    world.run(first, declare("log", StreamOptions::default()));
    for (program, number) in [(first, 0), (second, 1), (third, 2)] {
        fill(&mut world, program, "log", number..number + 1);
    }
    world.disk.is_paused = true;
    // One is being written, and one waits for that: the disk is behind.
    let large = [first, second].map(|program| {
        let id = world.start(program, append("log", &"x".repeat(5_000)));
        world.settle();
        (program, id)
    });
    let late = world.start_within(third, append("log", "late"), Some(40));
    world.settle();
    world.pass(100);
    assert_eq!(world.kind(third, late), Kind::Full);
    assert!(!world.outcome(third, late).unwrap_err().maybe_executed());
    world.disk.is_paused = false;
    world.settle();
    for ((program, id), offset) in large.into_iter().zip(3..) {
        assert_eq!(place(&world, program, id), (0, offset));
    }
    fill(&mut world, third, "log", 5..7);
}

#[test]
fn a_batch_waits_for_the_disk_as_an_append_does() {
    let sizes = Sizes { pending_max: 2_000, ..Sizes::default() };
    let mut world = World::with_sizes(sizes);
    let (first, second, third) = (world.program(), world.program(), world.program());
    world.run(first, declare("log", StreamOptions::default()));
    world.run(first, declare("other", StreamOptions::default()));
    for (program, number) in [(first, 0), (second, 1), (third, 2)] {
        fill(&mut world, program, "log", number..number + 1);
    }
    world.disk.is_paused = true;
    for program in [first, second] {
        world.start(program, append("log", &"x".repeat(5_000)));
        world.settle();
    }
    let batch = |body: &str| {
        let message = Message::new(body.as_bytes().to_vec());
        let (stream, partition, expect) = (name("other"), None, None);
        Command::Batch { parts: vec![Part::Append { stream, message, partition, expect }] }
    };
    let late = world.start_within(third, batch("late"), Some(40));
    let waiting = world.start_within(third, batch("in time"), Some(10_000));
    let dropped = world.start_within(third, batch("dropped"), Some(10_000));
    world.settle();
    world.programs[third].client.cancel(world.now, dropped);
    world.settle();
    world.pass(100);
    assert_eq!(world.kind(third, late), Kind::Full);
    assert!(!world.outcome(third, late).unwrap_err().maybe_executed());
    assert!(world.ended(third, waiting).is_none());
    world.disk.is_paused = false;
    world.settle();
    world.pass(10);
    assert!(world.outcome(third, waiting).is_ok(), "{:?}", world.outcome(third, waiting));
    assert_eq!(all(&mut world, third, "other"), ["0 0 in time"]);
}

#[test]
fn a_batch_that_waits_for_the_disk_goes_before_a_send_that_came_later() {
    let mut world = World::with_sizes(Sizes { pending_max: 2_000, ..Sizes::default() });
    let programs = [world.program(), world.program(), world.program()];
    world.run(programs[0], declare("log", StreamOptions::default()));
    world.run(programs[0], declare_on_disk("jobs", on(Durability::Os)));
    for program in programs {
        world.run(program, append("log", "early"));
        world.run(program, send("jobs", "early"));
    }
    world.disk.is_paused = true;
    for program in &programs[..2] {
        world.start(*program, append("log", &"x".repeat(5_000)));
        world.settle();
    }
    let program = programs[2];
    let parts = vec![Part::Send { queue: name("jobs"), message: Message::new("in a batch") }];
    let batch = world.start(program, Command::Batch { parts });
    let later = world.start(program, send("jobs", "later"));
    world.settle();
    assert!(world.ended(program, batch).is_none() && world.ended(program, later).is_none());
    world.disk.is_paused = false;
    world.settle();
    assert!(world.outcome(program, batch).is_ok(), "{:?}", world.outcome(program, batch));
    let id = world.run(program, Command::Peek { queue: name("jobs"), count: 9 });
    let Ok(Outcome::Peeked(waiting)) = world.outcome(program, id) else { panic!("it is there") };
    let bodies: Vec<_> = waiting.iter().map(|peeked| &peeked.message.body[..]).collect();
    assert_eq!(bodies[3..], [&b"in a batch"[..], b"later"]);
}

#[test]
fn what_was_gathered_keeps_its_order_when_the_stream_is_asked_for_anew() {
    let mut world = World::new();
    let (program, other) = (world.program(), world.program());
    // One record fills a batch, so that the others are gathered behind it.
    let two = StreamOptions { partitions: 2, bytes_max: 1_000, ..StreamOptions::default() };
    world.run(program, declare("log", two.clone()));
    let body = "x".repeat(600);
    let anywhere = || append("log", &body);
    let to_first = || append_as("log", Message::new(body.clone()), Some(0), None);
    world.run(program, anywhere());
    world.run(other, Command::DeleteStream { stream: name("log") });
    world.run(other, declare("log", StreamOptions { partitions: 1, ..two }));
    // Those without a key go to the second partition, as far as is known.
    let ids = [(); 3]
        .map(|()| [to_first(), anywhere()])
        .map(|commands| commands.map(|command| world.start(program, command)));
    world.settle();
    let [stale, gathered @ ..] = ids;
    for id in stale {
        assert_eq!(world.kind(program, id), Kind::Mismatch);
    }
    for (id, offset) in gathered.into_iter().flatten().zip(0..) {
        assert_eq!(place(&world, program, id), (0, offset));
    }
}

#[test]
fn a_reader_that_was_lost_on_the_way_before_it_was_live_begins_where_it_wanted_to() {
    for follow in [false, true] {
        let mut world = World::new();
        let (writer, reader) = (world.program(), world.program());
        world.run(writer, declare("log", StreamOptions::default()));
        fill(&mut world, writer, "log", 0..3);
        world.programs[reader].deaf = true;
        let ids = [Start::Beginning, Start::Offset(1)]
            .map(|start| world.run(reader, read("log", start, follow)));
        world.programs[reader].deaf = false;
        world.break_connection(reader);
        world.pass(50);
        for (id, from) in ids.into_iter().zip(0..) {
            assert_eq!(got(&world, reader, id), numbers(from..3));
        }
    }
}

#[test]
fn what_was_lost_on_the_way_of_a_partition_that_was_at_its_end_comes_again() {
    let mut world = World::new();
    let (writer, reader) = (world.program(), world.program());
    let options = StreamOptions { partitions: 2, ..StreamOptions::default() };
    world.run(writer, declare("log", options));
    let large = "x".repeat(400);
    for (partition, body) in [(0, &*large), (0, "1"), (1, "0"), (1, "1"), (1, &*large), (1, "3")] {
        world.run(writer, append_as("log", Message::new(body.to_owned()), Some(partition), None));
    }
    let reading = Reading { buffer: 300, ..Reading::default() };
    let id = world.run(reader, Command::Read { stream: name("log"), reading: Box::new(reading) });
    assert_eq!(got(&world, reader, id).len(), 1);
    world.programs[reader].deaf = true;
    take(&mut world, reader, id, 1);
    world.programs[reader].deaf = false;
    world.break_connection(reader);
    world.pass(50);
    for _ in 0..5 {
        take(&mut world, reader, id, 1);
    }
    let mut places: Vec<String> = got(&world, reader, id);
    places.sort();
    let places: Vec<&str> = places.iter().map(|place| &place[..3]).collect();
    assert_eq!(places, ["0 0", "0 1", "1 0", "1 1", "1 2", "1 3"]);
    assert!(matches!(world.outcome(reader, id), Ok(Outcome::Empty)));
}

#[test]
fn a_reader_hears_so_when_what_is_read_for_it_from_disk_is_removed_meanwhile() {
    let mut world = World::with_sizes(Sizes { resident_max: 0, ..Sizes::default() });
    let (writer, reader) = (world.program(), world.program());
    let options = StreamOptions { records_max: 1, ..StreamOptions::default() };
    world.run(writer, declare("log", options));
    fill(&mut world, writer, "log", 0..1);
    world.disk.is_paused = true;
    let last = world.run(writer, append("log", "1"));
    let id = world.run(reader, read("log", Start::Beginning, true));
    world.disk.is_paused = false;
    world.settle();
    assert_eq!(place(&world, writer, last), (0, 1));
    assert!(got(&world, reader, id).is_empty());
    assert_eq!(world.kind(reader, id), Kind::OutOfRange);
}
