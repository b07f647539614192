//! Topics that are declared to make publishers wait: for whom, until when, and what never happens.

mod support;

use support::bindings::*;
use support::topics::*;
use support::*;
use telpher_proto::base::{Command, Kind, Outcome, TopicOptions, TopicOverflow, limits};

#[test]
fn a_publisher_waits_until_every_subscriber_has_room_and_nobody_loses_anything() {
    let mut world = World::in_memory();
    let (publisher, slow, behind) = full(&mut world);
    let quick = world.program();
    let ahead = subscriber(&mut world, quick, "*", 10);
    let ids: Vec<_> = (3..=6).map(|n| world.run(publisher, publish("a", &n.to_string()))).collect();
    assert_eq!(heard(&world, quick, ahead), Vec::<String>::new(), "all of them or none");
    assert_eq!(inspect_topic(&mut world, publisher, "a").waiting, 4);
    for (at, id) in ids.iter().enumerate() {
        assert!(world.ended(publisher, *id).is_none(), "publish {at} waits");
        assert_eq!(take(&mut world, slow, behind, 1), 1);
        done(&world, publisher, *id);
        assert_eq!(heard(&world, quick, ahead).len(), at + 1);
    }
    take_all(&mut world, slow, behind);
    assert_eq!(heard(&world, slow, behind), ["1", "2", "3", "4", "5", "6"]);
    assert_eq!(inspect_topic(&mut world, publisher, "a").waiting, 0);
}

#[test]
fn nobody_waits_for_slow_subscribers_of_other_topics() {
    let mut world = World::in_memory();
    let (publisher, slow, behind) = full(&mut world);
    run(&mut world, publisher, declare_waiting("b.**", 0));
    let quick = world.program();
    let ahead = subscriber(&mut world, quick, "b.*", 2);
    let waits = world.run(publisher, publish("a", "3"));
    for number in 0..20 {
        run(&mut world, publisher, publish("b.c", &number.to_string()));
        run(&mut world, publisher, publish("undeclared", "x"));
        assert_eq!(take(&mut world, quick, ahead, 1), 1);
    }
    assert!(world.ended(publisher, waits).is_none());
    take_all(&mut world, slow, behind);
    done(&world, publisher, waits);
}

#[test]
fn publishes_of_a_topic_go_on_in_their_order_and_others_pass_them() {
    let mut world = World::in_memory();
    let publisher = world.program();
    let (one, two) = (world.program(), world.program());
    run(&mut world, publisher, declare_waiting("**", 0));
    let both = subscriber(&mut world, one, "*", 1);
    let only_b = subscriber(&mut world, two, "b", 1);
    for body in ["1", "2"] {
        run(&mut world, publisher, publish("b", body));
    }
    // The first of these waits for either subscriber, the next for one of them.
    for (topic, body) in [("b", "3"), ("a", "4"), ("b", "5"), ("a", "6"), ("b", "7")] {
        let id = world.run(publisher, publish(topic, body));
        assert!(world.ended(publisher, id).is_none());
    }
    run(&mut world, publisher, publish("c.d", "8"));
    take_all(&mut world, one, both);
    // What the other subscriber wants waits for it.
    assert_eq!(heard(&world, one, both), ["1", "2", "4", "6"]);
    take_all(&mut world, two, only_b);
    take_all(&mut world, one, both);
    take_all(&mut world, two, only_b);
    take_all(&mut world, one, both);
    assert_eq!(heard(&world, two, only_b), ["1", "2", "3", "5", "7"]);
    assert_eq!(heard(&world, one, both), ["1", "2", "4", "6", "3", "5", "7"]);
}

#[test]
fn a_publish_that_waits_is_expired_at_its_deadline_and_was_given_to_nobody() {
    let mut world = World::in_memory();
    let (publisher, slow, behind) = full(&mut world);
    let quick = world.program();
    let ahead = subscriber(&mut world, quick, "a", 10);
    let id = world.start_within(publisher, publish("a", "late"), Some(40));
    let next = world.start(publisher, publish("a", "next"));
    world.settle();
    world.pass(60);
    let error = world.outcome(publisher, id).unwrap_err();
    assert_eq!(error.kind(), Kind::Expired);
    assert!(!error.maybe_executed() && error.detail().contains("\"a\""), "{error}");
    take_all(&mut world, slow, behind);
    done(&world, publisher, next);
    assert_eq!(heard(&world, slow, behind), ["1", "2", "next"]);
    assert_eq!(heard(&world, quick, ahead), ["next"]);
}

