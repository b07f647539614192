//! What stands is written down anew: in each new segment, so that older ones can go; forward from
//! a segment that holds little; and at a clean end, what was in memory only.
//!
//! Floor: broker.

use std::collections::HashMap;

use super::bodies::Reader;
use super::log::Level;
use super::queues::{Entry, QueueRef};
use super::sessions::{Done, Marked};
use super::streams::Stream;
use super::{Broker, SessionKey};
use crate::base::record::{
    Holder, KeptBatch, Listed, ListedMore, Mark, Place, Position, Record, Sent, SessionState,
    Stored,
};
use crate::base::{Message, Time};

/// Where a message is.
#[derive(Clone, Copy, Debug)]
enum Where {
    Waiting,
    Held(u64),
    Delayed(usize),
    Damaged(usize),
}

/// Messages that are to be written anew, since their segment holds little else.
#[derive(Debug, Default)]
pub(super) struct Moving {
    segment: u32,
    /// Those found in it; some may have left it, or the hub, since.
    found: Vec<(QueueRef, u64)>,
    /// Reads under way.
    reads: usize,
    /// A segment that the disk does not give, which is left as it is.
    stuck: u32,
}

/// Messages of one segment that are looked for at a time: that looks at every message there is.
const FOUND_MAX: usize = 16_384;

/// What is delayed or held, by the key of its queue.
type Aside = HashMap<usize, Vec<Where>>;

impl Broker {
    /// States the host, every queue and every session anew. Call it only between two inputs, with
    /// all records taken.
    pub fn restate(&mut self, now: Time) {
        self.write_opened(now);
        let queues: Vec<_> = self.queues.iter().map(|(_, queue)| queue.state()).collect();
        for state in queues {
            self.write(Level::Written, Record::Queue { change: None, state });
        }
        self.restate_streams(|_| true);
        self.restate_filed();
        let bound = self.queues.iter().flat_map(|(_, queue)| queue.bound());
        for bound in bound.collect::<Vec<_>>() {
            self.write(Level::Written, bound);
        }
        for topics in self.declared.statement().collect::<Vec<_>>() {
            self.write(Level::Written, topics);
        }
        self.restate_sessions();
    }

    fn restate_streams(&mut self, which: impl Fn(&Stream) -> bool) {
        let streams = self.streams.all.iter().filter(|(_, stream)| which(stream));
        for record in streams.flat_map(|(_, stream)| stream.statement()).collect::<Vec<_>>() {
            self.write(Level::Written, record);
        }
    }

    /// Everything that stands and is written down, as records: what a checkpoint holds. Call it as
    /// `restate`.
    pub fn snapshot(&self, now: Time) -> Vec<Record> {
        let mut records = vec![self.opened(now)];
        let (aside, mut arriving) = (self.aside(), self.arriving());
        for (key, queue) in &self.queues {
            records.push(Record::Queue { change: None, state: queue.state() });
            records.extend(queue.bound());
            if self.is_journaled(key) {
                let entries = self.entries(key, &aside);
                let mut messages: Vec<_> = entries.map(|(entry, by)| listed(entry, by)).collect();
                messages.extend(queue.damaged.iter().map(|entry| listed(entry, None)));
                messages.extend(arriving.remove(&key).unwrap_or_default());
                records.extend(messages.chunks(LISTED).map(|messages| Record::Listed {
                    queue: queue.id,
                    messages: messages.to_vec(),
                }));
            }
        }
        records.extend(self.declared.statement());
        let streams = self.streams.all.iter();
        records.extend(streams.flat_map(|(_, stream)| stream.statement()));
        records.append(&mut self.list_batches(|_| true));
        let sessions = self.sessions.keys().into_iter();
        records.extend(sessions.map(|key| Record::Session(Box::new(self.session_state(key)))));
        records
    }

    /// Batches of streams on disk, and where they lie.
    pub(super) fn list_batches(&self, which: impl Fn(&KeptBatch) -> bool) -> Vec<Record> {
        let mut records: Vec<Record> = Vec::new();
        for (batch, kept) in self.kept_batches().filter(|(_, kept)| which(&kept.at)) {
            match records.last_mut() {
                Some(Record::Kept { stream, partition, batches })
                    if (*stream, *partition) == (batch.stream.id, batch.partition)
                        && batches.len() < LISTED =>
                {
                    batches.push(kept.at);
                }
                _ => records.push(Record::Kept {
                    stream: batch.stream.id,
                    partition: batch.partition,
                    batches: vec![kept.at],
                }),
            }
        }
        records
    }

