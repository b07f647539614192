//! Publishes in batches: with all else in the batch or not at all, wherever their topics are bound.

mod support;

use support::bindings::*;
use support::*;
use telpher_proto::base::{Command, Durability, Kind, Message, Outcome, Part, QueueOptions};

#[test]
fn the_publishes_of_a_batch_happen_with_it_or_not_at_all() {
    let mut world = World::new();
    let (program, listener) = (world.program(), world.program());
    bound(&mut world, program, "a", "bound", on(Durability::Disk));
    run(&mut world, program, declare_on_disk("jobs", on(Durability::Os)));
    let live = subscribe(&mut world, listener, "**");
    let send = |queue: &str| Part::Send { queue: name(queue), message: Message::new("sent") };
    let publish = |topic: &str| Part::Publish { topic: name(topic), message: Message::new("x") };
    let parts = vec![publish("a"), send("jobs"), publish("b"), send("bound")];
    world.disk.no_sync = true;
    let batch = world.run(program, Command::Batch { parts });
    assert!(world.ended(program, batch).is_none());
    assert!(heard(&world, listener, live).is_empty(), "it may still be lost");
    assert_eq!(world.figures(program, "jobs").0, 0);
    world.disk.no_sync = false;
    world.settle();
    let Ok(Outcome::Receipts(receipts)) = world.outcome(program, batch) else { panic!("none") };
    assert_eq!(receipts.len(), 2, "one for each send");
    assert!(receipts.iter().all(|receipt| receipt.durability == Durability::Disk));
    assert_eq!(heard(&world, listener, live), ["x", "x"]);
    // In the order of the parts.
    let first = world.run(program, receive("bound"));
    assert_eq!(world.deliveries(program, first)[0].1, b"x");
    let second = world.run(program, receive("bound"));
    let Ok(Outcome::Delivery(second)) = world.outcome(program, second) else { panic!("none") };
    assert_eq!(second.message_id, receipts[1].message_id);

    let refused = vec![publish("a"), send("nowhere")];
    let id = world.run(program, Command::Batch { parts: refused });
    assert_eq!(world.kind(program, id), Kind::NotFound);
    assert_eq!(heard(&world, listener, live).len(), 2);
    assert_eq!(world.figures(program, "bound"), (0, 2));
    world.change_host();
    world.pass(50);
    assert_eq!(world.figures(program, "bound"), (0, 2));
    assert_eq!(world.figures(program, "jobs"), (1, 0));
}

#[test]
fn a_batch_with_publishes_and_no_verdict_happens_once_at_the_next_host() {
    for written in [false, true] {
        let mut world = World::new();
        let (program, listener) = (world.program(), world.program());
        bound(&mut world, program, "a", "jobs", on(Durability::Disk));
        let live = subscribe(&mut world, listener, "a");
        world.disk.is_paused = !written;
        world.disk.no_sync = true;
        let message = Message::new("x");
        let parts = vec![Part::Publish { topic: name("a"), message }];
        let batch = world.run(program, Command::Batch { parts });
        (world.disk.is_paused, world.disk.no_sync) = (false, false);
        world.change_host();
        world.pass(50);
        let outcome = world.outcome(program, batch);
        assert!(matches!(&outcome, Ok(Outcome::Receipts(none)) if none.is_empty()), "{outcome:?}");
        assert_eq!(drain(&mut world, program, "jobs"), ["a x"], "{written}");
        assert!(heard(&world, listener, live).is_empty(), "it was never safe at the first host");
    }
}

#[test]
fn a_batch_that_a_bound_queue_cannot_join_is_refused_with_the_part_and_the_queue() {
    let mut world = World::new();
    let program = world.program();
    let full = QueueOptions { length_max: 1, ..on(Durability::Disk) };
    bound(&mut world, program, "full", "tight", full);
    bound(&mut world, program, "memory", "memory", on(Durability::Memory));
    run(&mut world, program, publish("full", "x"));
    let publish = |topic: &str| Part::Publish { topic: name(topic), message: Message::new("x") };
    let send = Part::Send { queue: name("tight.dead"), message: Message::new("x") };
    run(&mut world, program, declare_on_disk("tight.dead", on(Durability::Disk)));
    for (part, kind, said) in
        [("full", Kind::Full, "tight"), ("memory", Kind::Unsupported, "\"memory\"")]
    {
        let parts = vec![send.clone(), publish(part)];
        let id = world.run(program, Command::Batch { parts });
        let error = world.outcome(program, id).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.detail().starts_with("part 1 of the batch"), "{error}");
        assert!(error.detail().contains(said), "{error}");
    }
    assert_eq!(world.figures(program, "tight.dead"), (0, 0));
    assert_eq!(world.figures(program, "memory"), (0, 0));
}
