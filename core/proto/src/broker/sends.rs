//! Changes and their marks; sends, and their line at a full queue.
//!
//! ```text
//! send -> room: written down -> as safe as its queue says: confirmed, visible
//!      -> no room: waits in line (policy `wait`) -> written down, or FULL at its deadline
//!               \-> FULL at once (policy `reject`)
//! ```
//!
//! Floor: broker.

use std::collections::VecDeque;

use super::declare::no_space;
use super::declared::DeclaredRef;
use super::log::{SessionRef, Staged};
use super::publishes::Publishing;
use super::queues::Entry;
use super::sessions::{Confirmation, Done, Marked, Ticket};
use super::topic_lines::expired;
use super::{Broker, Due, NameId, SessionKey};
use crate::base::record::{Change, Record, Room, Sent};
use crate::base::timers::TimerKey;
use crate::base::{Error, Kind, Message, Overflow, Receipt, Time, limits};

/// A change that was admitted for the first time.
#[derive(Clone, Copy, Debug)]
pub struct ChangeRef {
    pub(super) session: SessionRef,
    pub(super) ticket: u64,
    pub(super) numbers: Change,
}

/// In whose line something stands, by their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Queue(usize),
    Subscription(usize),
    /// The subscription is gone, or the wish to wait for it: it goes on when the input has been
    /// dealt with.
    Nowhere,
}

/// A send or a publish that waits for room.
#[derive(Debug)]
pub(super) struct Waiting {
    pub change: ChangeRef,
    /// In whose line it stands.
    pub line: Line,
    /// As it is to be stored, if it waits for a queue.
    pub message: Message,
    /// What it is besides, if it is a publish.
    pub publishing: Option<Box<Publishing>>,
    /// The declarations of its topic in whose line it counts.
    pub declared: Vec<DeclaredRef>,
    /// When it came, among all that waits.
    pub arrival: u64,
    pub deadline: Option<Time>,
    pub timer: Option<TimerKey>,
}

impl Waiting {
    /// Bytes that it holds.
    pub fn size(&self) -> u64 {
        let published = self.publishing.as_ref().map_or(0, |one| one.message.size());
        let stored = self.message.size();
        (if stored > 0 { stored } else { published }) as u64
    }
}

impl Broker {
    /// Looks a change up among its producer's marks: `None` if it is a repeat and has been dealt
    /// with, else what to go on with.
    ///
    /// # Errors
    ///
    /// `UNKNOWN_PRODUCER` for a producer that is not this session, `PROTOCOL` for a sequence
    /// outside of its window.
    pub fn begin_change(
        &mut self,
        session: SessionKey,
        ticket: u64,
        numbers: Change,
    ) -> Result<Option<ChangeRef>, Error> {
        let Change { producer, sequence, oldest } = numbers;
        let reference = self.sessions.reference(session);
        if producer != reference.id.0 {
            let detail = format!("the hub does not know producer {producer:#x} in this session");
            return Err(Error::new(Kind::UnknownProducer, detail));
        }
        let known = &mut self.sessions[session];
        let repeated = known.repeated.contains(&ticket);
        known.marks.advance(oldest);
        match known.marks.entry(sequence) {
            Err(outside) => {
                let detail = format!(
                    "sequence {} is outside of its producer's window, which begins at {}",
                    outside.sequence, outside.oldest
                );
                Err(Error::new(Kind::Protocol, detail))
            }
            Ok(Some(Marked::Pending | Marked::Logged(_))) => Ok(None),
            Ok(Some(Marked::Done(outcome))) => {
                let outcome = outcome.clone().into();
                self.result(session, ticket, Ok(outcome));
                Ok(None)
            }
            // It was refused, and said to be, after the program had set out to repeat it.
            Ok(None) if repeated => Ok(None),
            Ok(None) => Ok(Some(ChangeRef { session: reference, ticket, numbers })),
        }
    }

    pub(super) fn mark(&mut self, change: ChangeRef, marked: Marked) {
        if let Some(session) = self.sessions.get_mut(change.session)
            && let Ok(mark) = session.marks.entry(change.numbers.sequence)
        {
            *mark = Some(marked);
        }
    }

