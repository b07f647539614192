//! What a queue on disk keeps: through the end of its host, of the machine's power, and of room.

mod support;

use support::*;
use telpher_proto::base::{
    Command, Durability, Kind, Notice, Outcome, QueueOptions, Receipt, Verdict, limits,
};

fn receipt(world: &World, program: usize, id: u64) -> Receipt {
    match world.outcome(program, id) {
        Ok(Outcome::Receipt(receipt)) => receipt,
        other => panic!("no receipt but {other:?}"),
    }
}

#[test]
fn declaring_a_queue_that_exists_ends_though_nothing_more_is_written_for_it() {
    let (mut world, producer, _) = world_with(on(Durability::Disk));
    world.run(producer, send("jobs", "nothing of this waits"));
    world.pass(50);
    // Its session is written down, and nobody waits for that to be durable.
    let late = world.program();
    let declared = world.run(late, declare_on_disk("jobs", on(Durability::Disk)));
    assert!(world.outcome(late, declared).is_ok());
}

#[test]
fn what_was_confirmed_outlives_its_host_and_says_how_safe_it_is() {
    for (durability, survives_power) in [(Durability::Os, false), (Durability::Disk, true)] {
        let (mut world, producer, consumer) = world_with(on(durability));
        let sent = world.run(producer, send("jobs", "precious"));
        assert_eq!(receipt(&world, producer, sent).durability, durability);
        world.change_host();
        world.pass(50);
        assert_eq!(world.figures(producer, "jobs"), (1, 0));
        if survives_power {
            world.cut_power();
            world.pass(50);
        }
        let received = world.run(consumer, receive("jobs"));
        assert_eq!(bodies(&world, consumer, received), ["precious"]);
        let changed = Notice::HubChanged { epoch: 2, memory_lost: false };
        assert!(world.notices(producer).contains(&changed));
    }
}

#[test]
fn a_send_is_neither_confirmed_nor_visible_before_it_is_as_safe_as_its_queue_says() {
    let (mut world, producer, consumer) = world_with(on(Durability::Disk));
    let id = world.run(consumer, consume("jobs", 5));
    world.disk.no_sync = true;
    let sent = world.run(producer, send("jobs", "a"));
    assert!(world.ended(producer, sent).is_none());
    assert!(world.deliveries(consumer, id).is_empty());
    world.disk.no_sync = false;
    world.settle();
    assert!(world.outcome(producer, sent).is_ok());
    let (token, ..) = world.deliveries(consumer, id)[0];
    world.disk.no_sync = true;
    let settled = world.run(consumer, settle(token, Verdict::Acknowledge));
    assert!(world.ended(consumer, settled).is_none());
    world.disk.no_sync = false;
    world.settle();
    assert!(world.outcome(consumer, settled).is_ok());
}

#[test]
fn a_delivery_is_handed_over_only_when_it_is_written_who_has_it() {
    let (mut world, producer, consumer) = world_with(on(Durability::Os));
    world.run(producer, send("jobs", "a"));
    world.disk.is_paused = true;
    let id = world.run(consumer, consume("jobs", 5));
    assert!(world.deliveries(consumer, id).is_empty());
    world.disk.is_paused = false;
    world.settle();
    assert_eq!(bodies(&world, consumer, id), ["a"]);
}

#[test]
fn what_was_held_stays_held_by_its_session_at_another_host() {
    let (mut world, producer, consumer) = world_with(on(Durability::Disk));
    let other = world.program();
    let id = world.run(consumer, consume("jobs", 1));
    world.run(producer, send("jobs", "a"));
    world.run(producer, send("jobs", "b"));
    let (token, ..) = world.deliveries(consumer, id)[0];
    world.change_host();
    world.pass(50);
    let waiting = world.start_within(other, receive("jobs"), Some(50));
    world.settle();
    assert_eq!(bodies(&world, other, waiting), ["b"], "the first is still held");
    let settled = world.run(consumer, settle(token, Verdict::Acknowledge));
    assert!(world.outcome(consumer, settled).is_ok());
    assert_eq!(bodies(&world, consumer, id), ["a"], "it did not come again");
    world.run(producer, send("jobs", "c"));
    assert_eq!(bodies(&world, consumer, id), ["a", "c"], "the consumer goes on");
}

