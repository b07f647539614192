//! What design promises of queues, over pipes and a clock of our own.

mod support;

use support::*;
use telpher_proto::base::{
    Command, Durability, Kind, Notice, Outcome, Overflow, QueueOptions, Verdict,
};

fn options(length_max: u64, overflow: Overflow) -> QueueOptions {
    QueueOptions { length_max, overflow, ..QueueOptions::default() }
}

fn world_with_queue(options: QueueOptions) -> (World, usize, usize) {
    let mut world = World::new();
    let (producer, consumer) = (world.program(), world.program());
    let declared = world.run(producer, declare("jobs", options));
    assert!(world.outcome(producer, declared).is_ok());
    (world, producer, consumer)
}

fn bodies(deliveries: &[(u64, Vec<u8>, u32)]) -> Vec<String> {
    deliveries.iter().map(|(_, body, _)| String::from_utf8(body.clone()).unwrap()).collect()
}

#[test]
fn a_message_is_confirmed_received_and_acknowledged() {
    let (mut world, producer, consumer) = world_with_queue(QueueOptions::default());
    let sent = world.run(producer, send("jobs", "a"));
    let Ok(Outcome::Receipt(receipt)) = world.outcome(producer, sent) else { panic!() };
    assert_eq!(receipt.durability, Durability::Memory);
    let received = world.run(consumer, receive("jobs"));
    let (token, body, failures) = world.deliveries(consumer, received)[0].clone();
    assert_eq!((body, failures), (b"a".to_vec(), 0));
    assert_eq!(world.figures(producer, "jobs"), (0, 1));
    let settled = world.run(consumer, settle(token, Verdict::Acknowledge));
    assert!(world.outcome(consumer, settled).is_ok());
    assert_eq!(world.figures(producer, "jobs"), (0, 0));
}

#[test]
fn a_receive_waits_for_a_message_and_expires_without_one() {
    let (mut world, producer, consumer) = world_with_queue(QueueOptions::default());
    let waiting = world.start_within(consumer, receive("jobs"), Some(100));
    world.settle();
    world.run(producer, send("jobs", "late"));
    assert_eq!(bodies(&world.deliveries(consumer, waiting)), ["late"]);
    let empty = world.start_within(consumer, receive("jobs"), Some(100));
    world.pass(100);
    assert_eq!(world.kind(consumer, empty), Kind::Expired);
    world.run(producer, send("jobs", "kept"));
    assert_eq!(world.figures(producer, "jobs"), (1, 1));
}

#[test]
fn a_queue_counts_consumers_and_receives_that_wait() {
    let (mut world, producer, consumer) = world_with_queue(QueueOptions::default());
    world.start_within(consumer, receive("jobs"), Some(100));
    world.run(consumer, consume("jobs", 1));
    assert_eq!(consumers(&mut world, producer), 2);
    world.pass(100);
    assert_eq!(consumers(&mut world, producer), 1);
}

fn consumers(world: &mut World, program: usize) -> u64 {
    let inspected = world.run(program, Command::Inspect { queue: name("jobs") });
    let Ok(Outcome::Queue(info)) = world.outcome(program, inspected) else { panic!("figures") };
    info.consumers
}

#[test]
fn consumers_compete_and_hold_no_more_than_their_prefetch() {
    let (mut world, producer, one) = world_with_queue(QueueOptions::default());
    let two = world.program();
    let first = world.run(one, consume("jobs", 2));
    let second = world.run(two, consume("jobs", 2));
    for n in 0..6 {
        world.run(producer, send("jobs", &n.to_string()));
    }
    assert_eq!(bodies(&world.deliveries(one, first)), ["0", "2"]);
    assert_eq!(bodies(&world.deliveries(two, second)), ["1", "3"]);
    let (token, ..) = world.deliveries(one, first)[0];
    world.run(one, settle(token, Verdict::Acknowledge));
    assert_eq!(bodies(&world.deliveries(one, first)), ["0", "2", "4"]);
}

