//! What earlier hosts have written down, applied record by record.
//!
//! A plain table of queues, messages and sessions: a broker begins from it, and whoever looks into
//! a directory that nobody hosts reads it.
//!
//! Floor: broker.

use std::collections::{BTreeMap, BTreeSet};

use super::bindings::stated;
use super::declared::stated as stated_topics;
use super::entries::Entries;
use super::past_streams::PastStream;
use super::queues::Entry;
use super::returns::{become_dead_letter, note_failure};
use crate::base::record::{
    BoundTo, Change, Copies, DeadTo, Failure, Holder, Listed, Mark, Place, QueueState, Receipts,
    Record, Returned, Sent, SessionState, Settled, Stored, Why,
};
use crate::base::sequence::Marks;
use crate::base::{Durability, Pattern, Receipt, TopicOptions, Verdict};

/// What earlier hosts have written down.
#[derive(Debug)]
pub struct Past {
    pub(super) queues: BTreeMap<u64, PastQueue>,
    pub(super) streams: BTreeMap<u64, PastStream>,
    pub(super) sessions: BTreeMap<u64, PastSession>,
    /// Declarations of topics.
    pub(super) topics: BTreeMap<Pattern, TopicOptions>,
    /// The last host that served: one with a later epoch ended before it had changed anything.
    served: u64,
    /// The last host that served has ended by itself, and handed over what it had in memory.
    pub(super) is_closed: bool,
    /// The hub that the last host was of.
    pub(super) hub: [u8; 16],
    /// The machine's boot in which the last host began.
    pub(super) boot: [u8; 16],
    /// The latest time that was written down.
    pub(super) time_ms: u64,
    /// The last host that began without what an earlier one had in memory.
    pub(super) lost: u64,
}

/// A queue as it was.
#[derive(Debug, Default)]
pub(super) struct PastQueue {
    /// Unknown while only records of a freed segment have said it; a later one states it anew.
    pub state: Option<QueueState>,
    pub entries: Entries<PastEntry>,
    /// Patterns that are bound to it.
    pub bindings: BTreeSet<Pattern>,
}

#[derive(Debug)]
pub(super) struct PastEntry {
    pub entry: Entry,
    pub holder: Option<Box<Holder>>,
}

#[derive(Debug)]
pub(super) struct PastSession {
    pub state: SessionState,
    pub marks: Marks<Mark>,
}

impl PastQueue {
    fn durability(&self) -> Durability {
        let options = self.state.as_ref().map(|state| &state.options);
        options.and_then(|options| options.durability).unwrap_or(Durability::Disk)
    }

    pub fn is_memory(&self) -> bool {
        self.durability() == Durability::Memory
    }

    /// True if dead letters are meant to be gone.
    fn has_no_dead_letters(&self) -> bool {
        let state = self.state.as_ref();
        state.is_some_and(|state| state.options.dead_letter_of(&state.name).is_none())
    }
}

impl Default for Past {
    /// Every host has served.
    fn default() -> Past {
        Past::new(u64::MAX)
    }
}

impl Past {
    /// Nothing is known yet, but the epoch of the last host that served.
    pub fn new(served: u64) -> Past {
        Past {
            queues: BTreeMap::new(),
            streams: BTreeMap::new(),
            sessions: BTreeMap::new(),
            topics: BTreeMap::new(),
            served,
            is_closed: false,
            hub: [0; 16],
            boot: [0; 16],
            time_ms: 0,
            lost: 0,
        }
    }

    /// All queues and sessions as they stand: what follows these records can be read without what
    /// came before them.
    pub fn statement(&self) -> Vec<Record> {
        let queues = self.queues.values().filter_map(|queue| queue.state.clone());
        let queues = queues.map(|state| Record::Queue { change: None, state: Box::new(state) });
        let sessions = self.sessions.values().map(|session| {
            let (oldest, marks) = session.marks.iter();
            let marks = marks.map(|(sequence, mark)| (sequence, mark.clone())).collect();
            let state = SessionState { oldest, marks, ..session.state.clone() };
            Record::Session(Box::new(state))
        });
        let bindings = self.queues.iter().filter(|(_, queue)| queue.state.is_some());
        let bindings =
            bindings.flat_map(|(id, queue)| stated(BoundTo::Queue(*id), queue.bindings.iter()));
        let streams = self.streams.values().flat_map(PastStream::statement);
        let topics = stated_topics(&self.topics);
        queues.chain(bindings).chain(topics).chain(streams).chain(sessions).collect()
    }

