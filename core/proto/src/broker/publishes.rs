//! What is published, and where its topic is bound.
//!
//! ```text
//! publish -> bound nowhere: given to whoever is subscribed
//!         -> bound: room in all of these queues and streams: one record, stored in all and given
//!                -> a queue has none: waits in its line (policy `wait`), then looks at all anew
//!                               \-> FULL at once (policy `reject`), and at its deadline: nowhere
//!                -> the disk is behind: waits among the appends, then looks at all anew
//!                -> a stream does not take it: refused, nowhere
//!         -> a slow subscriber of a topic that is declared so: waits in its line (`topic_lines`)
//! ```
//! While it waits it holds no place elsewhere, so that one full queue does not slow the others.
//!
//! Floor: broker.

use super::appends::TakenIn;
use super::bindings::Targets;
use super::log::{Level, Staged};
use super::queues::Entry;
use super::sends::{ChangeRef, Line, Waiting};
use super::sessions::{Confirmation, Done, Marked};
use super::topic_lines::{Awaited, Slow};
use super::waiting::Work;
use super::{Broker, SessionKey};
use crate::base::batch::BatchBuilder;
use crate::base::pattern::check_topic;
use crate::base::record::{Copies, CopyPlace, Record, Room};
use crate::base::{Durability, Error, Kind, Message, Name, Overflow, Time, limits};

/// What a program publishes.
#[derive(Clone, Debug)]
pub struct Publishing {
    /// To what.
    pub topic: Name,
    /// The message.
    pub message: Message,
    /// An earlier host may have published it: whoever is subscribed may have it already.
    pub again: bool,
}

/// When it is a publish's turn.
#[derive(Clone, Copy, Debug)]
struct Turn {
    deadline: Option<Time>,
    /// It was the first in this queue's line.
    from: Option<usize>,
    /// When it came, among all that waits.
    arrival: u64,
}

/// A message with what is stored of it where its topic is bound.
#[derive(Debug)]
pub(super) struct Bound {
    pub targets: Targets,
    /// As it is stored.
    pub message: Message,
    /// For whom it has to wait, if its topic is declared so.
    pub awaited: Option<Awaited>,
}

/// Where it has to wait.
enum Hold {
    Queue(usize),
    Disk,
    Subscriber(Slow),
}

impl Bound {
    /// It is stored nowhere, and waits for nobody.
    fn goes_nowhere(&self) -> bool {
        self.targets.is_empty() && self.awaited.is_none()
    }
}

impl Publishing {
    fn to_stored(&self) -> Publishing {
        let (topic, message) = (self.topic.clone(), self.message.to_stored());
        Publishing { topic, message, again: self.again }
    }
}

/// Checks that so many bytes of records may go in one record of the journal.
pub(super) fn check_bound_size(size: u64) -> Result<(), Error> {
    let most = limits::BOUND_RECORDS_SIZE_MAX;
    if size <= most {
        return Ok(());
    }
    let detail = format!(
        "{size} bytes of records are to be appended by now, as the topic is bound to streams; at \
         most {most}"
    );
    Err(Error::new(Kind::TooLarge, detail))
}

impl Broker {
    /// Gives a message to every subscription that matches, and stores it in every queue and
    /// stream to which the topic is bound.
    pub fn publish(
        &mut self,
        now: Time,
        change: ChangeRef,
        publishing: &Publishing,
        deadline: Option<Time>,
    ) {
        let late = || Error::new(Kind::Expired, "the time ran out on the way to the hub");
        let checked = match check_topic(&publishing.topic) {
            Ok(()) if deadline.is_some_and(|at| at <= now) => Err(late()),
            checked => checked,
        };
        match checked {
            Err(error) => self.refuse_publish(change, publishing.again, error),
            Ok(()) => {
                let arrival = self.next_arrival();
                self.publish_anew(now, change, publishing, (deadline, arrival));
            }
        }
    }

