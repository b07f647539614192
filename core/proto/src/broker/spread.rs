//! One message for many subscribers: one effect says it for all of them, and one frame for those of
//! a session.
//!
//! ```text
//! publish -> subscriptions that take it -> address, one after the other -> one effect
//! a session that was too slow takes more -> what waits, oldest first: the same message for all
//!                                           of its subscriptions, then the next
//! ```
//! So what waits is sent in the order in which it would have been, and again once for all.
//!
//! Floor: broker.

use std::sync::Arc;

use super::registrations::Role;
use super::topics::Kept;
use super::{Broker, Effect, SessionKey};
use crate::base::{Message, Name, Time};

/// Lists of receivers that are kept to be used again.
const SPARE_MAX: usize = 64;

/// A subscriber that gets a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Whose.
    pub session: SessionKey,
    /// Its registration.
    pub id: u64,
    /// The message's number, among those of the subscriber.
    pub number: u64,
    /// Names the request, if answers are gathered.
    pub token: Option<u64>,
    /// There is only one topic that it wants.
    pub is_exact: bool,
}

impl Receiver {
    /// Bytes for each in the frame; the frame has more than these and the message.
    pub const SIZE: u64 = 16;
}

/// Lists that were used before.
#[derive(Debug, Default)]
pub(super) struct Spare(Vec<Vec<Receiver>>);

/// True if both are the very same message.
fn is_same(topic: &Name, message: &Message, (of, other): (&Name, &Message)) -> bool {
    let (body, others) = (&message.body, &other.body);
    (body.as_ptr(), body.len()) == (others.as_ptr(), others.len())
        && topic.is_same(of)
        && message.properties == other.properties
}

impl Broker {
    /// One more gets a message: with those before it, if that is the last effect. How many
    /// bytes more its connection is to be given for it.
    pub(super) fn address(
        &mut self,
        (topic, message, deadline): (&Name, &Message, Option<Time>),
        receiver: Receiver,
    ) -> u64 {
        if let Some(Effect::Publish { topic: of, message: other, deadline: until, to }) =
            self.effects.back_mut()
            && *until == deadline
            && to.last().is_some_and(|last| last.token.is_some() == receiver.token.is_some())
            && is_same(topic, message, (of, other))
        {
            let is_new = to.last().is_none_or(|last| last.session != receiver.session);
            to.push(receiver);
            return Receiver::SIZE + if is_new { message.size() as u64 } else { 0 };
        }
        let mut to = self.spare.0.pop().unwrap_or_default();
        to.push(receiver);
        let (topic, message) = (topic.clone(), message.clone());
        let size = message.size() as u64;
        self.effects.push_back(Effect::Publish { topic, message, deadline, to });
        Receiver::SIZE + size
    }

    /// The list of an effect that has been carried out.
    pub fn recycle(&mut self, mut to: Vec<Receiver>) {
        if self.spare.0.len() < SPARE_MAX {
            to.clear();
            self.spare.0.push(to);
        }
    }

    /// Sends what waits for subscriptions of one session, in turns, as far as it can take more.
    pub(super) fn drain_all_published(&mut self, registrations: &[usize]) {
        let subscription = |key: &usize| match self.registrations[*key].role {
            Role::Subscription(key) => Some(key),
            Role::Service(_) | Role::Consumer(_) | Role::Reader(_) => None,
        };
        let mut keys: Vec<usize> = registrations.iter().filter_map(subscription).collect();
        keys.iter().for_each(|key| self.topics.wake(*key));
        loop {
            keys.retain(|key| {
                self.first_waiting(*key).is_some() && self.has_room_for_published(*key)
            });
            let mut at = 0;
            while at < keys.len() {
                if !self.takes_published(keys[at]) {
                    // It is the session that takes no more.
                    return;
                }
                at += self.send_to_all_next(&keys[at..]);
            }
            if keys.is_empty() {
                return;
            }
        }
    }

    /// What waits longest for the first of them goes to it, and to all behind it for which the same
    /// does; how many these are.
    fn send_to_all_next(&mut self, keys: &[usize]) -> usize {
        let Some(first) = self.first_waiting(keys[0]) else { return 1 };
        let said = Arc::clone(&first.said);
        let is_it = |kept: &Kept| Arc::ptr_eq(&kept.said, &said);
        self.send_waiting(keys[0]);
        let mut count = 1;
        for key in &keys[1..] {
            if !self.first_waiting(*key).is_some_and(is_it) || !self.has_room_for_published(*key) {
                break;
            }
            self.send_waiting(*key);
            count += 1;
        }
        count
    }
}
