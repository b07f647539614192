//! What a program was told, kept apart from everything that is tested, and compared with what can
//! be had in the end.

use std::collections::{BTreeMap, BTreeSet};

use telpher_proto::base::{Command, Kind, Outcome, Part, QueueOptions, Verdict};

use super::{Disk, Faults, World, consume, declare_on_disk, name, receive, send, settle};

/// One world, one program that works, and what it knows.
pub struct Ledger {
    pub world: World,
    pub program: usize,
    /// Every body that was ever sent.
    sent: BTreeSet<String>,
    /// Those whose send was confirmed.
    confirmed: BTreeSet<String>,
    /// Those that somebody has wanted to be gone.
    doomed: BTreeSet<String>,
    /// Those of which it was confirmed that they are gone.
    gone: BTreeSet<String>,
    /// Sent together, and settled with them: all or nothing.
    batches: Vec<(Vec<String>, String)>,
    queues: BTreeSet<String>,
}

/// A message in hand: its token and body.
pub type Job = (u64, String);

impl Ledger {
    pub fn new(faults: Faults) -> Ledger {
        let mut disk = Disk::default();
        disk.faults = faults;
        let mut world = World::on(disk, super::HUB_ID);
        world.sizes = super::SMALL;
        let _ = world.take_over();
        let program = world.program();
        let mut ledger = Ledger {
            world,
            program,
            sent: BTreeSet::new(),
            confirmed: BTreeSet::new(),
            doomed: BTreeSet::new(),
            gone: BTreeSet::new(),
            batches: Vec::new(),
            queues: BTreeSet::new(),
        };
        ledger.go_on();
        ledger
    }

    /// True once the disk has failed.
    pub fn has_failed(&self) -> bool {
        let Faults { count, at, .. } = self.world.disk.faults;
        at > 0 && count >= at
    }

    /// Everybody does what can be done; if the host is gone, another takes over.
    pub fn go_on(&mut self) {
        self.world.settle();
        if self.world.is_down {
            let _ = self.world.take_over();
        }
        self.world.pass(5);
    }

    /// Carries an operation out, to its end.
    pub fn run(&mut self, command: Command) -> Result<Outcome, Kind> {
        let id = self.world.start(self.program, command);
        self.finish(id)
    }

    pub fn finish(&mut self, id: u64) -> Result<Outcome, Kind> {
        for _ in 0..400 {
            self.go_on();
            if let Some(ended) = self.world.ended(self.program, id) {
                return ended.map_err(|error| error.kind());
            }
        }
        panic!("an operation with a time limit of 1 s has not ended after 2 s");
    }

    pub fn declare(&mut self, queue: &str, options: QueueOptions) {
        self.queues.insert(queue.to_owned());
        let _ = self.run(declare_on_disk(queue, options));
    }

    /// A body of this size that no other is like.
    fn body(&mut self, size: usize) -> String {
        let number = self.sent.len();
        let body = format!("{number} {}", "x".repeat(size.saturating_sub(8)));
        self.sent.insert(body.clone());
        body
    }

    pub fn send(&mut self, queue: &str, size: usize) {
        let body = self.body(size);
        if self.run(send(queue, &body)).is_ok() {
            self.confirmed.insert(body);
        }
    }

    /// Sends many without waiting in between.
    pub fn send_many(&mut self, queue: &str, size: usize, count: usize) {
        let bodies: Vec<String> = (0..count).map(|_| self.body(size)).collect();
        let start = |body: &String| self.world.start(self.program, send(queue, body));
        let ids: Vec<u64> = bodies.iter().map(start).collect();
        for (id, body) in ids.into_iter().zip(bodies) {
            if self.finish(id).is_ok() {
                self.confirmed.insert(body);
            }
        }
    }

    /// Takes a message, if one comes in time.
    pub fn take(&mut self, queue: &str) -> Option<Job> {
        match self.run(receive(queue)) {
            Ok(Outcome::Delivery(delivery)) => {
                let body = String::from_utf8(delivery.message.body.to_vec()).expect("our own text");
                assert!(self.sent.contains(&body), "{body:.20} was never sent");
                assert!(!self.gone.contains(&body), "{body:.20} came back");
                Some((delivery.token, body))
            }
            _ => None,
        }
    }

