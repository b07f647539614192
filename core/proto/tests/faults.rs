//! Every operation of the disk fails: once, and for ever from then on.
//!
//! A scenario is run again and again; the first time its first disk operation fails, then its
//! second, until it gets to its end without meeting the fault. Whoever hosts is gone with the first
//! failure, and the next host goes on from what is on the disk, which may fail as well. In the end
//! the disk is good again, with or without a power cut in between: nothing that was confirmed is
//! lost, nothing is there twice, and nothing is there that nobody sent.

#[path = "support/ledger.rs"]
mod ledger;
mod support;

use ledger::Ledger;
use support::*;
use telpher_proto::base::{Command, Durability, QueueOptions, Verdict};

/// All faults, or one in so many: what takes long is run as a whole only where there is time.
fn every(count: u64) -> u64 {
    if std::env::var_os("TELPHER_SOAK").is_some() { 1 } else { count }
}

/// Runs `scenario` with every fault.
fn with_every_fault(scenario: impl Fn(&mut Ledger)) {
    with_one_fault_in(1, scenario);
}

fn with_one_fault_in(step: u64, scenario: impl Fn(&mut Ledger)) {
    for at in (1..).step_by(step as usize) {
        let mut met = false;
        for (for_ever, cut_power) in [(false, false), (false, true), (true, false), (true, true)] {
            eprintln!("operation {at} fails; for ever: {for_ever}, then a power cut: {cut_power}");
            let mut ledger = Ledger::new(Faults { count: 0, at, for_ever });
            scenario(&mut ledger);
            met |= ledger.world.disk.faults.count >= at;
            ledger.check(cut_power);
        }
        if !met {
            return;
        }
    }
}

fn plain() -> QueueOptions {
    QueueOptions::default()
}

fn with_jobs(ledger: &mut Ledger, count: usize) {
    ledger.declare("jobs", plain());
    ledger.send_many("jobs", 20, count);
}

#[test]
fn opening_an_empty_directory_survives_every_fault() {
    with_every_fault(|_| {});
}

#[test]
fn declaring_survives_every_fault() {
    with_every_fault(|ledger| {
        ledger.declare("jobs", plain());
        ledger.declare("jobs", plain());
        ledger.declare("more", plain());
    });
}

#[test]
fn sending_survives_every_fault() {
    with_every_fault(|ledger| {
        ledger.declare("jobs", plain());
        for _ in 0..4 {
            ledger.send("jobs", 100);
        }
    });
}

#[test]
fn sending_many_at_once_survives_every_fault() {
    with_every_fault(|ledger| with_jobs(ledger, 50));
}

#[test]
fn sending_to_the_systems_cache_survives_every_fault() {
    with_every_fault(|ledger| {
        ledger.declare("jobs", plain());
        let options = QueueOptions { durability: Some(Durability::Disk), ..plain() };
        ledger.declare("safe", options);
        for _ in 0..3 {
            ledger.send("safe", 100);
        }
    });
}

#[test]
fn a_message_larger_than_a_segment_survives_every_fault() {
    with_every_fault(|ledger| {
        ledger.declare("jobs", plain());
        ledger.send("jobs", 190_000);
        ledger.send("jobs", 100);
    });
}

#[test]
fn acknowledging_survives_every_fault() {
    with_every_fault(|ledger| {
        with_jobs(ledger, 3);
        for _ in 0..3 {
            let job = ledger.take("jobs");
            ledger.acknowledge(job);
        }
    });
}

#[test]
fn a_consumer_survives_every_fault() {
    with_every_fault(|ledger| {
        with_jobs(ledger, 8);
        ledger.consume("jobs", 8);
    });
}

#[test]
fn rejecting_survives_every_fault() {
    with_every_fault(|ledger| {
        with_jobs(ledger, 2);
        let job = ledger.take("jobs");
        ledger.settle(job, Verdict::Reject);
        let dead = ledger.take("jobs.dead");
        ledger.acknowledge(dead);
    });
}

#[test]
fn failing_until_a_message_is_a_dead_letter_survives_every_fault() {
    with_every_fault(|ledger| {
        ledger.declare("jobs", QueueOptions { max_attempts: 2, backoff_min_ms: 1, ..plain() });
        ledger.send("jobs", 20);
        for _ in 0..2 {
            let job = ledger.take("jobs");
            ledger.settle(job, Verdict::Requeue);
        }
    });
}

#[test]
fn releasing_survives_every_fault() {
    with_every_fault(|ledger| {
        with_jobs(ledger, 2);
        let job = ledger.take("jobs");
        ledger.settle(job, Verdict::Release);
        ledger.world.pass(2_000);
    });
}

