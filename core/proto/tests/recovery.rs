//! What a host finds that the last one has left, at bad moments.

mod support;

use support::*;
use telpher_proto::base::limits::Sizes;
use telpher_proto::base::record::{
    DeadTo, Delivered, Holder, Place, QueueState, Record, Sent, SessionState, Settled,
};
use telpher_proto::base::{
    Command, Durability, Kind, Message, Notice, Outcome, QueueOptions, Time, Verdict,
};
use telpher_proto::broker::{Broker, Past};
use telpher_proto::journal::Checkpoint;

#[test]
fn a_tail_of_more_than_one_group_is_written_anew_as_a_whole() {
    let mut world = World::new();
    let program = world.program();
    world.run(program, declare_on_disk("jobs", on(Durability::Os)));
    world.disk.no_sync = true;
    for number in 0..30 {
        world.run(program, big("jobs", number, 100_000));
    }
    world.disk.no_sync = false;
    for _ in 0..2 {
        world.change_host();
        world.pass(50);
        assert_eq!(world.figures(program, "jobs"), (30, 0));
    }
}

#[test]
fn what_was_handed_over_outlives_hosts_that_end_before_they_serve() {
    let mut world = World::new();
    let program = world.program();
    world.run(program, declare("jobs", QueueOptions::default()));
    world.run(program, send("jobs", "a"));
    world.end_host().expect("an undamaged disk");
    world.break_take_over_off();
    world.break_take_over_off();
    world.change_host();
    world.pass(50);
    assert_eq!(world.figures(program, "jobs"), (1, 0));
    // The host that has served is killed: what it had in memory is gone.
    world.change_host();
    world.pass(50);
    assert_eq!(world.figures(program, "jobs"), (0, 0));
}

/// Old messages stay while others come and go; from the `pause`th on nothing is written for a
/// while.
fn world_with_garbage(pause: usize) -> (World, usize, Vec<u64>) {
    let (segment, garbage_min, resident_max) = ((16_384, 16_384), 10_000, 0);
    let sizes = Sizes { segment, garbage_min, resident_max, ..Sizes::default() };
    let mut world = World::with_sizes(sizes);
    let program = world.program();
    for queue in ["jobs", "other"] {
        world.run(program, declare_on_disk(queue, on(Durability::Os)));
    }
    for number in 0..3 {
        world.run(program, big("jobs", number, 500));
    }
    let consumer = world.run(program, consume("other", 1));
    for number in 0..60 {
        world.disk.no_write = number >= pause;
        world.run(program, big("other", number, 1_000));
        if let Some((token, ..)) = world.deliveries(program, consumer).get(number) {
            world.run(program, settle(*token, Verdict::Acknowledge));
        }
    }
    let taken = (0..3).map(|_| world.run(program, receive("jobs"))).collect();
    world.disk.no_write = false;
    world.settle();
    (world, program, taken)
}

#[test]
fn a_message_that_is_written_anew_is_not_read_there_before_it_is_written() {
    for pause in 0..60 {
        let (mut world, program, taken) = world_with_garbage(pause);
        let id = world.run(program, Command::Inspect { queue: name("jobs") });
        match world.outcome(program, id) {
            Ok(Outcome::Queue(info)) => assert_eq!(info.damaged, 0, "pause at {pause}"),
            other => panic!("no figures but {other:?}"),
        }
        assert!(taken.iter().all(|id| world.outcome(program, *id).is_ok()));
    }
}

/// A queue on disk in which three messages have been stored.
fn queue_state(id: u64, name: &str) -> QueueState {
    QueueState {
        id,
        name: support::name(name),
        options: QueueOptions::default().resolved(Durability::Disk),
        sequence: 3,
        sent: 3,
        acknowledged: 0,
        rejected: 0,
        requeued: 0,
        dead_lettered: 0,
    }
}

#[test]
fn a_verdict_counts_though_the_message_went_with_an_old_segment() {
    let id = 1;
    let mut past = Past::default();
    for (id, name) in [(1, "jobs"), (2, "jobs.dead")] {
        let state = Box::new(queue_state(id, name));
        past.apply(Record::Queue { change: None, state }, Place::default());
    }
    let dead = Some(DeadTo { queue: 2, sequence: 7 });
    for (sequence, verdict, dead) in
        [(1, Verdict::Acknowledge, None), (2, Verdict::Reject, dead), (3, Verdict::Requeue, None)]
    {
        let reason = String::new();
        let settled = Settled { queue: id, sequence, verdict, reason, time_ms: 1, dead };
        past.apply(Record::Settled { change: None, settled }, Place::default());
    }
    let queues = past.queues();
    let [(_, jobs), (_, dead)] = &queues[..] else { panic!("two queues but {queues:?}") };
    assert_eq!((jobs.acknowledged, jobs.rejected, jobs.requeued), (1, 1, 1));
    assert_eq!((jobs.dead_lettered, dead.sent), (1, 4));
}