#[test]
fn a_publish_that_waits_and_is_cancelled_is_given_to_nobody() {
    let mut world = World::in_memory();
    let (publisher, slow, behind) = full(&mut world);
    let id = world.run(publisher, publish("a", "unwanted"));
    let next = world.run(publisher, publish("a", "next"));
    world.programs[publisher].client.cancel(world.now, id);
    world.settle();
    assert_eq!(world.kind(publisher, id), Kind::Cancelled);
    take_all(&mut world, slow, behind);
    done(&world, publisher, next);
    assert_eq!(heard(&world, slow, behind), ["1", "2", "next"]);
    assert_eq!(inspect_topic(&mut world, publisher, "a").waiting, 0);
}

#[test]
fn waiting_ends_when_the_subscriber_ends_or_dies_or_the_declaration_is_deleted() {
    for how in ["ends", "dies", "deleted"] {
        let mut world = World::in_memory();
        let (publisher, slow, behind) = full(&mut world);
        let quick = world.program();
        let ahead = subscriber(&mut world, quick, "a", 10);
        let ids = ["3", "4", "5"].map(|body| world.run(publisher, publish("a", body)));
        match how {
            "ends" => world.programs[slow].client.detach(world.now, behind),
            "dies" => world.kill(slow),
            _ => run(&mut world, publisher, delete_topic("a")),
        }
        world.settle();
        // Something has to happen for what was killed to be looked at.
        world.pass(1);
        ids.into_iter().for_each(|id| done(&world, publisher, id));
        assert_eq!(heard(&world, quick, ahead), ["3", "4", "5"], "{how}");
        if how == "deleted" {
            // What was waited for before stays; what is published now may be lost.
            take_all(&mut world, slow, behind);
            run(&mut world, publisher, publish("a", "6"));
            assert_eq!(heard(&world, slow, behind), ["1", "2", "gap 3 5", "6"]);
        }
    }
}

#[test]
fn a_deleted_declaration_leaves_those_waiting_that_another_one_makes_wait() {
    let mut world = World::in_memory();
    let (publisher, slow, behind) = full(&mut world);
    run(&mut world, publisher, declare_waiting("**", 0));
    let id = world.run(publisher, publish("a", "3"));
    run(&mut world, publisher, delete_topic("a"));
    assert!(world.ended(publisher, id).is_none());
    assert_eq!(inspect_topic(&mut world, publisher, "**").waiting, 1);
    run(&mut world, publisher, declare_waiting("a", 0));
    take_all(&mut world, slow, behind);
    done(&world, publisher, id);
    assert_eq!(inspect_topic(&mut world, publisher, "**").waiting, 0);
    assert_eq!(inspect_topic(&mut world, publisher, "a").waiting, 0);
}

#[test]
fn the_line_is_bounded_and_says_so() {
    let mut world = World::in_memory();
    let (publisher, slow, behind) = full(&mut world);
    run(&mut world, publisher, declare_waiting("*", 2));
    let waiting = ["3", "4"].map(|body| world.run(publisher, publish("a", body)));
    let error = {
        let id = world.run(publisher, publish("a", "5"));
        world.outcome(publisher, id).unwrap_err()
    };
    assert_eq!(error.kind(), Kind::Full);
    assert!(error.detail().contains("2 publishes") && error.detail().contains("\"*\""), "{error}");
    assert!(error.detail().contains("line_max is 2") && !error.maybe_executed(), "{error}");
    take_all(&mut world, slow, behind);
    waiting.into_iter().for_each(|id| done(&world, publisher, id));
    run(&mut world, publisher, publish("a", "6"));
    take_all(&mut world, slow, behind);
    assert_eq!(heard(&world, slow, behind), ["1", "2", "3", "4", "6"]);
}

