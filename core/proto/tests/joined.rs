//! Batches that join streams and queues: all of it or nothing, also after a crash.

mod support;

use support::*;
use telpher_proto::base::limits::Sizes;
use telpher_proto::base::{
    Command, Durability, Id, Kind, Message, Outcome, Part, QueueOptions, Reading, Start,
    StreamOptions, StreamRecord, What,
};

fn part(stream: &str, body: &str, expect: Option<u64>) -> Part {
    let (stream, message) = (name(stream), Message::new(body.as_bytes().to_vec()));
    let partition = expect.map(|_| 0);
    Part::Append { stream, message, partition, expect }
}

fn send_part(queue: &str, body: &str) -> Part {
    Part::Send { queue: name(queue), message: Message::new(body.as_bytes().to_vec()) }
}

fn commit_part(reader: Id, record: &StreamRecord) -> Part {
    let StreamRecord { partition, generation, offset, .. } = *record;
    Part::Commit { reader, partition, generation, next: offset + 1 }
}

fn declare(stream: &str, durability: Durability) -> Command {
    let options = StreamOptions { durability: Some(durability), ..StreamOptions::default() };
    Command::DeclareStream { stream: name(stream), options }
}

fn queue(durability: Durability) -> Command {
    let options = QueueOptions { durability: Some(durability), ..QueueOptions::default() };
    Command::Declare { queue: name("out"), options }
}

fn records(world: &World, program: usize, reader: Id) -> Vec<StreamRecord> {
    let events = world.programs[program].events.iter().filter(|event| event.id == reader);
    let records = events.filter_map(|event| match &event.what {
        What::Record(record) => Some(record.clone()),
        _ => None,
    });
    records.collect()
}

fn read_all(world: &mut World, program: usize, stream: &str) -> Vec<String> {
    let command = Command::Read { stream: name(stream), reading: Box::default() };
    let id = world.run(program, command);
    let all = records(world, program, id);
    all.iter().map(|record| String::from_utf8_lossy(&record.message.body).into_owned()).collect()
}

fn batch(world: &mut World, program: usize, parts: Vec<Part>) -> Id {
    world.run(program, Command::Batch { parts })
}

fn place(world: &mut World, program: usize, stream: &str) -> u64 {
    let id = world.run(program, Command::Groups { stream: name(stream) });
    match world.outcome(program, id) {
        Ok(Outcome::Groups(groups)) => groups[0].places[0].next,
        other => panic!("{other:?}"),
    }
}

/// A stream with records 0 to 2, a queue, and a member of a group that reads.
fn world() -> (World, usize, Id) {
    let mut world = World::new();
    let program = world.program();
    world.run(program, declare("in", Durability::Os));
    world.run(program, declare("log", Durability::Disk));
    world.run(program, queue(Durability::Disk));
    for number in 0..3 {
        batch(&mut world, program, vec![part("in", &number.to_string(), None)]);
    }
    let reading = Reading { group: Some(name("workers")), ..Reading::default() };
    let reader =
        world.run(program, Command::Read { stream: name("in"), reading: Box::new(reading) });
    (world, program, reader)
}

#[test]
fn what_is_read_sent_appended_and_committed_in_one_batch_is_done_whole() {
    let (mut world, program, reader) = world();
    let first = records(&world, program, reader)[0].clone();
    let parts = vec![send_part("out", "a"), part("log", "b", None), commit_part(reader, &first)];
    let id = batch(&mut world, program, parts);
    let Ok(Outcome::Receipts(receipts)) = world.outcome(program, id) else { panic!("refused") };
    assert_eq!((receipts.len(), receipts[0].durability), (1, Durability::Disk));
    world.cut_power();
    world.pass(100);
    assert_eq!(world.figures(program, "out").0, 1);
    assert_eq!(read_all(&mut world, program, "log"), ["b"]);
    assert_eq!(place(&mut world, program, "in"), 1);
}

#[test]
fn a_batch_of_which_one_part_is_refused_does_nothing_and_says_which() {
    let (mut world, program, reader) = world();
    let first = records(&world, program, reader)[0].clone();
    let stale = StreamRecord { generation: first.generation + 7, ..first.clone() };
    let commit = commit_part(reader, &first);
    for (last, kind) in [
        (part("log", "x", Some(9)), Kind::Conflict),
        (part("none", "x", None), Kind::NotFound),
        (commit_part(reader, &stale), Kind::LeaseLost),
        (send_part("nowhere", "x"), Kind::NotFound),
    ] {
        let parts = vec![part("log", "b", Some(0)), send_part("out", "a"), commit.clone(), last];
        let id = batch(&mut world, program, parts);
        let error = world.outcome(program, id).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.detail().starts_with("part 3 of the batch: "), "{}", error.detail());
    }
    assert_eq!(world.figures(program, "out").0, 0);
    assert!(read_all(&mut world, program, "log").is_empty());
    assert_eq!(place(&mut world, program, "in"), 0);
}

