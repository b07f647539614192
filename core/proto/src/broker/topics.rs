//! Topics: what is published goes to whoever is subscribed in that moment.
//!
//! ```text
//! publish -> matching subscriptions, each: it has credit, its session can take more -> sent
//!                                          otherwise -> waits; at its bounds its oldest are lost
//! ```
//! A subscription's messages have numbers that follow each other, so whoever finds one missing
//! knows how many were lost. None waits for another; nobody's slowness reaches the publisher,
//! unless the topic is declared so (`topic_lines`).
//!
//! Floor: broker.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::registrations::Role;
use super::spread::Receiver;
use super::trie::Trie;
use super::{Broker, SessionKey, Set};
use crate::base::command::within;
use crate::base::pattern::Pattern;
use crate::base::{Asked, Error, Kind, Message, Name, Subscribing, Time, Untaken, limits};

/// Whose messages match a pattern.
#[derive(Debug)]
pub(super) struct Subscription {
    pub registration: usize,
    pattern: Pattern,
    /// The number that its last message got.
    number: u64,
    /// What its session could not take yet.
    waiting: VecDeque<Kept>,
    /// Of these, the messages whose publishers wait for room rather than have them lost.
    lasting: usize,
    /// Room that batches have taken, for as many more of these.
    reserved: usize,
    /// Bytes of all of that.
    bytes: u64,
    /// Publishes that wait for its room, by when they came; those that have ended are passed over.
    pub sends: VecDeque<u64>,
    pub sends_waiting: u64,
    /// Bytes of messages on their way to the program, which it has not taken.
    sent_bytes: u64,
    /// The program has said what it has of it, after its connection was made.
    is_live: bool,
}

/// A message that waits for a subscriber. What it says is there once for all for whom it waits.
#[derive(Debug)]
pub(super) struct Kept {
    pub said: Arc<(Name, Message)>,
    number: u64,
    asked: Option<Box<Asked>>,
    /// It is not to be lost: its publisher has waited for the room.
    lasts: bool,
}

impl Kept {
    fn size(&self) -> u64 {
        self.said.1.size() as u64
    }
}

/// Every subscription, by what it matches.
#[derive(Debug, Default)]
pub(super) struct Topics {
    pub(super) subscriptions: slab::Slab<Subscription>,
    trie: Trie,
    /// Bytes of messages that wait for subscribers, and of room that batches have taken.
    bytes: u64,
    /// A publish waits for these to become fewer.
    pub(super) is_starved: bool,
    /// Subscriptions that may have room for who waits in their lines.
    pub(super) woken: BTreeSet<usize>,
    /// Publishes that wait for no subscription any more.
    pub(super) left: Vec<u64>,
    /// Reused room.
    found: Vec<usize>,
}

impl Subscription {
    /// True if so many more messages of so many bytes have to wait for too much.
    fn is_over(&self, most: usize, (count, size): (usize, u64)) -> bool {
        self.waiting.len() + self.reserved + count > most
            || self.bytes + size > limits::SUBSCRIPTION_BYTES_MAX
    }

    /// Takes the oldest message out that may be lost.
    fn take_oldest(&mut self) -> Option<Kept> {
        if self.lasting == self.waiting.len() {
            return None;
        }
        let at = self.waiting.iter().position(|kept| !kept.lasts)?;
        self.waiting.remove(at)
    }
}

impl Topics {
    /// True if so many more bytes may wait for all subscribers.
    pub fn has_bytes_for(&self, more: u64) -> bool {
        self.bytes + more <= limits::TOPIC_BYTES_MAX
    }

    /// Who waits in the line of a subscription may look whether there is room.
    pub fn wake(&mut self, key: usize) {
        if self.subscriptions.get(key).is_some_and(|found| found.sends_waiting > 0) {
            self.woken.insert(key);
        }
    }

    /// So many bytes wait for subscribers no longer.
    fn free(&mut self, bytes: u64) {
        self.bytes -= bytes;
        if bytes > 0 && std::mem::take(&mut self.is_starved) {
            let waited_for = self.subscriptions.iter().filter(|(_, one)| one.sends_waiting > 0);
            self.woken.extend(waited_for.map(|(key, _)| key));
        }
    }

