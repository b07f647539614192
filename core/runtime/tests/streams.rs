//! Streams over real handles, sockets and files.

mod support;

use std::time::Duration;

use support::*;
use telpher::{
    Command, Done, Drive, Durability, Event, Hub, Kind, Message, Name, OpenOptions, Reading, Start,
    StreamOptions, Timeout, What,
};

const LONG: Duration = Duration::from_secs(20);

fn message(key: &str, body: String) -> Message {
    let mut message = Message::new(body);
    message.properties_mut().key = key.to_owned().into();
    message
}

#[test]
fn what_many_threads_append_is_read_whole_and_each_ones_in_order() {
    let hub = telpher::open("mem://streams-many").unwrap();
    let options = StreamOptions { partitions: 3, ..StreamOptions::default() };
    hub.stream("log").unwrap().declare(options).unwrap();
    let threads = ["a", "b", "c", "d"].map(|key| {
        let hub = hub.clone();
        std::thread::spawn(move || {
            let stream = hub.stream("log").unwrap();
            let mut last = None;
            for hundred in 0..20 {
                let numbers = hundred * 100..(hundred + 1) * 100;
                let started = numbers
                    .map(|number: u32| stream.start_append(message(key, number.to_string())))
                    .collect::<Vec<_>>();
                for pending in started {
                    let appended = pending.unwrap().wait().unwrap();
                    assert!(last.is_none_or(|last| last < appended.offset));
                    last = Some(appended.offset);
                }
            }
        })
    });
    let reading = Reading { follow: true, buffer: 10_000, ..Reading::default() };
    let reader = hub.stream("log").unwrap().read(reading).unwrap();
    let mut next = std::collections::HashMap::<Vec<u8>, u32>::new();
    let mut offsets = [0; 3];
    for _ in 0..8_000 {
        let record = reader.receive(LONG).unwrap().expect("a record in time");
        let offset = &mut offsets[record.partition as usize];
        assert_eq!(record.offset, *offset);
        *offset += 1;
        let key = record.message.properties.as_ref().unwrap().key.to_vec();
        let number = next.entry(key).or_default();
        assert_eq!(record.message.body, number.to_string());
        *number += 1;
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_stream_of_a_directory_is_there_for_the_next_host() {
    let directory = Scratch::new();
    let url = directory.url();
    for round in 0..3_u64 {
        let hub = telpher::open(&url).unwrap();
        let stream = hub.stream("log").unwrap();
        stream.declare(StreamOptions::default()).unwrap();
        for number in 0..50 {
            let appended = stream.append((round * 50 + number).to_string()).unwrap();
            assert_eq!(
                (appended.offset, appended.durability),
                (round * 50 + number, Durability::Disk)
            );
        }
        let reader = stream.read(Reading::default()).unwrap();
        let read = reader.iter().map(|record| record.unwrap().offset).collect::<Vec<_>>();
        assert_eq!(read, (0..(round + 1) * 50).collect::<Vec<_>>());
        hub.close(telpher::Timeout::Default).unwrap();
    }
}

#[test]
fn a_reader_waits_for_what_comes_and_ends_with_its_stream() {
    let hub = telpher::open("mem://streams-end").unwrap();
    let stream = hub.stream("log").unwrap();
    assert_eq!(stream.append("x").unwrap_err().kind(), Kind::NotFound);
    stream.declare(StreamOptions::default()).unwrap();
    stream.append("before").unwrap();
    let reading = Reading { start: Start::End, follow: true, ..Reading::default() };
    let reader = stream.read(reading).unwrap();
    let soon = reader.receive(Duration::from_millis(1));
    assert_eq!(soon.unwrap_err().kind(), Kind::Pending, "one may still come");
    stream.append("after").unwrap();
    assert_eq!(reader.receive(LONG).unwrap().unwrap().message.body, "after");
    stream.delete().unwrap();
    for _ in 0..2 {
        assert_eq!(reader.receive(LONG).unwrap_err().kind(), Kind::NotFound);
    }
}

#[test]
fn a_reader_at_its_end_is_told_from_one_whose_handle_was_closed() {
    let hub = telpher::open("mem://streams-at-the-end").unwrap();
    let stream = hub.stream("log").unwrap();
    stream.declare(StreamOptions::default()).unwrap();
    for body in ["one", "two", "three"] {
        stream.append(body).unwrap();
    }
    let read = stream.read(Reading::default()).unwrap();
    assert_eq!(read.receive(LONG).unwrap().unwrap().message.body, "one");
    let rest: Result<Vec<_>, _> =
        read.iter().map(|next| next.map(|record| record.offset)).collect();
    assert_eq!(rest.unwrap(), [1, 2]);
    assert!(read.receive(LONG).unwrap().is_none(), "it stays at its end");

    let follows = stream.read(Reading { follow: true, ..Reading::default() }).unwrap();
    assert_eq!(follows.iter().take(3).map(Result::unwrap).count(), 3);
    std::thread::scope(|scope| {
        let waiting = [(); 2].map(|()| scope.spawn(|| follows.receive(LONG)));
        hub.close(telpher::Timeout::Default).unwrap();
        for each in waiting {
            assert_eq!(each.join().unwrap().unwrap_err().kind(), Kind::Closed);
        }
    });
    let mut iter = follows.iter();
    assert_eq!(iter.next().unwrap().unwrap_err().kind(), Kind::Closed);
    assert!(iter.next().is_none(), "an iterator says it once");
    assert!(read.receive(LONG).unwrap().is_none(), "that one had read all");
}

/// A stream with so many records, and the id of a reader from its beginning; everything has arrived
/// that it sends.
fn arrived(hub: &Hub, count: u32, done: Done) -> u64 {
    let stream = hub.stream("log").unwrap();
    stream.declare(StreamOptions::default()).unwrap();
    for number in 0..count {
        stream.append(number.to_string()).unwrap();
    }
    let name = telpher::Name::parse("log").unwrap();
    let command = Command::Read { stream: name, reading: Box::default() };
    let id = hub.start(command, Timeout::Default, done).unwrap();
    stream.inspect().unwrap();
    id
}

#[test]
fn what_has_arrived_is_taken_without_waiting_and_without_a_turn() {
    let hub = telpher::open("mem://streams-taken").unwrap();
    let id = arrived(&hub, 3, Done::Wait);
    let mut taken = Vec::new();
    while let Some(event) = hub.take(id).unwrap() {
        taken.push(event.what);
        if matches!(taken.last(), Some(What::Done(Ok(_)))) {
            break;
        }
    }
    assert_eq!(taken.len(), 5);
    assert_eq!(hub.take(id).unwrap_err().kind(), Kind::Stale);

    // A handle without a thread gets nothing by it, however long that has been there.
    let options = OpenOptions { drive: Drive::Caller, ..OpenOptions::default() };
    let (caller, opening) =
        Hub::open("mem://streams-taken", options, Done::Wait, Done::None).unwrap();
    caller.wait(opening, LONG.into()).unwrap();
    let name = telpher::Name::parse("log").unwrap();
    let command = Command::Read { stream: name, reading: Box::default() };
    let id = caller.start(command, Timeout::Default, Done::Wait).unwrap();
    assert!(caller.take(id).unwrap().is_none());
    assert!(matches!(caller.wait(id, LONG.into()).unwrap().what, What::Started));
}

#[test]
fn a_reader_whose_handle_is_closed_does_not_seem_to_have_read_everything() {
    let hub = telpher::open("mem://streams-closed").unwrap();
    let waited = arrived(&hub, 10, Done::Wait);
    arrived(&hub, 10, Done::Event(7));
    hub.close(Timeout::Default).unwrap();
    let mut polled = Vec::new();
    assert_eq!(hub.poll(&mut polled, 100, Timeout::Default), Ok(1));
    polled.push(hub.wait(waited, LONG.into()).unwrap());
    for event in polled {
        let What::Done(Err(error)) = event.what else { panic!("{event:?}") };
        assert_eq!(error.kind(), Kind::Closed);
    }
}

#[test]
fn large_records_and_a_small_buffer_go_through() {
    let hub = telpher::open("mem://streams-large").unwrap();
    let stream = hub.stream("log").unwrap();
    stream.declare(StreamOptions::default()).unwrap();
    for number in 0..6_u8 {
        stream.append(vec![number; 3_000_000]).unwrap();
    }
    let reading = Reading { buffer: 1, ..Reading::default() };
    let reader = stream.read(reading).unwrap();
    let read = reader.iter().map(|record| record.unwrap().message.body).collect::<Vec<_>>();
    assert_eq!(read.len(), 6);
    assert!(read.iter().zip(0..).all(|(body, number)| body[..] == vec![number; 3_000_000]));
}

/// Polls until the reader is at its end, or as many records are there.
fn poll_records(hub: &telpher::Hub, most: usize) -> Vec<Event> {
    let mut events = Vec::new();
    while events.len() < most && !matches!(events.last(), Some(Event { what: What::Done(_), .. })) {
        assert_ne!(hub.poll(&mut events, 1, LONG.into()).unwrap(), 0, "nothing came in time");
        events.retain(|event| !matches!(event.what, What::Started));
    }
    events
}

#[test]
fn the_end_of_a_reader_that_is_polled_comes_behind_its_records() {
    let hub = telpher::open("mem://streams-polled").unwrap();
    let stream = hub.stream("log").unwrap();
    stream.declare(StreamOptions::default()).unwrap();
    for number in 0..100 {
        stream.append(number.to_string()).unwrap();
    }
    let reading = Reading::default();
    let command = Command::Read { stream: Name::parse("log").unwrap(), reading: Box::new(reading) };
    hub.start(command, Timeout::Default, Done::Event(7)).unwrap();
    // Another operation ends behind it, so all of it is there.
    stream.inspect().unwrap();
    let events = poll_records(&hub, usize::MAX);
    assert_eq!(events.len(), 101);
    for (event, number) in events.iter().zip(0..100) {
        assert!(matches!(&event.what, What::Record(record) if record.offset == number));
    }
}

#[test]
fn a_paced_reader_gets_no_more_than_its_buffer_until_the_program_has_taken_some() {
    let hub = telpher::open("mem://streams-paced").unwrap();
    let stream = hub.stream("log").unwrap();
    stream.declare(StreamOptions::default()).unwrap();
    for _ in 0..100 {
        stream.append(vec![0; 1000]).unwrap();
    }
    let reading = Reading { buffer: 10_000, ..Reading::default() };
    let command = Command::Read { stream: Name::parse("log").unwrap(), reading: Box::new(reading) };
    let id = hub.start_paced(command, Timeout::Default, Done::Event(7)).unwrap();
    let mut events = poll_records(&hub, 9);
    for _ in 0..10 {
        stream.inspect().unwrap();
    }
    hub.poll(&mut events, 100, Timeout::Default).unwrap();
    assert!((9..=11).contains(&events.len()), "{} have come", events.len());
    let mut next = 0;
    while let Some(event) = events.get(next).cloned() {
        next += 1;
        match &event.what {
            What::Record(record) => hub.taken(id, record.untaken()),
            What::Done(Ok(_)) => break,
            other => panic!("{other:?}"),
        }
        if next == events.len() {
            events.extend(poll_records(&hub, 1));
        }
    }
    assert_eq!(next, 101);
}

#[test]
fn a_callback_gets_every_record_of_a_reader_and_then_its_end() {
    let hub = telpher::open("mem://streams-callback").unwrap();
    let stream = hub.stream("log").unwrap();
    stream.declare(StreamOptions::default()).unwrap();
    for number in 0..100 {
        stream.append(number.to_string()).unwrap();
    }
    let (sender, events) = std::sync::mpsc::channel();
    let done = Done::Callback(Box::new(move |event| sender.send(event.what).unwrap()));
    let reading = Reading::default();
    let command = Command::Read { stream: Name::parse("log").unwrap(), reading: Box::new(reading) };
    hub.start(command, Timeout::Default, done).unwrap();
    assert!(matches!(events.recv_timeout(LONG), Ok(What::Started)));
    for number in 0..100 {
        let what = events.recv_timeout(LONG);
        assert!(matches!(&what, Ok(What::Record(record)) if record.offset == number), "{what:?}");
    }
    assert!(matches!(events.recv_timeout(LONG), Ok(What::Done(Ok(_)))));
}