#[test]
fn a_send_without_a_verdict_is_stored_once_by_whoever_hosts_next() {
    for written in [false, true] {
        let (mut world, producer, _) = world_with(on(Durability::Disk));
        world.disk.is_paused = !written;
        world.disk.no_sync = true;
        let sent = world.run(producer, send("jobs", "once"));
        assert!(world.ended(producer, sent).is_none());
        (world.disk.is_paused, world.disk.no_sync) = (false, false);
        world.change_host();
        world.pass(50);
        assert!(world.outcome(producer, sent).is_ok());
        assert_eq!(world.figures(producer, "jobs"), (1, 0), "written before: {written}");
    }
}

#[test]
fn what_was_not_confirmed_may_be_gone_after_a_power_cut_and_is_sent_again() {
    let (mut world, producer, _) = world_with(on(Durability::Disk));
    world.disk.no_sync = true;
    let sent = world.run(producer, send("jobs", "again"));
    world.disk.no_sync = false;
    world.cut_power();
    world.pass(50);
    assert!(world.outcome(producer, sent).is_ok());
    assert_eq!(world.figures(producer, "jobs"), (1, 0));
}

#[test]
fn failed_attempts_are_not_forgotten_with_the_host() {
    let options = QueueOptions { max_attempts: 3, backoff_min_ms: 10, ..on(Durability::Os) };
    let (mut world, producer, consumer) = world_with(options);
    world.run(producer, send("jobs", "bad"));
    for failures in 0..3 {
        let received = world.run(consumer, receive("jobs"));
        let deliveries = world.deliveries(consumer, received);
        assert_eq!(deliveries[0].2, failures);
        world.run(consumer, settle(deliveries[0].0, Verdict::Requeue));
        world.change_host();
        world.pass(100);
    }
    assert_eq!(world.figures(producer, "jobs"), (0, 0));
    assert_eq!(world.figures(producer, "jobs.dead"), (1, 0));
}

#[test]
fn only_a_message_that_was_held_alone_is_blamed_for_the_death_of_its_process() {
    let options = QueueOptions { max_attempts: 2, backoff_min_ms: 10, ..on(Durability::Disk) };
    let (mut world, producer, consumer) = world_with(options);
    for body in ["poison", "good", "fine"] {
        world.run(producer, send("jobs", body));
    }
    world.run(consumer, consume("jobs", 3));
    world.kill(consumer);
    for _ in 0..2 {
        let next = world.program();
        let id = world.run(next, consume("jobs", 3));
        world.pass(50);
        assert_eq!(bodies(&world, next, id), ["poison"], "a suspect is held alone");
        world.kill(next);
        world.pass(50);
        let last = world.program();
        let id = world.run(last, consume("jobs", 3));
        world.settle();
        for (token, body, failures) in world.deliveries(last, id) {
            if body != b"poison" {
                assert_eq!(failures, 0);
                world.run(last, settle(token, Verdict::Release));
            }
        }
        world.programs[last].client.close(world.now);
        world.settle();
    }
    assert_eq!(world.figures(producer, "jobs.dead"), (1, 0));
    assert_eq!(world.figures(producer, "jobs"), (2, 0));
}

