//! A broker that goes on from what earlier hosts have written down.
//!
//! What belonged to processes that are gone with an earlier boot is dealt with at once; sessions of
//! other programs linger until they resume, or their time or process is over.
//!
//! Floor: broker.

use super::bindings::Target;
use super::deliveries::Held;
use super::groups::Group;
use super::past::{Past, PastEntry, PastQueue, PastSession};
use super::past_streams::PastStream;
use super::queues::QueueRef;
use super::sessions::{Done, Marked, Ticket};
use super::{Broker, Config, Due, SessionId, SessionKey};
use crate::base::record::{Holder, Mark, Position, Process};
use crate::base::{Durability, Error, Kind, Time};

/// So many offsets of a stream in memory are one host's.
const OFFSETS_BITS: u32 = 40;

/// What becomes of the past.
#[derive(Debug)]
pub struct Restored {
    /// The broker.
    pub broker: Broker,
    /// Sessions of local programs, to be ended with their processes.
    pub watched: Vec<(SessionId, Process)>,
}

impl Broker {
    /// A broker that goes on behind `position`.
    ///
    /// # Errors
    ///
    /// `CORRUPT` if the records speak of something that none of them states.
    pub fn restore(
        mut config: Config,
        past: Past,
        position: Position,
        now: Time,
    ) -> Result<Restored, Error> {
        config.time_ms = config.time_ms.max(past.time_ms);
        let mut broker = Broker::new(config, now);
        broker.log.begin(position);
        broker.lost = past.lost;
        broker.write_opened(now);
        let is_same_boot = past.boot == broker.config.boot;
        let is_copy = past.hub != broker.config.hub_id;
        let is_closed = past.is_closed;
        for session in past.sessions.into_values() {
            broker.restore_session(session, is_closed);
        }
        for queue in past.queues.into_values() {
            broker.restore_queue(now, queue, is_closed)?;
        }
        for (pattern, options) in past.topics {
            broker.declared.insert(&pattern, options);
        }
        for stream in past.streams.into_values() {
            broker.restore_stream(now, stream, is_closed)?;
        }
        let watched = match is_copy {
            true => broker.end_sessions(now),
            false => broker.leave_lingering(now, is_same_boot),
        };
        Ok(Restored { broker, watched })
    }

    fn restore_session(&mut self, past: PastSession, is_closed: bool) {
        let PastSession { state, marks } = past;
        let key = self.sessions.restore(&state);
        let (oldest, known) = marks.iter();
        self.sessions[key].marks.advance(oldest);
        // What was stored in memory is gone with it: who sends it again is not told that it is
        // there.
        for (sequence, mark) in known.filter(|(_, mark)| is_closed || !is_of_memory(mark)) {
            if let Ok(entry) = self.sessions[key].marks.entry(sequence) {
                *entry = Some(Marked::Done(match mark {
                    Mark::Empty => Done::Empty,
                    Mark::Receipt(receipt) => Done::Receipt(*receipt),
                    Mark::Count(count) => Done::Count(*count),
                    Mark::Receipts(receipts) => Done::Receipts(*receipts),
                    Mark::Appended(appended) => Done::Appended(*appended),
                    Mark::Stored(durability) => Done::Stored(*durability),
                }));
            }
        }
    }

    fn restore_queue(&mut self, now: Time, past: PastQueue, is_closed: bool) -> Result<(), Error> {
        let is_memory = past.is_memory();
        let Some(state) = past.state else {
            let detail = "the journal has messages of a queue that no record states";
            return Err(Error::new(Kind::Corrupt, detail));
        };
        let name = self.names.open(&state.name)?;
        let made = self.make_queue(name, state.options.clone());
        self.names.release(name);
        let key = made?;
        self.rename_queue(key, state.id);
        self.queues[key].restate(&state);
        past.bindings.iter().for_each(|pattern| self.add_binding(Target::Queue(key), pattern));
        if is_memory && !is_closed {
            self.lost = self.config.epoch;
            return Ok(());
        }
        for found in past.entries.into_values() {
            self.restore_entry(now, key, found)?;
        }
        self.watch_expiry(now, key);
        Ok(())
    }

    /// From here on no earlier host has given out an offset or a generation of what is in memory.
    pub(super) fn unused_in_memory(&self) -> u64 {
        self.config.epoch.saturating_mul(1 << OFFSETS_BITS)
    }

