//! Messages handed out: to consumers and receives, held until settled.
//!
//! Floor: broker.

use super::log::Staged;
use super::queues::{Entry, QueueRef};
use super::sends::ChangeRef;
use super::sessions::{Confirmation, Done, Marked, Ticket, sorted};
use super::{Broker, Due, Effect, NameId, SessionKey};
use crate::base::timers::TimerKey;
use crate::base::{Delivery, Error, Kind, Time, Verdict};

/// Who can take a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taker {
    Consumer(usize),
    Receive(usize),
}

/// A receive that waits.
#[derive(Debug)]
pub(super) struct Receive {
    session: SessionKey,
    ticket: u64,
    queue: usize,
    timer: Option<TimerKey>,
    ready: bool,
}

/// A message that a session holds.
#[derive(Debug)]
pub(super) struct Held {
    queue: QueueRef,
    entry: Entry,
    session: SessionKey,
    registration: Option<usize>,
    /// The receive that took it, or the consumer's number.
    id: u64,
    is_receive: bool,
    /// A verdict has been given and waits for its log position.
    settling: bool,
}

impl Held {
    /// Its queue, and its place there.
    fn place(&self) -> (usize, u64) {
        (self.queue.key, self.entry.sequence)
    }

    /// The message no longer counts against `key`, or against any registration.
    pub fn forget_registration(&mut self, key: Option<usize>) {
        if key.is_none() || self.registration == key {
            self.registration = None;
        }
    }
}

/// A verdict on a held message.
#[derive(Debug)]
pub(super) struct Settlement {
    change: ChangeRef,
    token: u64,
    verdict: Verdict,
}

impl Broker {
    /// Takes one message, now or before the deadline. Repeating it is fine.
    pub fn receive(
        &mut self,
        now: Time,
        session: SessionKey,
        ticket: u64,
        name: NameId,
        deadline: Option<Time>,
    ) {
        if self.is_repeat(session, ticket) {
            return;
        }
        let queue = match self.find_queue(name) {
            Ok(queue) => queue,
            Err(error) => return self.result(session, ticket, Err(error)),
        };
        let receive = Receive { session, ticket, queue, timer: None, ready: false };
        let key = self.receives.insert(receive);
        self.sessions[session].tickets.insert(ticket, Ticket::Receive(key));
        self.offer_receive(now, key);
        // Unless it was taken at once, it waits.
        let waits = self.receives.get(key).is_some_and(|receive| receive.ticket == ticket);
        match deadline {
            Some(at) if waits && at <= now => self.receive_expired(key),
            Some(at) if waits => {
                self.receives[key].timer = Some(self.timers.insert(at, Due::Receive(key)));
            }
            _ => {}
        }
    }

    pub(super) fn offer_receive(&mut self, now: Time, key: usize) {
        let receive = &mut self.receives[key];
        if !receive.ready && self.sessions[receive.session].takes_more() {
            receive.ready = true;
            let queue = receive.queue;
            self.queues[queue].takers.push_back(Taker::Receive(key));
            self.pump(now, queue);
        }
    }

    pub(super) fn receive_expired(&mut self, key: usize) {
        self.receives[key].timer = None;
        let (session, ticket) = self.remove_receive(key);
        self.sessions[session].tickets.remove(&ticket);
        let error = Error::new(Kind::Expired, "no message came in time");
        self.result(session, ticket, Err(error));
    }

    pub(super) fn remove_receive(&mut self, key: usize) -> (SessionKey, u64) {
        let receive = self.receives.remove(key);
        if let Some(timer) = receive.timer {
            self.timers.remove(timer);
        }
        if receive.ready {
            let takers = &mut self.queues[receive.queue].takers;
            takers.retain(|taker| *taker != Taker::Receive(key));
        }
        (receive.session, receive.ticket)
    }