#[test]
fn a_lease_ends_at_its_deadline_and_not_before_if_it_was_extended() {
    let options = QueueOptions { ack_deadline_ms: 100, backoff_min_ms: 10, ..on(Durability::Disk) };
    let (mut world, producer, consumer) = world_with(options);
    let id = world.run(consumer, consume("jobs", 1));
    world.run(producer, send("jobs", "slow"));
    let (token, ..) = world.deliveries(consumer, id)[0];
    world.pass(80);
    let extended = world.run(consumer, Command::Extend { delivery: token, ms: 0 });
    assert!(world.outcome(consumer, extended).is_ok());
    world.pass(90);
    assert_eq!(world.figures(producer, "jobs"), (0, 1));
    world.pass(30);
    let deliveries = world.deliveries(consumer, id);
    assert_eq!(deliveries.len(), 2);
    assert_eq!(deliveries[1].2, 1, "a late one is a failed attempt");
    let late = world.run(consumer, settle(token, Verdict::Acknowledge));
    assert_eq!(world.kind(consumer, late), Kind::LeaseLost);
}

#[test]
fn what_was_in_memory_is_handed_over_at_a_clean_end_and_lost_at_a_kill() {
    let mut world = World::new();
    let (producer, consumer) = (world.program(), world.program());
    world.run(producer, declare("jobs", QueueOptions::default()));
    let id = world.run(consumer, consume("jobs", 1));
    for body in ["held", "ready", "more"] {
        world.run(producer, send("jobs", body));
    }
    world.hand_over();
    world.pass(50);
    assert_eq!(world.figures(producer, "jobs"), (2, 1));
    let changed = Notice::HubChanged { epoch: 2, memory_lost: false };
    assert!(world.notices(producer).contains(&changed));
    let (token, ..) = world.deliveries(consumer, id)[0];
    let settled = world.run(consumer, settle(token, Verdict::Acknowledge));
    assert!(world.outcome(consumer, settled).is_ok());
    assert_eq!(bodies(&world, consumer, id), ["held", "ready"]);
    world.change_host();
    world.pass(50);
    let lost = Notice::HubChanged { epoch: 3, memory_lost: true };
    assert!(world.notices(producer).contains(&lost));
    assert_eq!(world.figures(producer, "jobs"), (0, 0), "nothing comes back from the first end");
}

#[test]
fn segments_are_begun_and_freed_and_nothing_is_lost_over_it() {
    let (mut world, producer, consumer) = world_with(on(Durability::Disk));
    let keep = world.run(producer, big("jobs", 0, 2_000));
    assert!(world.outcome(producer, keep).is_ok());
    let held = world.run(consumer, receive("jobs"));
    let (token, ..) = world.deliveries(consumer, held)[0];
    for number in 1..1_500 {
        let sent = world.run(producer, big("jobs", number, 60_000));
        assert!(world.outcome(producer, sent).is_ok(), "{number}");
        let received = world.run(consumer, receive("jobs"));
        let (next, body, _) = world.deliveries(consumer, received)[0].clone();
        assert!(body.starts_with(format!("{number}:").as_bytes()));
        world.run(consumer, settle(next, Verdict::Acknowledge));
    }
    world.pass(50);
    let sum: usize = world.disk.files.values().map(Vec::len).sum();
    assert!(world.disk.files.len() < 6, "{:?}", world.disk.files());
    assert!(sum < 256 * 1024 * 1024);
    world.change_host();
    world.pass(50);
    assert_eq!(world.figures(producer, "jobs"), (0, 1));
    world.run(consumer, settle(token, Verdict::Release));
    let again = world.run(consumer, receive("jobs"));
    assert_eq!(bodies(&world, consumer, again)[0].len(), 2_000, "it was written forward");
}

#[test]
fn a_backlog_beyond_the_budget_is_read_from_disk_in_order() {
    let (mut world, producer, consumer) = world_with(on(Durability::Disk));
    let count = limits::RESIDENT_MAX as usize / 1_000_000 + 20;
    for number in 0..count {
        let sent = world.run(producer, big("jobs", number, 1_000_000));
        assert!(world.outcome(producer, sent).is_ok(), "{number}");
    }
    world.change_host();
    world.pass(50);
    let id = world.run(consumer, consume("jobs", 1));
    for number in 0..count {
        let (token, body, _) = world.deliveries(consumer, id)[number].clone();
        assert!(body.starts_with(format!("{number}:").as_bytes()));
        assert_eq!(body.len(), 1_000_000);
        world.run(consumer, settle(token, Verdict::Acknowledge));
    }
    assert_eq!(world.figures(producer, "jobs"), (0, 0));
}