    /// Keeps room for a message that is not given out yet.
    pub fn reserve(&mut self, key: usize, size: u64) {
        let subscription = &mut self.subscriptions[key];
        subscription.reserved += 1;
        subscription.bytes += size;
        self.bytes += size;
    }

    /// The message is given out now.
    pub fn release(&mut self, key: usize, size: u64) {
        let subscription = &mut self.subscriptions[key];
        subscription.reserved -= 1;
        subscription.bytes -= size;
        self.free(size);
    }

    /// Who stands first in a subscription's line, or has ended since.
    pub fn first_in_line(&self, key: usize) -> Option<u64> {
        self.subscriptions.get(key)?.sends.front().copied()
    }

    /// Who stood first does no longer.
    pub fn pass_in_line(&mut self, key: usize, token: u64) {
        if let Some(subscription) = self.subscriptions.get_mut(key)
            && subscription.sends.front() == Some(&token)
        {
            subscription.sends.pop_front();
        }
    }

    /// Every line in which somebody waits.
    pub fn lines(&self) -> Vec<(usize, Vec<u64>)> {
        let waited_for = self.subscriptions.iter().filter(|(_, one)| one.sends_waiting > 0);
        waited_for.map(|(key, one)| (key, one.sends.iter().copied().collect())).collect()
    }

    /// Some that waited in a subscription's line do no longer.
    pub fn leave_line(&mut self, key: usize, gone: &Set<u64>) {
        let subscription = &mut self.subscriptions[key];
        subscription.sends.retain(|token| !gone.contains(token));
        subscription.sends_waiting -= gone.len() as u64;
    }
}

impl Broker {
    /// A message that subscribers may have got from an earlier host: none gets it here, and each is
    /// told that it may have missed one.
    pub(super) fn pass_over(&mut self, topic: &Name) {
        let mut found = std::mem::take(&mut self.topics.found);
        self.topics.trie.matches(topic.as_str(), &mut found);
        for key in found.drain(..) {
            let subscription = &mut self.topics.subscriptions[key];
            subscription.number = subscription.number.wrapping_add(1);
        }
        self.topics.found = found;
    }

    /// Gives a message to every subscription that matches.
    pub(super) fn spread(&mut self, topic: &Name, message: &Message) {
        let mut found = std::mem::take(&mut self.topics.found);
        self.topics.trie.matches(topic.as_str(), &mut found);
        // One copy for all that have to wait, so that none keeps a whole read buffer in memory.
        let mut stored = None;
        let lasts = self.declared.waits(topic);
        for key in found.drain(..) {
            self.put_published(key, topic, message, (None, lasts), &mut stored);
        }
        self.topics.found = found;
    }

    /// Subscriptions that match a topic.
    pub(super) fn subscriptions_of(&mut self, topic: &Name) -> Vec<usize> {
        let mut found = Vec::new();
        self.topics.trie.matches(topic.as_str(), &mut found);
        found
    }

    pub(super) fn registration_of(&self, subscription: usize) -> usize {
        self.topics.subscriptions[subscription].registration
    }

    /// True if a message would be sent to the subscriber without waiting.
    pub(super) fn goes_on_at_once(&self, key: usize) -> bool {
        self.topics.subscriptions[key].waiting.is_empty() && self.takes_published(key)
    }

    /// True if so many more messages of so many bytes may wait for the subscriber, as far as its
    /// own bounds go.
    pub(super) fn buffer_has_room(&self, key: usize, count: usize, size: u64) -> bool {
        let subscription = &self.topics.subscriptions[key];
        let most = self.registrations[subscription.registration].credit as usize;
        !subscription.is_over(most, (count, size))
    }