    /// Applies one record, which lies at `place`.
    pub fn apply(&mut self, record: Record, place: Place) {
        match record {
            Record::Opened { epoch, hub, boot, time_ms, lost } => {
                self.is_closed &= epoch > self.served;
                self.hub = hub;
                self.boot = boot;
                self.lost = lost;
                self.note_time(time_ms);
            }
            Record::Closing => {
                let memory = self.queues.values_mut().filter(|queue| queue.is_memory());
                memory.for_each(|queue| queue.entries.clear());
                let memory = self.streams.values_mut().filter(|stream| stream.is_memory());
                memory.for_each(|stream| stream.batches.clear());
            }
            Record::Closed => self.is_closed = true,
            Record::Queue { change, state } => {
                self.mark(change, Mark::Empty);
                let queue = self.queues.entry(state.id).or_default();
                queue.state = Some(*state);
            }
            Record::QueueGone { change, queue, count } => {
                self.mark(change, Mark::Count(count));
                self.queues.remove(&queue);
            }
            Record::Purged { change, queue, count } => {
                self.mark(change, Mark::Count(count));
                let queue = self.queues.entry(queue).or_default();
                queue.entries.retain(|entry| entry.holder.is_some());
            }
            Record::Sent { change, sent } => {
                let receipt = self.store(sent, place);
                self.mark(change, Mark::Receipt(receipt));
            }
            Record::Delivered(delivered) => {
                if let Some(entry) = self.entry(delivered.queue, delivered.sequence) {
                    entry.holder = Some(Box::new(delivered.holder));
                }
            }
            Record::Settled { change, settled } => {
                self.mark(change, Mark::Empty);
                self.settle(settled);
            }
            Record::Returned(returned) => self.take_back(returned),
            Record::Moved(stored) => self.restate(*stored, place),
            Record::Session(state) => self.state_session(*state),
            Record::SessionGone { session } => {
                self.sessions.remove(&session);
            }
            Record::Freed { .. } => {}
            Record::Listed { queue, messages } => self.list(queue, messages),
            together => self.apply_bound(together, place),
        }
    }

    /// Batches, bindings, and what was published.
    fn apply_bound(&mut self, record: Record, place: Place) {
        match record {
            Record::Batch { change, sent, settled, published, streams } => {
                let of_streams = self.apply_stream_parts(*streams, place);
                let marked = self.batch_mark(&sent, &settled, (&published, of_streams));
                published.iter().for_each(|copies| self.store_copies(copies, place));
                self.batch(sent, settled, place);
                self.mark(change, marked);
            }
            Record::Published { change, copies, appended } => {
                let of_streams = self.apply_appended(appended, place);
                let queues = copies.places.iter().map(|place| place.queue);
                let stored = Mark::Stored(self.safest(queues.collect(), of_streams));
                self.note_time(copies.time_ms);
                self.store_copies(&copies, place);
                self.mark(change, stored);
            }
            Record::Bound { change, binding } => {
                self.mark(change, Mark::Empty);
                self.bound_to(binding.target).insert(binding.pattern);
            }
            Record::Unbound { change, binding } => {
                self.mark(change, Mark::Empty);
                self.bound_to(binding.target).remove(&binding.pattern);
            }
            Record::Topic { change, pattern, options } => {
                self.mark(change, Mark::Empty);
                self.topics.insert(pattern, options);
            }
            Record::TopicGone { change, pattern } => {
                self.mark(change, Mark::Empty);
                self.topics.remove(&pattern);
            }
            of_stream => self.apply_to_stream(of_stream, place),
        }
    }

    fn state_session(&mut self, state: SessionState) {
        let mut marks = Marks::default();
        marks.advance(state.oldest);
        for (sequence, mark) in &state.marks {
            if let Ok(entry) = marks.entry(*sequence) {
                *entry = Some(mark.clone());
            }
        }
        self.sessions.insert(state.id, PastSession { state, marks });
    }

