//! Queues: how they are made, and how messages lie in them.
//!
//! ```text
//! suspects, each for a session that   s s
//! holds nothing else:
//! lanes, highest priority first:   [9] m m m
//!                                  [0] m m m m m     each in order of sequence; what is tried
//!                                                    again goes back to its place
//! aside: those that wait for their next attempt, and those found damaged on disk
//! ```
//!
//! Floor: broker.

use std::collections::{BTreeMap, VecDeque};

use super::bindings::stated;
use super::deliveries::Taker;
use super::log::Level;
use super::{Broker, NameId};
use crate::base::record::{BoundTo, History, Listed, Place, QueueState, Record, Stored};
use crate::base::timers::TimerKey;
use crate::base::{
    Durability, Error, Kind, Message, Name, Overflow, Pattern, QueueInfo, QueueOptions,
};

/// A queue that may have been deleted since: the key alone could name its successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct QueueRef {
    pub key: usize,
    pub id: u64,
}

#[derive(Debug)]
pub(super) struct Queue {
    pub id: u64,
    pub name: Name,
    pub name_id: NameId,
    pub options: QueueOptions,
    pub lanes: Vec<(u8, VecDeque<Entry>)>,
    pub suspects: VecDeque<Entry>,
    /// Messages whose record can't be read any more.
    pub damaged: Vec<Entry>,
    /// Messages in the lanes and among the suspects.
    pub ready: u64,
    pub held: u64,
    /// Messages that wait for their next attempt.
    pub delayed: u64,
    /// Messages in any place, those on their way to be visible included, and their bytes.
    pub length: u64,
    pub bytes: u64,
    pub sequence: u64,
    /// What is on its way to be visible, up to this sequence, was purged.
    pub purged: u64,
    /// Reads of its messages that are under way.
    pub reads: usize,
    /// Looks that wait for them.
    pub peeks: Vec<super::bodies::Peek>,
    /// The next time at which a message may expire.
    pub expiry: Option<TimerKey>,
    /// Who can take more, least recently served first.
    pub takers: VecDeque<Taker>,
    pub consumers: u64,
    /// Receives that wait.
    pub receives: u64,
    /// Sends and publishes that wait for room; those that have ended since are passed over.
    pub sends: VecDeque<u64>,
    /// Patterns that are bound to it, and where each stands among all bindings.
    pub bindings: BTreeMap<Pattern, usize>,
    pub sends_waiting: u64,
    pub sent: u64,
    pub acknowledged: u64,
    pub rejected: u64,
    pub requeued: u64,
    pub dead_lettered: u64,
}

/// A message as it lies in a queue.
#[derive(Debug)]
pub(super) struct Entry {
    pub sequence: u64,
    pub message_id: u64,
    /// Where it lies on disk, if it does.
    pub place: Place,
    /// Bytes of body, key and headers.
    pub bytes: u32,
    pub failures: u32,
    pub priority: u8,
    pub redelivered: bool,
    pub suspect: bool,
    /// `None`: it has to be read from disk.
    pub message: Option<Message>,
    /// What only few messages have.
    pub more: Option<Box<More>>,
}

/// What is known beyond the usual.
#[derive(Clone, Debug, Default)]
pub(super) struct More {
    /// When it was stored, by the hub's clock; 0 if that does not matter.
    pub time_ms: u64,
    pub history: History,
}

impl Entry {
    /// A message that is new in its queue.
    pub fn new(sequence: u64, message_id: u64, message: Message) -> Entry {
        Entry {
            sequence,
            message_id,
            place: Place::default(),
            bytes: message.size() as u32,
            failures: 0,
            priority: message.priority(),
            redelivered: false,
            suspect: false,
            message: Some(message),
            more: None,
        }
    }

    /// A message as an earlier host has written it down; its body stays on disk if it lies there.
    pub fn restored(stored: Stored, place: Place) -> Entry {
        let Stored { sent, failures, redelivered, suspect, history, .. } = stored;
        let mut entry = Entry::new(sent.sequence, sent.message_id, sent.message.to_stored());
        (entry.place, entry.failures) = (place, failures);
        (entry.redelivered, entry.suspect) = (redelivered, suspect);
        entry.more = Some(Box::new(More { time_ms: sent.time_ms, history }));
        entry
    }

