//! Messages that were held by a program that died, and who gets them next.

mod support;

use support::*;
use telpher_proto::base::{QueueOptions, Verdict};

/// Two queues; of one of them, two messages were held by a program that died.
fn world_with_suspects() -> (World, usize) {
    let mut world = World::new();
    let (victim, worker) = (world.program(), world.program());
    for queue in ["busy", "rare"] {
        world.run(worker, declare_on_disk(queue, QueueOptions::default()));
    }
    world.run(victim, consume("rare", 8));
    for body in ["one", "two"] {
        world.run(worker, send("rare", body));
    }
    world.kill(victim);
    (world, worker)
}

/// Acknowledges the delivery of this number, if it has come.
fn acknowledge(world: &mut World, program: usize, consumer: u64, number: usize) {
    let token = world.deliveries(program, consumer).get(number).map(|(token, ..)| *token);
    if let Some(token) = token {
        world.run(program, settle(token, Verdict::Acknowledge));
    }
}

#[test]
fn a_suspect_does_not_wait_until_the_other_queues_of_its_consumer_are_empty() {
    let (mut world, worker) = world_with_suspects();
    let busy = world.run(worker, consume("busy", 4));
    for number in 0..50 {
        world.run(worker, send("busy", &number.to_string()));
    }
    let rare = world.run(worker, consume("rare", 4));
    for number in 0..20 {
        acknowledge(&mut world, worker, busy, number);
    }
    assert_eq!(world.deliveries(worker, rare).len(), 1, "what is suspect has its turn, alone");
    acknowledge(&mut world, worker, rare, 0);
    acknowledge(&mut world, worker, rare, 1);
    for number in 0..50 {
        acknowledge(&mut world, worker, busy, number);
    }
    assert_eq!(world.figures(worker, "rare"), (0, 0));
    assert_eq!(world.figures(worker, "busy"), (0, 0));
}

#[test]
fn who_was_left_to_run_empty_goes_on_when_another_has_taken_the_suspects() {
    let (mut world, worker) = world_with_suspects();
    world.run(worker, send("busy", "long"));
    let busy = world.run(worker, consume("busy", 4));
    world.run(worker, consume("rare", 4));
    let other = world.program();
    world.run(other, send("busy", "next"));
    assert_eq!(world.deliveries(worker, busy).len(), 1, "it runs empty for a suspect");
    let taken = world.run(other, consume("rare", 4));
    acknowledge(&mut world, other, taken, 0);
    acknowledge(&mut world, other, taken, 1);
    assert_eq!(world.deliveries(worker, busy).len(), 2, "nothing is suspect any more");
}