    /// Looks where the topic is bound.
    pub(super) fn publish_anew(
        &mut self,
        now: Time,
        change: ChangeRef,
        publishing: &Publishing,
        (deadline, arrival): (Option<Time>, u64),
    ) {
        if self.bindings.is_empty() && self.declared.is_empty() {
            return self.publish_live(change, publishing);
        }
        match self.bound_message(&publishing.topic, &publishing.message, publishing.again) {
            Err(error) => self.refuse_publish(change, publishing.again, error),
            Ok(bound) if bound.goes_nowhere() => self.publish_live(change, publishing),
            Ok(bound) => {
                let turn = Turn { deadline, from: None, arrival };
                self.publish_bound(now, change, (publishing, bound), turn);
            }
        }
    }

    /// Where a message is to be stored, and how. Nothing is made of it if that is nowhere. `again`:
    /// no subscriber gets it.
    pub(super) fn bound_message(
        &mut self,
        topic: &Name,
        message: &Message,
        again: bool,
    ) -> Result<Bound, Error> {
        let targets = self.bindings.of(topic);
        let message = match targets.is_empty() {
            true => Message::default(),
            false => message.of_topic(topic)?,
        };
        let awaited = if again { None } else { self.awaited(topic) };
        Ok(Bound { targets, message, awaited })
    }

    /// It leaves a mark, so that over another connection it is not published twice. The next host
    /// may not know of that.
    fn publish_live(&mut self, change: ChangeRef, publishing: &Publishing) {
        if publishing.again {
            let detail = "nothing is bound to the topic";
            return self.refuse_publish(change, true, Error::new(Kind::NotFound, detail));
        }
        self.spread(&publishing.topic, &publishing.message);
        self.confirm(Confirmation { change, outcome: Done::Empty });
    }

    /// What was not done here may have been done by an earlier host.
    pub(super) fn refuse_publish(&mut self, change: ChangeRef, again: bool, error: Error) {
        if !again {
            return self.refuse(change, error);
        }
        let detail =
            format!("an earlier host may have published it; this one has not: {}", error.detail());
        self.refuse(change, Error::new(Kind::Indeterminate, detail));
    }

    /// Stores it wherever it is bound, or has it wait for the first queue that has no room, or for
    /// the disk.
    fn publish_bound(
        &mut self,
        now: Time,
        change: ChangeRef,
        (publishing, bound): (&Publishing, Bound),
        Turn { deadline, from, arrival }: Turn,
    ) {
        let Publishing { topic, message, again } = publishing;
        let size = message.size() as u64;
        let hold = self.hold_for_bound(change.session.key, (&bound, size), (from, arrival));
        let line = match hold {
            Err(error) => return self.refuse_publish(change, *again, error),
            Ok(None) if bound.targets.is_empty() => return self.publish_live(change, publishing),
            Ok(None) => {
                self.store_bound(now, change, bound);
                match again {
                    true => self.pass_over(topic),
                    false => self.spread(topic, message),
                }
                return;
            }
            Ok(Some(Hold::Disk)) => {
                let publishing = Box::new(publishing.to_stored());
                let work = Work::Publish(publishing, deadline);
                if let Err(error) = self.wait_for_disk(change, work, (deadline, Some(arrival))) {
                    self.refuse_publish(change, *again, error);
                }
                return;
            }
            Ok(Some(Hold::Queue(queue))) => Line::Queue(queue),
            Ok(Some(Hold::Subscriber(slow))) => self.note_slow(slow),
        };
        self.publish_later(change, (publishing, bound), (line, deadline, arrival));
    }

    fn publish_later(
        &mut self,
        change: ChangeRef,
        (publishing, bound): (&Publishing, Bound),
        (line, deadline, arrival): (Line, Option<Time>, u64),
    ) {
        let message = match line {
            Line::Queue(_) => bound.message,
            Line::Subscription(_) | Line::Nowhere => Message::default(),
        };
        let waiting = Waiting {
            change,
            line,
            message,
            publishing: Some(Box::new(publishing.to_stored())),
            declared: bound.awaited.map(|awaited| awaited.declared).unwrap_or_default(),
            arrival,
            deadline,
            timer: None,
        };
        self.bytes += waiting.size();
        self.mark(change, Marked::Pending);
        self.wait_for_room(waiting);
    }