    fn restore_stream(
        &mut self,
        now: Time,
        past: PastStream,
        is_closed: bool,
    ) -> Result<(), Error> {
        let is_memory = past.is_memory();
        let Some(state) = past.state else {
            let detail = "the journal has records of a stream that no record states";
            return Err(Error::new(Kind::Corrupt, detail));
        };
        let name = self.names.open(&state.name)?;
        let made = self.make_stream(state.id, name, state.options);
        self.names.release(name);
        let key = made?;
        past.bindings.iter().for_each(|pattern| self.add_binding(Target::Stream(key), pattern));
        let is_lost = is_memory && !is_closed;
        // Of what is lost nobody knows how far it went. No offset names two records, so that who
        // read there hears that it is gone: a host gives out fewer than these.
        let unused = self.unused_in_memory();
        for mut group in past.groups.into_values() {
            if group.places.len() != self.streams.all[key].partitions.len() {
                let detail = "the journal has a reader group with other partitions than its stream";
                return Err(Error::new(Kind::Corrupt, detail));
            }
            for (place, partition) in group.places.iter_mut().zip(&state.partitions) {
                place.next = place.next.min(partition.next);
                if is_lost {
                    (place.next, place.generation) = (partition.next.max(unused), unused);
                }
            }
            self.streams.group_count = self.streams.group_count.max(group.id);
            self.streams.all[key].groups.push(Group::restored(group));
        }
        let partitions = &mut self.streams.all[key].partitions;
        for (partition, state) in partitions.iter_mut().zip(&state.partitions) {
            let next = if is_lost { state.next.max(unused) } else { state.next };
            partition.first = if is_lost { next } else { state.first };
            (partition.next, partition.visible) = (next, next);
            partition.time_ms = state.time_ms;
            partition.compacted = if is_lost { next } else { state.compacted };
        }
        if is_lost {
            self.lost = self.config.epoch;
            return Ok(());
        }
        for ((number, _), (batch, bytes)) in past.batches {
            self.restore_batch(key, number, batch, bytes)?;
        }
        self.watch_age(now, key);
        self.restore_compaction(now, key);
        Ok(())
    }

    fn restore_entry(&mut self, now: Time, key: usize, found: PastEntry) -> Result<(), Error> {
        let PastEntry { mut entry, holder } = found;
        let size = entry.size();
        self.usage.keep(entry.place.segment, size);
        self.queues[key].length += 1;
        self.queues[key].bytes += size;
        self.count_in(key, size);
        let session = holder.as_ref().and_then(|by| self.session_by_id(SessionId(by.session)));
        let was_held = holder.is_some();
        if let (Some(holder), Some(session)) = (holder, session) {
            let held = Held {
                queue: self.queue_ref(key),
                entry,
                session,
                registration: None,
                id: holder.id,
                is_receive: holder.is_receive,
                lease: None,
            };
            return self.restore_held(session, *holder, held);
        }
        entry.redelivered |= was_held;
        match entry.failures {
            _ if entry.is_lost() => self.queues[key].damaged.push(entry),
            0 => self.queues[key].push(entry),
            _ => self.delay(now, key, entry),
        }
        Ok(())
    }

    fn restore_held(
        &mut self,
        session: SessionKey,
        holder: Holder,
        held: Held,
    ) -> Result<(), Error> {
        let QueueRef { key, .. } = held.queue;
        let is_suspect = held.entry.suspect;
        if !self.held.restore(holder.token, held) {
            let detail = format!(
                "the journal says that two messages are held as delivery {:#x}",
                holder.token
            );
            return Err(Error::new(Kind::Corrupt, detail));
        }
        self.queues[key].held += 1;
        let session = &mut self.sessions[session];
        session.held.insert(holder.token);
        session.alone |= is_suspect;
        if holder.is_receive {
            session.tickets.insert(holder.id, Ticket::Received);
        }
        Ok(())
    }

    /// The programs of the hub that this one is a copy of have nothing here.
    fn end_sessions(&mut self, now: Time) -> Vec<(SessionId, Process)> {
        for key in self.sessions.keys() {
            self.end_session(now, key, false);
        }
        Vec::new()
    }

    /// Sessions whose machine has been started anew end; the others have time to resume. Returns
    /// those that last as long as their process.
    fn leave_lingering(&mut self, now: Time, is_same_boot: bool) -> Vec<(SessionId, Process)> {
        let mut watched = Vec::new();
        for key in self.sessions.keys() {
            let session = &self.sessions[key];
            match (session.local, session.process) {
                (true, _) if !is_same_boot => self.end_session(now, key, false),
                (true, Some(process)) => watched.push((session.id, process)),
                _ => {
                    let end = now.plus_ms(self.config.session_grace_ms);
                    let timer = self.timers.insert(end, Due::Session(key));
                    self.sessions[key].grace = Some(timer);
                }
            }
        }
        watched
    }

    /// True if something that queues held in memory was lost after the host of this epoch began.
    pub fn memory_lost_since(&self, epoch: u64) -> bool {
        self.lost > epoch
    }
}

/// True if a message was stored, in memory only.
fn is_of_memory(mark: &Mark) -> bool {
    match mark {
        Mark::Receipt(receipt) => receipt.durability == Durability::Memory,
        Mark::Receipts(receipts) => receipts.durability == Durability::Memory,
        Mark::Appended(appended) => appended.durability == Durability::Memory,
        Mark::Stored(durability) => *durability == Durability::Memory,
        Mark::Empty | Mark::Count(_) => false,
    }
}