#[test]
fn a_batch_is_done_as_a_whole_or_not_at_all_with_every_fault() {
    with_every_fault(|ledger| {
        with_jobs(ledger, 2);
        ledger.declare("next", plain());
        for _ in 0..2 {
            let job = ledger.take("jobs");
            ledger.batch(job, &["next", "next", "jobs"]);
        }
    });
}

#[test]
fn purging_survives_every_fault() {
    with_every_fault(|ledger| {
        with_jobs(ledger, 3);
        ledger.empty(Command::Purge { queue: name("jobs") });
        ledger.send("jobs", 20);
    });
}

#[test]
fn deleting_survives_every_fault() {
    with_every_fault(|ledger| {
        with_jobs(ledger, 3);
        ledger.empty(Command::Delete { queue: name("jobs") });
        ledger.declare("jobs", plain());
        ledger.send("jobs", 20);
    });
}

#[test]
fn rolling_to_the_next_segment_survives_every_fault() {
    with_one_fault_in(every(1), |ledger| {
        ledger.declare("jobs", plain());
        for _ in 0..5 {
            ledger.send("jobs", 12_500);
        }
        ledger.send("jobs", 20);
        assert!(ledger.has_failed() || ledger.world.disk.files.len() > 1);
    });
}

#[test]
fn freeing_a_segment_survives_every_fault() {
    with_one_fault_in(every(1), |ledger| {
        ledger.declare("jobs", plain());
        for _ in 0..5 {
            ledger.send("jobs", 12_500);
        }
        for _ in 0..5 {
            let job = ledger.take("jobs");
            ledger.acknowledge(job);
        }
        ledger.send("jobs", 20);
        assert!(ledger.has_failed() || !ledger.world.disk.files.contains_key(&1));
    });
}

#[test]
fn a_host_that_dies_right_after_freeing_a_segment_survives_every_fault() {
    with_one_fault_in(every(1), |ledger| {
        ledger.declare("jobs", plain());
        ledger.send_many("jobs", 12_500, 5);
        ledger.consume("jobs", 5);
        let _ = ledger.world.take_over();
        ledger.send("jobs", 20);
    });
}

#[test]
fn writing_messages_forward_survives_every_fault() {
    with_one_fault_in(every(5), |ledger| {
        ledger.declare("keep", plain());
        ledger.declare("jobs", plain());
        ledger.send_many("keep", 1_000, 3);
        for _ in 0..9 {
            ledger.send_many("jobs", 62_500, 3);
            for _ in 0..3 {
                let job = ledger.take("jobs");
                ledger.acknowledge(job);
            }
        }
        ledger.world.pass(100);
        assert!(ledger.has_failed() || !ledger.world.disk.files.contains_key(&1));
    });
}

#[test]
fn a_takeover_with_a_tail_survives_every_fault() {
    with_every_fault(|ledger| {
        with_jobs(ledger, 2);
        ledger.world.disk.no_sync = true;
        let _ = ledger.world.start(ledger.program, receive("jobs"));
        ledger.world.settle();
        ledger.world.disk.no_sync = false;
        let _ = ledger.world.take_over();
        ledger.go_on();
        ledger.send("jobs", 20);
        let _ = ledger.world.take_over();
    });
}

#[test]
fn a_clean_end_survives_every_fault() {
    with_every_fault(|ledger| {
        with_jobs(ledger, 2);
        let held = ledger.take("jobs");
        if !ledger.world.is_down {
            let _ = ledger.world.try_to_hand_over();
        }
        ledger.go_on();
        ledger.acknowledge(held);
        let next = ledger.take("jobs");
        ledger.acknowledge(next);
    });
}

#[test]
fn recovering_survives_every_fault() {
    with_every_fault(|ledger| {
        with_jobs(ledger, 5);
        for _ in 0..4 {
            let _ = ledger.world.take_over();
        }
    });
}

#[test]
fn reading_messages_back_survives_every_fault() {
    with_every_fault(|ledger| {
        with_jobs(ledger, 3);
        let _ = ledger.world.take_over();
        ledger.consume("jobs", 3);
    });
}

#[test]
fn time_that_passes_without_work_survives_every_fault() {
    with_every_fault(|ledger| {
        ledger.declare("jobs", QueueOptions { ttl_ms: 0, ..plain() });
        for _ in 0..2 {
            ledger.send("jobs", 20);
            ledger.world.pass(100);
        }
    });
}

#[test]
fn a_broken_connection_survives_every_fault() {
    with_every_fault(|ledger| {
        with_jobs(ledger, 2);
        let job = ledger.take("jobs");
        ledger.world.break_connection(ledger.program);
        ledger.go_on();
        ledger.acknowledge(job);
        ledger.send("jobs", 20);
    });
}
