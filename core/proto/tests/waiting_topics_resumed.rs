//! Topics that make publishers wait, over broken connections and changes of host.

mod support;

use support::bindings::*;
use support::topics::*;
use support::*;
use telpher_proto::base::limits::Sizes;
use telpher_proto::base::{Command, Kind};

#[test]
fn a_publish_that_waits_survives_a_broken_connection_and_is_published_once() {
    for breaks in ["publisher", "subscriber", "both"] {
        let mut world = World::in_memory();
        let (publisher, slow, behind) = full(&mut world);
        let waits = world.run(publisher, publish("a", "3"));
        if breaks != "subscriber" {
            world.break_connection(publisher);
        }
        if breaks != "publisher" {
            world.break_connection(slow);
        }
        world.pass(100);
        assert!(world.ended(publisher, waits).is_none(), "{breaks}");
        take_all(&mut world, slow, behind);
        world.pass(100);
        done(&world, publisher, waits);
        assert_eq!(heard(&world, slow, behind), ["1", "2", "3"], "{breaks}");
    }
}

#[test]
fn a_publish_that_ends_waiting_while_its_program_is_away_is_published_once() {
    let mut world = World::in_memory();
    let (publisher, slow, behind) = full(&mut world);
    let waits = world.run(publisher, publish("a", "3"));
    world.programs[publisher].deaf = true;
    take_all(&mut world, slow, behind);
    world.break_connection(publisher);
    world.programs[publisher].deaf = false;
    world.pass(100);
    done(&world, publisher, waits);
    take_all(&mut world, slow, behind);
    assert_eq!(heard(&world, slow, behind), ["1", "2", "3"]);
}

#[test]
fn a_publish_whose_program_gave_it_up_while_it_was_away_is_given_to_nobody() {
    let mut world = World::in_memory();
    let (publisher, slow, behind) = full(&mut world);
    let waits = world.start_within(publisher, publish("a", "3"), Some(20));
    world.settle();
    world.break_connection(publisher);
    world.programs[publisher].cut = true;
    world.pass(40);
    world.programs[publisher].cut = false;
    world.pass(100);
    assert!(world.outcome(publisher, waits).is_err());
    take_all(&mut world, slow, behind);
    assert_eq!(heard(&world, slow, behind), ["1", "2"]);
}

#[test]
fn a_program_that_resumes_without_its_subscriber_ends_its_own_waiting_publish_once() {
    let mut world = World::in_memory();
    let program = world.program();
    run(&mut world, program, declare_waiting("a", 0));
    let own = subscriber(&mut world, program, "a", 1);
    let other = world.program();
    let listener = subscriber(&mut world, other, "a", 10);
    run(&mut world, program, publish("a", "1"));
    run(&mut world, program, publish("a", "2"));
    let waits = world.run(program, publish("a", "3"));
    world.break_connection(program);
    world.programs[program].client.detach(world.now, own);
    world.pass(100);
    done(&world, program, waits);
    assert_eq!(heard(&world, other, listener), ["1", "2", "3"]);
}

#[test]
fn publishers_wait_for_a_subscriber_that_is_away_until_its_session_ends() {
    let mut world = World::in_memory();
    let (publisher, slow, behind) = full(&mut world);
    world.break_connection(slow);
    world.programs[slow].cut = true;
    let waits = world.start_within(publisher, publish("a", "3"), None);
    world.pass(200);
    assert!(world.ended(publisher, waits).is_none());
    world.pass(60_000);
    done(&world, publisher, waits);
    assert_eq!(heard(&world, slow, behind), ["1"]);
}

#[test]
fn a_subscriber_that_comes_back_loses_only_what_was_on_its_way() {
    let mut world = World::in_memory();
    let (publisher, slow) = (world.program(), world.program());
    run(&mut world, publisher, declare_waiting("a", 0));
    let id = subscriber(&mut world, slow, "a", 2);
    run(&mut world, publisher, publish("a", "1"));
    world.programs[slow].deaf = true;
    run(&mut world, publisher, publish("a", "2"));
    world.break_connection(slow);
    world.programs[slow].deaf = false;
    world.programs[slow].cut = true;
    let ids = ["3", "4", "5", "6"].map(|body| world.run(publisher, publish("a", body)));
    world.programs[slow].cut = false;
    world.pass(100);
    take_all(&mut world, slow, id);
    ids.into_iter().for_each(|id| done(&world, publisher, id));
    assert_eq!(heard(&world, slow, id), ["1", "gap 2 2", "3", "4", "5", "6"]);
}