    /// Puts a message into a queue, or into the queue's line.
    pub fn send(
        &mut self,
        now: Time,
        change: ChangeRef,
        name: NameId,
        deadline: Option<Time>,
        message: &Message,
    ) {
        let size = message.size() as u64;
        match self.admit_send(now, change, name, deadline, size) {
            Err(error) => self.refuse(change, error),
            Ok((queue, true)) => self.store(now, queue, change, message.to_stored()),
            Ok((queue, false)) => {
                self.bytes += size;
                self.mark(change, Marked::Pending);
                let (message, publishing) = (message.to_stored(), None);
                let arrival = self.next_arrival();
                self.wait_for_room(Waiting {
                    change,
                    line: Line::Queue(queue),
                    message,
                    publishing,
                    declared: Vec::new(),
                    arrival,
                    deadline,
                    timer: None,
                });
            }
        }
    }

    /// The queue, and whether it has room now; otherwise the send may wait.
    fn admit_send(
        &self,
        now: Time,
        change: ChangeRef,
        name: NameId,
        deadline: Option<Time>,
        size: u64,
    ) -> Result<(usize, bool), Error> {
        let key = self.find_queue(name)?;
        let queue = &self.queues[key];
        if deadline.is_some_and(|at| at <= now) {
            return Err(Error::new(Kind::Expired, "the time ran out on the way to the hub"));
        }
        let room = self.room_for(key, size)?;
        if queue.sends_waiting == 0 && queue.has_room(size) && room == Room::Open {
            return Ok((key, true));
        }
        let waiting = self.sessions[change.session.key].sends_waiting;
        if queue.overflow() == Overflow::Reject {
            return Err(queue.full());
        }
        if waiting >= limits::SEND_LINE_MAX {
            let detail = format!("{waiting} sends of this producer wait for room, its limit");
            return Err(Error::new(Kind::Full, detail));
        }
        Ok((key, false))
    }

    /// Whether a message of this size may be stored at all, apart from the queue's own room.
    ///
    /// # Errors
    ///
    /// `TOO_LARGE`, `FULL` for the whole hub, `NO_SPACE`.
    pub(super) fn room_for(&self, key: usize, size: u64) -> Result<Room, Error> {
        let queue = &self.queues[key];
        if size > queue.bytes_max() {
            let detail = format!(
                "the message has {size} bytes; the queue {:?} holds at most {}",
                queue.name,
                queue.bytes_max()
            );
            return Err(Error::new(Kind::TooLarge, detail));
        }
        if self.is_journaled(key) {
            return match self.room {
                room @ (Room::Open | Room::Behind) => Ok(room),
                _ => Err(no_space()),
            };
        }
        self.has_memory_for(size)?;
        Ok(Room::Open)
    }

    /// Room for so many more bytes in all queues that are kept in memory.
    pub(super) fn has_memory_for(&self, size: u64) -> Result<(), Error> {
        if self.bytes + size <= limits::HUB_BYTES_MAX {
            return Ok(());
        }
        let detail = format!(
            "the hub's queues in memory hold {} bytes; at most {}",
            self.bytes,
            limits::HUB_BYTES_MAX
        );
        Err(Error::new(Kind::Full, detail))
    }

    /// Stores a message that has room.
    fn store(&mut self, now: Time, queue: usize, change: ChangeRef, message: Message) {
        let message_id = self.next_message_id();
        let entry = self.take_in(now, queue, message, message_id);
        let level = self.level_of(queue);
        if let Some(sent) = self.sent(now, queue, &entry) {
            self.write(level, Record::Sent { change: Some(change.numbers), sent });
        }
        let durability = self.queues[queue].durability();
        let outcome = Done::Receipt(Receipt { message_id: entry.message_id, durability });
        self.mark(change, Marked::Logged(outcome.clone()));
        let queue = self.queue_ref(queue);
        self.stage(now, level, Staged::Confirm(Confirmation { change, outcome }));
        self.stage(now, level, Staged::Arrive(queue, entry));
    }

