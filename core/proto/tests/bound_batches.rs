//! Publishes in batches: with all else in the batch or not at all, wherever their topics are bound.

mod support;

use support::bindings::*;
use support::streams::{all, plain};
use support::*;
use telpher_proto::base::{
    Command, Durability, Kind, Message, Outcome, Part, QueueOptions, Reading, StreamOptions,
};

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

#[test]
fn the_publishes_of_a_batch_are_appended_with_all_else_of_it_in_the_order_of_its_parts() {
    let mut world = World::new();
    let program = world.program();
    bound_stream(&mut world, program, "a", "log", plain(Durability::Disk));
    bound(&mut world, program, "a", "jobs", on(Durability::Disk));
    let publish = |body: &str| {
        let message = Message::new(body.as_bytes().to_vec());
        Part::Publish { topic: name("a"), message }
    };
    let append = |body: &str| {
        let message = Message::new(body.as_bytes().to_vec());
        Part::Append { stream: name("log"), message, partition: None, expect: None }
    };
    let parts = vec![publish("1"), append("2"), publish("3")];
    let id = world.run(program, Command::Batch { parts });
    assert!(world.outcome(program, id).is_ok());
    for _ in 0..2 {
        assert_eq!(all(&mut world, program, "log"), ["0 0 1", "0 1 2", "0 2 3"]);
        assert_eq!(world.figures(program, "jobs").0, 2);
        world.cut_power();
        world.pass(50);
    }
}

#[test]
fn a_batch_that_publishes_to_streams_only_happens_once_at_the_next_host() {
    for written in [false, true] {
        let mut world = World::new();
        let program = world.program();
        bound_stream(&mut world, program, "a", "log", plain(Durability::Disk));
        world.disk.is_paused = !written;
        world.disk.no_sync = true;
        let parts = vec![Part::Publish { topic: name("a"), message: Message::new("x") }];
        let batch = world.run(program, Command::Batch { parts });
        (world.disk.is_paused, world.disk.no_sync) = (false, false);
        world.change_host();
        world.pass(50);
        assert!(matches!(world.outcome(program, batch), Ok(Outcome::Receipts(_))));
        assert_eq!(all(&mut world, program, "log"), ["0 0 x"], "{written}");
    }
}

#[test]
fn a_batch_that_a_bound_stream_cannot_join_is_refused_with_the_part_and_the_stream() {
    let mut world = World::new();
    let program = world.program();
    let compact = StreamOptions { compact: true, ..plain(Durability::Disk) };
    let small = StreamOptions { bytes_max: 65_536, ..plain(Durability::Disk) };
    bound_stream(&mut world, program, "compact", "compact", compact);
    bound_stream(&mut world, program, "small", "small", small);
    bound_stream(&mut world, program, "memory", "memory", plain(Durability::Memory));
    bound_stream(&mut world, program, "**", "log", plain(Durability::Disk));
    for (topic, size, kind) in [
        ("compact", 1, Kind::Invalid),
        ("small", 70_000, Kind::TooLarge),
        ("memory", 1, Kind::Unsupported),
    ] {
        let message = Message::new("x".repeat(size));
        let first = Part::Publish { topic: name("first"), message: Message::new("x") };
        let parts = vec![first, Part::Publish { topic: name(topic), message }];
        let id = world.run(program, Command::Batch { parts });
        let error = world.outcome(program, id).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.detail().starts_with("part 1 of the batch"), "{error}");
        assert!(error.detail().contains(topic), "{error}");
    }
    assert!(all(&mut world, program, "log").is_empty());
}

#[test]
fn a_batch_finds_what_is_unread_in_the_partition_to_which_each_of_its_records_goes() {
    let mut world = World::new();
    let program = world.program();
    let options = StreamOptions {
        partitions: 2,
        keep_unread: true,
        records_max: 1,
        ..plain(Durability::Disk)
    };
    bound_stream(&mut world, program, "a", "log", options);
    let reading = Reading { group: Some(name("billing")), ..Reading::default() };
    world.run(program, Command::Read { stream: name("log"), reading: Box::new(reading) });
    let publish = || Part::Publish { topic: name("a"), message: Message::new("x") };
    let three = world.run(program, Command::Batch { parts: vec![publish(), publish(), publish()] });
    assert_eq!(world.kind(program, three), Kind::Full);
    let two = world.run(program, Command::Batch { parts: vec![publish(), publish()] });
    assert!(world.outcome(program, two).is_ok(), "one for each partition");
}
