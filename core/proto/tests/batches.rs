//! Batches: several sends and verdicts, all or none.

mod support;

use support::*;
use telpher_proto::base::limits::Sizes;
use telpher_proto::base::{
    Command, Durability, Kind, Message, Outcome, Part, QueueOptions, Trace, Verdict, limits,
};

fn part_send(queue: &str, body: &str) -> Part {
    Part::Send { queue: name(queue), message: Message::new(body.as_bytes().to_vec()) }
}

fn part_settle(delivery: u64, verdict: Verdict) -> Part {
    Part::Settle { delivery, verdict, reason: String::new() }
}

/// Queues `in`, `out` and `memory`; one message of `in` held by the second program.
fn world() -> (World, usize, usize, u64) {
    let mut world = World::new();
    let (producer, worker) = (world.program(), world.program());
    for queue in ["in", "out"] {
        world.run(producer, declare_on_disk(queue, QueueOptions::default()));
    }
    world.run(producer, declare("memory", QueueOptions::default()));
    world.run(producer, send("in", "job"));
    let received = world.run(worker, receive("in"));
    let (token, ..) = world.deliveries(worker, received)[0];
    (world, producer, worker, token)
}

#[test]
fn all_parts_of_a_batch_take_effect_together_and_outlive_the_host() {
    let (mut world, producer, worker, token) = world();
    let parts = vec![
        part_send("out", "one"),
        part_settle(token, Verdict::Acknowledge),
        part_send("out", "two"),
    ];
    world.disk.no_sync = true;
    let batch = world.run(worker, Command::Batch { parts });
    assert!(world.ended(worker, batch).is_none());
    assert_eq!(world.figures(producer, "out"), (0, 0), "not visible yet");
    world.disk.no_sync = false;
    world.settle();
    let Ok(Outcome::Receipts(receipts)) = world.outcome(worker, batch) else { panic!("none") };
    assert_eq!(receipts.len(), 2);
    assert!(receipts[0].message_id < receipts[1].message_id);
    assert!(receipts.iter().all(|receipt| receipt.durability == Durability::Disk));
    world.change_host();
    world.pass(50);
    assert_eq!(world.figures(producer, "in"), (0, 0));
    assert_eq!(world.figures(producer, "out"), (2, 0));
}

#[test]
fn a_batch_without_a_verdict_takes_effect_once_at_the_next_host() {
    for written in [false, true] {
        let (mut world, producer, worker, token) = world();
        world.disk.is_paused = !written;
        world.disk.no_sync = true;
        let sends = ["one", "two"].map(|body| part_send("out", body));
        let parts = sends.into_iter().chain([part_settle(token, Verdict::Acknowledge)]).collect();
        let batch = world.run(worker, Command::Batch { parts });
        (world.disk.is_paused, world.disk.no_sync) = (false, false);
        world.change_host();
        world.pass(50);
        let Ok(Outcome::Receipts(receipts)) = world.outcome(worker, batch) else { panic!("none") };
        let received = [0, 1].map(|_| world.run(worker, receive("out")));
        let ids = received.map(|id| match world.outcome(worker, id) {
            Ok(Outcome::Delivery(delivery)) => delivery.message_id,
            other => panic!("no message but {other:?}"),
        });
        assert_eq!(receipts.iter().map(|of| of.message_id).collect::<Vec<_>>(), ids, "{written}");
        assert!(receipts.iter().all(|receipt| receipt.durability == Durability::Disk));
        assert_eq!(world.figures(producer, "in"), (0, 0));
        assert_eq!(world.figures(producer, "out"), (0, 2));
    }
}

#[test]
fn a_batch_that_is_refused_changes_nothing_and_names_the_part() {
    let (mut world, producer, worker, token) = world();
    let refused = [
        (
            vec![part_settle(token, Verdict::Acknowledge), part_send("nowhere", "x")],
            1,
            Kind::NotFound,
        ),
        (vec![part_send("out", "x"), part_settle(token + 1, Verdict::Acknowledge)], 1, Kind::Stale),
        (
            vec![
                part_settle(token, Verdict::Acknowledge),
                part_settle(token, Verdict::Acknowledge),
            ],
            1,
            Kind::Stale,
        ),
        (
            vec![part_settle(token, Verdict::Acknowledge), part_send("memory", "x")],
            1,
            Kind::Unsupported,
        ),
    ];
    for (parts, at, kind) in refused {
        let batch = world.run(worker, Command::Batch { parts });
        let error = world.outcome(worker, batch).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.detail().contains(&format!("part {at} of the batch")), "{error}");
        assert_eq!(world.figures(producer, "in"), (0, 1), "still held");
        assert_eq!(world.figures(producer, "out"), (0, 0));
    }
    let settled = world.run(worker, settle(token, Verdict::Acknowledge));
    assert!(world.outcome(worker, settled).is_ok());
}

#[test]
fn a_batch_that_does_not_fit_is_refused_as_a_whole() {
    let (mut world, producer, worker, _) = world();
    let options = QueueOptions { length_max: 2, ..QueueOptions::default() };
    world.run(producer, declare_on_disk("small", options));
    let three = (0..3).map(|n| part_send("small", &n.to_string())).collect();
    let batch = world.run(worker, Command::Batch { parts: three });
    assert_eq!(world.kind(worker, batch), Kind::Full);
    assert_eq!(world.figures(producer, "small"), (0, 0));
    let two = (0..2).map(|n| part_send("small", &n.to_string())).collect();
    let batch = world.run(worker, Command::Batch { parts: two });
    assert!(world.outcome(worker, batch).is_ok());
}