    pub fn acknowledge(&mut self, job: Option<Job>) {
        let Some((token, body)) = job else { return };
        self.doomed.insert(body.clone());
        if self.run(settle(token, Verdict::Acknowledge)).is_ok() {
            self.gone.insert(body);
        }
    }

    pub fn settle(&mut self, job: Option<Job>, verdict: Verdict) {
        if let Some((token, _)) = job {
            let _ = self.run(settle(token, verdict));
        }
    }

    /// Settles a message and sends others, all or nothing.
    pub fn batch(&mut self, job: Option<Job>, queues: &[&str]) {
        let Some((token, body)) = job else { return };
        self.doomed.insert(body.clone());
        let bodies: Vec<String> = queues.iter().map(|_| self.body(20)).collect();
        let sends = queues.iter().zip(&bodies).map(|(queue, body)| Part::Send {
            queue: name(queue),
            message: telpher_proto::base::Message::new(body.clone()),
        });
        let (verdict, reason) = (Verdict::Acknowledge, String::new());
        let mut parts: Vec<Part> = sends.collect();
        parts.push(Part::Settle { delivery: token, verdict, reason });
        if self.run(Command::Batch { parts }).is_ok() {
            self.confirmed.extend(bodies.iter().cloned());
            self.gone.insert(body.clone());
        }
        self.batches.push((bodies, body));
    }

    /// Everything in the queue may go.
    pub fn empty(&mut self, command: Command) {
        self.doomed.extend(self.sent.iter().cloned());
        let purged = self.run(command).is_ok();
        if purged {
            self.gone.extend(self.sent.iter().cloned());
        }
    }

    /// A consumer that works off what there is.
    pub fn consume(&mut self, queue: &str, count: usize) {
        let id = self.world.start(self.program, consume(queue, 4));
        let mut seen = 0;
        for _ in 0..100 {
            self.go_on();
            let deliveries = self.world.deliveries(self.program, id);
            for (token, body, _) in &deliveries[seen..] {
                let body = String::from_utf8(body.clone()).expect("our own text");
                self.acknowledge(Some((*token, body)));
            }
            seen = deliveries.len();
            if seen >= count {
                return;
            }
        }
    }

    /// The disk is good again. Whoever worked is gone; what is left is compared with what was said.
    pub fn check(mut self, cut_power: bool) {
        self.world.disk.faults = Faults::default();
        if cut_power {
            self.world.disk.cut_power();
        }
        self.world.take_over().expect("what a disk leaves after failing is no damage");
        self.world.kill(self.program);
        self.world.pass(6_000);
        self.program = self.world.program();
        let found = self.collect();
        for (body, count) in &found {
            assert_eq!(*count, 1, "{body:.20} is there more than once");
        }
        let is_lost = |body: &&String| !self.doomed.contains(*body) && !found.contains_key(*body);
        let lost: Vec<&String> = self.confirmed.iter().filter(is_lost).collect();
        assert!(lost.is_empty(), "lost although confirmed: {:.20}", lost[0]);
        for (bodies, settled) in &self.batches {
            let there = bodies.iter().filter(|body| found.contains_key(*body)).count();
            assert!(there == 0 || there == bodies.len(), "half a batch is there");
            let both = there > 0 && found.contains_key(settled);
            let none =
                there == 0 && self.confirmed.contains(settled) && !found.contains_key(settled);
            assert!(!both && !none, "a batch was done in part");
        }
    }

    fn collect(&mut self) -> BTreeMap<String, u32> {
        let mut found = BTreeMap::new();
        let dead: Vec<String> = self.queues.iter().map(|queue| format!("{queue}.dead")).collect();
        for queue in self.queues.clone().into_iter().chain(dead) {
            loop {
                let info = match self.run(Command::Inspect { queue: name(&queue) }) {
                    Ok(Outcome::Queue(info)) => info,
                    Err(Kind::NotFound) => break,
                    other => panic!("no figures but {other:?}"),
                };
                assert_eq!((info.held, info.damaged), (0, 0), "nobody is left who holds anything");
                if info.ready + info.delayed == 0 {
                    assert_eq!(info.bytes, 0, "an empty queue holds nothing");
                    break;
                }
                let Some((token, body)) = self.take(&queue) else { continue };
                *found.entry(body).or_default() += 1;
                self.run(settle(token, Verdict::Acknowledge)).expect("a good disk");
            }
        }
        found
    }
}