    /// Gives a message its place in the order and its room.
    pub(super) fn take_in(
        &mut self,
        now: Time,
        key: usize,
        message: Message,
        message_id: u64,
    ) -> Entry {
        let size = message.size() as u64;
        self.message_count += 1;
        self.count_in(key, size);
        let time_ms = self.time_ms(now);
        let queue = &mut self.queues[key];
        let sequence = queue.reserve(size);
        queue.sent += 1;
        let mut entry = Entry::new(sequence, message_id, message);
        if queue.options.ttl_ms > 0 {
            entry.more_mut().time_ms = time_ms;
        }
        entry
    }

    /// What is to be written down of a message that has just been taken in.
    pub(super) fn sent(&self, now: Time, key: usize, entry: &Entry) -> Option<Sent> {
        let message = entry.message.as_ref().filter(|_| self.is_journaled(key))?;
        Some(Sent {
            queue: self.queues[key].id,
            sequence: entry.sequence,
            message_id: entry.message_id,
            time_ms: self.time_ms(now),
            message: message.clone(),
        })
    }

    /// The id of the message that is taken in next; ids follow each other without a gap.
    pub(super) fn next_message_id(&self) -> u64 {
        (self.config.epoch << 40) + self.message_count + 1
    }

    /// Counts what begins to wait.
    pub(super) fn next_arrival(&mut self) -> u64 {
        self.arrivals += 1;
        self.arrivals
    }

    /// It stands in its line from now on, before what came later; its bytes are counted already.
    pub(super) fn wait_for_room(&mut self, waiting: Waiting) {
        let Waiting { change, line, deadline, .. } = waiting;
        let token = match self.sends.insert(waiting) {
            Ok(token) => token,
            Err(waiting) => {
                self.bytes -= waiting.size();
                let detail = "as much waits for room in this hub as it can tell apart";
                return self.refuse_waiting(&waiting, Error::new(Kind::Full, detail));
            }
        };
        if let Some(waiting) = self.sends.get(token) {
            self.declared.count_waiting(&waiting.declared, true);
        }
        if let Some(at) = deadline {
            let timer = self.timers.insert(at, Due::Send(token));
            self.sends.get_mut(token).into_iter().for_each(|send| send.timer = Some(timer));
        }
        let session = &mut self.sessions[change.session.key];
        session.sends_waiting += 1;
        session.tickets.insert(change.ticket, Ticket::Send(token));
        // Those that have ended since are passed over.
        let arrival = |token: &u64| self.sends.get(*token).map_or(u64::MAX, |one| one.arrival);
        let own = arrival(&token);
        let waiting = self.line(line).map(|(tokens, _)| tokens.iter().rev());
        let later = waiting.map_or(0, |all| all.take_while(|other| arrival(other) > own).count());
        if let Some((tokens, count)) = self.line_mut(line) {
            tokens.insert(tokens.len() - later, token);
            *count += 1;
        }
    }

    /// Who stands in a line, and how many have not ended since.
    fn line(&self, line: Line) -> Option<(&VecDeque<u64>, u64)> {
        match line {
            Line::Queue(key) => {
                self.queues.get(key).map(|queue| (&queue.sends, queue.sends_waiting))
            }
            Line::Subscription(key) => {
                let subscription = self.topics.subscriptions.get(key);
                subscription.map(|one| (&one.sends, one.sends_waiting))
            }
            Line::Nowhere => None,
        }
    }

    fn line_mut(&mut self, line: Line) -> Option<(&mut VecDeque<u64>, &mut u64)> {
        match line {
            Line::Queue(key) => {
                let queue = self.queues.get_mut(key);
                queue.map(|queue| (&mut queue.sends, &mut queue.sends_waiting))
            }
            Line::Subscription(key) => {
                let subscription = self.topics.subscriptions.get_mut(key);
                subscription.map(|one| (&mut one.sends, &mut one.sends_waiting))
            }
            Line::Nowhere => None,
        }
    }

    /// Room may have become free: who waits first goes first.
    pub(super) fn admit_sends(&mut self, now: Time, queue: usize) {
        self.admit_sends_before(now, queue, u64::MAX);
    }