#[test]
fn credit_can_be_changed_and_zero_pauses() {
    let (mut world, producer, consumer) = world_with_queue(QueueOptions::default());
    let id = world.run(consumer, consume("jobs", 1));
    world.run(consumer, Command::Credit { consumer: id, prefetch: 0 });
    world.run(producer, send("jobs", "a"));
    world.run(producer, send("jobs", "b"));
    assert!(world.deliveries(consumer, id).is_empty());
    world.run(consumer, Command::Credit { consumer: id, prefetch: 2 });
    assert_eq!(bodies(&world.deliveries(consumer, id)), ["a", "b"]);
}

#[test]
fn a_requeued_message_keeps_its_place_and_counts_a_failure() {
    let (mut world, producer, consumer) = world_with_queue(QueueOptions::default());
    for body in ["a", "b", "c"] {
        world.run(producer, send("jobs", body));
    }
    let first = world.run(consumer, receive("jobs"));
    let (token, ..) = world.deliveries(consumer, first)[0];
    world.run(consumer, settle(token, Verdict::Requeue));
    world.pass(100);
    let again = world.run(consumer, receive("jobs"));
    let (token, body, failures) = world.deliveries(consumer, again)[0].clone();
    assert_eq!((body, failures), (b"a".to_vec(), 1));
    world.run(consumer, settle(token, Verdict::Release));
    let third = world.run(consumer, receive("jobs"));
    assert_eq!(world.deliveries(consumer, third)[0].2, 1, "a release is no failure");
}

#[test]
fn the_last_attempt_counts_as_a_dead_letter_and_not_as_requeued_also_for_the_next_host() {
    let mut world = World::new();
    let program = world.program();
    world.run(
        program,
        declare_on_disk("jobs", QueueOptions { max_attempts: 2, ..QueueOptions::default() }),
    );
    world.run(program, send("jobs", "stubborn"));
    for _ in 0..2 {
        let received = world.run(program, receive("jobs"));
        world.pass(200);
        let (token, ..) = world.deliveries(program, received)[0];
        world.run(program, settle(token, Verdict::Requeue));
    }
    for _ in 0..2 {
        let inspected = world.run(program, Command::Inspect { queue: name("jobs") });
        let Ok(Outcome::Queue(info)) = world.outcome(program, inspected) else { panic!() };
        assert_eq!((info.sent, info.requeued, info.dead_lettered), (1, 1, 1));
        world.change_host();
        world.pass(1_000);
    }
}

#[test]
fn stating_the_dead_letter_queue_that_is_the_default_is_no_difference() {
    let (mut world, program, _) = world_with_queue(QueueOptions::default());
    let to = |queue: &str| QueueOptions { dead_letter: Some(name(queue)), ..Default::default() };
    let same = world.run(program, declare("jobs", to("jobs.dead")));
    assert!(world.outcome(program, same).is_ok());
    let other = world.run(program, declare("jobs", to("graves")));
    let error = world.outcome(program, other).unwrap_err();
    assert_eq!(error.kind(), Kind::Mismatch);
    assert!(error.detail().contains("dead_letter \"jobs.dead\", not \"graves\""), "{error}");
}

#[test]
fn the_bound_on_bytes_is_that_of_where_they_are_kept_also_where_that_is_the_default() {
    let mut world = World::in_memory();
    let program = world.program();
    let options = QueueOptions { bytes_max: (1 << 30) + 1, ..QueueOptions::default() };
    let declared = world.run(program, Command::Declare { queue: name("jobs"), options });
    let error = world.outcome(program, declared).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert_eq!(error.detail(), "bytes_max is 1073741825; allowed are 0 to 1073741824");
}

#[test]
fn a_rejected_message_leaves_the_queue() {
    let (mut world, producer, consumer) = world_with_queue(QueueOptions::default());
    world.run(producer, send("jobs", "bad"));
    let received = world.run(consumer, receive("jobs"));
    let (token, ..) = world.deliveries(consumer, received)[0];
    world.run(consumer, settle(token, Verdict::Reject));
    assert_eq!(world.figures(producer, "jobs"), (0, 0));
    let twice = world.run(consumer, settle(token, Verdict::Acknowledge));
    assert_eq!(world.kind(consumer, twice), Kind::Stale);
}