#[test]
fn several_records_of_one_batch_follow_each_other_and_may_expect_their_offsets() {
    let (mut world, program, _) = world();
    let parts = (0..5).map(|number| part("log", &number.to_string(), Some(number))).collect();
    let id = batch(&mut world, program, parts);
    assert!(world.outcome(program, id).is_ok());
    assert_eq!(read_all(&mut world, program, "log"), ["0", "1", "2", "3", "4"]);
}

#[test]
fn a_batch_whose_answer_was_lost_is_done_once_over_all_hosts() {
    for is_power_cut in [false, true] {
        let (mut world, program, reader) = world();
        let first = records(&world, program, reader)[0].clone();
        world.programs[program].deaf = true;
        let parts = vec![part("log", "b", None), commit_part(reader, &first)];
        let id = batch(&mut world, program, parts);
        world.programs[program].deaf = false;
        if is_power_cut {
            world.cut_power();
        } else {
            world.change_host();
        }
        world.pass(100);
        assert!(world.outcome(program, id).is_ok());
        assert_eq!(read_all(&mut world, program, "log"), ["b"]);
        assert_eq!(place(&mut world, program, "in"), 1);
    }
}

#[test]
fn what_a_batch_has_appended_is_read_from_disk_when_it_has_left_memory() {
    let mut world = World::with_sizes(Sizes { resident_max: 200, ..Sizes::default() });
    let program = world.program();
    world.run(program, declare("log", Durability::Os));
    for number in (0..40).step_by(2) {
        let parts = (number..number + 2).map(|n| part("log", &n.to_string(), None)).collect();
        batch(&mut world, program, parts);
    }
    let before = world.disk.records_read;
    let expected: Vec<String> = (0..40).map(|number: u32| number.to_string()).collect();
    assert_eq!(read_all(&mut world, program, "log"), expected);
    assert!(world.disk.records_read > before);
}

#[test]
fn what_is_kept_in_memory_and_what_is_on_disk_can_not_be_in_one_batch() {
    let (mut world, program, _) = world();
    world.run(program, declare("fast", Durability::Memory));
    let id = batch(&mut world, program, vec![part("fast", "x", None), send_part("out", "a")]);
    assert_eq!(world.kind(program, id), Kind::Unsupported);
    let id = batch(&mut world, program, vec![part("fast", "x", None), part("fast", "y", None)]);
    assert!(world.outcome(program, id).is_ok());
    assert_eq!(read_all(&mut world, program, "fast"), ["x", "y"]);
}

#[test]
fn a_reader_that_crashes_again_and_again_changes_the_state_exactly_once_for_each_record() {
    let (mut world, program, first) = world();
    world.programs[program].client.detach(world.now, first);
    world.settle();
    for round in 0..6 {
        let worker = world.program();
        let reading =
            Reading { group: Some(name("workers")), start: Start::Beginning, ..Reading::default() };
        let reader =
            world.run(worker, Command::Read { stream: name("in"), reading: Box::new(reading) });
        for record in records(&world, worker, reader).iter().take(1) {
            let body = format!("{}", record.offset);
            // It is killed right after it has sent the batch, or before, or after the answer.
            world.programs[worker].deaf = round % 3 == 1;
            if round % 3 != 0 {
                let parts = vec![send_part("out", &body), commit_part(reader, record)];
                batch(&mut world, worker, parts);
            }
        }
        world.kill(worker);
        match round % 2 {
            0 => world.change_host(),
            _ => world.cut_power(),
        }
        world.pass(6_000);
    }
    assert_eq!(place(&mut world, program, "in"), 3);
    assert_eq!(world.figures(program, "out").0, 3, "one for each record");
}

#[test]
fn what_a_batch_appends_to_one_partition_is_kept_as_one_batch_there() {
    let mut world = World::new();
    let program = world.program();
    world.run(program, declare("log", Durability::Disk));
    let parts = (0..100).map(|number| part("log", &number.to_string(), None)).collect();
    let id = batch(&mut world, program, parts);
    assert!(world.outcome(program, id).is_ok());
    let bodies: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    assert_eq!(read_all(&mut world, program, "log"), bodies);
    let id = world.run(program, Command::InspectStream { stream: name("log") });
    let Ok(Outcome::Stream(info)) = world.outcome(program, id) else { panic!("its figures") };
    assert!(info.partitions[0].bytes < 100 * 20, "{} bytes", info.partitions[0].bytes);
}