    /// True if something stands in a line that came before.
    pub(super) fn has_send_before(&self, line: Line, arrival: u64) -> bool {
        let Some((tokens, waiting)) = self.line(line) else { return false };
        let mut line = tokens.iter().filter_map(|token| self.sends.get(*token));
        waiting > 0 && line.next().is_some_and(|first| first.arrival < arrival)
    }

    /// The same for those that came before something else that waits.
    pub(super) fn admit_sends_before(&mut self, now: Time, queue: usize, arrival: u64) {
        while let Some(token) = self.queues[queue].sends.front().copied() {
            if let Some(waiting) = self.sends.get(token) {
                if waiting.arrival >= arrival {
                    return;
                }
                let size = waiting.message.size() as u64;
                let room = self.room_for(queue, size).unwrap_or(Room::Behind);
                if !self.queues[queue].has_room(size) || room != Room::Open {
                    return;
                }
                if let Some(waiting) = self.end_waiting_send(token, None) {
                    self.go_on(now, queue, waiting);
                }
            }
            // The line may have been taken up while the send was delivered on.
            let line = &mut self.queues[queue].sends;
            if line.front() == Some(&token) {
                line.pop_front();
            }
        }
    }

    /// The queue has room for what waits first.
    fn go_on(&mut self, now: Time, queue: usize, waiting: Waiting) {
        match waiting.publishing {
            None => self.store(now, queue, waiting.change, waiting.message),
            Some(_) => self.publish_waiting(now, waiting, Some(queue)),
        }
    }

    fn refuse_waiting(&mut self, waiting: &Waiting, error: Error) {
        let again = waiting.publishing.as_ref().is_some_and(|publishing| publishing.again);
        self.refuse_publish(waiting.change, again, error);
    }

    /// The send's deadline has come.
    pub(super) fn send_expired(&mut self, now: Time, token: u64) {
        let Some(waiting) = self.sends.get_mut(token) else {
            return;
        };
        waiting.timer = None;
        let line = waiting.line;
        let error = match line {
            Line::Queue(queue) => match self.room_for(queue, 0) {
                Err(error) => error,
                Ok(_) => self.queues[queue].full(),
            },
            Line::Subscription(_) | Line::Nowhere => expired(waiting.publishing.as_deref()),
        };
        self.end_waiting_send(token, Some(error));
        if let Line::Queue(queue) = line {
            self.admit_sends(now, queue);
        }
    }

    /// Nobody wants the send any more; it leaves no mark.
    pub(super) fn drop_waiting_send(&mut self, now: Time, token: u64) {
        let Some(waiting) = self.end_waiting_send(token, None) else {
            return;
        };
        if let Some(session) = self.sessions.get_mut(waiting.change.session)
            && let Ok(mark) = session.marks.entry(waiting.change.numbers.sequence)
        {
            *mark = None;
        }
        if let Line::Queue(queue) = waiting.line {
            self.admit_sends(now, queue);
        }
    }

    /// A send leaves its line; without an error it goes on.
    pub(super) fn end_waiting_send(&mut self, token: u64, error: Option<Error>) -> Option<Waiting> {
        let waiting = self.sends.remove(token)?;
        if let Some(timer) = waiting.timer {
            self.timers.remove(timer);
        }
        self.bytes -= waiting.size();
        self.declared.count_waiting(&waiting.declared, false);
        if let Some(session) = self.sessions.get_mut(waiting.change.session) {
            session.sends_waiting -= 1;
            session.tickets.remove(&waiting.change.ticket);
        }
        if let Some((_, count)) = self.line_mut(waiting.line) {
            *count -= 1;
        }
        self.shorten(waiting.line);
        if let Line::Subscription(key) = waiting.line {
            self.topics.wake(key);
        }
        if let Some(error) = error {
            self.refuse_waiting(&waiting, error);
        }
        Some(waiting)
    }

    /// Forgets those of a line that have ended, if they are many.
    fn shorten(&mut self, line: Line) {
        let Some((tokens, waiting)) = self.line_mut(line) else { return };
        if tokens.len() as u64 > 2 * *waiting + 64 {
            let mut tokens = std::mem::take(tokens);
            tokens.retain(|token| self.sends.get(*token).is_some());
            if let Some((line, _)) = self.line_mut(line) {
                *line = tokens;
            }
        }
    }
}
