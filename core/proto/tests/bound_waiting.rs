//! Publishes to topics that are bound to streams, while the disk is behind.

mod support;

use support::bindings::*;
use support::streams::{all, append, plain};
use support::topics::{declare_waiting, subscriber, take, take_all};
use support::*;
use telpher_proto::base::limits::Sizes;
use telpher_proto::base::{Command, Durability, Kind, Message, Part};

/// A world whose disk is behind: one program's append and publish to the bound topic wait for it.
fn behind() -> (World, usize, u64) {
    let mut world = World::with_sizes(Sizes { pending_max: 2_000, ..Sizes::default() });
    let programs = [world.program(), world.program(), world.program()];
    bound_stream(&mut world, programs[0], "a", "log", plain(Durability::Os));
    for program in programs {
        world.run(program, append("log", "early"));
    }
    world.disk.is_paused = true;
    // One is being written, and one waits for that.
    for program in &programs[..2] {
        world.start(*program, append("log", &"x".repeat(5_000)));
        world.settle();
    }
    let program = programs[2];
    let waits = world.start_within(program, append("log", "follows"), Some(1_000));
    world.settle();
    assert!(world.ended(program, waits).is_none());
    let id = world.start_within(program, publish("a", "late"), Some(40));
    world.settle();
    assert!(world.ended(program, id).is_none());
    (world, program, id)
}

#[test]
fn a_publish_waits_for_a_disk_that_is_behind_and_follows_what_waited_before_it() {
    let (mut world, program, id) = behind();
    world.disk.is_paused = false;
    world.settle();
    done(&world, program, id);
    assert_eq!(all(&mut world, program, "log")[5..], ["0 5 follows", "0 6 late"]);
}

#[test]
fn publishes_and_batches_that_wait_for_the_disk_keep_their_producers_order() {
    let mut world = World::with_sizes(Sizes { pending_max: 2_000, ..Sizes::default() });
    let programs = [world.program(), world.program(), world.program()];
    bound_stream(&mut world, programs[0], "*", "log", plain(Durability::Os));
    bound(&mut world, programs[0], "both", "jobs", on(Durability::Os));
    for program in programs {
        run(&mut world, program, publish("both", "early"));
    }
    world.disk.is_paused = true;
    for program in &programs[..2] {
        world.start(*program, append("log", &"x".repeat(5_000)));
        world.settle();
    }
    let program = programs[2];
    let in_batch = |body: &str| {
        let message = Message::new(body.as_bytes().to_vec());
        Command::Batch { parts: vec![Part::Publish { topic: name("a"), message }] }
    };
    // The first waits in the line of the queue, the others in that of the disk.
    let commands = [
        publish("both", "1"),
        in_batch("2"),
        publish("a", "3"),
        in_batch("4"),
        publish("both", "5"),
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
    let records = all(&mut world, program, "log");
    assert_eq!(records[5..], ["0 5 1", "0 6 2", "0 7 3", "0 8 4", "0 9 5"]);
    let jobs = drain(&mut world, program, "jobs");
    assert_eq!(jobs[3..], ["both 1", "both 5"]);
}

#[test]
fn a_publish_that_waits_for_the_disk_is_nowhere_at_its_deadline_or_when_it_is_given_up() {
    for given_up in [true, false] {
        let (mut world, program, id) = behind();
        if given_up {
            world.programs[program].client.cancel(world.now, id);
            world.settle();
        }
        world.pass(100);
        if !given_up {
            assert_eq!(world.kind(program, id), Kind::Full);
        }
        world.disk.is_paused = false;
        world.settle();
        assert_eq!(all(&mut world, program, "log")[5..], ["0 5 follows"]);
    }
}

#[test]
fn a_publish_that_waits_for_the_disk_goes_on_when_nothing_is_bound_any_more() {
    let ends = [unbind_stream("a", "log"), Command::DeleteStream { stream: name("log") }];
    for command in ends {
        let (mut world, program, id) = behind();
        let listener = 0;
        let live = subscribe(&mut world, listener, "a");
        world.start(listener, command);
        world.settle();
        done(&world, program, id);
        assert_eq!(heard(&world, listener, live), ["late"]);
    }
}

#[test]
fn a_publish_that_goes_from_a_subscribers_line_to_that_of_the_disk_keeps_its_place() {
    let mut world = World::with_sizes(Sizes { pending_max: 2_000, ..Sizes::default() });
    let [publisher, one, other, busy, also_busy] = [(); 5].map(|()| world.program());
    run(&mut world, publisher, declare_waiting("t", 0));
    bound_stream(&mut world, publisher, "t", "log", plain(Durability::Os));
    // The first is looked at first.
    let all_topics = subscriber(&mut world, one, "*", 1);
    let slow = subscriber(&mut world, other, "**", 1);
    run(&mut world, publisher, publish("t", "1"));
    run(&mut world, publisher, publish("t", "2"));
    take_all(&mut world, one, all_topics);
    let waits_for_one = world.run(publisher, publish("t", "3"));
    run(&mut world, publisher, publish("u", "x"));
    run(&mut world, publisher, publish("u", "x"));
    let waits_for_both = world.run(publisher, publish("t", "4"));
    for program in [busy, also_busy] {
        world.run(program, append("log", "early"));
    }
    world.disk.is_paused = true;
    for program in [busy, also_busy] {
        world.start(program, append("log", &"x".repeat(5_000)));
        world.settle();
    }
    assert_eq!(take(&mut world, other, slow, 1), 1);
    assert!(world.ended(publisher, waits_for_one).is_none(), "it waits for the disk by now");
    world.disk.is_paused = false;
    world.settle();
    assert!(world.ended(publisher, waits_for_one).is_none(), "it waits for the other one by now");
    take_all(&mut world, other, slow);
    take_all(&mut world, one, all_topics);
    take_all(&mut world, other, slow);
    take_all(&mut world, one, all_topics);
    done(&world, publisher, waits_for_one);
    done(&world, publisher, waits_for_both);
    assert_eq!(heard(&world, one, all_topics), ["1", "2", "x", "x", "3", "4"]);
    assert_eq!(heard(&world, other, slow), ["1", "2", "gap 3 4", "3", "4"]);
}