#[test]
fn what_one_producer_has_waiting_is_bounded_too() {
    let mut world = World::in_memory();
    let (publisher, slow, _) = full(&mut world);
    run(&mut world, publisher, declare_waiting("other", 5_000));
    let id = subscriber(&mut world, slow, "other", 1);
    let others = [world.program(), world.program()];
    for program in others {
        for body in 0..limits::PRODUCER_WINDOW {
            world.start(program, publish("other", &body.to_string()));
        }
    }
    world.settle();
    let waiting = inspect_topic(&mut world, publisher, "other").waiting;
    assert!(waiting <= 2 * limits::SEND_LINE_MAX as u64, "{waiting} wait");
    take_all(&mut world, slow, id);
}

#[test]
fn a_declaration_can_be_made_twice_if_it_is_equal_looked_at_listed_and_deleted() {
    let mut world = World::new();
    let program = world.program();
    for of in ["b", "a.*", "c.**"] {
        run(&mut world, program, declare_waiting(of, 0));
        run(&mut world, program, declare_waiting(of, limits::TOPIC_LINE_DEFAULT));
    }
    assert_eq!(declared(&mut world, program, None), ["a.*", "b", "c.**"]);
    assert_eq!(declared(&mut world, program, Some("a.*")), ["b", "c.**"]);
    let info = inspect_topic(&mut world, program, "b");
    assert_eq!((info.overflow, info.line_max), (TopicOverflow::Wait, limits::TOPIC_LINE_DEFAULT));
    let other = world.run(program, declare_waiting("b", 7));
    let error = world.outcome(program, other).unwrap_err();
    assert_eq!(error.kind(), Kind::Mismatch);
    assert!(error.detail().contains("line_max 1024, not 7"), "{error}");
    let options = TopicOptions::default();
    let other = world.run(program, Command::DeclareTopic { pattern: pattern("b"), options });
    let error = world.outcome(program, other).unwrap_err();
    assert!(error.detail().contains("overflow wait, not drop"), "{error}");
    run(&mut world, program, delete_topic("b"));
    for command in [delete_topic("b"), Command::InspectTopic { pattern: pattern("b") }] {
        let id = world.run(program, command);
        assert_eq!(world.kind(program, id), Kind::NotFound);
    }
    run(&mut world, program, Command::DeclareTopic { pattern: pattern("b"), options });
    assert_eq!(declared(&mut world, program, None), ["a.*", "b", "c.**"]);
}

#[test]
fn a_declaration_with_a_value_outside_of_its_limits_is_refused() {
    let overflow = TopicOverflow::Drop;
    for options in [
        TopicOptions { overflow, line_max: 1 },
        TopicOptions { overflow: TopicOverflow::Wait, line_max: limits::LINE_MAX + 1 },
    ] {
        let command = Command::DeclareTopic { pattern: pattern("a"), options };
        let error = command.check().unwrap_err();
        assert!(error.kind() == Kind::Invalid && error.detail().contains("line_max"), "{error}");
    }
    let mut world = World::in_memory();
    let program = world.program();
    for number in 0..limits::TOPICS_PER_HUB_MAX {
        world.start(program, declare_waiting(&format!("t.{number}"), 0));
        world.settle();
    }
    let id = world.run(program, declare_waiting("one.more", 0));
    assert_eq!(world.kind(program, id), Kind::Full);
}

#[test]
fn a_topic_that_is_declared_to_drop_drops() {
    let mut world = World::in_memory();
    let (publisher, slow) = (world.program(), world.program());
    let options = TopicOptions::default();
    run(&mut world, publisher, Command::DeclareTopic { pattern: pattern("a"), options });
    let id = subscriber(&mut world, slow, "a", 1);
    for body in ["1", "2", "3"] {
        run(&mut world, publisher, publish("a", body));
    }
    take_all(&mut world, slow, id);
    assert_eq!(heard(&world, slow, id), ["1", "gap 2 2", "3"]);
}

