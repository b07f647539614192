//! Consumers, services and subscribers of sessions, and which of them can take more.
//!
//! Floor: broker.

use std::collections::VecDeque;

use super::{Broker, Effect, NameId, SessionKey, deliveries, services};
use crate::base::{Error, Kind, Name, Time, limits};

#[derive(Debug)]
pub(super) struct Registration {
    pub session: SessionKey,
    /// The program's number for it.
    pub id: u64,
    pub role: Role,
    /// Messages held or requests handled at once.
    pub credit: u32,
    /// Of these, in use.
    pub used: u32,
    /// Time in which a consumer settles, in ms; 0: the queue's.
    pub ack_deadline_ms: u32,
    /// It stands in its service's or queue's ready line.
    pub ready: bool,
    /// What gathers call it: no other registration of this host has the number.
    pub number: u64,
    /// What an instance or subscriber calls itself, to whoever gathers answers.
    pub instance_name: Option<Name>,
    /// Requests of gathers that wait for this instance; those that have ended are passed over.
    pub own: VecDeque<u64>,
    /// The last request that it was given was one of these.
    pub served_own: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Service(usize),
    Consumer(usize),
    Subscription(usize),
    Reader(usize),
}

impl Registration {
    /// The queue of a consumer.
    pub fn queue(&self) -> Option<usize> {
        match self.role {
            Role::Consumer(queue) => Some(queue),
            Role::Service(_) | Role::Subscription(_) | Role::Reader(_) => None,
        }
    }
}

impl Broker {
    /// Registers an instance of a service. Repeating it is fine, and changes nothing.
    ///
    /// # Errors
    ///
    /// `INVALID` for a value outside of its limits, `FULL` for too many registrations.
    pub fn serve(
        &mut self,
        now: Time,
        session: SessionKey,
        name: NameId,
        instance: services::Instance,
    ) -> Result<(), Error> {
        instance.check()?;
        if self.is_registered(session, instance.id)? {
            return Ok(());
        }
        let service = self.service_of(name);
        self.services[service].line_max = instance.line_max as usize;
        let key = self.register(session, instance.id, Role::Service(service), instance.concurrency);
        self.registrations[key].instance_name = instance.instance_name;
        self.services[service].instances.push(key);
        self.offer_new(now, session, instance.id);
        Ok(())
    }

    /// Registers a consumer of a queue. Repeating it is fine.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` without such a queue; else as `serve`.
    pub fn consume(
        &mut self,
        now: Time,
        session: SessionKey,
        name: NameId,
        (id, prefetch, ack_deadline_ms): (u64, u32, u32),
    ) -> Result<(), Error> {
        check_credit(prefetch)?;
        if self.is_registered(session, id)? {
            return self.credit(now, session, id, prefetch);
        }
        // It has ended, and was said to have, after the program had set out to repeat it.
        if self.sessions[session].repeated.contains(&id) {
            return Ok(());
        }
        let queue = self.find_queue(name)?;
        self.queues[queue].consumers += 1;
        let key = self.register(session, id, Role::Consumer(queue), prefetch);
        self.registrations[key].ack_deadline_ms = ack_deadline_ms;
        self.adopt_held(session, key, queue);
        self.offer_new(now, session, id);
        Ok(())
    }

    /// Changes how many messages a consumer may hold. Unknown ids are passed over: the consumer may
    /// have ended just now.
    ///
    /// # Errors
    ///
    /// `INVALID` for a value over the limit.
    pub fn credit(
        &mut self,
        now: Time,
        session: SessionKey,
        id: u64,
        prefetch: u32,
    ) -> Result<(), Error> {
        check_credit(prefetch)?;
        let Some(key) = self.sessions[session].registrations.get(&id).copied() else {
            return Ok(());
        };
        self.registrations[key].credit = prefetch;
        self.offer(now, key);
        Ok(())
    }

    /// Ends a registration at the program's wish. What it holds stays held until settled or
    /// answered.
    pub fn stop(&mut self, session: SessionKey, id: u64) {
        if let Some(key) = self.sessions[session].registrations.remove(&id) {
            self.detach_uses(session, key);
            self.remove_registration(key);
        }
    }

    pub(super) fn is_registered(&self, session: SessionKey, id: u64) -> Result<bool, Error> {
        let registrations = &self.sessions[session].registrations;
        let limit = limits::REGISTRATIONS_PER_SESSION_MAX;
        if registrations.contains_key(&id) {
            return Ok(true);
        }
        if registrations.len() >= limit {
            let detail =
                format!("the session has {limit} consumers, services and subscribers, its limit");
            return Err(Error::new(Kind::Full, detail));
        }
        Ok(false)
    }