    /// Gives a message to one subscription; `stored` is the copy for those that have to wait. It
    /// `lasts` if its publisher has waited for the room.
    pub(super) fn put_published(
        &mut self,
        key: usize,
        topic: &Name,
        message: &Message,
        (asked, lasts): (Option<Asked>, bool),
        stored: &mut Option<Arc<(Name, Message)>>,
    ) {
        let subscription = &mut self.topics.subscriptions[key];
        // A stranger may say that it has heard of the last number there is.
        subscription.number = subscription.number.wrapping_add(1);
        let number = subscription.number;
        if self.goes_on_at_once(key) {
            self.send_published(key, (topic, message), (number, asked));
        } else {
            let said = stored.get_or_insert_with(|| Arc::new((topic.clone(), message.to_stored())));
            let (said, asked) = (Arc::clone(said), asked.map(Box::new));
            self.keep_published(key, Kept { said, number, asked, lasts });
        }
    }

    pub(super) fn takes_published(&self, key: usize) -> bool {
        let registration = &self.registrations[self.topics.subscriptions[key].registration];
        let session = &self.sessions[registration.session];
        self.has_room_for_published(key)
            && session.present()
            && !session.congested()
            && session.outgoing <= limits::OUTBOX_SIZE_MAX as u64
    }

    /// The subscription may be sent more, as far as its own bounds go.
    pub(super) fn has_room_for_published(&self, key: usize) -> bool {
        let subscription = &self.topics.subscriptions[key];
        let registration = &self.registrations[subscription.registration];
        subscription.is_live
            && registration.used < registration.credit
            && subscription.sent_bytes < limits::SUBSCRIPTION_BYTES_MAX
    }

    fn send_published(
        &mut self,
        key: usize,
        (topic, message): (&Name, &Message),
        (number, asked): (u64, Option<Asked>),
    ) {
        let subscription = &mut self.topics.subscriptions[key];
        let size = message.size() as u64;
        subscription.sent_bytes += size;
        let is_exact = subscription.pattern.is_exact();
        let registration = &mut self.registrations[subscription.registration];
        registration.used += 1;
        let (session, id) = (registration.session, registration.id);
        let asked = asked.and_then(|asked| self.asked_sent(session, asked));
        let token = asked.map(|asked| asked.token);
        let deadline = asked.and_then(|asked| asked.deadline);
        let receiver = Receiver { session, id, number, token, is_exact };
        let more = self.address((topic, message, deadline), receiver);
        self.sessions[session].outgoing += more;
    }

    /// The session's connection has been given published messages of this size.
    pub fn handle_given(&mut self, session: SessionKey, size: u64) {
        if let Some(session) = self.sessions.at(session) {
            session.outgoing = session.outgoing.saturating_sub(size);
        }
    }

    /// Keeps a message for a subscriber; at its bounds the oldest are lost, and its own first. What
    /// lasts is not among them: there is room for it.
    fn keep_published(&mut self, key: usize, kept: Kept) {
        let size = kept.size();
        let topics = &mut self.topics;
        let subscription = &mut topics.subscriptions[key];
        let most = self.registrations[subscription.registration].credit as usize;
        let mut lost = Vec::new();
        let is_over = |subscription: &Subscription, bytes: u64| {
            subscription.is_over(most, (1, size)) || bytes + size > limits::TOPIC_BYTES_MAX
        };
        let mut freed = 0;
        while is_over(subscription, topics.bytes - freed)
            && let Some(oldest) = subscription.take_oldest()
        {
            subscription.bytes -= oldest.size();
            freed += oldest.size();
            lost.extend(oldest.asked);
        }
        // Others may have taken all of the hub's room, or what lasts all of its own.
        if is_over(subscription, topics.bytes - freed) {
            lost.extend(kept.asked);
        } else {
            subscription.bytes += size;
            subscription.lasting += usize::from(kept.lasts);
            topics.bytes += size;
            subscription.waiting.push_back(kept);
        }
        topics.free(freed);
        for asked in lost {
            self.part_undelivered(asked.token, Kind::Lost);
        }
    }

    /// Sends what waits for a subscriber, as far as it can take more.
    pub(super) fn drain_published(&mut self, key: usize) {
        while self.takes_published(key) && self.send_waiting(key) {}
        self.topics.wake(key);
    }

    /// What waits longest for a subscriber.
    pub(super) fn first_waiting(&self, key: usize) -> Option<&Kept> {
        self.topics.subscriptions[key].waiting.front()
    }

