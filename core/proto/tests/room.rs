//! A full disk: what is refused, what goes on, and what makes room again.

mod support;

use support::*;
use telpher_proto::base::limits::{self, Sizes};
use telpher_proto::base::record::{Record, Room, Sent};
use telpher_proto::base::{
    Command, Durability, Error, Kind, Message, Reading, StreamOptions, Time, Verdict, What,
};
use telpher_proto::journal::{self, Effect, Journal, Recovered};

/// Sends until that is refused; how many were stored, and why no more.
fn fill(world: &mut World, program: usize, size: usize) -> (usize, Error) {
    for stored in 0..100_000 {
        let sent = world.run(program, big("jobs", stored, size));
        if let Err(error) = world.outcome(program, sent) {
            return (stored, error);
        }
    }
    panic!("it is never full");
}

/// Takes one message and acknowledges it.
fn take(world: &mut World, program: usize) -> Result<(), Error> {
    let taken = world.run(program, receive("jobs"));
    world.outcome(program, taken)?;
    let (token, ..) = world.deliveries(program, taken)[0];
    let settled = world.run(program, settle(token, Verdict::Acknowledge));
    world.outcome(program, settled).map(drop)
}

#[test]
fn small_messages_that_fill_a_disk_are_all_taken_one_by_one_over_many_hosts() {
    let sizes = Sizes { segment: (65_536, 524_288), ..Sizes::default() };
    let mut world = World::with_sizes(sizes);
    let program = world.program();
    world.run(program, declare_on_disk("jobs", on(Durability::Os)));
    let capacity = 2 * 1024 * 1024;
    world.disk.capacity = Some(capacity);
    for _ in 0..2 {
        let (stored, refused) = fill(&mut world, program, 20);
        assert_eq!(refused.kind(), Kind::NoSpace, "{refused}");
        assert!(stored > 1_000, "{stored}");
        for number in 0..stored {
            if number % 500 == 499 {
                world.change_host();
                world.pass(50);
            }
            let taken = take(&mut world, program);
            assert!(taken.is_ok(), "{number} of {stored}: {taken:?}");
        }
        world.pass(limits::SPACE_RETRY_MS * 2);
        let used: usize = world.disk.files.values().map(Vec::len).sum();
        assert!(used as u64 <= capacity, "{used}");
    }
    let sent = world.run(program, send("jobs", "there is room again"));
    assert!(world.outcome(program, sent).is_ok());
}

#[test]
fn a_disk_that_was_full_takes_messages_of_any_size_again_once_all_of_it_is_settled() {
    for size in [100, 2_000, 10_000, 30_000, 60_000] {
        let sizes = Sizes { segment: (65_536, 262_144), ..Sizes::default() };
        let mut world = World::with_sizes(sizes);
        let program = world.program();
        world.run(program, declare_on_disk("jobs", on(Durability::Os)));
        world.disk.capacity = Some(1_500_000);
        for turn in 0..5 {
            let (stored, refused) = fill(&mut world, program, size);
            assert_eq!(refused.kind(), Kind::NoSpace, "{refused}");
            assert!(stored > 0, "{size}, {turn}: no room for a single message");
            for number in 0..stored {
                let taken = take(&mut world, program);
                assert!(taken.is_ok(), "{size}, {turn}, {number} of {stored}: {taken:?}");
            }
            world.pass(limits::SPACE_RETRY_MS * 2);
        }
    }
}

#[test]
fn a_full_disk_refuses_new_messages_and_takes_verdicts_until_there_is_room_again() {
    let mut world = World::new();
    let (producer, consumer) = (world.program(), world.program());
    world.run(producer, declare_on_disk("jobs", on(Durability::Disk)));
    world.disk.is_full = true;
    let mut stored = 0;
    let refused = loop {
        let sent = world.run(producer, big("jobs", stored, 30_000));
        match world.outcome(producer, sent) {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 100, "it is never full");
    };
    assert_eq!(refused.kind(), Kind::NoSpace);
    assert!(stored > 5);
    let id = world.run(consumer, consume("jobs", 1_000));
    for (token, ..) in world.deliveries(consumer, id) {
        let settled = world.run(consumer, settle(token, Verdict::Acknowledge));
        assert!(world.outcome(consumer, settled).is_ok());
    }
    world.disk.is_full = false;
    world.pass(limits::SPACE_RETRY_MS * 2);
    let sent = world.run(producer, big("jobs", stored, 30_000));
    assert!(world.outcome(producer, sent).is_ok());
    world.change_host();
    world.pass(50);
    let (ready, held) = world.figures(producer, "jobs");
    assert_eq!(ready + held, 1);
}