    /// Messages as a checkpoint lists them.
    fn list(&mut self, queue: u64, messages: Vec<Listed>) {
        let queue = self.queues.entry(queue).or_default();
        for mut listed in messages {
            let holder = listed.more.as_mut().and_then(|more| more.holder.take());
            let holder = holder.map(Box::new);
            let (sequence, entry) = (listed.sequence, Entry::listed(listed));
            queue.entries.insert(sequence, PastEntry { entry, holder });
        }
    }

    pub(super) fn note_time(&mut self, time_ms: u64) {
        self.time_ms = self.time_ms.max(time_ms);
    }

    pub(super) fn mark(&mut self, change: Option<Change>, mark: Mark) {
        let Some(change) = change else { return };
        if let Some(session) = self.sessions.get_mut(&change.producer) {
            session.marks.advance(change.oldest);
            if let Ok(entry) = session.marks.entry(change.sequence) {
                *entry = Some(mark);
            }
        }
    }

    fn entry(&mut self, queue: u64, sequence: u64) -> Option<&mut PastEntry> {
        self.queues.get_mut(&queue)?.entries.get_mut(sequence)
    }

    fn store(&mut self, sent: Sent, place: Place) -> Receipt {
        self.note_time(sent.time_ms);
        let queue = self.queues.entry(sent.queue).or_default();
        let receipt = Receipt { message_id: sent.message_id, durability: queue.durability() };
        if let Some(state) = &mut queue.state {
            state.sequence = state.sequence.max(sent.sequence);
            state.sent += 1;
        }
        let sequence = sent.sequence;
        let ttl_ms = queue.state.as_ref().map_or(1, |state| state.options.ttl_ms);
        let entry = on_disk(sent, place, ttl_ms > 0);
        queue.entries.insert(sequence, PastEntry { entry, holder: None });
        receipt
    }

    fn batch_mark(
        &self,
        sent: &[Sent],
        settled: &[Settled],
        (published, of_streams): (&[Copies], Option<Durability>),
    ) -> Mark {
        let queues = sent.iter().map(|sent| sent.queue).chain(settled.iter().map(|s| s.queue));
        let copied = published.iter().flat_map(|copies| &copies.places).map(|place| place.queue);
        let durability = self.safest(queues.chain(copied).collect(), of_streams);
        let first = sent.first().map_or(0, |sent| sent.message_id);
        Mark::Receipts(Receipts { first, count: sent.len() as u32, durability })
    }

    /// How safe the safest is of these queues and of streams.
    fn safest(&self, queues: Vec<u64>, of_streams: Option<Durability>) -> Durability {
        match of_streams {
            Some(durability) if queues.is_empty() => durability,
            Some(durability) => durability.max(self.most_durable(queues.into_iter())),
            None => self.most_durable(queues.into_iter()),
        }
    }

    fn most_durable(&self, queues: impl Iterator<Item = u64>) -> Durability {
        let levels = queues.filter_map(|queue| Some(self.queues.get(&queue)?.durability()));
        levels.max().unwrap_or(Durability::Disk)
    }

    fn batch(&mut self, sent: Vec<Sent>, settled: Vec<Settled>, place: Place) {
        for sent in sent {
            self.store(sent, place);
        }
        settled.into_iter().for_each(|settled| self.settle(settled));
    }

    fn store_copies(&mut self, copies: &Copies, place: Place) {
        for copy in copies.each() {
            self.store(copy, place);
        }
    }

    /// A message as it stands; one of a queue in memory is kept as a whole.
    fn restate(&mut self, stored: Stored, place: Place) {
        let queue = self.queues.entry(stored.sent.queue).or_default();
        let (sequence, holder) = (stored.sent.sequence, stored.holder.map(Box::new));
        let is_memory = queue.is_memory();
        let mut entry = Entry::restored(stored, if is_memory { Place::default() } else { place });
        if !is_memory {
            entry.message = None;
        }
        queue.entries.insert(sequence, PastEntry { entry, holder });
    }