    fn aside(&self) -> Aside {
        let delayed = self.delayed.iter().map(|(slot, at)| (at.queue, Where::Delayed(slot)));
        let held = self.held.iter().map(|(token, at)| (at.queue, Where::Held(token)));
        let mut aside = Aside::default();
        for (queue, at) in delayed.chain(held) {
            if self.queues.get(queue.key).is_some_and(|found| found.id == queue.id) {
                aside.entry(queue.key).or_default().push(at);
            }
        }
        aside
    }

    /// The messages of a queue that wait, are delayed or held, with their holders.
    fn entries<'a>(
        &'a self,
        key: usize,
        aside: &'a Aside,
    ) -> impl Iterator<Item = (&'a Entry, Option<Holder>)> {
        let waiting = self.queues[key].waiting().map(|entry| (entry, None));
        let aside = aside.get(&key).into_iter().flatten().filter_map(|at| match at {
            Where::Waiting | Where::Damaged(_) => None,
            Where::Delayed(slot) => Some((&self.delayed.get(*slot)?.entry, None)),
            Where::Held(token) => Some((&self.held.get(*token)?.entry, self.holder(*token))),
        });
        waiting.chain(aside)
    }

    /// Messages on their way to be visible, by queue; a purge takes them.
    fn arriving(&self) -> HashMap<usize, Vec<Listed>> {
        let mut arriving = HashMap::<usize, Vec<Listed>>::new();
        for (queue, entry) in self.log.arriving() {
            let found = self.queues.get(queue.key).filter(|found| found.id == queue.id);
            if found.is_some_and(|found| entry.sequence > found.purged) {
                arriving.entry(queue.key).or_default().push(listed(entry, None));
            }
        }
        arriving
    }

    /// Which host this is, and when.
    pub(super) fn write_opened(&mut self, now: Time) {
        let opened = self.opened(now);
        self.write(Level::Written, opened);
    }

    fn opened(&self, now: Time) -> Record {
        let super::Config { hub_id: hub, epoch, boot, .. } = self.config;
        let (time_ms, lost) = (self.time_ms(now), self.lost);
        Record::Opened { hub, epoch, boot, time_ms, lost }
    }

    fn restate_sessions(&mut self) {
        for key in self.sessions.keys() {
            let state = Box::new(self.session_state(key));
            self.write(Level::Written, Record::Session(state));
        }
    }

    /// A session as it is written down.
    pub(super) fn session_state(&self, key: SessionKey) -> SessionState {
        let session = &self.sessions[key];
        let (oldest, marks) = session.marks.iter();
        let mark = |marked: &Marked| match marked {
            Marked::Pending => None,
            Marked::Logged(done) | Marked::Done(done) => Some(match done {
                Done::Empty => Mark::Empty,
                Done::Receipt(receipt) => Mark::Receipt(*receipt),
                Done::Count(count) => Mark::Count(*count),
                Done::Receipts(receipts) => Mark::Receipts(*receipts),
                Done::Appended(appended) => Mark::Appended(*appended),
                Done::Stored(durability) => Mark::Stored(*durability),
            }),
        };
        let marks = marks.filter_map(|(sequence, marked)| Some((sequence, mark(marked)?)));
        SessionState {
            id: session.id.0,
            token: session.token,
            local: session.local,
            process: session.process,
            oldest,
            marks: marks.collect(),
        }
    }

    /// Segments up to `through` hold nothing that is needed: the record that says so.
    pub fn note_freed(&mut self, through: u32) -> Position {
        self.write(Level::Durable, Record::Freed { through })
    }

    /// The host ends by itself: everything that was in memory only is written down. Once that is
    /// durable, the next host goes on as if nothing had happened.
    pub fn close_down(&mut self) {
        self.write(Level::Written, Record::Closing);
        let memory = self.queues.iter().filter(|(key, _)| !self.is_journaled(*key));
        let memory: Vec<usize> = memory.map(|(key, _)| key).collect();
        let aside = self.aside();
        for key in memory {
            let state = self.queues[key].state();
            self.write(Level::Written, Record::Queue { change: None, state });
            let id = self.queues[key].id;
            let entries = self.entries(key, &aside);
            let stored = entries.filter_map(|(entry, holder)| {
                Some(stored(id, entry, entry.message.clone()?, holder))
            });
            for stored in stored.collect::<Vec<_>>() {
                self.write(Level::Written, Record::Moved(Box::new(stored)));
            }
        }
        self.hand_over_streams();
        self.restate_sessions();
        self.write(Level::Durable, Record::Closed);
    }

    fn hand_over_streams(&mut self) {
        let is_memory = |stream: &Stream| stream.level() == Level::Now;
        self.restate_streams(is_memory);
        let mut records = Vec::new();
        for (_, stream) in self.streams.all.iter().filter(|(_, stream)| is_memory(stream)) {
            for (partition, kept) in (0..).zip(&stream.partitions) {
                let batches = kept.batches.iter().filter_map(|kept| kept.bytes.clone());
                records.extend(batches.map(|batch| Record::Appended {
                    change: None,
                    stream: stream.id,
                    partition,
                    batch,
                }));
            }
        }
        for record in records {
            self.write(Level::Written, record);
        }
    }

    fn holder(&self, token: u64) -> Option<Holder> {
        let held = self.held.get(token)?;
        let session = self.sessions[held.session].id.0;
        Some(Holder { session, token, id: held.id, is_receive: held.is_receive })
    }

    /// Begins to write messages that lie in a segment anew, at most so many of them. Does nothing
    /// while some are still being read for that.
    pub fn move_from(&mut self, segment: u32, count: usize) {
        if self.moving.reads > 0 || self.moving.stuck == segment {
            return;
        }
        if self.moving.segment != segment || self.moving.found.is_empty() {
            self.moving.segment = segment;
            self.moving.found = self.entries_in(segment);
        }
        let found = &mut self.moving.found;
        for (queue, sequence) in found.split_off(found.len().saturating_sub(count)) {
            self.move_entry(queue, sequence, None);
        }
    }

    /// True if the disk did not give messages of a segment that were to be written anew.
    pub(super) fn moving_is_stuck(&self, segment: u32) -> bool {
        self.moving.stuck == segment
    }

    /// Messages that lie in a segment, not more than are looked for at a time.
    fn entries_in(&self, segment: u32) -> Vec<(QueueRef, u64)> {
        let here = |entry: &&Entry| entry.place.segment == segment;
        let queues = self.queues.iter().flat_map(|(key, queue)| {
            let reference = self.queue_ref(key);
            queue.waiting().chain(&queue.damaged).filter(here).map(move |e| (reference, e.sequence))
        });
        let delayed = self.delayed.iter().map(|(_, delayed)| (delayed.queue, &delayed.entry));
        let held = self.held.iter().map(|(_, held)| (held.queue, &held.entry));
        let aside = delayed.chain(held).filter(|(_, entry)| here(entry));
        queues.chain(aside.map(|(queue, entry)| (queue, entry.sequence))).take(FOUND_MAX).collect()
    }

    /// Writes a message anew, or has it read first.
    fn move_entry(&mut self, queue: QueueRef, sequence: u64, read: Option<Message>) {
        let Some(at) = self.locate(queue, sequence) else { return };
        let holder = self.holder_at(at);
        let Some(entry) = self.entry_at(queue, sequence, at) else { return };
        let Some(message) = read.or_else(|| entry.message.clone()) else {
            let (place, message_id) = (entry.place, entry.message_id);
            self.moving.reads += 1;
            return self.fetch(place, Reader::Moving(queue, sequence, message_id));
        };
        let stored = stored(queue.id, entry, message, holder);
        let position = self.write(Level::Written, Record::Moved(Box::new(stored)));
        self.moved.push_back((position, queue, sequence));
    }

    /// A message that is to be written anew has been read.
    pub(super) fn moving_read(
        &mut self,
        queue: QueueRef,
        sequence: u64,
        read: Option<Message>,
        is_lost: bool,
    ) {
        self.moving.reads -= 1;
        match read {
            Some(message) => self.move_entry(queue, sequence, Some(message)),
            None if is_lost => self.write_off(queue, sequence),
            None => self.moving.stuck = self.moving.segment,
        }
    }

    /// A message that can't be read any more is written anew without what it said: its segment can
    /// go, and the next host still knows of it.
    fn write_off(&mut self, queue: QueueRef, sequence: u64) {
        let Some(at) = self.locate(queue, sequence) else { return };
        let holder = self.holder_at(at);
        let Some(entry) = self.entry_at(queue, sequence, at) else { return };
        let (before, size) = (std::mem::take(&mut entry.place).segment, entry.size());
        let messages = vec![listed(entry, holder)];
        self.write(Level::Written, Record::Listed { queue: queue.id, messages });
        self.usage.release(before, size);
        if let Where::Waiting = at
            && let Some(found) = self.queue_at(queue)
        {
            let entry = found.take(sequence);
            found.damaged.extend(entry);
        }
    }

    /// A message that was written anew lies here from now on.
    pub(super) fn place_moved(&mut self, position: Position, place: Place) {
        while let Some((at, queue, sequence)) = self.moved.front().copied()
            && at <= position
        {
            self.moved.pop_front();
            let Some(at) = self.locate(queue, sequence) else { continue };
            let Some(entry) = self.entry_at(queue, sequence, at) else { continue };
            let (before, size) = (entry.place.segment, entry.size());
            entry.place = place;
            self.unwritten.push_back((position, place));
            self.usage.release(before, size);
            self.usage.keep(place.segment, size);
        }
    }

    fn holder_at(&self, at: Where) -> Option<Holder> {
        match at {
            Where::Held(token) => self.holder(token),
            Where::Waiting | Where::Delayed(_) | Where::Damaged(_) => None,
        }
    }

    fn locate(&mut self, queue: QueueRef, sequence: u64) -> Option<Where> {
        let found = self.queue_at(queue)?;
        if found.find(sequence).is_some() {
            return Some(Where::Waiting);
        }
        if let Some(at) = found.damaged.iter().position(|entry| entry.sequence == sequence) {
            return Some(Where::Damaged(at));
        }
        let is_it = |of: QueueRef, entry: &Entry| of == queue && entry.sequence == sequence;
        let mut held = self.held.iter();
        if let Some((token, _)) = held.find(|(_, held)| is_it(held.queue, &held.entry)) {
            return Some(Where::Held(token));
        }
        let mut delayed = self.delayed.iter();
        let found = delayed.find(|(_, delayed)| is_it(delayed.queue, &delayed.entry));
        found.map(|(slot, _)| Where::Delayed(slot))
    }

    fn entry_at(&mut self, queue: QueueRef, sequence: u64, at: Where) -> Option<&mut Entry> {
        match at {
            Where::Waiting => self.queue_at(queue)?.find(sequence),
            Where::Damaged(at) => self.queue_at(queue)?.damaged.get_mut(at),
            Where::Held(token) => self.held.get_mut(token).map(|held| &mut held.entry),
            Where::Delayed(slot) => self.delayed.get_mut(slot).map(|delayed| &mut delayed.entry),
        }
    }
}

/// Messages in one record of a checkpoint.
const LISTED: usize = 4_096;

fn listed(entry: &Entry, holder: Option<Holder>) -> Listed {
    let more = (entry.more.is_some() || holder.is_some()).then(|| {
        let history = entry.more.as_ref().map(|more| more.history.clone());
        let history = history.unwrap_or_default();
        Box::new(ListedMore { time_ms: entry.time_ms(), holder, history })
    });
    Listed {
        sequence: entry.sequence,
        message_id: entry.message_id,
        place: entry.place,
        bytes: entry.bytes,
        priority: entry.priority,
        failures: entry.failures,
        redelivered: entry.redelivered,
        suspect: entry.suspect,
        more,
    }
}

fn stored(queue: u64, entry: &Entry, message: Message, holder: Option<Holder>) -> Stored {
    let sent = Sent {
        queue,
        sequence: entry.sequence,
        message_id: entry.message_id,
        time_ms: entry.time_ms(),
        message,
    };
    Stored {
        sent,
        failures: entry.failures,
        redelivered: entry.redelivered,
        suspect: entry.suspect,
        holder,
        history: entry.more.as_ref().map(|more| more.history.clone()).unwrap_or_default(),
    }
}
