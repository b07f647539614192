//! Messages whose records are damaged under a hub that goes on.

mod support;

use support::*;
use telpher_proto::base::{Command, Kind, Outcome, QueueOptions, Verdict};

#[test]
fn a_message_that_was_damaged_on_disk_is_never_handed_out_and_the_rest_is() {
    let mut world = World::new();
    let program = world.program();
    world.run(program, declare_on_disk("jobs", QueueOptions::default()));
    for body in ["one", "precious", "three"] {
        world.run(program, send("jobs", body));
    }
    world.pass(100);
    world.take_over().unwrap();
    damage(&mut world, b"precious");
    let consumer = world.run(program, consume("jobs", 10));
    world.pass(100);
    let bodies: Vec<Vec<u8>> =
        world.deliveries(program, consumer).into_iter().map(|(_, body, _)| body).collect();
    assert_eq!(bodies, [b"one".to_vec(), b"three".to_vec()]);
    assert_eq!(figures(&mut world, program, "jobs"), (0, 2, 1));
    world.run(program, send("jobs", "four"));
    assert_eq!(world.deliveries(program, consumer).len(), 3);
    let error = world.take_over().unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt);
    assert!(error.detail().contains("journal.0000000") && error.detail().contains("offset"));
}

/// Flips a bit in every copy of these bytes.
fn damage(world: &mut World, bytes: &[u8]) {
    for file in world.disk.files.values_mut() {
        while let Some(at) = file.windows(bytes.len()).position(|found| found == bytes) {
            file[at] ^= 1;
        }
    }
}

fn figures(world: &mut World, program: usize, queue: &str) -> (u64, u64, u64) {
    let id = world.run(program, Command::Inspect { queue: name(queue) });
    match world.outcome(program, id) {
        Ok(Outcome::Queue(info)) => (info.ready, info.held, info.damaged),
        other => panic!("no figures but {other:?}"),
    }
}

#[test]
fn a_held_message_that_is_damaged_before_it_is_handed_over_again_is_put_aside() {
    let mut world = World::with_sizes(SMALL);
    let program = world.program();
    world.run(program, declare_on_disk("jobs", QueueOptions::default()));
    world.run(program, send("jobs", "precious"));
    world.pass(100);
    world.programs[program].deaf = true;
    let consumer = world.run(program, consume("jobs", 1));
    world.programs[program].cut = true;
    world.take_over().unwrap();
    // It did not arrive, so the next host reads it when the program is back.
    damage(&mut world, b"precious");
    (world.programs[program].deaf, world.programs[program].cut) = (false, false);
    world.pass(200);
    assert_eq!(world.deliveries(program, consumer).len(), 0);
    world.run(program, send("jobs", "next"));
    world.pass(200);
    assert_eq!(world.deliveries(program, consumer).len(), 1, "the rest goes on");
    assert_eq!(figures(&mut world, program, "jobs"), (0, 1, 1));
}

#[test]
fn what_is_damaged_does_not_keep_the_segment_in_which_it_lies() {
    let mut world = World::with_sizes(SMALL);
    let program = world.program();
    for queue in ["keep", "held", "tried", "jobs"] {
        world.run(program, declare_on_disk(queue, QueueOptions::default()));
    }
    for (queue, body) in
        [("keep", "one"), ("held", "precious"), ("keep", "precious"), ("tried", "precious")]
    {
        world.run(program, send(queue, body));
    }
    let held = world.run(program, receive("held"));
    assert_eq!(world.deliveries(program, held).len(), 1);
    let tried = world.run(program, receive("tried"));
    let (token, ..) = world.deliveries(program, tried)[0];
    world.run(program, settle(token, Verdict::Requeue));
    world.pass(30);
    world.take_over().unwrap();
    damage(&mut world, b"precious");
    work_through(&mut world, program, "jobs");
    assert!(!world.disk.files.contains_key(&1), "{:?}", world.disk.files.keys());
    assert_eq!(figures(&mut world, program, "keep"), (1, 0, 1));
    assert_eq!(figures(&mut world, program, "held"), (0, 1, 0));

    world.disk.checkpoint = None;
    world.take_over().unwrap();
    world.pass(100);
    let consumer = world.run(program, consume("tried", 1));
    world.pass(1_000);
    assert_eq!(world.deliveries(program, consumer).len(), 0);
    assert_eq!(figures(&mut world, program, "tried"), (0, 0, 1));
    assert_eq!(figures(&mut world, program, "keep"), (1, 0, 1), "it is not forgotten");
    let (token, ..) = world.deliveries(program, held)[0];
    world.run(program, settle(token, Verdict::Acknowledge));
    assert_eq!(figures(&mut world, program, "held"), (0, 0, 0));
    world.run(program, Command::Purge { queue: name("keep") });
    assert_eq!(figures(&mut world, program, "keep"), (0, 0, 0));
}

#[test]
fn what_the_disk_does_not_give_is_put_aside_until_there_is_another_host_and_not_given_up() {
    let mut world = World::with_sizes(SMALL);
    let program = world.program();
    for queue in ["keep", "jobs"] {
        world.run(program, declare_on_disk(queue, QueueOptions::default()));
    }
    for body in ["one", "two"] {
        world.run(program, send("keep", body));
    }
    world.pass(100);
    world.take_over().unwrap();
    world.disk.is_unreadable = true;
    let consumer = world.run(program, consume("keep", 10));
    world.pass(100);
    assert_eq!(figures(&mut world, program, "keep"), (0, 0, 2));
    work_through(&mut world, program, "jobs");
    world.disk.is_unreadable = false;
    world.take_over().unwrap();
    world.pass(1_000);
    assert_eq!(world.deliveries(program, consumer).len(), 2);
    assert_eq!(figures(&mut world, program, "keep"), (0, 2, 0));
}

/// Sends and settles so much that the first segment holds little of what is needed.
fn work_through(world: &mut World, program: usize, queue: &str) {
    for _ in 0..40 {
        world.run(program, send(queue, &"x".repeat(60_000)));
        let id = world.run(program, receive(queue));
        world.pass(300);
        let (token, ..) = world.deliveries(program, id)[0];
        world.run(program, settle(token, Verdict::Acknowledge));
    }
    world.pass(1_000);
}