#[test]
fn a_journal_that_says_that_two_messages_are_one_delivery_is_corrupt() {
    let mut past = Past::default();
    let session = SessionState {
        id: 5,
        token: [1; 16],
        local: false,
        process: None,
        oldest: 1,
        marks: Vec::new(),
    };
    let state = Box::new(queue_state(1, "jobs"));
    past.apply(Record::Queue { change: None, state }, Place::default());
    past.apply(Record::Session(Box::new(session)), Place::default());
    for sequence in [1, 2] {
        let (message_id, message) = (sequence, Message::new("job"));
        let sent = Sent { queue: 1, sequence, message_id, time_ms: 1, message };
        past.apply(Record::Sent { change: None, sent }, Place { segment: 1, offset: 9, size: 9 });
        let holder = Holder { session: 5, token: 77, id: 1, is_receive: false };
        let delivered = Delivered { queue: 1, sequence, holder };
        past.apply(Record::Delivered(delivered), Place::default());
    }
    let error = Broker::restore(broker_config(), past, 9, Time::from_nanos(1)).unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt);
    assert!(error.detail().contains("0x4d"), "{error}");
}

#[test]
fn a_segment_whose_removal_a_power_cut_has_undone_counts_for_nothing() {
    let sizes = Sizes { segment: (16_384, 16_384), ..Sizes::default() };
    let mut world = World::with_sizes(sizes);
    let program = world.program();
    world.run(program, declare_on_disk("jobs", on(Durability::Os)));
    world.disk.no_sync = true;
    let mut sent = 0;
    while world.disk.files.keys().max() < Some(&5) {
        world.run(program, big("jobs", sent, 1_000));
        sent += 1;
    }
    world.disk.no_sync = false;
    let before = world.disk.files.clone();
    world.change_host();
    world.pass(50);
    let (number, content) = before.last_key_value().unwrap();
    assert!(!world.disk.files.contains_key(&(number - 1)), "{:?}", world.disk.files.keys());
    world.disk.files.insert(*number, content.clone());
    for _ in 0..2 {
        world.change_host();
        world.pass(50);
        assert_eq!(world.figures(program, "jobs"), (sent as u64, 0));
    }
}

#[test]
fn a_segment_of_which_nothing_counts_is_not_missed_among_others() {
    let sizes = Sizes { segment: (16_384, 16_384), ..Sizes::default() };
    let mut world = World::with_sizes(sizes);
    let program = world.program();
    world.run(program, declare_on_disk("jobs", on(Durability::Os)));
    world.run(program, big("jobs", 0, 1_000));
    world.run(program, declare_on_disk("safe", on(Durability::Disk)));
    // A segment is begun, and nothing of that is synced before the next host writes it anew.
    world.disk.no_sync = true;
    while world.disk.files.keys().max() < Some(&3) {
        world.run(program, big("jobs", 1, 1_000));
    }
    world.disk.no_sync = false;
    world.change_host();
    world.pass(50);
    let stored = world.figures(program, "jobs");
    world.cut_power();
    world.pass(50);
    world.change_host();
    world.pass(50);
    assert_eq!(world.figures(program, "jobs"), stored);
}

#[test]
fn a_dead_letter_that_was_written_anew_outlives_the_segment_that_told_of_its_queue() {
    let mut world = World::new();
    let program = world.program();
    world.run(program, declare_on_disk("jobs", on(Durability::Os)));
    world.run(program, declare_on_disk("safe", on(Durability::Disk)));
    world.disk.no_sync = true;
    world.run(program, send("jobs", "a"));
    let taken = world.run(program, receive("jobs"));
    let (token, ..) = world.deliveries(program, taken)[0];
    world.run(program, settle(token, Verdict::Reject));
    world.disk.no_sync = false;
    for _ in 0..3 {
        assert_eq!(world.figures(program, "jobs.dead"), (1, 0));
        world.change_host();
        world.pass(50);
        world.run(program, send("safe", "b"));
        world.pass(50);
    }
}