    /// In which line it has to wait, if in any. `size`: of the message as it was published.
    fn hold_for_bound(
        &self,
        session: SessionKey,
        (bound, size): (&Bound, u64),
        (from, arrival): (Option<usize>, u64),
    ) -> Result<Option<Hold>, Error> {
        let (full, behind, in_memory) = self.room_in_queues(bound, (from, arrival))?;
        let waits_for_disk = self.room_in_streams(bound, arrival, in_memory)?;
        let awaited = bound.awaited.as_ref();
        let slow = awaited.and_then(|awaited| self.slow_for(awaited, size, arrival));
        let hold = match (full, behind, slow) {
            (Some(queue), ..) => Hold::Queue(queue),
            // There it keeps its place among batches, too.
            (None, ..) if waits_for_disk => return Ok(Some(Hold::Disk)),
            (None, Some(queue), _) => Hold::Queue(queue),
            (None, None, Some(slow)) => Hold::Subscriber(slow),
            (None, None, None) => return Ok(None),
        };
        if let Some(awaited) = awaited {
            self.check_topic_line(awaited, size)?;
        }
        let waiting = self.sessions[session].sends_waiting;
        if waiting >= limits::SEND_LINE_MAX {
            let detail = format!("{waiting} messages of this producer wait for room, its limit");
            return Err(Error::new(Kind::Full, detail));
        }
        Ok(Some(hold))
    }

    /// Whether the streams have to wait for the disk. `in_memory`: bytes that go to queues there.
    fn room_in_streams(
        &self,
        bound: &Bound,
        arrival: u64,
        mut in_memory: u64,
    ) -> Result<bool, Error> {
        let (mut is_behind, mut all) = (false, 0);
        for key in bound.targets.streams.iter().copied() {
            let size = self.size_alone(key, &bound.message)?;
            all += size;
            check_bound_size(all)?;
            if !self.is_stream_journaled(key) {
                in_memory += size;
                self.has_memory_for(in_memory)?;
            }
            is_behind |= !self.room_for_batch(key, size)? || self.disk_line.has_before(arrival);
            let number = self.partition_for(key, &bound.message, (None, 0))?;
            self.streams.all[key].has_room(number, 1, size)?;
        }
        Ok(is_behind)
    }

    /// The first queue that has no room, and the first that only waits for the disk, if any; and
    /// the bytes that go to queues in memory.
    fn room_in_queues(
        &self,
        bound: &Bound,
        (from, arrival): (Option<usize>, u64),
    ) -> Result<(Option<usize>, Option<usize>, u64), Error> {
        let size = bound.message.size() as u64;
        let (mut full, mut behind, mut in_memory) = (None, None, 0);
        for key in bound.targets.queues.iter().copied() {
            let queue = &self.queues[key];
            let room = self.room_for(key, size)?;
            if !self.is_journaled(key) {
                in_memory += size;
                self.has_memory_for(in_memory)?;
            }
            let is_next = from == Some(key) || !self.has_send_before(Line::Queue(key), arrival);
            if is_next && queue.has_room(size) && room == Room::Open {
                continue;
            }
            if queue.overflow() == Overflow::Reject {
                return Err(queue.full());
            }
            let slot =
                if queue.has_room(size) && room != Room::Open { &mut behind } else { &mut full };
            *slot = slot.or(Some(key));
        }
        Ok((full, behind, in_memory))
    }

    /// Each copy becomes visible when it is as safe as its queue or stream says; that it was
    /// published is told when all are.
    fn store_bound(&mut self, now: Time, change: ChangeRef, bound: Bound) {
        let (level, durability) = self.safest_of(&bound.targets);
        let taken = self.take_in_records_of(now, &bound);
        let (copies, entries) = self.take_in_copies(now, bound, None);
        let is_written = |taken: &&TakenIn| self.is_stream_journaled(taken.reference.stream.key);
        let written: Vec<&TakenIn> = taken.iter().filter(is_written).collect();
        if !copies.places.is_empty() || !written.is_empty() {
            let (references, appended): (Vec<_>, Vec<_>) =
                written.iter().map(|taken| (taken.reference, taken.part())).unzip();
            let record = Record::Published { change: Some(change.numbers), copies, appended };
            let position = self.write(level, record);
            let placing = references.into_iter().map(|reference| (position, reference));
            self.streams.placing.extend(placing);
        }
        let outcome = Done::Stored(durability);
        self.mark(change, Marked::Logged(outcome.clone()));
        self.stage(now, level, Staged::Confirm(Confirmation { change, outcome }));
        for (key, entry) in entries {
            let (level, queue) = (self.level_of(key), self.queue_ref(key));
            self.stage(now, level, Staged::Arrive(queue, entry));
        }
        for TakenIn { reference, end, .. } in taken {
            let level = self.stream_level(reference.stream.key);
            self.stage(now, level, Staged::Visible(reference, end));
        }
        self.shrink_cache();
    }

