//! Messages handed out: to consumers and receives, held until settled.
//!
//! Who takes a message holds it from the moment in which that is written down; it is handed over
//! when that is written, so that the next host knows who had it.
//!
//! Floor: broker.

use super::log::{Level, Staged};
use super::queues::{Entry, QueueRef};
use super::sessions::{Ticket, sorted};
use super::{Broker, Due, Effect, NameId, SessionKey, Set};
use crate::base::record::{Delivered, Holder, Record, Room};
use crate::base::timers::TimerKey;
use crate::base::{Delivery, Error, Kind, Time};

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
    pub queue: QueueRef,
    pub entry: Entry,
    pub session: SessionKey,
    pub registration: Option<usize>,
    /// The receive that took it, or the consumer's number.
    pub id: u64,
    pub is_receive: bool,
    /// When it is taken back.
    pub lease: Option<TimerKey>,
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
        self.queues[queue].receives += 1;
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

    /// True if nothing has come for this receive yet.
    pub(super) fn is_waiting(&self, key: usize) -> bool {
        self.receives.contains(key)
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
        self.queues[receive.queue].receives -= 1;
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

    /// The queue in which a receive waits.
    pub(super) fn queue_of_receive(&self, key: usize) -> usize {
        self.receives[key].queue
    }

    /// Hands ready messages to whoever can take more, each taker in turn.
    pub(super) fn pump(&mut self, now: Time, queue: usize) {
        self.note_suspects(queue);
        if self.queues[queue].ready == 0 || self.queues[queue].takers.is_empty() {
            return;
        }
        if self.is_journaled(queue) && matches!(self.room, Room::Verdicts | Room::Nothing) {
            return;
        }
        self.pump_suspects(now, queue);
        while self.queues[queue].front().is_some() {
            if self.expire_front(now, queue) {
                continue;
            }
            let Some(at) = self.next_taker(queue) else { return };
            if self.queues[queue].front().is_some_and(|entry| entry.message.is_none()) {
                return self.read_ahead(queue);
            }
            let Some(entry) = self.queues[queue].pop() else { return };
            if let Err(entry) = self.deliver(now, queue, entry, at) {
                return self.queues[queue].push(entry);
            }
        }
    }

    pub(super) fn session_of(&self, taker: Taker) -> SessionKey {
        match taker {
            Taker::Consumer(key) => self.registrations[key].session,
            Taker::Receive(key) => self.receives[key].session,
        }
    }

    pub(super) fn has_credit(&self, taker: Taker) -> bool {
        match taker {
            Taker::Consumer(key) => self.registrations[key].used < self.registrations[key].credit,
            Taker::Receive(_) => true,
        }
    }

    /// The place of the first taker that can take more; those before it whose session cannot are
    /// taken out of the line. While suspects wait, a session is left to run empty for them.
    fn next_taker(&mut self, queue: usize) -> Option<usize> {
        let spared = self.spared_for_suspects();
        let mut at = 0;
        loop {
            let Some(taker) = self.queues[queue].takers.get(at).copied() else {
                self.passed_over(queue, at);
                return None;
            };
            let session = self.session_of(taker);
            if !self.has_credit(taker) || !self.sessions[session].takes_more() {
                self.queues[queue].takers.remove(at);
                match taker {
                    Taker::Consumer(key) => self.registrations[key].ready = false,
                    Taker::Receive(key) => self.receives[key].ready = false,
                }
            } else if spared.contains(&session) {
                at += 1;
            } else {
                return Some(at);
            }
        }
    }

    /// Gives a message to the taker at this place of the line.
    pub(super) fn deliver(
        &mut self,
        now: Time,
        queue: usize,
        entry: Entry,
        at: usize,
    ) -> Result<(), Entry> {
        let taker = self.queues[queue].takers[at];
        let session = self.session_of(taker);
        let (id, registration) = match taker {
            Taker::Consumer(key) => (self.registrations[key].id, Some(key)),
            Taker::Receive(key) => (self.receives[key].ticket, None),
        };
        let (sequence, is_suspect) = (entry.sequence, entry.suspect);
        let is_receive = registration.is_none();
        let held = Held {
            queue: self.queue_ref(queue),
            entry,
            session,
            registration,
            id,
            is_receive,
            lease: None,
        };
        let token = self.held.insert(held).map_err(|held| held.entry)?;
        self.sessions[session].held.insert(token);
        if is_suspect {
            self.sessions[session].alone = true;
        }
        self.queues[queue].held += 1;
        match taker {
            Taker::Consumer(key) => self.use_credit(queue, key, at),
            Taker::Receive(key) => {
                self.remove_receive(key);
                self.sessions[session].tickets.insert(id, Ticket::Received);
            }
        }
        let mut level = Level::Now;
        if self.is_journaled(queue) {
            level = Level::Written;
            let holder = Holder { session: self.sessions[session].id.0, token, id, is_receive };
            let delivered = Delivered { queue: self.queues[queue].id, sequence, holder };
            self.write(Level::Written, Record::Delivered(delivered));
        }
        self.stage(now, level, Staged::Deliver(token));
        Ok(())
    }

    /// The consumer at this place has taken a message; it stays in line while it can take more.
    fn use_credit(&mut self, queue: usize, key: usize, at: usize) {
        let registration = &mut self.registrations[key];
        registration.used += 1;
        registration.ready = registration.used < registration.credit;
        let ready = registration.ready;
        let takers = &mut self.queues[queue].takers;
        takers.remove(at);
        if ready {
            takers.push_back(Taker::Consumer(key));
        }
    }

    /// Hands a message over to the session that holds it, if that is there.
    pub(super) fn send_delivery(&mut self, now: Time, token: u64) {
        let Some(held) = self.held.get(token).filter(|h| self.sessions[h.session].present()) else {
            return;
        };
        let (session, id) = (held.session, held.id);
        let Some(message) = super::returns::as_delivered(&held.entry) else {
            return self.read_held(token);
        };
        let delivery = Delivery {
            token,
            message_id: held.entry.message_id,
            failures: held.entry.failures,
            redelivered: held.entry.redelivered,
            message,
        };
        self.begin_lease(now, token);
        self.effects.push_back(Effect::Deliver { session, id, delivery });
    }

    /// True if the session holds this.
    pub fn holds(&self, session: SessionKey, token: u64) -> bool {
        self.sessions[session].held.contains(&token)
    }

    /// After a broken connection: deliveries that did not arrive are handed out again.
    pub(super) fn deliver_again(&mut self, now: Time, session: SessionKey, arrived: &Set<u64>) {
        let held = self.sessions[session].held.iter();
        let mut lost: Vec<u64> = held.filter(|token| !arrived.contains(token)).copied().collect();
        // In the order of their queues; a token's number says nothing about that.
        lost.sort_by_key(|token| self.held.get(*token).map(Held::place));
        for token in lost {
            // Nobody knows whether it arrived: the program may have given a verdict that did not.
            let Some(held) = self.held.get_mut(token) else { continue };
            held.entry.redelivered = true;
            let key = held.queue.key;
            // It may not be written down yet who has it.
            let level = if self.is_journaled(key) { Level::Written } else { Level::Now };
            self.stage(now, level, Staged::Deliver(token));
        }
        for token in sorted(self.sessions[session].held.iter().copied()) {
            if arrived.contains(&token) {
                self.begin_lease(now, token);
            }
        }
    }

    /// Messages of a consumer that was registered anew, held since before, count against it.
    pub(super) fn adopt_held(&mut self, session: SessionKey, key: usize, queue: usize) {
        let id = self.registrations[key].id;
        for token in &self.sessions[session].held {
            let Some(held) = self.held.get_mut(*token) else { continue };
            let is_its = held.id == id && !held.is_receive && held.queue.key == queue;
            if is_its && held.registration.is_none() {
                held.registration = Some(key);
                self.registrations[key].used += 1;
            }
        }
    }

    /// The queue goes away, and with it what is held of it: a verdict on that comes too late.
    pub(super) fn drop_held(&mut self, queue: usize) {
        let reference = self.queue_ref(queue);
        let held = self.held.iter().filter(|(_, held)| held.queue == reference);
        let held: Vec<u64> = held.map(|(token, _)| token).collect();
        for token in held {
            if let Some(held) = self.take_held(token) {
                self.drop_entry(queue, &held.entry);
            }
        }
    }

    /// A message is no longer held; what becomes of it is the caller's.
    pub(super) fn take_held(&mut self, token: u64) -> Option<Held> {
        let held = self.held.remove(token)?;
        if let Some(timer) = held.lease {
            self.timers.remove(timer);
        }
        let session = &mut self.sessions[held.session];
        session.held.remove(&token);
        session.alone &= !held.entry.suspect;
        if held.is_receive {
            session.tickets.remove(&held.id);
        }
        if let Some(queue) = self.queue_at(held.queue) {
            queue.held -= 1;
        }
        Some(held)
    }
}