#[test]
fn declarations_and_deletions_outlive_every_host() {
    for how in ["killed", "power", "handed over"] {
        let mut world = World::new();
        let program = world.program();
        run(&mut world, program, declare_waiting("a", 3));
        run(&mut world, program, declare_waiting("b.**", 0));
        run(&mut world, program, declare_waiting("gone", 0));
        run(&mut world, program, delete_topic("gone"));
        for _ in 0..2 {
            match how {
                "killed" => world.change_host(),
                "power" => world.cut_power(),
                _ => world.hand_over(),
            }
            world.pass(50);
            assert_eq!(declared(&mut world, program, None), ["a", "b.**"], "{how}");
            assert_eq!(inspect_topic(&mut world, program, "a").line_max, 3);
        }
        let slow = world.program();
        let id = subscriber(&mut world, slow, "a", 1);
        run(&mut world, program, publish("a", "1"));
        run(&mut world, program, publish("a", "2"));
        let waits = world.run(program, publish("a", "3"));
        assert!(world.ended(program, waits).is_none(), "{how}");
        take_all(&mut world, slow, id);
        done(&world, program, waits);
    }
}

#[test]
fn declarations_are_stated_anew_in_each_segment_and_in_checkpoints() {
    let sizes = Sizes { segment: (16 * 1024, 16 * 1024), garbage_min: 4_096, ..Sizes::default() };
    let mut world = World::with_sizes(sizes);
    let program = world.program();
    run(&mut world, program, declare_waiting("a.*", 5));
    run(&mut world, program, declare_on_disk("jobs", Default::default()));
    let first = *world.disk.files.keys().next().unwrap();
    for number in 0..60 {
        let id = world.run(program, big("jobs", number, 2_000));
        assert!(world.outcome(program, id).is_ok());
        world.run(program, Command::Purge { queue: name("jobs") });
    }
    assert!(!world.disk.files.contains_key(&first), "what first said it is gone");
    world.change_host();
    world.pass(50);
    assert_eq!(inspect_topic(&mut world, program, "a.*").line_max, 5);
    world.disk.checkpoint = None;
    world.change_host();
    world.pass(50);
    assert_eq!(inspect_topic(&mut world, program, "a.*").line_max, 5);
}

#[test]
fn a_publish_that_waited_when_its_host_was_killed_is_not_published_twice() {
    for how in ["killed", "handed over"] {
        let mut world = World::new();
        let (publisher, slow, behind) = full(&mut world);
        let unbound = world.start_within(publisher, publish("a", "3"), Some(5_000));
        world.settle();
        match how {
            "killed" => world.change_host(),
            _ => world.hand_over(),
        }
        world.pass(100);
        // To nobody, or to those whom the host before knows: the next one can't tell.
        assert_eq!(world.kind(publisher, unbound), Kind::Indeterminate, "{how}");
        take_all(&mut world, slow, behind);
        run(&mut world, publisher, publish("a", "4"));
        take_all(&mut world, slow, behind);
        let heard = heard(&world, slow, behind);
        assert!(!heard.contains(&"3".to_owned()), "{how}: {heard:?}");
        assert_eq!(heard.last().unwrap(), "4");
    }
}

#[test]
fn a_bound_publish_that_waited_when_its_host_was_killed_is_stored_once_by_the_next() {
    let mut world = World::new();
    let (publisher, slow, behind) = full(&mut world);
    bound(&mut world, publisher, "a", "jobs", Default::default());
    let waits = world.start_within(publisher, publish("a", "3"), Some(5_000));
    world.settle();
    world.change_host();
    world.pass(100);
    done(&world, publisher, waits);
    assert_eq!(drain(&mut world, publisher, "jobs"), ["a 3"]);
    take_all(&mut world, slow, behind);
    assert!(!heard(&world, slow, behind).contains(&"3".to_owned()));
}

#[test]
fn the_records_of_declarations_have_the_bytes_they_always_had() {
    let mut world = World::new();
    let program = world.program();
    run(&mut world, program, declare_waiting("orders.*", 3));
    let options = Default::default();
    run(&mut world, program, Command::DeclareTopic { pattern: pattern("all.**"), options });
    run(&mut world, program, delete_topic("all.**"));
    is_golden(&world, 1, "topics.txt");
}