    fn safest_of(&self, targets: &Targets) -> (Level, Durability) {
        let queues = targets.queues.iter().copied();
        let queues = queues.map(|key| (self.level_of(key), self.queues[key].durability()));
        let streams = targets.streams.iter().copied();
        let streams =
            streams.map(|key| (self.stream_level(key), self.streams.all[key].durability()));
        let safest =
            |(level, durability): (Level, Durability), (a, b)| (level.max(a), durability.max(b));
        queues.chain(streams).fold((Level::Now, Durability::Memory), safest)
    }

    /// Gives the record of each stream its place.
    pub(super) fn take_in_records_of(&mut self, now: Time, bound: &Bound) -> Vec<TakenIn> {
        let mut all = Vec::with_capacity(bound.targets.streams.len());
        for key in bound.targets.streams.iter().copied() {
            let number = self.partition_for(key, &bound.message, (None, 0));
            let Ok(number) = number else { continue };
            self.streams.all[key].turn += 1;
            let mut builder = BatchBuilder::default();
            builder.push(&bound.message);
            all.extend(self.take_in_packed(now, (key, number), builder));
        }
        all
    }

    /// Gives every copy its place; with what is to be written down of them. `first`: the id of the
    /// first of them, if it is not the next.
    pub(super) fn take_in_copies(
        &mut self,
        now: Time,
        bound: Bound,
        first: Option<u64>,
    ) -> (Copies, Vec<(usize, Entry)>) {
        let first = first.unwrap_or_else(|| self.next_message_id());
        let Bound { targets: Targets { queues, .. }, message, .. } = bound;
        let (mut places, mut entries) = (Vec::new(), Vec::with_capacity(queues.len()));
        for (message_id, key) in (first..).zip(queues) {
            let entry = self.take_in(now, key, message.clone(), message_id);
            if self.is_journaled(key) {
                let (queue, sequence) = (self.queues[key].id, entry.sequence);
                places.push(CopyPlace { queue, sequence, message_id });
            }
            entries.push((key, entry));
        }
        // What is in no queue on disk needs no copy there.
        let message = if places.is_empty() { Message::default() } else { message };
        (Copies { time_ms: self.time_ms(now), places, message }, entries)
    }

    /// A publish was the first in its queue's line, and there is room; or the queue is no longer
    /// one of those to which it is bound.
    pub(super) fn publish_waiting(&mut self, now: Time, waiting: Waiting, from: Option<usize>) {
        let Waiting { change, line, message, publishing, deadline, arrival, .. } = waiting;
        let Some(publishing) = publishing else { return };
        if !matches!(line, Line::Queue(_)) {
            return self.publish_anew(now, change, &publishing, (deadline, arrival));
        }
        let targets = self.bindings.of(&publishing.topic);
        let awaited = if publishing.again { None } else { self.awaited(&publishing.topic) };
        let bound = Bound { targets, message, awaited };
        if bound.goes_nowhere() {
            return self.publish_live(change, &publishing);
        }
        let turn = Turn { deadline, from, arrival };
        self.publish_bound(now, change, (&publishing, bound), turn);
    }

    /// A binding of this queue has ended: what stood in its line because of it goes on.
    pub(super) fn publish_unbound(&mut self, now: Time, key: usize) {
        let tokens: Vec<u64> = self.queues[key].sends.iter().copied().collect();
        for token in tokens {
            let waiting = self.sends.get(token).and_then(|waiting| waiting.publishing.as_ref());
            let Some(topic) = waiting.map(|publishing| publishing.topic.clone()) else { continue };
            if !self.bindings.of(&topic).queues.contains(&key)
                && let Some(waiting) = self.end_waiting_send(token, None)
            {
                self.publish_waiting(now, waiting, None);
            }
        }
        self.admit_sends(now, key);
    }
}