    /// Receives of a session that wait, by ticket.
    pub(super) fn waiting_receives(&self, session: SessionKey) -> Vec<(u64, usize)> {
        let tickets = self.sessions[session].tickets.iter();
        let receives = tickets.filter_map(|(ticket, what)| match what {
            Ticket::Receive(key) => Some((*ticket, *key)),
            _ => None,
        });
        receives.collect()
    }

    /// Receives that wait at a queue, by ticket.
    pub(super) fn receives_of(&self, queue: usize) -> Vec<(u64, usize)> {
        let receives = self.receives.iter().filter(|(_, receive)| receive.queue == queue);
        let mut receives: Vec<_> = receives.map(|(key, receive)| (receive.ticket, key)).collect();
        receives.sort_unstable();
        receives
    }

    /// Hands ready messages to whoever can take more, each taker in turn.
    pub(super) fn pump(&mut self, _now: Time, queue: usize) {
        while self.queues[queue].has_ready() {
            let Some(taker) = self.next_taker(queue) else {
                return;
            };
            let Some(entry) = self.queues[queue].pop() else {
                return;
            };
            if let Err(entry) = self.deliver(queue, entry, taker) {
                return self.queues[queue].push(entry);
            }
        }
    }

    /// The front of the takers, past those whose session cannot take more just now.
    fn next_taker(&mut self, queue: usize) -> Option<Taker> {
        loop {
            let taker = *self.queues[queue].takers.front()?;
            let session = match taker {
                Taker::Consumer(key) => self.registrations[key].session,
                Taker::Receive(key) => self.receives[key].session,
            };
            let has_credit = match taker {
                Taker::Consumer(key) => {
                    self.registrations[key].used < self.registrations[key].credit
                }
                Taker::Receive(_) => true,
            };
            if has_credit && self.sessions[session].takes_more() {
                return Some(taker);
            }
            self.queues[queue].takers.pop_front();
            match taker {
                Taker::Consumer(key) => self.registrations[key].ready = false,
                Taker::Receive(key) => self.receives[key].ready = false,
            }
        }
    }

    fn deliver(&mut self, queue: usize, entry: Entry, taker: Taker) -> Result<(), Entry> {
        let (session, id, registration) = match taker {
            Taker::Consumer(key) => {
                let registration = &self.registrations[key];
                (registration.session, registration.id, Some(key))
            }
            Taker::Receive(key) => (self.receives[key].session, self.receives[key].ticket, None),
        };
        let held = Held {
            queue: self.queue_ref(queue),
            entry,
            session,
            registration,
            id,
            is_receive: registration.is_none(),
            settling: false,
        };
        let token = self.held.insert(held).map_err(|held| held.entry)?;
        self.sessions[session].held.insert(token);
        self.queues[queue].held += 1;
        match taker {
            Taker::Consumer(key) => self.use_credit(queue, key),
            Taker::Receive(key) => {
                self.remove_receive(key);
                self.sessions[session].tickets.insert(id, Ticket::Received);
            }
        }
        self.send_delivery(token);
        Ok(())
    }

    /// The consumer at the front has taken a message; it stays in line while it can take more.
    fn use_credit(&mut self, queue: usize, key: usize) {
        let registration = &mut self.registrations[key];
        registration.used += 1;
        registration.ready = registration.used < registration.credit;
        let ready = registration.ready;
        let takers = &mut self.queues[queue].takers;
        takers.pop_front();
        if ready {
            takers.push_back(Taker::Consumer(key));
        }
    }

    fn send_delivery(&mut self, token: u64) {
        let Some(held) = self.held.get(token) else {
            return;
        };
        let delivery = Delivery {
            token,
            message_id: held.entry.message_id,
            failures: held.entry.failures,
            redelivered: held.entry.redelivered,
            message: held.entry.message.clone(),
        };
        let (session, id) = (held.session, held.id);
        self.effects.push_back(Effect::Deliver { session, id, delivery });
    }