#[test]
fn a_batch_in_memory_needs_no_disk() {
    let (mut world, producer, worker, _) = world();
    world.run(producer, send("memory", "job"));
    let received = world.run(worker, receive("memory"));
    let (token, ..) = world.deliveries(worker, received)[0];
    world.disk.is_paused = true;
    let parts = vec![part_settle(token, Verdict::Acknowledge), part_send("memory", "next")];
    let batch = world.run(worker, Command::Batch { parts });
    let Ok(Outcome::Receipts(receipts)) = world.outcome(worker, batch) else { panic!("none") };
    assert_eq!(receipts[0].durability, Durability::Memory);
}

#[test]
fn what_a_batch_was_to_settle_goes_back_if_it_was_cancelled_and_then_refused() {
    let (mut world, producer, worker, token) = world();
    let parts = vec![part_settle(token, Verdict::Acknowledge), part_send("nowhere", "x")];
    let batch = world.start(worker, Command::Batch { parts });
    world.programs[worker].client.cancel(world.now, batch);
    world.settle();
    assert_eq!(world.kind(worker, batch), Kind::Cancelled);
    assert_eq!(world.figures(producer, "in"), (1, 0), "nobody would ever settle it");
    assert_eq!(world.programs[worker].events.iter().filter(|event| event.id == batch).count(), 1);
}

#[test]
fn a_settlement_that_was_cancelled_after_it_was_written_takes_effect_once() {
    let (mut world, producer, worker, token) = world();
    let settled = world.start(worker, settle(token, Verdict::Acknowledge));
    world.programs[worker].client.cancel(world.now, settled);
    world.break_connection(worker);
    world.pass(1_000);
    assert_eq!(world.kind(worker, settled), Kind::Cancelled);
    assert_eq!(world.figures(producer, "in"), (0, 0));
    let again = world.run(worker, settle(token, Verdict::Acknowledge));
    assert_eq!(world.kind(worker, again), Kind::Stale);
}

#[test]
fn the_largest_batch_with_everything_in_each_of_its_parts_comes_through() {
    let (mut world, _, worker, _) = world();
    let trace = Some(Trace { trace_id: [1; 16], span_id: [1; 8], flags: 1 });
    let sends = (0..1_024).map(|_| {
        let mut message = Message::new(vec![1; 8_192]);
        message.properties_mut().trace = trace;
        Part::Send { queue: name("out"), message }
    });
    for number in 0..1_023 {
        world.run(worker, send("in", &number.to_string()));
    }
    let id = world.run(worker, consume("in", 1_023));
    let mut settles: Vec<Part> = vec![Part::Send {
        queue: name("out"),
        message: Message::new(vec![1; limits::BATCH_SIZE_MAX]),
    }];
    settles.extend(world.deliveries(worker, id).into_iter().map(|(delivery, ..)| {
        let (verdict, reason) = (Verdict::Requeue, "r".repeat(limits::REASON_SIZE_MAX));
        Part::Settle { delivery, verdict, reason }
    }));
    assert_eq!(settles.len(), 1_024);
    for parts in [sends.collect(), settles] {
        let batch = world.run(worker, Command::Batch { parts });
        assert!(world.outcome(worker, batch).is_ok());
    }
    world.change_host();
    world.pass(50);
    assert_eq!(world.figures(worker, "out"), (1_025, 0));
}

#[test]
fn a_send_that_waits_with_a_batch_of_its_producer_is_stored_behind_it() {
    let mut world = World::with_sizes(Sizes { pending_max: 2_000, ..Sizes::default() });
    let programs = [world.program(), world.program(), world.program()];
    let program = programs[2];
    world.run(program, declare_on_disk("in", QueueOptions::default()));
    world.run(program, send("in", "job"));
    let received = world.run(program, receive("in"));
    let (token, ..) = world.deliveries(program, received)[0];
    // The disk is behind: one is being written, and one waits for that.
    world.disk.is_paused = true;
    for program in &programs[..2] {
        world.start(*program, big("in", 0, 5_000));
        world.settle();
    }
    // The first of these gives room for what waits in the queue's own line.
    let commands = [
        Command::Batch {
            parts: vec![part_send("in", "1"), part_settle(token, Verdict::Acknowledge)],
        },
        Command::Batch { parts: vec![part_send("in", "2")] },
        send("in", "3"),
    ];
    let ids = commands.map(|command| {
        let id = world.start(program, command);
        world.settle();
        assert!(world.ended(program, id).is_none());
        id
    });
    world.disk.is_paused = false;
    world.settle();
    assert!(ids.into_iter().all(|id| world.outcome(program, id).is_ok()));
    let consumer = world.run(program, consume("in", 10));
    let bodies: Vec<Vec<u8>> =
        world.deliveries(program, consumer).into_iter().map(|(_, body, _)| body).collect();
    assert_eq!(bodies[2..], [b"1", b"2", b"3"]);
}
