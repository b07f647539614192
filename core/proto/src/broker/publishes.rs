//! What is published, and where its topic is bound.
//!
//! ```text
//! publish -> bound nowhere: given to whoever is subscribed
//!         -> bound: room in all of these queues: one record, then stored in all and given
//!                -> one has none: waits in its line (policy `wait`), and then looks at all anew
//!                             \-> FULL at once (policy `reject`), and at its deadline: nowhere
//! ```
//! While it waits it holds no place elsewhere, so that one full queue does not slow the others.
//!
//! Floor: broker.

use super::log::{Level, Staged};
use super::queues::Entry;
use super::sends::{ChangeRef, Waiting};
use super::sessions::{Confirmation, Done, Marked};
use super::{Broker, SessionKey};
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
    pub queues: Vec<usize>,
    /// As it is stored.
    pub message: Message,
}

impl Broker {
    /// Gives a message to every subscription that matches, and stores it in every queue to which
    /// the topic is bound.
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
        if self.bindings.is_empty() && checked.is_ok() {
            return self.publish_live(change, publishing);
        }
        let bound =
            checked.and_then(|()| self.bound_message(&publishing.topic, &publishing.message));
        match bound {
            Err(error) => self.refuse_publish(change, publishing.again, error),
            Ok(bound) if bound.queues.is_empty() => self.publish_live(change, publishing),
            Ok(bound) => {
                let arrival = self.next_arrival();
                let turn = Turn { deadline, from: None, arrival };
                self.publish_bound(now, change, (publishing, bound), turn);
            }
        }
    }

    /// Where a message is to be stored, and how. Nothing is made of it if that is nowhere.
    pub(super) fn bound_message(
        &mut self,
        topic: &Name,
        message: &Message,
    ) -> Result<Bound, Error> {
        let queues = self.bindings.of(topic);
        let message = match queues.is_empty() {
            true => Message::default(),
            false => message.of_topic(topic)?,
        };
        Ok(Bound { queues, message })
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

    /// Stores it in all queues, or has it wait for the first that has no room.
    fn publish_bound(
        &mut self,
        now: Time,
        change: ChangeRef,
        (publishing, bound): (&Publishing, Bound),
        Turn { deadline, from, arrival }: Turn,
    ) {
        let Publishing { topic, message, again } = publishing;
        match self.room_for_bound(change.session.key, &bound, from) {
            Err(error) => self.refuse_publish(change, *again, error),
            Ok(None) => {
                self.store_bound(now, change, bound);
                match again {
                    true => self.pass_over(topic),
                    false => self.spread(topic, message),
                }
            }
            Ok(Some(queue)) => {
                let (topic, message) = (topic.clone(), message.to_stored());
                let publishing = Box::new(Publishing { topic, message, again: *again });
                self.bytes += bound.message.size() as u64;
                self.mark(change, Marked::Pending);
                self.wait_for_room(Waiting {
                    change,
                    queue,
                    message: bound.message,
                    publishing: Some(publishing),
                    arrival,
                    deadline,
                    timer: None,
                });
            }
        }
    }

    /// The first queue that has no room, if any.
    fn room_for_bound(
        &self,
        session: SessionKey,
        bound: &Bound,
        from: Option<usize>,
    ) -> Result<Option<usize>, Error> {
        let size = bound.message.size() as u64;
        let (mut full, mut in_memory) = (None, 0);
        for key in bound.queues.iter().copied() {
            let queue = &self.queues[key];
            let room = self.room_for(key, size)?;
            if !self.is_journaled(key) {
                in_memory += size;
                self.has_memory_for(in_memory)?;
            }
            let is_next = queue.sends_waiting == 0 || from == Some(key);
            if is_next && queue.has_room(size) && room == Room::Open {
                continue;
            }
            if queue.overflow() == Overflow::Reject {
                return Err(queue.full());
            }
            full = full.or(Some(key));
        }
        let waiting = self.sessions[session].sends_waiting;
        if full.is_some() && waiting >= limits::SEND_LINE_MAX {
            let detail = format!("{waiting} messages of this producer wait for room, its limit");
            return Err(Error::new(Kind::Full, detail));
        }
        Ok(full)
    }

    /// Each copy becomes visible when it is as safe as its queue says; that it was published is
    /// told when all are.
    fn store_bound(&mut self, now: Time, change: ChangeRef, bound: Bound) {
        let levels = bound.queues.iter().map(|key| self.level_of(*key));
        let level = levels.max().unwrap_or(Level::Now);
        let durabilities = bound.queues.iter().map(|key| self.queues[*key].durability());
        let durability = durabilities.max().unwrap_or(Durability::Memory);
        let (copies, entries) = self.take_in_copies(now, bound, None);
        if !copies.places.is_empty() {
            self.write(level, Record::Published { change: Some(change.numbers), copies });
        }
        let outcome = Done::Stored(durability);
        self.mark(change, Marked::Logged(outcome.clone()));
        self.stage(now, level, Staged::Confirm(Confirmation { change, outcome }));
        for (key, entry) in entries {
            let (level, queue) = (self.level_of(key), self.queue_ref(key));
            self.stage(now, level, Staged::Arrive(queue, entry));
        }
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
        let Bound { queues, message } = bound;
        let (mut places, mut entries) = (Vec::new(), Vec::with_capacity(queues.len()));
        for (message_id, key) in (first..).zip(queues) {
            let entry = self.take_in(now, key, message.clone(), message_id);
            if self.is_journaled(key) {
                let (queue, sequence) = (self.queues[key].id, entry.sequence);
                places.push(CopyPlace { queue, sequence, message_id });
            }
            entries.push((key, entry));
        }
        (Copies { time_ms: self.time_ms(now), places, message }, entries)
    }

    /// A publish was the first in its queue's line, and there is room; or the queue is no longer
    /// one of those to which it is bound.
    pub(super) fn publish_waiting(&mut self, now: Time, waiting: Waiting, from: Option<usize>) {
        let Waiting { change, message, publishing, deadline, arrival, .. } = waiting;
        let Some(publishing) = publishing else { return };
        let queues = self.bindings.of(&publishing.topic);
        if queues.is_empty() {
            return self.publish_live(change, &publishing);
        }
        let bound = Bound { queues, message };
        let turn = Turn { deadline, from, arrival };
        self.publish_bound(now, change, (&publishing, bound), turn);
    }

    /// A binding of this queue has ended: what stood in its line because of it goes on.
    pub(super) fn publish_unbound(&mut self, now: Time, key: usize) {
        let tokens: Vec<u64> = self.queues[key].sends.iter().copied().collect();
        for token in tokens {
            let waiting = self.sends.get(token).and_then(|waiting| waiting.publishing.as_ref());
            let Some(topic) = waiting.map(|publishing| publishing.topic.clone()) else { continue };
            if !self.bindings.of(&topic).contains(&key)
                && let Some(waiting) = self.end_waiting_send(token, None)
            {
                self.publish_waiting(now, waiting, None);
            }
        }
        self.admit_sends(now, key);
    }
}