    /// A message as a checkpoint lists it.
    pub fn listed(listed: Listed) -> Entry {
        let more = listed.more.map(|more| *more);
        let more = more.map(|more| More { time_ms: more.time_ms, history: more.history });
        Entry {
            sequence: listed.sequence,
            message_id: listed.message_id,
            place: listed.place,
            bytes: listed.bytes,
            failures: listed.failures,
            priority: listed.priority,
            redelivered: listed.redelivered,
            suspect: listed.suspect,
            message: None,
            more: more.map(Box::new),
        }
    }

    /// Bytes of body, key and headers.
    pub fn size(&self) -> u64 {
        self.bytes.into()
    }

    /// True if what it said is gone: it can't be read, and lies nowhere any more.
    pub fn is_lost(&self) -> bool {
        self.message.is_none() && self.place.segment == 0
    }

    pub fn more_mut(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    pub fn time_ms(&self) -> u64 {
        self.more.as_ref().map_or(0, |more| more.time_ms)
    }
}

impl Queue {
    pub fn new(id: u64, name: Name, name_id: NameId, options: QueueOptions) -> Queue {
        Queue {
            id,
            name,
            name_id,
            options,
            lanes: Vec::new(),
            suspects: VecDeque::new(),
            damaged: Vec::new(),
            ready: 0,
            held: 0,
            delayed: 0,
            length: 0,
            bytes: 0,
            sequence: 0,
            purged: 0,
            reads: 0,
            peeks: Vec::new(),
            expiry: None,
            takers: VecDeque::new(),
            consumers: 0,
            receives: 0,
            sends: VecDeque::new(),
            bindings: BTreeMap::new(),
            sends_waiting: 0,
            sent: 0,
            acknowledged: 0,
            rejected: 0,
            requeued: 0,
            dead_lettered: 0,
        }
    }

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

    pub fn level(&self) -> Level {
        self.durability().into()
    }

    /// Takes room for a message, and its place in the order.
    pub fn reserve(&mut self, size: u64) -> u64 {
        self.length += 1;
        self.bytes += size;
        self.sequence += 1;
        self.sequence
    }

    pub fn free(&mut self, size: u64) {
        self.length -= 1;
        self.bytes -= size;
    }

    /// Puts a message into its place.
    pub fn push(&mut self, entry: Entry) {
        self.ready += 1;
        if entry.suspect {
            return insert(&mut self.suspects, entry);
        }
        let at = self.lanes.partition_point(|(other, _)| *other > entry.priority);
        if self.lanes.get(at).is_none_or(|(other, _)| *other != entry.priority) {
            self.lanes.insert(at, (entry.priority, VecDeque::new()));
        }
        insert(&mut self.lanes[at].1, entry);
    }

    /// The next message in the lanes.
    pub fn front(&mut self) -> Option<&mut Entry> {
        let mut lanes = self.lanes.iter_mut();
        lanes.find_map(|(_, lane)| lane.front_mut())
    }

    /// Takes the next message from the lanes.
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

    /// Takes every message that waits in the lanes or among the suspects.
    pub fn take_ready(&mut self) -> Vec<Entry> {
        self.ready = 0;
        let lanes = std::mem::take(&mut self.lanes);
        let mut all: Vec<Entry> = std::mem::take(&mut self.suspects).into();
        all.extend(lanes.into_iter().flat_map(|(_, lane)| lane));
        all
    }

    /// Every message that waits, in the order in which they would be handed out.
    pub fn waiting(&self) -> impl Iterator<Item = &Entry> {
        self.suspects.iter().chain(self.lanes.iter().flat_map(|(_, lane)| lane))
    }

    /// The message with this sequence, if it waits.
    pub fn find(&mut self, sequence: u64) -> Option<&mut Entry> {
        let lanes = self.lanes.iter_mut().map(|(_, lane)| lane);
        lanes.chain([&mut self.suspects]).find_map(|lane| {
            let at = lane.binary_search_by_key(&sequence, |entry| entry.sequence).ok()?;
            lane.get_mut(at)
        })
    }

