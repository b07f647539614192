//! Publishes that wait for slow subscribers, since their topic is declared so.
//!
//! ```text
//! publish -> every subscriber that matches has room in its buffer: given to all of them
//!         -> one has none: waits in its line, then looks at all of them anew
//!                        \-> EXPIRED at its deadline, given to nobody
//! ```
//! As in the line of a queue, it holds no place elsewhere while it waits. A batch does not wait: it
//! takes room when it is applied, for what it gives to subscribers when it is safe.
//!
//! Floor: broker.

use super::declared::DeclaredRef;
use super::publishes::Publishing;
use super::sends::Line;
use super::{Broker, Map, Set};
use crate::base::{Error, Kind, Message, Name, Time};

/// For whom a publish has to wait.
#[derive(Debug)]
pub(super) struct Awaited {
    /// Why: what its topic is declared to be.
    pub declared: Vec<DeclaredRef>,
    /// The subscriptions that match.
    subscriptions: Vec<usize>,
}

/// A subscription in whose buffer there is no room.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slow {
    pub subscription: usize,
    /// Others have taken what all subscribers have together.
    is_starved: bool,
}

/// What a batch brings to subscribers, as far as it was looked at.
#[derive(Debug, Default)]
pub(super) struct Brought {
    /// Messages and their bytes, for each subscription.
    sums: Map<usize, (usize, u64)>,
    bytes: u64,
}

/// What a batch has published, until it is safe enough to be given to whoever is subscribed.
#[derive(Debug)]
pub(super) struct Spreading {
    pub topic: Name,
    pub message: Message,
    /// The subscriptions that have room for it; `None` if it waits for nobody's.
    pub reserved: Option<Vec<(usize, u64)>>,
}

impl Broker {
    /// For whom a publish has to wait, if its topic is declared so.
    pub(super) fn awaited(&mut self, topic: &Name) -> Option<Awaited> {
        let declared = self.declared.of(topic);
        if declared.is_empty() {
            return None;
        }
        Some(Awaited { declared, subscriptions: self.subscriptions_of(topic) })
    }

    /// The first subscription that has no room for a message, if any.
    pub(super) fn slow_for(&self, awaited: &Awaited, size: u64, arrival: u64) -> Option<Slow> {
        let mut more = 0;
        for key in awaited.subscriptions.iter().copied() {
            if self.has_send_before(Line::Subscription(key), arrival) {
                return Some(Slow { subscription: key, is_starved: false });
            }
            if self.goes_on_at_once(key) {
                continue;
            }
            more += size;
            let is_starved = !self.topics.has_bytes_for(more);
            if is_starved || !self.buffer_has_room(key, 1, size) {
                return Some(Slow { subscription: key, is_starved });
            }
        }
        None
    }

    /// Whether a publish may stand in the line of a subscription.
    ///
    /// # Errors
    ///
    /// `FULL` if as many wait as may, or for the memory that they take.
    pub(super) fn check_topic_line(&self, awaited: &Awaited, size: u64) -> Result<(), Error> {
        self.declared.check_line(&awaited.declared)?;
        self.has_memory_for(size)
    }

    /// It is about to stand in the line of a subscription.
    pub(super) fn note_slow(&mut self, slow: Slow) -> Line {
        self.topics.is_starved |= slow.is_starved;
        Line::Subscription(slow.subscription)
    }

    /// Room for one more message of a batch, beside what it has brought so far.
    pub(super) fn need_subscribers(
        &self,
        topic: &Name,
        awaited: Option<&Awaited>,
        (size, arrival): (u64, u64),
        brought: &mut Brought,
    ) -> Result<(), Error> {
        let Some(awaited) = awaited else { return Ok(()) };
        for key in awaited.subscriptions.iter().copied() {
            let (count, bytes) = brought.sums.entry(key).or_default();
            (*count, *bytes) = (*count + 1, *bytes + size);
            brought.bytes += size;
            let has_room = self.buffer_has_room(key, *count, *bytes)
                && self.topics.has_bytes_for(brought.bytes)
                && !self.has_send_before(Line::Subscription(key), arrival);
            if !has_room {
                let detail = format!(
                    "a subscriber of the topic {topic:?} has no room in its buffer, and the topic \
                     is declared not to drop"
                );
                return Err(Error::new(Kind::Full, detail));
            }
        }
        Ok(())
    }