#[test]
fn higher_priority_goes_first() {
    let (mut world, producer, consumer) = world_with_queue(QueueOptions::default());
    for (body, priority) in [("low", 0), ("high", 9), ("middle", 5), ("high2", 9)] {
        let mut command = send("jobs", body);
        if let Command::Send { message, .. } = &mut command {
            message.properties_mut().priority = priority;
        }
        world.run(producer, command);
    }
    let id = world.run(consumer, consume("jobs", 10));
    assert_eq!(bodies(&world.deliveries(consumer, id)), ["high", "high2", "middle", "low"]);
}

#[test]
fn what_a_session_held_goes_back_when_it_ends() {
    let (mut world, producer, one) = world_with_queue(QueueOptions::default());
    let two = world.program();
    world.run(producer, send("jobs", "a"));
    world.run(one, consume("jobs", 5));
    let second = world.run(two, consume("jobs", 5));
    assert!(world.deliveries(two, second).is_empty());
    world.programs[one].client.close(world.now);
    world.settle();
    assert_eq!(bodies(&world.deliveries(two, second)), ["a"]);
}

#[test]
fn a_full_queue_with_reject_is_full_at_once_with_limit_and_value() {
    let (mut world, producer, _) = world_with_queue(options(2, Overflow::Reject));
    world.run(producer, send("jobs", "a"));
    world.run(producer, send("jobs", "b"));
    let third = world.run(producer, send("jobs", "c"));
    let error = world.outcome(producer, third).unwrap_err();
    assert_eq!(error.kind(), Kind::Full);
    assert!(error.detail().contains("2 messages"), "{error}");
}

#[test]
fn a_full_queue_with_wait_takes_the_send_when_there_is_room() {
    let (mut world, producer, consumer) = world_with_queue(options(1, Overflow::Wait));
    world.run(producer, send("jobs", "a"));
    let waiting = world.run(producer, send("jobs", "b"));
    let hopeless = world.start_within(producer, send("jobs", "c"), Some(50));
    world.settle();
    assert!(world.ended(producer, waiting).is_none());
    world.pass(50);
    assert_eq!(world.kind(producer, hopeless), Kind::Full);
    let id = world.run(consumer, consume("jobs", 1));
    let (token, ..) = world.deliveries(consumer, id)[0];
    world.run(consumer, settle(token, Verdict::Acknowledge));
    assert!(world.outcome(producer, waiting).is_ok());
    assert_eq!(bodies(&world.deliveries(consumer, id)), ["a", "b"]);
}

#[test]
fn a_cancelled_send_leaves_the_line_and_is_never_stored() {
    let (mut world, producer, consumer) = world_with_queue(options(1, Overflow::Wait));
    world.run(producer, send("jobs", "a"));
    let waiting = world.run(producer, send("jobs", "b"));
    world.programs[producer].client.cancel(world.now, waiting);
    world.settle();
    assert_eq!(world.kind(producer, waiting), Kind::Cancelled);
    let id = world.run(consumer, consume("jobs", 9));
    let (token, ..) = world.deliveries(consumer, id)[0];
    world.run(consumer, settle(token, Verdict::Acknowledge));
    assert_eq!(bodies(&world.deliveries(consumer, id)), ["a"]);
}

#[test]
fn purge_and_delete_count_what_they_remove_and_end_who_waits() {
    let (mut world, producer, consumer) = world_with_queue(QueueOptions::default());
    world.run(producer, send("jobs", "a"));
    world.run(producer, send("jobs", "b"));
    let purged = world.run(producer, Command::Purge { queue: name("jobs") });
    assert!(matches!(world.outcome(producer, purged), Ok(Outcome::Count(2))));
    let id = world.run(consumer, consume("jobs", 9));
    let waiting = world.run(producer, receive("jobs"));
    world.run(producer, Command::Delete { queue: name("jobs") });
    assert_eq!(world.kind(consumer, id), Kind::NotFound);
    assert_eq!(world.kind(producer, waiting), Kind::NotFound);
    let sent = world.run(producer, send("jobs", "c"));
    assert_eq!(world.kind(producer, sent), Kind::NotFound);
}