#[test]
fn a_purge_takes_what_is_on_its_way_too_here_and_after_a_change_of_host() {
    let (mut world, producer, _) = world_with(on(Durability::Disk));
    world.run(producer, send("jobs", "a"));
    world.disk.no_sync = true;
    let sent = world.run(producer, send("jobs", "b"));
    let purged = world.run(producer, Command::Purge { queue: name("jobs") });
    world.disk.no_sync = false;
    world.settle();
    assert!(world.outcome(producer, sent).is_ok());
    assert!(matches!(world.outcome(producer, purged), Ok(Outcome::Count(2))));
    assert_eq!(world.figures(producer, "jobs"), (0, 0));
    world.change_host();
    world.pass(50);
    assert_eq!(world.figures(producer, "jobs"), (0, 0));
}

#[test]
fn looking_at_messages_takes_nothing() {
    let (mut world, producer, consumer) = world_with(on(Durability::Disk));
    for body in ["a", "b", "c"] {
        world.run(producer, send("jobs", body));
    }
    world.change_host();
    world.pass(50);
    let looked = world.run(consumer, Command::Peek { queue: name("jobs"), count: 2 });
    let Ok(Outcome::Peeked(shown)) = world.outcome(consumer, looked) else { panic!("nothing") };
    let shown: Vec<_> = shown.iter().map(|peeked| &peeked.message.body[..]).collect();
    assert_eq!(shown, [b"a", b"b"]);
    assert_eq!(world.figures(producer, "jobs"), (3, 0));
    let listed = world.run(consumer, Command::List { after: None });
    let Ok(Outcome::Queues(queues)) = world.outcome(consumer, listed) else { panic!("nothing") };
    assert_eq!((queues[0].0.as_str(), queues[0].1.ready), ("jobs", 3));
}

#[test]
fn a_checkpoint_saves_reading_and_one_that_is_damaged_is_as_good_as_none() {
    let options = QueueOptions { backoff_min_ms: 10, ..on(Durability::Disk) };
    let (mut world, producer, consumer) = world_with(options);
    for number in 0..40 {
        world.run(producer, big("jobs", number, 60_000));
        if number % 3 == 0 {
            let received = world.run(consumer, receive("jobs"));
            let (token, ..) = world.deliveries(consumer, received)[0];
            let verdict = [Verdict::Acknowledge, Verdict::Reject, Verdict::Requeue][number / 3 % 3];
            world.run(consumer, settle(token, verdict));
        }
    }
    let held = world.run(consumer, receive("jobs"));
    assert_eq!(world.deliveries(consumer, held).len(), 1);
    let checkpoint = world.disk.checkpoint.clone().expect("a segment was begun");
    let files = world.disk.files.clone();
    let mut seen = Vec::new();
    for (kept, damaged) in [(true, false), (true, true), (false, false)] {
        world.disk.files.clone_from(&files);
        world.disk.durable.clone_from(&files);
        let mut bytes = checkpoint.to_vec();
        bytes[checkpoint.len() / 2] ^= u8::from(damaged);
        world.disk.checkpoint = kept.then(|| bytes.into());
        world.disk.reads.clear();
        world.change_host();
        let reads = world.disk.reads.clone();
        assert_eq!(reads.contains(&1), !kept || damaged, "{reads:?}");
        world.pass(50);
        let (jobs, dead) =
            (info(&mut world, producer, "jobs"), info(&mut world, producer, "jobs.dead"));
        seen.push(((jobs.ready, jobs.held, jobs.sent, jobs.acknowledged), (dead.ready, dead.sent)));
    }
    assert_eq!(seen[0].0.1, 1);
    assert!(seen.iter().all(|other| *other == seen[0]), "{seen:?}");
}