#[test]
fn what_may_be_dropped_never_takes_the_room_of_what_a_publisher_waited_for() {
    let mut world = World::in_memory();
    let (publisher, slow) = (world.program(), world.program());
    run(&mut world, publisher, declare_waiting("keep", 0));
    let id = subscriber(&mut world, slow, "*", 3);
    for body in ["1", "2", "3"] {
        run(&mut world, publisher, publish("keep", body));
    }
    for (topic, body) in [("drop", "4"), ("keep", "5"), ("drop", "6"), ("drop", "7")] {
        run(&mut world, publisher, publish(topic, body));
    }
    let waits = world.run(publisher, publish("keep", "8"));
    assert!(world.ended(publisher, waits).is_none());
    take(&mut world, slow, id, 1);
    done(&world, publisher, waits);
    run(&mut world, publisher, publish("drop", "9"));
    run(&mut world, publisher, publish("drop", "10"));
    take_all(&mut world, slow, id);
    let heard = heard(&world, slow, id);
    assert_eq!(heard, ["1", "2", "3", "gap 4 4", "5", "gap 6 7", "8", "9", "10"]);
}

#[test]
fn a_publisher_waits_for_room_in_bytes_too() {
    let mut world = World::in_memory();
    let (publisher, slow) = (world.program(), world.program());
    run(&mut world, publisher, declare_waiting("a", 0));
    let id = subscriber(&mut world, slow, "a", 100);
    let large = "x".repeat(4 * 1024 * 1024);
    let fits = 2 * limits::SUBSCRIPTION_BYTES_MAX as usize / large.len();
    let ids: Vec<_> = (0..fits + 3).map(|_| world.run(publisher, publish("a", &large))).collect();
    let ended = ids.iter().filter(|id| world.ended(publisher, **id).is_some()).count();
    assert_eq!(ended, fits);
    take_all(&mut world, slow, id);
    ids.into_iter().for_each(|id| done(&world, publisher, id));
    assert_eq!(heard(&world, slow, id), vec![large; fits + 3]);
}

#[test]
fn a_small_message_does_not_pass_a_large_one_that_waits_for_room() {
    let mut world = World::in_memory();
    let (publisher, slow) = (world.program(), world.program());
    run(&mut world, publisher, declare_waiting("*", 0));
    let id = subscriber(&mut world, slow, "*", 100);
    let large = "x".repeat(4 * 1024 * 1024);
    for _ in 0..7 {
        run(&mut world, publisher, publish("a", &large));
    }
    let waits = world.run(publisher, publish("a", &large.repeat(2)[1..]));
    let small = ["a", "b"].map(|topic| world.run(publisher, publish(topic, "small")));
    for id in [waits].into_iter().chain(small) {
        assert!(world.ended(publisher, id).is_none(), "there is room for the small ones only");
    }
    take_all(&mut world, slow, id);
    let heard = heard(&world, slow, id);
    assert_eq!(heard[7].len(), 8 * 1024 * 1024 - 1);
    assert_eq!(heard[8..], ["small", "small"]);
}

#[test]
fn a_publish_waits_when_all_subscribers_together_have_taken_the_hubs_room() {
    let mut world = World::in_memory();
    let publisher = world.program();
    run(&mut world, publisher, declare_waiting("**", 0));
    let large = "x".repeat(8 * 1024 * 1024 - 1);
    let mut slow = Vec::new();
    for number in 0..17 {
        let program = world.program();
        let topic = format!("of.{number}");
        slow.push((program, subscriber(&mut world, program, &topic, 3), topic));
    }
    let mut ids = Vec::new();
    for (_, _, topic) in &slow {
        for _ in 0..5 {
            ids.push(world.start_within(publisher, publish(topic, &large), None));
            world.settle();
        }
    }
    let waiting = ids.split_off(ids.len() - 2);
    ids.into_iter().for_each(|id| done(&world, publisher, id));
    let (program, id, _) = slow[0].clone();
    for waits in waiting {
        assert!(world.ended(publisher, waits).is_none(), "the others have what there is");
        take(&mut world, program, id, 1);
        done(&world, publisher, waits);
    }
    for (program, id, _) in slow {
        take_all(&mut world, program, id);
        assert_eq!(heard(&world, program, id).len(), 5);
    }
}

