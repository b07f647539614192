//! What tests of streams share.
#![allow(dead_code, reason = "each test file uses its part")]

use telpher_proto::base::{
    Command, Durability, Id, Message, Outcome, Reading, Start, StreamInfo, StreamOptions, Untaken,
    What,
};

use super::{World, name};

pub fn declare(stream: &str, options: StreamOptions) -> Command {
    Command::DeclareStream { stream: name(stream), options }
}

pub fn plain(durability: Durability) -> StreamOptions {
    StreamOptions { durability: Some(durability), ..StreamOptions::default() }
}

pub fn append(stream: &str, body: &str) -> Command {
    append_as(stream, Message::new(body.as_bytes().to_vec()), None, None)
}

pub fn append_as(
    stream: &str,
    message: Message,
    partition: Option<u32>,
    expect: Option<u64>,
) -> Command {
    Command::Append { stream: name(stream), message, partition, expect }
}

pub fn keyed(stream: &str, key: &str, body: &str) -> Command {
    let mut message = Message::new(body.as_bytes().to_vec());
    message.properties_mut().key = key.as_bytes().to_vec().into();
    append_as(stream, message, None, None)
}

pub fn read(stream: &str, start: Start, follow: bool) -> Command {
    let reading = Reading { start, follow, ..Reading::default() };
    Command::Read { stream: name(stream), reading: Box::new(reading) }
}

/// Where a record went: partition and offset.
pub fn place(world: &World, program: usize, id: Id) -> (u32, u64) {
    match world.outcome(program, id) {
        Ok(Outcome::Appended(appended)) => (appended.partition, appended.offset),
        other => panic!("{other:?}"),
    }
}

/// What a reader has got: `partition offset body`.
pub fn got(world: &World, program: usize, reader: Id) -> Vec<String> {
    let events = world.programs[program].events.iter().filter(|event| event.id == reader);
    let records = events.filter_map(|event| match &event.what {
        What::Record(record) => {
            let body = String::from_utf8_lossy(&record.message.body).into_owned();
            Some(format!("{} {} {body}", record.partition, record.offset))
        }
        _ => None,
    });
    records.collect()
}

pub fn take(world: &mut World, program: usize, reader: Id, count: u32) {
    world.programs[program].client.taken(world.now, reader, Untaken { count, bytes: 0 });
    world.settle();
}

pub fn info(world: &mut World, program: usize, stream: &str) -> StreamInfo {
    let id = world.run(program, Command::InspectStream { stream: name(stream) });
    match world.outcome(program, id) {
        Ok(Outcome::Stream(info)) => *info,
        other => panic!("{other:?}"),
    }
}

pub fn numbers(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|number| format!("0 {number} {number}")).collect()
}

pub fn fill(world: &mut World, program: usize, stream: &str, range: std::ops::Range<u64>) {
    for number in range {
        let id = world.run(program, append(stream, &number.to_string()));
        assert_eq!(place(world, program, id), (0, number));
    }
}

pub fn text(world: &World, program: usize, id: Id) -> String {
    world.outcome(program, id).expect_err("an error").detail().to_owned()
}

/// What a reader has got of a stream, from its beginning to its end.
pub fn all(world: &mut World, program: usize, stream: &str) -> Vec<String> {
    let id = world.run(program, read(stream, Start::Beginning, false));
    let records = got(world, program, id);
    assert!(matches!(world.outcome(program, id), Ok(Outcome::Empty)), "{records:?}");
    records
}