#[test]
fn declaring_twice_is_fine_if_equal_and_else_names_the_difference() {
    let (mut world, producer, _) = world_with_queue(options(5, Overflow::Wait));
    let equal = world.run(producer, declare("jobs", options(5, Overflow::Wait)));
    assert!(world.outcome(producer, equal).is_ok());
    let other = world.run(producer, declare("jobs", options(6, Overflow::Reject)));
    let error = world.outcome(producer, other).unwrap_err();
    assert_eq!(error.kind(), Kind::Mismatch);
    assert!(error.detail().contains("length_max 5, not 6"), "{error}");
    assert!(error.detail().contains("overflow wait, not reject"), "{error}");
}

#[test]
fn a_durability_that_the_hub_does_not_have_is_unsupported() {
    let mut world = World::in_memory();
    let producer = world.program();
    let durability = Some(Durability::Disk);
    let options = QueueOptions { durability, ..QueueOptions::default() };
    let id = world.run(producer, Command::Declare { queue: name("jobs"), options });
    let error = world.outcome(producer, id).unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
    assert!(error.detail().contains("durability disk"), "{error}");
}

#[test]
fn a_send_whose_confirmation_was_lost_is_stored_once() {
    let (mut world, producer, _) = world_with_queue(QueueOptions::default());
    world.programs[producer].deaf = true;
    let sent = world.run(producer, send("jobs", "a"));
    world.break_connection(producer);
    world.programs[producer].deaf = false;
    world.pass(20);
    assert!(world.outcome(producer, sent).is_ok());
    assert_eq!(world.figures(producer, "jobs"), (1, 0));
    assert!(world.notices(producer).contains(&Notice::Resumed));
}

#[test]
fn a_delivery_that_a_broken_connection_lost_is_handed_out_again_under_its_token() {
    let (mut world, producer, consumer) = world_with_queue(QueueOptions::default());
    let id = world.run(consumer, consume("jobs", 5));
    world.run(producer, send("jobs", "seen"));
    world.programs[consumer].deaf = true;
    world.run(producer, send("jobs", "lost"));
    world.break_connection(consumer);
    world.programs[consumer].deaf = false;
    world.pass(20);
    let deliveries = world.deliveries(consumer, id);
    assert_eq!(bodies(&deliveries), ["seen", "lost"]);
    for (token, ..) in deliveries {
        let settled = world.run(consumer, settle(token, Verdict::Acknowledge));
        assert!(world.outcome(consumer, settled).is_ok());
    }
    assert_eq!(world.figures(producer, "jobs"), (0, 0));
}

#[test]
fn a_session_that_does_not_come_back_in_time_loses_what_it_held() {
    let (mut world, producer, consumer) = world_with_queue(QueueOptions::default());
    let id = world.run(consumer, consume("jobs", 5));
    world.run(producer, send("jobs", "a"));
    let (token, ..) = world.deliveries(consumer, id)[0];
    world.programs[consumer].cut = true;
    world.break_connection(consumer);
    world.pass(5_001);
    assert_eq!(world.figures(producer, "jobs"), (1, 0));
    world.programs[consumer].cut = false;
    world.pass(20);
    let late = world.run(consumer, settle(token, Verdict::Acknowledge));
    assert!(matches!(world.kind(consumer, late), Kind::Stale | Kind::LeaseLost));
    assert_eq!(bodies(&world.deliveries(consumer, id)), ["a", "a"]);
}

#[test]
fn at_a_change_of_host_queues_in_memory_are_empty_and_open_sends_go_on() {
    let (mut world, producer, consumer) = world_with_queue(options(1, Overflow::Wait));
    world.run(producer, send("jobs", "a"));
    let id = world.run(consumer, consume("jobs", 1));
    let (token, ..) = world.deliveries(consumer, id)[0];
    let waiting = world.run(producer, send("jobs", "b"));
    world.change_host();
    world.pass(20);
    assert!(world.outcome(producer, waiting).is_ok());
    let changed = Notice::HubChanged { epoch: 2, memory_lost: true };
    assert!(world.notices(producer).contains(&changed));
    assert!(world.notices(consumer).contains(&changed));
    let late = world.run(consumer, settle(token, Verdict::Acknowledge));
    assert_eq!(world.kind(consumer, late), Kind::LeaseLost);
    assert_eq!(bodies(&world.deliveries(consumer, id)), ["a", "b"]);
}

