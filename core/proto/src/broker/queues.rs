//! Queues: how they are made, and how messages lie in them.
//!
//! ```text
//! lanes, highest priority first:   [9] m m m
//!                                  [0] m m m m m     each in order of sequence; what is tried
//!                                                    again goes back to its place
//! ```
//!
//! Floor: broker.

use std::collections::VecDeque;

use super::deliveries::Taker;
use super::log::Staged;
use super::registrations::Role;
use super::sends::ChangeRef;
use super::sessions::{Confirmation, Done, Marked};
use super::{Broker, Effect, NameId};
use crate::base::limits::NAMES_PER_HUB_MAX;
use crate::base::{Durability, Error, Kind, Message, Name, Outcome, Overflow};
use crate::base::{QueueInfo, QueueOptions, Time};

/// A queue that may have been deleted since: the key alone could name its successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct QueueRef {
    pub key: usize,
    id: u64,
}

#[derive(Debug)]
pub(super) struct Queue {
    id: u64,
    name: Name,
    name_id: NameId,
    options: QueueOptions,
    lanes: Vec<(u8, VecDeque<Entry>)>,
    ready: u64,
    pub held: u64,
    /// Messages reserved, ready and held, and their bytes.
    length: u64,
    bytes: u64,
    sequence: u64,
    /// Who can take more, least recently served first.
    pub takers: VecDeque<Taker>,
    pub consumers: u64,
    /// Sends that wait for room; those that have ended since are passed over.
    pub sends: VecDeque<u64>,
    pub sends_waiting: u64,
    pub sent: u64,
    pub acknowledged: u64,
    pub rejected: u64,
    pub requeued: u64,
}

/// A message as it lies in a queue.
#[derive(Debug)]
pub(super) struct Entry {
    pub sequence: u64,
    pub message_id: u64,
    pub failures: u32,
    pub redelivered: bool,
    pub message: Message,
}

impl Queue {
    pub fn has_room(&self, size: u64) -> bool {
        self.length < self.options.length_max && self.bytes + size <= self.options.bytes_max
    }

    pub fn full(&self) -> Error {
        let detail = format!(
            "the queue {:?} holds {} messages and {} bytes; its limits are {} and {}",
            self.name, self.length, self.bytes, self.options.length_max, self.options.bytes_max
        );
        Error::new(Kind::Full, detail)
    }

    pub fn overflow(&self) -> Overflow {
        self.options.overflow
    }

    pub fn bytes_max(&self) -> u64 {
        self.options.bytes_max
    }

    pub fn durability(&self) -> Durability {
        self.options.durability.unwrap_or(Durability::Memory)
    }

    /// Takes room for a message, and its place in the order.
    pub fn reserve(&mut self, size: u64) -> u64 {
        self.length += 1;
        self.bytes += size;
        self.sequence += 1;
        self.sequence
    }

    fn free(&mut self, size: u64) {
        self.length -= 1;
        self.bytes -= size;
    }

    pub fn has_ready(&self) -> bool {
        self.ready > 0
    }

    /// Puts a message into its place.
    pub fn push(&mut self, entry: Entry) {
        self.ready += 1;
        let priority = entry.message.priority();
        let at = self.lanes.partition_point(|(other, _)| *other > priority);
        if self.lanes.get(at).is_none_or(|(other, _)| *other != priority) {
            self.lanes.insert(at, (priority, VecDeque::new()));
        }
        let lane = &mut self.lanes[at].1;
        if lane.back().is_none_or(|last| last.sequence < entry.sequence) {
            return lane.push_back(entry);
        }
        let place = lane.partition_point(|other| other.sequence < entry.sequence);
        lane.insert(place, entry);
    }

    /// Takes the next message.
    pub fn pop(&mut self) -> Option<Entry> {
        loop {
            let (_, lane) = self.lanes.first_mut()?;
            if let Some(entry) = lane.pop_front() {
                self.ready -= 1;
                return Some(entry);
            }
            if self.lanes.len() == 1 {
                return None;
            }
            self.lanes.remove(0);
        }
    }

    fn info(&self) -> QueueInfo {
        QueueInfo {
            ready: self.ready,
            held: self.held,
            delayed: 0,
            damaged: 0,
            bytes: self.bytes,
            sends_waiting: self.sends_waiting,
            consumers: self.consumers,
            sent: self.sent,
            acknowledged: self.acknowledged,
            rejected: self.rejected,
            requeued: self.requeued,
            dead_lettered: 0,
            length_max: self.options.length_max,
            bytes_max: self.options.bytes_max,
            overflow: self.options.overflow,
            durability: self.durability(),
            max_attempts: self.options.max_attempts,
            backoff_min_ms: self.options.backoff_min_ms,
            backoff_max_ms: self.options.backoff_max_ms,
            ack_deadline_ms: self.options.ack_deadline_ms,
            ttl_ms: self.options.ttl_ms,
            dead_letter: self.options.dead_letter_of(&self.name),
        }
    }
}

impl Broker {
    pub(super) fn find_queue(&self, name: NameId) -> Result<usize, Error> {
        self.names.queue(name).ok_or_else(|| {
            let detail = format!("no queue is named {:?}", self.names.name(name));
            Error::new(Kind::NotFound, detail)
        })
    }

    pub(super) fn queue_ref(&self, key: usize) -> QueueRef {
        QueueRef { key, id: self.queues[key].id }
    }

    pub(super) fn queue_at(&mut self, queue: QueueRef) -> Option<&mut Queue> {
        self.queues.get_mut(queue.key).filter(|found| found.id == queue.id)
    }

    /// Makes a queue, or checks that it is as stated.
    pub fn declare(&mut self, now: Time, change: ChangeRef, name: NameId, options: QueueOptions) {
        match self.try_declare(name, options) {
            Ok(()) => self.changed(now, change, Done::Empty),
            Err(error) => self.refuse(change, error),
        }
    }

