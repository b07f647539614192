//! What tests of reader groups share.
#![allow(dead_code, reason = "each test file uses its part")]

use telpher_proto::base::{
    Command, GroupInfo, Id, Message, Outcome, Reading, StreamOptions, StreamRecord, Untaken, What,
};

use super::{World, name};

pub const PARTITIONS: u32 = 4;

/// A world with a stream of four partitions.
pub fn world() -> (World, usize) {
    let mut world = World::new();
    let program = world.program();
    let options = StreamOptions { partitions: PARTITIONS, ..StreamOptions::default() };
    world.run(program, Command::DeclareStream { stream: name("log"), options });
    (world, program)
}

pub fn append(world: &mut World, program: usize, partition: u32, body: &str) {
    let (stream, message) = (name("log"), Message::new(body.as_bytes().to_vec()));
    let command = Command::Append { stream, message, partition: Some(partition), expect: None };
    let id = world.run(program, command);
    assert!(world.outcome(program, id).is_ok());
}

pub fn fill(world: &mut World, program: usize, count: u32) {
    for number in 0..count {
        for partition in 0..PARTITIONS {
            append(world, program, partition, &number.to_string());
        }
    }
}

pub fn join(world: &mut World, program: usize) -> Id {
    let reading = Reading { group: Some(name("billing")), ..Reading::default() };
    world.run(program, Command::Read { stream: name("log"), reading: Box::new(reading) })
}

pub fn records(world: &World, program: usize, reader: Id) -> Vec<StreamRecord> {
    let events = world.programs[program].events.iter().filter(|event| event.id == reader);
    let records = events.filter_map(|event| match &event.what {
        What::Record(record) => Some(record.clone()),
        _ => None,
    });
    records.collect()
}

/// The partitions of which a reader has got something.
pub fn partitions(world: &World, program: usize, reader: Id) -> Vec<u32> {
    let mut all: Vec<u32> =
        records(world, program, reader).iter().map(|record| record.partition).collect();
    all.sort_unstable();
    all.dedup();
    all
}

pub fn commit(world: &mut World, program: usize, reader: Id, record: &StreamRecord) -> Id {
    let StreamRecord { partition, generation, offset, .. } = *record;
    let command = Command::Commit { reader, partition, generation, next: offset + 1 };
    world.run(program, command)
}

/// Commits everything that a reader has got.
pub fn commit_all(world: &mut World, program: usize, reader: Id) {
    for record in records(world, program, reader) {
        commit(world, program, reader, &record);
    }
}

pub fn take_all(world: &mut World, program: usize, reader: Id) {
    let count = records(world, program, reader).len() as u32;
    world.programs[program].client.taken(world.now, reader, Untaken { count, bytes: 0 });
    world.settle();
}

pub fn group(world: &mut World, program: usize) -> GroupInfo {
    let id = world.run(program, Command::Groups { stream: name("log") });
    match world.outcome(program, id) {
        Ok(Outcome::Groups(mut groups)) => groups.remove(0),
        other => panic!("{other:?}"),
    }
}

pub fn places(world: &mut World, program: usize) -> Vec<(u64, u64)> {
    group(world, program).places.iter().map(|place| (place.next, place.lag)).collect()
}