    fn settle(&mut self, settled: Settled) {
        self.note_time(settled.time_ms);
        self.count_verdict(&settled);
        let Some(queue) = self.queues.get_mut(&settled.queue) else { return };
        let Some(mut found) = queue.entries.remove(settled.sequence) else { return };
        found.holder = None;
        found.entry.suspect = false;
        let why = match settled.verdict {
            Verdict::Acknowledge => return,
            Verdict::Release => {
                found.entry.redelivered = true;
                queue.entries.insert(settled.sequence, found);
                return;
            }
            Verdict::Reject => Why::Rejected,
            Verdict::Requeue => Why::Requeued,
        };
        if why == Why::Rejected {
            found.entry.failures += 1;
        }
        let time_ms = settled.time_ms;
        let failure = Failure { time_ms, why, reason: settled.reason };
        self.end_attempt((settled.queue, settled.sequence), found, failure, settled.dead);
    }

    fn take_back(&mut self, returned: Returned) {
        self.note_time(returned.time_ms);
        self.count_end(returned.queue, returned.why, returned.dead);
        let Some(queue) = self.queues.get_mut(&returned.queue) else { return };
        let Some(mut found) = queue.entries.remove(returned.sequence) else { return };
        found.holder = None;
        let why = returned.why;
        found.entry.suspect = why.is_suspicious().unwrap_or(found.entry.suspect);
        if !why.is_failure() && why != Why::Expired {
            found.entry.redelivered = true;
            queue.entries.insert(returned.sequence, found);
            return;
        }
        let failure = Failure { time_ms: returned.time_ms, why, reason: String::new() };
        self.end_attempt((returned.queue, returned.sequence), found, failure, returned.dead);
    }

    /// An attempt has failed, or the message has died: back to its queue, to another, or gone.
    fn end_attempt(
        &mut self,
        (id, sequence): (u64, u64),
        mut found: PastEntry,
        failure: Failure,
        dead: Option<DeadTo>,
    ) {
        let why = failure.why;
        note_failure(&mut found.entry, failure);
        let Some(queue) = self.queues.get_mut(&id) else { return };
        if why.is_failure() {
            found.entry.failures += 1;
        }
        let Some(to) = dead else {
            if why.is_failure() || !queue.has_no_dead_letters() {
                found.entry.redelivered = true;
                queue.entries.insert(sequence, found);
            }
            return;
        };
        let Some(name) = queue.state.as_ref().map(|state| state.name.clone()) else { return };
        become_dead_letter(&mut found.entry, &name, why, to);
        let target = self.queues.entry(to.queue).or_default();
        target.entries.insert(to.sequence, found);
    }

    fn state(&mut self, queue: u64) -> Option<&mut QueueState> {
        self.queues.get_mut(&queue)?.state.as_mut()
    }

    /// Figures count also where the message itself was freed since, with its segment.
    fn count_verdict(&mut self, settled: &Settled) {
        let why = match settled.verdict {
            Verdict::Release => return,
            Verdict::Acknowledge => {
                let state = self.state(settled.queue);
                return state.into_iter().for_each(|state| state.acknowledged += 1);
            }
            Verdict::Reject => Why::Rejected,
            Verdict::Requeue => Why::Requeued,
        };
        self.count_end(settled.queue, why, settled.dead);
    }

    fn count_end(&mut self, queue: u64, why: Why, dead: Option<DeadTo>) {
        if let Some(state) = self.state(queue) {
            state.rejected += u64::from(why == Why::Rejected);
            state.requeued += u64::from(why.is_failure() && dead.is_none());
            state.dead_lettered += u64::from(dead.is_some());
        }
        if let Some(to) = dead
            && let Some(state) = self.state(to.queue)
        {
            state.sent += 1;
            state.sequence = state.sequence.max(to.sequence);
        }
    }
}

/// A message of which only its place is kept.
fn on_disk(sent: Sent, place: Place, time_matters: bool) -> Entry {
    let mut entry = Entry::new(sent.sequence, sent.message_id, sent.message);
    entry.place = place;
    entry.message = None;
    if time_matters {
        entry.more_mut().time_ms = sent.time_ms;
    }
    entry
}