    /// Sends what waits longest for a subscriber; false if nothing does.
    pub(super) fn send_waiting(&mut self, key: usize) -> bool {
        let subscription = &mut self.topics.subscriptions[key];
        let Some(kept) = subscription.waiting.pop_front() else {
            return false;
        };
        let size = kept.size();
        subscription.bytes -= size;
        subscription.lasting -= usize::from(kept.lasts);
        self.topics.free(size);
        let Kept { said, number, asked, .. } = kept;
        let (topic, message) = &*said;
        self.send_published(key, (topic, message), (number, asked.map(|asked| *asked)));
        true
    }

    /// Registers a subscription. Repeating it says what has arrived of it, after a connection was
    /// made anew.
    ///
    /// # Errors
    ///
    /// `INVALID` for a value outside of its limits, `FULL` for too many registrations.
    pub fn subscribe(
        &mut self,
        now: Time,
        session: SessionKey,
        id: u64,
        subscribing: Subscribing,
    ) -> Result<(), Error> {
        let Subscribing { pattern, buffer, held, received, instance_name } = subscribing;
        within("buffer", buffer.into(), 1, limits::SUBSCRIPTION_BUFFER_MAX.into())?;
        if !self.is_registered(session, id)? {
            let registration = self.registrations.vacant_key();
            let key = self.topics.subscriptions.insert(Subscription {
                registration,
                pattern: pattern.clone(),
                number: received,
                waiting: VecDeque::new(),
                lasting: 0,
                reserved: 0,
                bytes: 0,
                sends: VecDeque::new(),
                sends_waiting: 0,
                sent_bytes: 0,
                is_live: false,
            });
            self.topics.trie.insert(&pattern, key);
            let registration = self.register(session, id, Role::Subscription(key), buffer);
            self.registrations[registration].instance_name = instance_name;
        }
        let Some(registration) = self.sessions[session].registrations.get(&id).copied() else {
            return Ok(());
        };
        if let Role::Subscription(key) = self.registrations[registration].role {
            self.registrations[registration].used = held.count;
            let subscription = &mut self.topics.subscriptions[key];
            (subscription.sent_bytes, subscription.is_live) = (held.bytes, true);
            self.offer(now, registration);
        }
        Ok(())
    }

    /// The program has taken some of what had arrived of a subscription, reader or gather. Unknown
    /// ids are passed over: it may have ended just now.
    pub fn taken(&mut self, now: Time, session: SessionKey, id: u64, taken: Untaken) {
        if self.answers_taken(session, id, taken.bytes) {
            return;
        }
        let Some(key) = self.sessions[session].registrations.get(&id).copied() else { return };
        let registration = &mut self.registrations[key];
        if let Role::Reader(reader) = registration.role {
            return self.taken_records(reader, taken.bytes);
        }
        if let Role::Subscription(subscription) = registration.role {
            let sent_bytes = &mut self.topics.subscriptions[subscription].sent_bytes;
            *sent_bytes = sent_bytes.saturating_sub(taken.bytes);
            registration.used = registration.used.saturating_sub(taken.count);
            self.offer(now, key);
        }
    }

    /// The session's connection is a new one: what was on its way to its subscribers may be lost,
    /// and where its readers are, only the program knows.
    pub(super) fn await_subscribers(&mut self, session: SessionKey) {
        for key in self.sessions[session].registrations.values() {
            match self.registrations[*key].role {
                Role::Subscription(key) => self.topics.subscriptions[key].is_live = false,
                Role::Reader(key) => self.streams.readers[key].await_live(false),
                Role::Service(_) | Role::Consumer(_) => {}
            }
        }
    }

    pub(super) fn forget_subscription(&mut self, key: usize) {
        let subscription = self.topics.subscriptions.remove(key);
        self.topics.free(subscription.bytes);
        self.topics.trie.remove(&subscription.pattern, key);
        self.leave_line(subscription.sends);
        for asked in subscription.waiting.into_iter().filter_map(|kept| kept.asked) {
            self.part_undelivered(asked.token, Kind::NoService);
        }
    }
}
