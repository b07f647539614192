//! Changes that are confirmed together: each ticket has its own end, once.

mod support;

use support::*;
use telpher_proto::base::{Command, Error, Id, Kind, Message, Outcome, QueueOptions, What};

fn publish(topic: &str) -> Command {
    Command::Publish { topic: name(topic), message: Message::new("news") }
}

/// Sends and publishes in one go, with some between them that are refused.
fn start_all(world: &mut World, program: usize) -> Vec<(Id, &'static str)> {
    let what = [
        ("send", send("jobs", "1")),
        ("send", send("jobs", "2")),
        ("refused", send("nowhere", "x")),
        ("send", send("jobs", "3")),
        ("publish", publish("a.b")),
        ("publish", publish("a.c")),
        ("refused", send("nowhere", "y")),
        ("publish", publish("a.b")),
        ("send", send("jobs", "4")),
    ];
    what.into_iter().map(|(kind, command)| (world.start(program, command), kind)).collect()
}

/// Every end that a ticket has had.
fn ends(world: &World, program: usize, id: Id) -> Vec<Result<Outcome, Error>> {
    let events = world.programs[program].events.iter().filter(|event| event.id == id);
    let ends = events.filter_map(|event| match &event.what {
        What::Done(result) => Some(result.clone()),
        _ => None,
    });
    ends.collect()
}

fn each_has_its_end(world: &World, program: usize, started: &[(Id, &str)]) {
    let mut message_ids = Vec::new();
    for (id, kind) in started {
        match (&ends(world, program, *id)[..], *kind) {
            ([Ok(Outcome::Receipt(receipt))], "send") => message_ids.push(receipt.message_id),
            ([Ok(Outcome::Empty)], "publish") => {}
            ([Err(error)], "refused") => assert_eq!(error.kind(), Kind::NotFound),
            (ends, kind) => panic!("ticket {id}, {kind}: {ends:?}"),
        }
    }
    assert!(message_ids.is_sorted_by(|one, next| one < next), "{message_ids:?}");
}

#[test]
fn what_is_confirmed_around_a_refusal_ends_each_ticket_with_its_own_outcome() {
    let mut world = World::new();
    let program = world.program();
    world.run(program, declare("jobs", QueueOptions::default()));
    let started = start_all(&mut world, program);
    world.settle();
    each_has_its_end(&world, program, &started);
    assert_eq!(world.figures(program, "jobs"), (4, 0));
}

#[test]
fn confirmations_that_were_lost_come_again_and_nothing_is_done_twice() {
    let mut world = World::new();
    let program = world.program();
    world.run(program, declare("jobs", QueueOptions::default()));
    world.programs[program].deaf = true;
    let started = start_all(&mut world, program);
    world.settle();
    world.break_connection(program);
    world.programs[program].deaf = false;
    world.pass(50);
    each_has_its_end(&world, program, &started);
    assert_eq!(world.figures(program, "jobs"), (4, 0));
}

#[test]
fn a_ticket_that_was_given_up_does_not_end_again_when_it_is_confirmed_with_others() {
    let mut world = World::new();
    let program = world.program();
    world.run(program, declare("jobs", QueueOptions::default()));
    world.programs[program].cut = true;
    let first = world.start(program, send("jobs", "1"));
    let late = world.start_within(program, send("jobs", "2"), Some(20));
    let last = world.start(program, send("jobs", "3"));
    world.pass(60);
    world.programs[program].cut = false;
    world.settle();
    assert_eq!(ends(&world, program, late).len(), 1);
    for id in [first, last] {
        assert!(matches!(ends(&world, program, id)[..], [Ok(Outcome::Receipt(_))]));
    }
}