#[test]
fn a_batch_does_not_wait_for_a_subscriber() {
    let mut world = World::in_memory();
    let (publisher, slow, behind) = full(&mut world);
    run(&mut world, publisher, declare("jobs", Default::default()));
    let id = world.run(publisher, batch_of(&[("b", "x"), ("a", "3")]));
    let error = world.outcome(publisher, id).unwrap_err();
    assert_eq!(error.kind(), Kind::Full);
    assert!(error.detail().contains("part 1") && error.detail().contains("\"a\""), "{error}");
    take(&mut world, slow, behind, 1);
    let two = world.run(publisher, batch_of(&[("a", "4"), ("a", "5")]));
    assert_eq!(world.kind(publisher, two), Kind::Full);
    let one = world.run(publisher, batch_of(&[("a", "6")]));
    assert!(matches!(world.outcome(publisher, one), Ok(Outcome::Receipts(_))));
    take_all(&mut world, slow, behind);
    assert_eq!(heard(&world, slow, behind), ["1", "2", "6"]);
}

#[test]
fn room_that_a_batch_has_taken_is_nobody_elses_until_it_is_safe() {
    let mut world = World::new();
    let (publisher, slow) = (world.program(), world.program());
    run(&mut world, publisher, declare_waiting("a", 0));
    run(&mut world, publisher, declare_on_disk("jobs", Default::default()));
    let id = subscriber(&mut world, slow, "*", 1);
    run(&mut world, publisher, publish("a", "1"));
    world.disk.is_paused = true;
    let mut parts = Vec::new();
    for command in [batch_of(&[("a", "2")]), batch_of(&[])] {
        let Command::Batch { parts: some } = command else { continue };
        parts.extend(some);
    }
    let message = telpher_proto::base::Message::new("job");
    parts.push(telpher_proto::base::Part::Send { queue: name("jobs"), message });
    let batch = world.run(publisher, Command::Batch { parts });
    let next = world.run(publisher, publish("a", "3"));
    run(&mut world, publisher, publish("drop", "lost"));
    assert!(world.ended(publisher, next).is_none(), "the room is taken");
    world.disk.is_paused = false;
    world.settle();
    assert!(world.outcome(publisher, batch).is_ok());
    take_all(&mut world, slow, id);
    done(&world, publisher, next);
    assert_eq!(heard(&world, slow, id), ["1", "gap 2 2", "2", "3"]);
}

#[test]
fn a_bound_queue_and_a_slow_subscriber_get_a_message_together_or_not_at_all() {
    let mut world = World::new();
    let (publisher, slow, behind) = full(&mut world);
    bound(&mut world, publisher, "a", "jobs", Default::default());
    let expires = world.start_within(publisher, publish("a", "late"), Some(30));
    let waits = world.run(publisher, publish("a", "3"));
    world.pass(50);
    assert_eq!(world.kind(publisher, expires), Kind::Expired);
    assert_eq!(world.figures(publisher, "jobs"), (0, 0));
    take_all(&mut world, slow, behind);
    done(&world, publisher, waits);
    assert_eq!(drain(&mut world, publisher, "jobs"), ["a 3"]);
    assert_eq!(heard(&world, slow, behind), ["1", "2", "3"]);
}

#[test]
fn a_publish_that_waits_for_a_queue_and_then_for_a_subscriber_holds_no_place_meanwhile() {
    let mut world = World::new();
    let (publisher, slow, behind) = full(&mut world);
    let small = telpher_proto::base::QueueOptions { length_max: 1, ..Default::default() };
    bound(&mut world, publisher, "a", "jobs", small.clone());
    bound(&mut world, publisher, "a", "others", small);
    take(&mut world, slow, behind, 1);
    run(&mut world, publisher, publish("a", "3"));
    let waits = world.run(publisher, publish("a", "4"));
    assert_eq!(drain(&mut world, publisher, "jobs"), ["a 3"]);
    assert!(world.ended(publisher, waits).is_none());
    assert_eq!(drain(&mut world, publisher, "others"), ["a 3"]);
    assert!(world.ended(publisher, waits).is_none(), "the subscriber has no room yet");
    assert_eq!(world.figures(publisher, "jobs"), (0, 0));
    take_all(&mut world, slow, behind);
    done(&world, publisher, waits);
    assert_eq!(drain(&mut world, publisher, "jobs"), ["a 4"]);
    assert_eq!(drain(&mut world, publisher, "others"), ["a 4"]);
    assert_eq!(heard(&world, slow, behind), ["1", "2", "3", "4"]);
}