#[test]
fn numbers_go_on_though_all_that_is_needed_is_written_anew() {
    let sizes = Sizes { segment: (16_384, 16_384), ..Sizes::default() };
    let mut world = World::with_sizes(sizes);
    let program = world.program();
    world.run(program, declare_on_disk("jobs", on(Durability::Os)));
    world.run(program, declare_on_disk("safe", on(Durability::Disk)));
    world.disk.no_sync = true;
    // The first segment is said to be of no use in one of which nothing is durable.
    while world.disk.files.keys().max() < Some(&3) {
        world.run(program, big("jobs", 1, 1_000));
        let taken = world.run(program, receive("jobs"));
        let (token, ..) = world.deliveries(program, taken)[0];
        world.run(program, settle(token, Verdict::Acknowledge));
    }
    world.run(program, send("jobs", "precious"));
    world.disk.no_sync = false;
    for _ in 0..3 {
        world.change_host();
        world.pass(50);
        assert_eq!(world.figures(program, "jobs"), (1, 0));
    }
}

#[test]
fn who_missed_a_host_still_hears_that_memory_was_lost() {
    let mut world = World::new();
    let (program, other) = (world.program(), world.program());
    world.run(program, declare("jobs", QueueOptions::default()));
    world.run(program, send("jobs", "a"));
    // It does not come back before another host has ended in good order.
    world.programs[program].cut = true;
    world.change_host();
    world.pass(50);
    world.hand_over();
    world.programs[program].cut = false;
    world.pass(1_000);
    let lost = |program| {
        world
            .notices(program)
            .into_iter()
            .any(|notice| matches!(notice, Notice::HubChanged { epoch: 3, memory_lost: true }))
    };
    assert!(lost(program) && !lost(other));
}

#[test]
fn a_queue_in_memory_is_declared_when_that_is_written_down() {
    let mut world = World::new();
    let program = world.program();
    world.disk.is_paused = true;
    let declared = world.run(program, declare("jobs", QueueOptions::default()));
    assert!(world.ended(program, declared).is_none());
    world.disk.is_paused = false;
    world.settle();
    assert!(world.outcome(program, declared).is_ok());
}

#[test]
fn a_checkpoint_says_which_host_stood_though_its_segment_does_not_yet() {
    let sizes = Sizes { segment: (16_384, 16_384), ..Sizes::default() };
    let mut world = World::with_sizes(sizes);
    let program = world.program();
    world.run(program, declare_on_disk("jobs", on(Durability::Disk)));
    while world.disk.checkpoint.is_none() {
        world.run(program, big("jobs", 1, 1_000));
    }
    let bytes = world.disk.checkpoint.clone().expect("it was waited for");
    let checkpoint = Checkpoint::decode(&HUB_ID, &bytes).expect("a whole one");
    assert!(matches!(checkpoint.records.first(), Some(Record::Opened { epoch: 1, .. })));
}

#[test]
fn a_send_to_memory_that_is_repeated_to_another_host_is_stored_there() {
    let sizes = Sizes { segment: (16_384, 16_384), ..Sizes::default() };
    let mut world = World::with_sizes(sizes);
    let (program, other) = (world.program(), world.program());
    world.run(program, declare("jobs", QueueOptions::default()));
    world.run(other, declare_on_disk("other", on(Durability::Os)));
    // It never hears that its message was stored; that is written down with its session.
    world.programs[program].deaf = true;
    let sent = world.start_within(program, send("jobs", "a"), Some(60_000));
    while world.disk.files.keys().max() < Some(&3) {
        world.run(other, big("other", 1, 1_000));
    }
    world.programs[program].deaf = false;
    world.change_host();
    world.pass(50);
    assert!(world.outcome(program, sent).is_ok());
    assert_eq!(world.figures(program, "jobs"), (1, 0));
}

#[test]
fn hosts_that_are_killed_one_after_the_other_leave_no_segments_behind() {
    let mut world = World::new();
    let program = world.program();
    world.run(program, declare_on_disk("jobs", on(Durability::Os)));
    world.pass(50);
    for _ in 0..10 {
        world.run(program, send("jobs", "a"));
        let taken = world.run(program, receive("jobs"));
        let (token, ..) = world.deliveries(program, taken)[0];
        world.run(program, settle(token, Verdict::Acknowledge));
        world.change_host();
        world.pass(50);
        world.pass(50);
    }
    let left: Vec<u32> = world.disk.files.keys().copied().collect();
    assert!(left.len() <= 2, "{left:?}");
}

#[test]
fn what_is_in_memory_is_handed_over_also_when_it_fills_the_segment() {
    let mut world = World::with_sizes(SMALL);
    let program = world.program();
    world.run(program, declare_on_disk("jobs", QueueOptions::default()));
    world.run(program, declare("spice", QueueOptions::default()));
    for number in 0..10 {
        world.run(program, big("jobs", number, 4_000));
    }
    for number in 0..40 {
        world.run(program, big("spice", number, 2_000));
    }
    world.hand_over();
    world.pass(50);
    assert_eq!(world.figures(program, "spice"), (40, 0));
}