#[test]
fn a_verdict_that_a_full_disk_refuses_can_be_given_again() {
    let sizes = Sizes { segment: (65_536, 65_536), ..Sizes::default() };
    let mut world = World::with_sizes(sizes);
    let program = world.program();
    world.run(program, declare_on_disk("jobs", on(Durability::Disk)));
    world.disk.is_full = true;
    fill(&mut world, program, 20);
    let id = world.run(program, consume("jobs", 1_000));
    let held = world.deliveries(program, id);
    let (token, error) = held
        .iter()
        .find_map(|(token, ..)| {
            let settled = world.run(program, settle(*token, Verdict::Acknowledge));
            world.outcome(program, settled).err().map(|error| (*token, error))
        })
        .unwrap_or_else(|| panic!("{} verdicts, and there is still room", held.len()));
    assert_eq!(error.kind(), Kind::NoSpace, "{error}");
    world.disk.is_full = false;
    world.pass(limits::SPACE_RETRY_MS * 2);
    let settled = world.run(program, settle(token, Verdict::Acknowledge));
    assert!(world.outcome(program, settled).is_ok());
}

#[test]
fn a_commit_that_a_full_disk_refuses_can_be_made_again_and_no_new_group_is_made_on_it() {
    let sizes = Sizes { segment: (65_536, 65_536), ..Sizes::default() };
    let mut world = World::with_sizes(sizes);
    let program = world.program();
    let options = StreamOptions { durability: Some(Durability::Disk), ..StreamOptions::default() };
    world.run(program, Command::DeclareStream { stream: name("log"), options });
    let (stream, message) = (name("log"), Message::new("a record"));
    world.run(program, Command::Append { stream, message, partition: None, expect: None });
    let in_group = |group| {
        let reading = Reading { group: Some(name(group)), ..Reading::default() };
        Command::Read { stream: name("log"), reading: Box::new(reading) }
    };
    let reader = world.run(program, in_group("billing"));
    let events = world.programs[program].events.iter().filter(|event| event.id == reader);
    let read = events.filter_map(|event| match &event.what {
        What::Record(record) => Some((record.partition, record.generation, record.offset + 1)),
        _ => None,
    });
    let (partition, generation, next) = read.last().expect("the record arrives");
    let commit = Command::Commit { reader, partition, generation, next };
    world.run(program, declare_on_disk("jobs", on(Durability::Disk)));
    world.disk.is_full = true;
    fill(&mut world, program, 20);
    let late = world.run(program, in_group("late"));
    let error = world.outcome(program, late).unwrap_err();
    assert_eq!(error.kind(), Kind::NoSpace, "{error}");
    let id = world.run(program, consume("jobs", 1_000));
    for (token, ..) in world.deliveries(program, id) {
        world.run(program, settle(token, Verdict::Acknowledge));
    }
    let refused = world.run(program, commit.clone());
    let error = world.outcome(program, refused).unwrap_err();
    assert_eq!(error.kind(), Kind::NoSpace, "{error}");
    world.disk.is_full = false;
    world.pass(limits::SPACE_RETRY_MS * 2);
    let committed = world.run(program, commit);
    assert!(world.outcome(program, committed).is_ok());
}

fn begun(sizes: Sizes) -> Journal {
    let config = journal::Config { journal_id: [7; 16], epoch: 1, sizes };
    let mut journal = Journal::new(config, Recovered::default(), 0);
    journal.take_beginning();
    journal
}

#[test]
fn what_is_written_in_large_groups_is_written_once_and_only_small_groups_find_zeros() {
    for (size, zeros) in [(1_000, true), (90_000, true), (110_000, false)] {
        let mut journal = begun(Sizes::default());
        let message = Message::new("x".repeat(size));
        let prepared = (1..100_000).find_map(|position| {
            let sent = Sent {
                queue: 1,
                sequence: position,
                message_id: position,
                time_ms: 0,
                message: message.clone(),
            };
            journal.append(position, &Record::Sent { change: None, sent }, true);
            journal.seal(Time::default());
            std::iter::from_fn(|| journal.poll_effect()).find_map(|effect| match effect {
                Effect::Prepare { zeros, .. } => Some(zeros),
                _ => None,
            })
        });
        assert_eq!(prepared, Some(zeros), "groups of {size} bytes");
    }
}

#[test]
fn a_disk_counts_as_full_while_it_is_tried_whether_it_still_is() {
    let sizes = Sizes { segment: (65_536, 65_536), ..Sizes::default() };
    let mut journal = begun(sizes);
    let mut now = Time::default();
    let mut position = 0;
    while journal.room() != Room::Nothing {
        position += 1;
        journal.append(position, &Record::SessionGone { session: position }, false);
        journal.seal(now);
        while let Some(effect) = journal.poll_effect() {
            match effect {
                Effect::Prepare { .. } => journal.handle_prepared(now, None),
                Effect::Write { last, .. } => journal.handle_written(last),
                _ => {}
            }
        }
        assert!(position < 10_000, "the segment is full, and nobody says so");
    }
    now = now.plus_ms(1_000);
    journal.handle_timeout(now);
    assert!(matches!(journal.poll_effect(), Some(Effect::Prepare { .. })), "it is tried again");
    assert_eq!(journal.room(), Room::Nothing);
    journal.handle_prepared(now, Some(65_536));
    assert_eq!(journal.room(), Room::Open);
}