    pub(super) fn register(
        &mut self,
        session: SessionKey,
        id: u64,
        role: Role,
        credit: u32,
    ) -> usize {
        let key = self.register_quietly(session, id, role, credit);
        self.effects.push_back(Effect::Started { session, id });
        key
    }

    pub(super) fn register_quietly(
        &mut self,
        session: SessionKey,
        id: u64,
        role: Role,
        credit: u32,
    ) -> usize {
        self.registration_count += 1;
        let key = self.registrations.insert(Registration {
            session,
            id,
            role,
            credit,
            used: 0,
            ack_deadline_ms: 0,
            ready: false,
            number: (self.config.epoch << 32) + self.registration_count,
            instance_name: None,
            own: VecDeque::new(),
            served_own: false,
        });
        self.sessions[session].registrations.insert(id, key);
        key
    }

    fn offer_new(&mut self, now: Time, session: SessionKey, id: u64) {
        if let Some(key) = self.sessions[session].registrations.get(&id) {
            self.offer(now, *key);
        }
    }

    /// Puts a registration that can take more into its ready line, and gives it what waits.
    pub(super) fn offer(&mut self, now: Time, key: usize) {
        let registration = &self.registrations[key];
        match registration.role {
            Role::Subscription(subscription) => return self.drain_published(subscription),
            Role::Reader(reader) => return self.pump_reader(reader),
            Role::Service(_) | Role::Consumer(_) => {}
        }
        if let Role::Service(service) = registration.role {
            self.give_own_line(service, key, false);
        }
        let registration = &self.registrations[key];
        if registration.ready
            || registration.used >= registration.credit
            || !self.sessions[registration.session].takes_more()
        {
            return;
        }
        self.registrations[key].ready = true;
        match self.registrations[key].role {
            Role::Service(service) => {
                self.services[service].ready.push_back(key);
                self.dispatch(now, service);
                self.give_own_line(service, key, true);
            }
            Role::Consumer(queue) => {
                self.queues[queue].takers.push_back(deliveries::Taker::Consumer(key));
                self.pump(now, queue);
            }
            Role::Subscription(_) | Role::Reader(_) => {}
        }
    }

    /// Offers everything that a session has registered.
    pub(super) fn offer_all(&mut self, now: Time, session: SessionKey) {
        let mut keys: Vec<usize> = self.sessions[session].registrations.values().copied().collect();
        keys.sort_unstable_by_key(|key| self.registrations[*key].id);
        self.drain_all_published(&keys);
        keys.into_iter().for_each(|key| self.offer(now, key));
        let mut receives = self.waiting_receives(session);
        receives.sort_unstable();
        for (_, key) in receives {
            // One offer may have served another: what it takes may die, and be taken as a dead
            // letter.
            if self.is_waiting(key) {
                self.offer_receive(now, key);
            }
        }
    }

    /// One use is over.
    pub(super) fn release_use(&mut self, now: Time, registration: Option<usize>) {
        if let Some(key) = registration {
            self.registrations[key].used -= 1;
            self.offer(now, key);
        }
    }

    pub(super) fn remove_registration(&mut self, key: usize) {
        // They may end gathers, and nothing of this registration is to be touched by that.
        for token in std::mem::take(&mut self.registrations[key].own) {
            self.part_undelivered(token, Kind::NoService);
        }
        let registration = self.registrations.remove(key);
        match registration.role {
            Role::Service(service) => self.instance_left(service, key),
            Role::Consumer(queue) => {
                let queue = &mut self.queues[queue];
                queue.consumers -= 1;
                queue.takers.retain(|taker| *taker != deliveries::Taker::Consumer(key));
            }
            Role::Subscription(subscription) => self.forget_subscription(subscription),
            Role::Reader(reader) => self.forget_reader(reader),
        }
    }

    /// What was handed to the registration no longer counts against it.
    pub(super) fn detach_uses(&mut self, session: SessionKey, key: usize) {
        for token in &self.sessions[session].held {
            if let Some(held) = self.held.get_mut(*token) {
                held.forget_registration(Some(key));
            }
        }
        for token in self.requests_of(session) {
            if let Some(call) = self.calls.get_mut(token) {
                call.forget_registration(Some(key));
            }
        }
    }
}

fn check_credit(prefetch: u32) -> Result<(), Error> {
    if prefetch <= limits::PREFETCH_MAX {
        return Ok(());
    }
    let detail = format!("prefetch is {prefetch}; at most {}", limits::PREFETCH_MAX);
    Err(Error::new(Kind::Invalid, detail))
}