    /// Keeps room for what a batch has published.
    pub(super) fn reserve(
        &mut self,
        awaited: Option<Awaited>,
        size: u64,
    ) -> Option<Vec<(usize, u64)>> {
        let subscriptions = awaited?.subscriptions;
        let mut reserved = Vec::with_capacity(subscriptions.len());
        for key in subscriptions {
            self.topics.reserve(key, size);
            reserved.push((key, self.number_of(key)));
        }
        Some(reserved)
    }

    /// A batch is safe: what it has published is given to whoever is subscribed. One that has come
    /// since, and has no room, gets nothing: it was not there when the batch was done.
    pub(super) fn spread_reserved(&mut self, spreading: &Spreading) {
        let Spreading { topic, message, reserved } = spreading;
        let Some(reserved) = reserved else { return self.spread(topic, message) };
        let size = message.size() as u64;
        let reserved: Set<(usize, u64)> = reserved.iter().copied().collect();
        let found = self.subscriptions_of(topic);
        let mut stored = None;
        for key in found {
            let has_room = match reserved.contains(&(key, self.number_of(key))) {
                true => {
                    self.topics.release(key, size);
                    true
                }
                false => {
                    let fits = self.buffer_has_room(key, 1, size);
                    self.goes_on_at_once(key) || (fits && self.topics.has_bytes_for(size))
                }
            };
            if has_room {
                self.put_published(key, topic, message, (None, true), &mut stored);
                self.topics.wake(key);
            }
        }
    }

    /// No other registration of this host has the number.
    fn number_of(&self, subscription: usize) -> u64 {
        self.registrations[self.registration_of(subscription)].number
    }

    /// After every input: what waited for room that there is now, or for nobody any more, goes on.
    pub(super) fn admit_publishes(&mut self, now: Time) {
        loop {
            let mut left = std::mem::take(&mut self.topics.left);
            left.sort_unstable_by_key(|token| self.sends.get(*token).map(|one| one.arrival));
            for token in left {
                if let Some(waiting) = self.end_waiting_send(token, None) {
                    self.publish_waiting(now, waiting, None);
                }
            }
            match self.topics.woken.pop_first() {
                Some(key) => self.admit_publishes_of(now, key),
                None if self.topics.left.is_empty() => return,
                None => {}
            }
        }
    }

    fn admit_publishes_of(&mut self, now: Time, key: usize) {
        while let Some(token) = self.topics.first_in_line(key) {
            if self.still_waits_for(key, token) {
                return;
            }
            if let Some(waiting) = self.end_waiting_send(token, None) {
                self.publish_waiting(now, waiting, None);
            }
            self.topics.pass_in_line(key, token);
        }
    }

    /// True if the first in a subscription's line has no room there yet.
    fn still_waits_for(&mut self, key: usize, token: u64) -> bool {
        let Some(waiting) = self.sends.get(token) else { return false };
        let Some(Publishing { topic, message, .. }) = waiting.publishing.as_deref() else {
            return false;
        };
        let (topic, size, arrival) = (topic.clone(), message.size() as u64, waiting.arrival);
        let Some(awaited) = self.awaited(&topic) else { return false };
        let slow = self.slow_for(&awaited, size, arrival);
        let slow = slow.filter(|slow| slow.subscription == key);
        slow.is_some_and(|slow| self.note_slow(slow) == Line::Subscription(key))
    }

    /// The line of a subscription that goes away: who stands in it looks at the others anew.
    pub(super) fn leave_line(&mut self, line: impl IntoIterator<Item = u64>) {
        for token in line {
            if let Some(waiting) = self.sends.get_mut(token) {
                waiting.line = Line::Nowhere;
                self.topics.left.push(token);
            }
        }
    }

    /// A declaration is gone: what waits for subscribers and has no other reason to goes on.
    pub(super) fn end_undeclared_waits(&mut self) {
        for (key, line) in self.topics.lines() {
            let mut gone = Set::default();
            for token in line {
                let waiting = self.sends.get(token).and_then(|one| one.publishing.as_deref());
                let topic = waiting.map(|publishing| publishing.topic.clone());
                if topic.is_some_and(|topic| !self.declared.waits(&topic)) {
                    gone.insert(token);
                }
            }
            self.topics.leave_line(key, &gone);
            self.leave_line(gone);
        }
    }
}

/// Why a publish has ended that waited for a subscriber.
pub(super) fn expired(publishing: Option<&Publishing>) -> Error {
    let topic = publishing.map_or("", |publishing| publishing.topic.as_str());
    let detail = format!(
        "no room until the deadline in the buffer of a subscriber of the topic {topic:?}: it was \
         given to nobody"
    );
    Error::new(Kind::Expired, detail)
}