    /// Takes the message with this sequence out, if it waits.
    pub fn take(&mut self, sequence: u64) -> Option<Entry> {
        let lanes = self.lanes.iter_mut().map(|(_, lane)| lane);
        let found = lanes.chain([&mut self.suspects]).find_map(|lane| {
            let at = lane.binary_search_by_key(&sequence, |entry| entry.sequence).ok()?;
            lane.remove(at)
        })?;
        self.ready -= 1;
        Some(found)
    }

    pub fn info(&self) -> QueueInfo {
        QueueInfo {
            ready: self.ready,
            held: self.held,
            delayed: self.delayed,
            damaged: self.damaged.len() as u64,
            bytes: self.bytes,
            sends_waiting: self.sends_waiting,
            consumers: self.consumers + self.receives,
            bindings: self.bindings.keys().cloned().collect(),
            ..QueueView::of(&self.state())
        }
    }

    /// The queue as it is written down.
    pub fn state(&self) -> Box<QueueState> {
        Box::new(QueueState {
            id: self.id,
            name: self.name.clone(),
            options: self.options.clone(),
            sequence: self.sequence,
            sent: self.sent,
            acknowledged: self.acknowledged,
            rejected: self.rejected,
            requeued: self.requeued,
            dead_lettered: self.dead_lettered,
        })
    }

    /// What is bound to it, as it is stated anew.
    pub fn bound(&self) -> impl Iterator<Item = Record> {
        stated(BoundTo::Queue(self.id), self.bindings.keys())
    }

    /// Takes over what was written down.
    pub fn restate(&mut self, state: &QueueState) {
        self.options = state.options.clone();
        self.sequence = state.sequence;
        self.sent = state.sent;
        self.acknowledged = state.acknowledged;
        self.rejected = state.rejected;
        self.requeued = state.requeued;
        self.dead_lettered = state.dead_lettered;
    }
}

/// A queue as programs see it.
pub(super) struct QueueView;

impl QueueView {
    /// What is written down of a queue, with nothing in it.
    pub fn of(state: &QueueState) -> QueueInfo {
        let options = &state.options;
        QueueInfo {
            ready: 0,
            held: 0,
            delayed: 0,
            damaged: 0,
            bytes: 0,
            sends_waiting: 0,
            consumers: 0,
            sent: state.sent,
            acknowledged: state.acknowledged,
            rejected: state.rejected,
            requeued: state.requeued,
            dead_lettered: state.dead_lettered,
            length_max: options.length_max,
            bytes_max: options.bytes_max,
            overflow: options.overflow,
            durability: options.durability.unwrap_or(Durability::Memory),
            max_attempts: options.max_attempts,
            backoff_min_ms: options.backoff_min_ms,
            backoff_max_ms: options.backoff_max_ms,
            ack_deadline_ms: options.ack_deadline_ms,
            ttl_ms: options.ttl_ms,
            dead_letter: options.dead_letter_of(&state.name),
            bindings: Vec::new(),
        }
    }
}

/// Puts a message where its sequence belongs; usually that is the end.
fn insert(lane: &mut VecDeque<Entry>, entry: Entry) {
    if lane.back().is_none_or(|last| last.sequence < entry.sequence) {
        return lane.push_back(entry);
    }
    let place = lane.partition_point(|other| other.sequence < entry.sequence);
    lane.insert(place, entry);
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

    /// True if what happens in the queue is written down.
    pub(super) fn is_journaled(&self, queue: usize) -> bool {
        self.log.is_on && self.queues[queue].level() > Level::Now
    }

    /// A message of `size` bytes has come into a queue.
    pub(super) fn count_in(&mut self, queue: usize, size: u64) {
        if !self.is_journaled(queue) {
            self.bytes += size;
        }
    }

    /// A message has left the queue, but not the hub.
    pub(super) fn leave(&mut self, queue: usize, size: u64) {
        self.queues[queue].free(size);
        if !self.is_journaled(queue) {
            self.bytes -= size;
        }
    }

    /// A message has left the hub for good.
    pub(super) fn drop_entry(&mut self, queue: usize, entry: &Entry) {
        self.leave(queue, entry.size());
        self.forget_body(entry);
        self.usage.release(entry.place.segment, entry.size());
    }
}
