//! Topics: what is published goes to whoever is subscribed in that moment.
//!
//! ```text
//! publish -> matching subscriptions, each: it has credit, its session can take more -> sent
//!                                          otherwise -> waits; at its bounds its oldest are lost
//! ```
//! A subscription's messages have numbers that follow each other, so whoever finds one missing
//! knows how many were lost. None waits for another; nobody's slowness reaches the publisher.
//!
//! Floor: broker.

use std::collections::VecDeque;

use super::registrations::Role;
use super::trie::Trie;
use super::{Broker, Effect, SessionKey};
use crate::base::command::within;
use crate::base::pattern::Pattern;
use crate::base::{Asked, Error, Kind, Message, Name, Published, Time, Untaken, limits};

/// Whose messages match a pattern.
#[derive(Debug)]
pub(super) struct Subscription {
    pub registration: usize,
    pattern: Pattern,
    /// The number that its last message got.
    number: u64,
    /// What its session could not take yet.
    waiting: VecDeque<Published>,
    /// Bytes of that.
    bytes: u64,
    /// Bytes of messages on their way to the program, which it has not taken.
    sent_bytes: u64,
    /// The program has said what it has of it, after its connection was made.
    is_live: bool,
}

/// Every subscription, by what it matches.
#[derive(Debug, Default)]
pub(super) struct Topics {
    subscriptions: slab::Slab<Subscription>,
    trie: Trie,
    /// Bytes of messages that wait for subscribers.
    bytes: u64,
    /// Reused room.
    found: Vec<usize>,
}

/// What a program states of a subscription.
#[derive(Clone, Debug)]
pub struct Subscribing {
    /// Its number for it.
    pub id: u64,
    /// Which topics.
    pub pattern: Pattern,
    /// Messages that may be on their way to the program, and as many more may wait in the hub.
    pub buffer: u32,
    /// Messages that have arrived and that the program has not taken yet.
    pub held: Untaken,
    /// The number of the last one that has arrived; 0: none.
    pub received: u64,
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
        for key in found.drain(..) {
            self.put_published(key, topic, message, None, &mut stored);
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

    /// Gives a message to one subscription; `stored` is the copy for those that have to wait.
    pub(super) fn put_published(
        &mut self,
        key: usize,
        topic: &Name,
        message: &Message,
        asked: Option<Asked>,
        stored: &mut Option<Message>,
    ) {
        let subscription = &mut self.topics.subscriptions[key];
        // A stranger may say that it has heard of the last number there is.
        subscription.number = subscription.number.wrapping_add(1);
        let number = subscription.number;
        let is_next = subscription.waiting.is_empty();
        let topic = topic.clone();
        if is_next && self.takes_published(key) {
            let message = message.clone();
            self.send_published(key, Published { topic, number, message, asked });
        } else {
            let message = stored.get_or_insert_with(|| message.to_stored()).clone();
            self.keep_published(key, Published { topic, number, message, asked });
        }
    }

    fn takes_published(&self, key: usize) -> bool {
        let subscription = &self.topics.subscriptions[key];
        let registration = &self.registrations[subscription.registration];
        let session = &self.sessions[registration.session];
        subscription.is_live
            && registration.used < registration.credit
            && subscription.sent_bytes < limits::SUBSCRIPTION_BYTES_MAX
            && session.present()
            && !session.congested()
            && session.outgoing <= limits::OUTBOX_SIZE_MAX as u64
    }

    fn send_published(&mut self, key: usize, mut published: Published) {
        let subscription = &mut self.topics.subscriptions[key];
        let size = published.message.size() as u64;
        subscription.sent_bytes += size;
        let is_exact = subscription.pattern.is_exact();
        let registration = &mut self.registrations[subscription.registration];
        registration.used += 1;
        let (session, id) = (registration.session, registration.id);
        self.sessions[session].outgoing += size;
        if let Some(asked) = published.asked {
            published.asked = self.asked_sent(session, asked);
        }
        self.effects.push_back(Effect::Publish { session, id, published, is_exact });
    }

    /// The session's connection has been given a published message of this size.
    pub fn handle_given(&mut self, session: SessionKey, size: u64) {
        if let Some(session) = self.sessions.at(session) {
            session.outgoing = session.outgoing.saturating_sub(size);
        }
    }

    /// Keeps a message for a subscriber; at its bounds the oldest are lost, and its own first.
    fn keep_published(&mut self, key: usize, published: Published) {
        let size = published.message.size() as u64;
        let topics = &mut self.topics;
        let subscription = &mut topics.subscriptions[key];
        let most = self.registrations[subscription.registration].credit as usize;
        let mut lost = Vec::new();
        while let Some(oldest) = subscription.waiting.front()
            && (subscription.waiting.len() >= most
                || subscription.bytes + size > limits::SUBSCRIPTION_BYTES_MAX
                || topics.bytes + size > limits::TOPIC_BYTES_MAX)
        {
            let freed = oldest.message.size() as u64;
            lost.extend(oldest.asked);
            subscription.waiting.pop_front();
            subscription.bytes -= freed;
            topics.bytes -= freed;
        }
        // Others may have taken all of the hub's room.
        if topics.bytes + size <= limits::TOPIC_BYTES_MAX {
            subscription.bytes += size;
            topics.bytes += size;
            subscription.waiting.push_back(published);
        } else {
            lost.extend(published.asked);
        }
        for asked in lost {
            self.part_undelivered(asked.token, Kind::Lost);
        }
    }

    /// Sends what waits for a subscriber, as far as it can take more.
    pub(super) fn drain_published(&mut self, key: usize) {
        while self.takes_published(key) {
            let subscription = &mut self.topics.subscriptions[key];
            let Some(published) = subscription.waiting.pop_front() else { return };
            let size = published.message.size() as u64;
            subscription.bytes -= size;
            self.topics.bytes -= size;
            self.send_published(key, published);
        }
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
        subscribing: Subscribing,
    ) -> Result<(), Error> {
        let Subscribing { id, pattern, buffer, held, received } = subscribing;
        within("buffer", buffer.into(), 1, limits::SUBSCRIPTION_BUFFER_MAX.into())?;
        if !self.is_registered(session, id)? {
            let registration = self.registrations.vacant_key();
            let key = self.topics.subscriptions.insert(Subscription {
                registration,
                pattern: pattern.clone(),
                number: received,
                waiting: VecDeque::new(),
                bytes: 0,
                sent_bytes: 0,
                is_live: false,
            });
            self.topics.trie.insert(&pattern, key);
            self.register(session, id, Role::Subscription(key), buffer);
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
        self.topics.bytes -= subscription.bytes;
        self.topics.trie.remove(&subscription.pattern, key);
        for asked in subscription.waiting.into_iter().filter_map(|published| published.asked) {
            self.part_undelivered(asked.token, Kind::NoService);
        }
    }
}