    /// After a broken connection: deliveries that did not arrive are handed out again.
    pub(super) fn deliver_again(&mut self, session: SessionKey, arrived: &[u64]) {
        let arrived: std::collections::HashSet<u64> = arrived.iter().copied().collect();
        let held = self.sessions[session].held.iter();
        let mut lost: Vec<u64> = held.filter(|token| !arrived.contains(token)).copied().collect();
        // In the order of their queues; a token's number says nothing about that.
        lost.sort_by_key(|token| self.held.get(*token).map(Held::place));
        for token in lost {
            let held = self.held.get_mut(token).filter(|held| !held.settling);
            // Nobody knows whether it arrived: the program may have given a verdict that did not.
            if let Some(held) = held {
                held.entry.redelivered = true;
                self.send_delivery(token);
            }
        }
    }

    /// A verdict on a held message.
    pub fn settle(&mut self, now: Time, change: ChangeRef, token: u64, verdict: Verdict) {
        let session = change.session.key;
        let held = self.held.get(token).filter(|held| held.session == session && !held.settling);
        let queue = held.map(|held| held.queue);
        if queue.is_none_or(|queue| self.queue_at(queue).is_none()) {
            let detail = "the session does not hold this delivery (any more)";
            return self.refuse(change, Error::new(Kind::LeaseLost, detail));
        }
        self.held.get_mut(token).into_iter().for_each(|held| held.settling = true);
        self.mark(change, Marked::Pending);
        self.stage(now, Staged::Settle(Settlement { change, token, verdict }));
    }

    /// The verdict's log position is reached: it takes effect, and its program hears so.
    pub(super) fn commit_settle(&mut self, now: Time, settlement: Settlement) {
        let Settlement { change, token, verdict } = settlement;
        self.confirm(Confirmation { change, outcome: Done::Empty });
        let Some(mut held) = self.held.remove(token) else {
            return;
        };
        if let Some(session) = self.sessions.get_mut(change.session) {
            session.held.remove(&token);
            if held.is_receive {
                session.tickets.remove(&held.id);
            }
        }
        if let Some(queue) = self.queue_at(held.queue) {
            queue.held -= 1;
            match verdict {
                Verdict::Acknowledge => queue.acknowledged += 1,
                Verdict::Reject => queue.rejected += 1,
                Verdict::Requeue => {
                    queue.requeued += 1;
                    held.entry.failures += 1;
                }
                Verdict::Release => {}
            }
            match verdict {
                Verdict::Acknowledge | Verdict::Reject => {
                    self.free(held.queue.key, held.entry.message.size() as u64);
                    self.admit_sends(now, held.queue.key);
                }
                Verdict::Requeue | Verdict::Release => {
                    held.entry.redelivered = true;
                    self.queues[held.queue.key].push(held.entry);
                    self.pump(now, held.queue.key);
                }
            }
        }
        self.release_use(now, held.registration);
    }

    /// The queue goes away, and with it what is held of it: a verdict on that comes too late.
    pub(super) fn drop_held(&mut self, queue: usize) {
        let queue = self.queue_ref(queue);
        let held = self.held.iter().filter(|(_, held)| held.queue == queue && !held.settling);
        let held: Vec<u64> = held.map(|(token, _)| token).collect();
        for token in held {
            let Some(held) = self.held.remove(token) else { continue };
            let session = &mut self.sessions[held.session];
            session.held.remove(&token);
            if held.is_receive {
                session.tickets.remove(&held.id);
            }
        }
    }

    /// The session that held these messages has ended: each goes back to its place, and only then
    /// are any handed out again.
    pub(super) fn put_back(&mut self, now: Time, tokens: &[u64]) {
        let mut queues = Vec::new();
        for token in tokens {
            // A verdict that waits for its log position still counts.
            if self.held.get(*token).is_none_or(|held| held.settling) {
                continue;
            }
            let Some(mut held) = self.held.remove(*token) else { continue };
            if let Some(queue) = self.queue_at(held.queue) {
                queue.held -= 1;
                held.entry.redelivered = true;
                queue.push(held.entry);
                queues.push(held.queue.key);
            }
        }
        for queue in sorted(queues) {
            self.pump(now, queue);
        }
    }
}