    fn try_declare(&mut self, name: NameId, options: QueueOptions) -> Result<(), Error> {
        let default = if self.config.directory { Durability::Disk } else { Durability::Memory };
        let options = options.resolved(default);
        if options.durability != Some(Durability::Memory) {
            return Err(Error::new(Kind::Unsupported, unsupported_durability(&options)));
        }
        if let Some(key) = self.names.queue(name) {
            return match difference(&self.queues[key].options, &options) {
                None => Ok(()),
                Some(difference) => {
                    let name = &self.queues[key].name;
                    let detail = format!("the queue {name:?} has {difference}");
                    Err(Error::new(Kind::Mismatch, detail))
                }
            };
        }
        if self.queues.len() >= NAMES_PER_HUB_MAX {
            let detail = format!("the hub has {NAMES_PER_HUB_MAX} queues, its limit");
            return Err(Error::new(Kind::Full, detail));
        }
        self.make_queue(name, options);
        Ok(())
    }

    fn make_queue(&mut self, name: NameId, options: QueueOptions) {
        self.queue_count += 1;
        let key = self.queues.insert(Queue {
            id: self.queue_count,
            name: self.names.name(name).clone(),
            name_id: name,
            options,
            lanes: Vec::new(),
            ready: 0,
            held: 0,
            length: 0,
            bytes: 0,
            sequence: 0,
            takers: VecDeque::new(),
            consumers: 0,
            sends: VecDeque::new(),
            sends_waiting: 0,
            sent: 0,
            acknowledged: 0,
            rejected: 0,
            requeued: 0,
        });
        self.names.set_queue(name, Some(key));
    }

    /// Removes a queue with everything in it; whoever waits at it hears so.
    pub fn delete(&mut self, now: Time, change: ChangeRef, name: NameId) {
        let key = match self.find_queue(name) {
            Ok(key) => key,
            Err(error) => return self.refuse(change, error),
        };
        let error = Error::new(
            Kind::NotFound,
            format!("the queue {:?} was deleted", self.queues[key].name),
        );
        self.end_consumers(key, &error);
        for (_, receive) in self.receives_of(key) {
            let (session, ticket) = self.remove_receive(receive);
            self.sessions[session].tickets.remove(&ticket);
            self.result(session, ticket, Err(error.clone()));
        }
        for token in std::mem::take(&mut self.queues[key].sends) {
            self.end_waiting_send(token, Some(error.clone()));
        }
        self.drop_held(key);
        let queue = self.queues.remove(key);
        self.bytes -= queue.bytes;
        self.names.set_queue(queue.name_id, None);
        self.changed(now, change, Done::Count(queue.length));
    }

    fn end_consumers(&mut self, queue: usize, error: &Error) {
        let consumers = self.registrations.iter().filter(|(_, r)| r.role == Role::Consumer(queue));
        let consumers: Vec<usize> = consumers.map(|(key, _)| key).collect();
        for key in consumers {
            let (session, id) = (self.registrations[key].session, self.registrations[key].id);
            self.detach_uses(session, key);
            self.remove_registration(key);
            self.sessions[session].registrations.remove(&id);
            if self.sessions[session].present() {
                self.effects.push_back(Effect::Ended { session, id, error: error.clone() });
            }
        }
    }

    /// Removes the messages that nobody holds.
    pub fn purge(&mut self, now: Time, change: ChangeRef, name: NameId) {
        let key = match self.find_queue(name) {
            Ok(key) => key,
            Err(error) => return self.refuse(change, error),
        };
        let mut count = 0;
        while let Some(entry) = self.queues[key].pop() {
            self.free(key, entry.message.size() as u64);
            count += 1;
        }
        self.changed(now, change, Done::Count(count));
        self.admit_sends(now, key);
    }

    /// A queue's figures.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` without such a queue.
    pub fn inspect(&self, name: NameId) -> Result<Outcome, Error> {
        let key = self.find_queue(name)?;
        let mut info = self.queues[key].info();
        info.consumers += self.receives_of(key).len() as u64;
        Ok(Outcome::Queue(Box::new(info)))
    }

    /// A message has left the queue for good.
    pub(super) fn free(&mut self, queue: usize, size: u64) {
        self.queues[queue].free(size);
        self.bytes -= size;
    }

    /// A change has been applied and only waits for its log position.
    fn changed(&mut self, now: Time, change: ChangeRef, outcome: Done) {
        self.mark(change, Marked::Pending);
        self.stage(now, Staged::Confirm(Confirmation { change, outcome }));
    }
}

fn unsupported_durability(options: &QueueOptions) -> String {
    let durability = match options.durability {
        Some(Durability::Os) => "os",
        _ => "disk",
    };
    format!(
        "durability {durability} is not supported: this hub keeps queues in memory only; \
         declare the queue with durability memory"
    )
}

fn difference(has: &QueueOptions, wanted: &QueueOptions) -> Option<String> {
    let mut differences = Vec::new();
    let mut compare = |what: &str, has: u64, wanted: u64| {
        if has != wanted {
            differences.push(format!("{what} {has}, not {wanted}"));
        }
    };
    compare("length_max", has.length_max, wanted.length_max);
    compare("bytes_max", has.bytes_max, wanted.bytes_max);
    if has.overflow != wanted.overflow {
        let name = |overflow| {
            if overflow == Overflow::Wait { "wait" } else { "reject" }
        };
        let (has, wanted) = (name(has.overflow), name(wanted.overflow));
        differences.push(format!("overflow {has}, not {wanted}"));
    }
    (!differences.is_empty()).then(|| differences.join("; "))
}
