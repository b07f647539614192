//! What a host finds that the last one has left, at bad moments.

mod support;

use support::*;
use telpher_proto::base::{Command, Durability, Message, QueueOptions};

fn on(durability: Durability) -> QueueOptions {
    QueueOptions { durability: Some(durability), ..QueueOptions::default() }
}

fn big(queue: &str, number: usize, size: usize) -> Command {
    let mut body = format!("{number}:").into_bytes();
    body.resize(size, b'x');
    Command::Send { queue: name(queue), message: Message::new(body) }
}

#[test]
fn a_tail_of_more_than_one_group_is_written_anew_as_a_whole() {
    let mut world = World::new();
    let program = world.program();
    world.run(program, declare_on_disk("jobs", on(Durability::Os)));
    world.disk.no_sync = true;
    for number in 0..30 {
        world.run(program, big("jobs", number, 100_000));
    }
    world.disk.no_sync = false;
    for _ in 0..2 {
        world.change_host();
        world.pass(50);
        assert_eq!(world.figures(program, "jobs"), (30, 0));
    }
}

#[test]
fn what_was_handed_over_outlives_hosts_that_end_before_they_serve() {
    let mut world = World::new();
    let program = world.program();
    world.run(program, declare("jobs", QueueOptions::default()));
    world.run(program, send("jobs", "a"));
    world.close_down();
    world.break_take_over_off();
    world.break_take_over_off();
    world.change_host();
    world.pass(50);
    assert_eq!(world.figures(program, "jobs"), (1, 0));
    // The host that has served is killed: what it had in memory is gone.
    world.change_host();
    world.pass(50);
    assert_eq!(world.figures(program, "jobs"), (0, 0));
}