#[test]
fn what_is_started_without_a_connection_is_sent_when_there_is_one() {
    let (mut world, producer, _) = world_with_queue(QueueOptions::default());
    world.break_connection(producer);
    let sends: Vec<_> =
        (0..5).map(|n| world.start(producer, send("jobs", &n.to_string()))).collect();
    world.pass(20);
    assert!(sends.iter().all(|id| world.outcome(producer, *id).is_ok()));
    world.programs[producer].cut = true;
    world.break_connection(producer);
    let never = world.start_within(producer, send("jobs", "x"), Some(50));
    world.programs[producer].client.handle_timeout(world.now.plus_ms(50));
    world.programs[producer].cut = false;
    world.settle();
    let error = world.outcome(producer, never).unwrap_err();
    assert_eq!(error.kind(), Kind::Expired);
    assert!(!error.maybe_executed());
}

#[test]
fn more_changes_than_the_window_holds_are_all_confirmed_in_order() {
    let (mut world, producer, consumer) = world_with_queue(QueueOptions::default());
    let sends: Vec<_> =
        (0..3_000).map(|n| world.start(producer, send("jobs", &n.to_string()))).collect();
    world.settle();
    assert!(sends.iter().all(|id| world.outcome(producer, *id).is_ok()));
    let id = world.run(consumer, consume("jobs", 3_000));
    let expected: Vec<String> = (0..3_000).map(|n| n.to_string()).collect();
    assert_eq!(bodies(&world.deliveries(consumer, id)), expected);
}

#[test]
fn what_is_held_of_a_deleted_queue_is_void() {
    let (mut world, producer, consumer) = world_with_queue(QueueOptions::default());
    let id = world.run(consumer, consume("jobs", 5));
    world.run(producer, send("jobs", "a"));
    let (token, ..) = world.deliveries(consumer, id)[0];
    let deleted = world.run(producer, Command::Delete { queue: name("jobs") });
    assert!(matches!(world.outcome(producer, deleted), Ok(Outcome::Count(1))));
    world.run(producer, declare("jobs", QueueOptions::default()));
    let late = world.run(consumer, settle(token, Verdict::Requeue));
    assert_eq!(world.kind(consumer, late), Kind::LeaseLost);
    assert_eq!(world.figures(producer, "jobs"), (0, 0));
}

#[test]
fn a_session_whose_process_cannot_be_watched_has_the_grace_time() {
    let (mut world, producer, consumer) = world_with_queue(QueueOptions::default());
    world.run(producer, send("jobs", "held"));
    world.run(consumer, receive("jobs"));
    let session = world.leave(consumer);
    world.pass(60_000);
    assert_eq!(world.figures(producer, "jobs"), (0, 1));
    world.hub.handle_unwatched(world.now, session);
    world.pass(4_900);
    assert_eq!(world.figures(producer, "jobs"), (0, 1));
    world.pass(200);
    assert_eq!(world.figures(producer, "jobs"), (1, 0));
}

#[test]
fn a_longest_pause_that_is_stated_alone_is_kept() {
    let resolved = |backoff_min_ms, backoff_max_ms| {
        let options = QueueOptions { backoff_min_ms, backoff_max_ms, ..QueueOptions::default() };
        let options = options.resolved(Durability::Disk);
        (options.backoff_min_ms, options.backoff_max_ms)
    };
    assert_eq!(resolved(0, 0), (100, 60_000));
    assert_eq!(resolved(0, 20), (20, 20));
    assert_eq!(resolved(0, 5_000), (100, 5_000));
    assert_eq!(resolved(80_000, 0), (80_000, 80_000));
}
