//! Changes and their marks; sends, and their line at a full queue.
//!
//! ```text
//! send -> room: reserved -> log position -> visible, confirmed
//!      -> no room: waits in line (policy `wait`) -> reserved, or FULL at its deadline
//!               \-> FULL at once (policy `reject`)
//! ```
//!
//! Floor: broker.

use super::log::{SessionRef, Staged};
use super::queues::{Entry, QueueRef};
use super::sessions::{Confirmation, Done, Marked, Ticket};
use super::{Broker, Due, NameId, SessionKey};
use crate::base::timers::TimerKey;
use crate::base::{Error, Kind, Message, Overflow, Receipt, Time, limits};

/// A change that was admitted for the first time.
#[derive(Clone, Copy, Debug)]
pub struct ChangeRef {
    pub(super) session: SessionRef,
    pub(super) ticket: u64,
    pub(super) sequence: u64,
}

/// A send that has room and a place in the order.
#[derive(Debug)]
pub(super) struct Reserved {
    change: ChangeRef,
    queue: QueueRef,
    sequence: u64,
    message: Message,
}

/// A send that waits for room.
#[derive(Debug)]
pub(super) struct Waiting {
    change: ChangeRef,
    queue: usize,
    message: Message,
    timer: Option<TimerKey>,
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
        (producer, sequence, oldest): (u64, u64, u64),
    ) -> Result<Option<ChangeRef>, Error> {
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
            Ok(Some(Marked::Pending)) => Ok(None),
            Ok(Some(Marked::Done(outcome))) => {
                let outcome = (*outcome).into();
                self.result(session, ticket, Ok(outcome));
                Ok(None)
            }
            // It was refused, and said to be, after the program had set out to repeat it.
            Ok(None) if repeated => Ok(None),
            Ok(None) => Ok(Some(ChangeRef { session: reference, ticket, sequence })),
        }
    }

    pub(super) fn mark(&mut self, change: ChangeRef, marked: Marked) {
        if let Some(session) = self.sessions.get_mut(change.session)
            && let Ok(mark) = session.marks.entry(change.sequence)
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
            Ok((queue, true)) => {
                self.bytes += size;
                self.mark(change, Marked::Pending);
                self.reserve_send(now, queue, change, message.to_stored());
            }
            Ok((queue, false)) => {
                self.bytes += size;
                self.mark(change, Marked::Pending);
                self.wait_for_room(change, queue, deadline, message.to_stored());
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
        if size > queue.bytes_max() {
            let detail = format!(
                "the message has {size} bytes; the queue {:?} holds at most {}",
                self.names.name(name),
                queue.bytes_max()
            );
            return Err(Error::new(Kind::TooLarge, detail));
        }
        if self.bytes + size > limits::HUB_BYTES_MAX {
            let detail = format!(
                "the hub's queues hold {} bytes; at most {}",
                self.bytes,
                limits::HUB_BYTES_MAX
            );
            return Err(Error::new(Kind::Full, detail));
        }
        if queue.sends_waiting == 0 && queue.has_room(size) {
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

    fn reserve_send(&mut self, now: Time, queue: usize, change: ChangeRef, message: Message) {
        let sequence = self.queues[queue].reserve(message.size() as u64);
        let queue = self.queue_ref(queue);
        self.stage(now, Staged::Send(Reserved { change, queue, sequence, message }));
    }

    /// The send's log position is reached: it becomes visible, and its program hears so.
    pub(super) fn commit_send(&mut self, now: Time, reserved: Reserved) {
        self.message_count += 1;
        let message_id = (self.config.epoch << 40) + self.message_count;
        let mut durability = crate::base::Durability::Memory;
        // If the queue was deleted in between, the message was in it and is gone with it.
        let queue = self.queue_at(reserved.queue).map(|queue| {
            durability = queue.durability();
            queue.sent += 1;
            queue.push(Entry {
                sequence: reserved.sequence,
                message_id,
                failures: 0,
                redelivered: false,
                message: reserved.message,
            });
        });
        let outcome = Done::Receipt(Receipt { message_id, durability });
        self.confirm(Confirmation { change: reserved.change, outcome });
        if queue.is_some() {
            self.pump(now, reserved.queue.key);
        }
    }

    fn wait_for_room(
        &mut self,
        change: ChangeRef,
        queue: usize,
        deadline: Option<Time>,
        message: Message,
    ) {
        let waiting = Waiting { change, queue, message, timer: None };
        let token = match self.sends.insert(waiting) {
            Ok(token) => token,
            Err(waiting) => {
                self.bytes -= waiting.message.size() as u64;
                return self.refuse(change, self.queues[queue].full());
            }
        };
        if let Some(at) = deadline {
            let timer = self.timers.insert(at, Due::Send(token));
            self.sends.get_mut(token).into_iter().for_each(|send| send.timer = Some(timer));
        }
        let session = &mut self.sessions[change.session.key];
        session.sends_waiting += 1;
        session.tickets.insert(change.ticket, Ticket::Send(token));
        self.queues[queue].sends.push_back(token);
        self.queues[queue].sends_waiting += 1;
    }

    /// Room may have become free: who waits first goes first.
    pub(super) fn admit_sends(&mut self, now: Time, queue: usize) {
        while let Some(token) = self.queues[queue].sends.front().copied() {
            if let Some(waiting) = self.sends.get(token) {
                if !self.queues[queue].has_room(waiting.message.size() as u64) {
                    return;
                }
                let size = waiting.message.size() as u64;
                if let Some(waiting) = self.end_waiting_send(token, None) {
                    self.bytes += size;
                    self.reserve_send(now, queue, waiting.change, waiting.message);
                }
            }
            // The line may have been taken up while the send was delivered on.
            let line = &mut self.queues[queue].sends;
            if line.front() == Some(&token) {
                line.pop_front();
            }
        }
    }

    /// The send's deadline has come.
    pub(super) fn send_expired(&mut self, now: Time, token: u64) {
        let Some(waiting) = self.sends.get_mut(token) else {
            return;
        };
        waiting.timer = None;
        let queue = waiting.queue;
        let error = self.queues[queue].full();
        self.end_waiting_send(token, Some(error));
        self.admit_sends(now, queue);
    }

    /// Nobody wants the send any more; it leaves no mark.
    pub(super) fn drop_waiting_send(&mut self, now: Time, token: u64) {
        let Some(waiting) = self.end_waiting_send(token, None) else {
            return;
        };
        if let Some(session) = self.sessions.get_mut(waiting.change.session)
            && let Ok(mark) = session.marks.entry(waiting.change.sequence)
        {
            *mark = None;
        }
        self.admit_sends(now, waiting.queue);
    }

    /// A send leaves its queue's line; without an error it goes on.
    pub(super) fn end_waiting_send(&mut self, token: u64, error: Option<Error>) -> Option<Waiting> {
        let waiting = self.sends.remove(token)?;
        if let Some(timer) = waiting.timer {
            self.timers.remove(timer);
        }
        self.bytes -= waiting.message.size() as u64;
        self.queues[waiting.queue].sends_waiting -= 1;
        if let Some(session) = self.sessions.get_mut(waiting.change.session) {
            session.sends_waiting -= 1;
            session.tickets.remove(&waiting.change.ticket);
        }
        let queue = &mut self.queues[waiting.queue];
        if queue.sends.len() as u64 > 2 * queue.sends_waiting + 64 {
            queue.sends.retain(|token| self.sends.get(*token).is_some());
        }
        if let Some(error) = error {
            self.refuse(waiting.change, error);
        }
        Some(waiting)
    }
}
