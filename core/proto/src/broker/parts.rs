//! One that is asked by a gather: a call with a receiver of its own.
//!
//! Floor: broker.

use super::calls::{Aim, Call, Caller, State};
use super::gathers::{PartEnd, PartRef};
use super::registrations::Role;
use super::{Broker, Effect, SessionKey};
use crate::base::{Asked, Kind, Message, Time};

impl Broker {
    /// A part of a gather goes to one instance, or to the instance's own line.
    pub(super) fn ask_instance(&mut self, key: usize, part: PartRef, message: &Message) {
        let Role::Service(service) = self.registrations[key].role else { return };
        let Some(token) = self.part_call(part, Aim::Instance(service), message) else { return };
        self.services[service].calls += 1;
        let is_next = self.registrations[key].own.is_empty() && self.takes_request(key);
        if is_next {
            return self.give_own(service, key, token);
        }
        let most = self.services[service].line_max;
        let own = &mut self.registrations[key].own;
        if own.len() >= most {
            own.retain(|token| self.calls.get(*token).is_some());
        }
        if own.len() < most {
            return own.push_back(token);
        }
        self.calls.remove(token);
        self.left_service(service);
        self.part_ended(part, PartEnd::Missing(Kind::Busy, false));
    }

    /// A part of a gather goes out with a message of a topic.
    pub(super) fn ask_subscriber(&mut self, part: PartRef) -> Option<Asked> {
        let token = self.part_call(part, Aim::Subscriber, &Message::default())?;
        Some(Asked { token, deadline: self.part_deadline(part) })
    }

    fn part_call(&mut self, part: PartRef, aim: Aim, message: &Message) -> Option<u64> {
        let call = Call {
            aim,
            caller: Some(Caller::Part(part)),
            deadline: self.part_deadline(part),
            timer: None,
            message: message.clone(),
            state: State::Waiting,
        };
        match self.calls.insert(call) {
            Ok(token) => {
                self.note_part_call(part, token);
                Some(token)
            }
            // The hub has as many calls open as it may.
            Err(_) => {
                self.part_ended(part, PartEnd::Missing(Kind::Busy, false));
                None
            }
        }
    }

    fn give_own(&mut self, service: usize, key: usize, token: u64) {
        let Some(call) = self.calls.get(token) else { return };
        let message = call.message.clone();
        let was_ready = self.registrations[key].ready;
        let (_, ready) = self.give(key, token, message);
        self.registrations[key].served_own = true;
        if was_ready && !ready {
            self.services[service].ready.retain(|other| *other != key);
        }
    }

    /// Gives an instance what waits for it alone. While calls wait in the service's line, too, the
    /// two take turns, unless `all` is wanted.
    pub(super) fn give_own_line(&mut self, service: usize, key: usize, all: bool) {
        while self.takes_request(key)
            && (all || !self.registrations[key].served_own || self.services[service].waiting == 0)
            && let Some(token) = self.registrations[key].own.pop_front()
        {
            self.give_own(service, key, token);
        }
    }

    /// A subscriber is sent what it is asked; `None` if nobody waits for its answer any more.
    pub(super) fn asked_sent(&mut self, session: SessionKey, asked: Asked) -> Option<Asked> {
        let call = self.calls.get_mut(asked.token)?;
        call.state = State::Running { session, registration: None };
        self.sessions[session].requests += 1;
        Some(asked)
    }

    /// What was to be asked waited for its receiver, and never gets there.
    pub(super) fn part_undelivered(&mut self, token: u64, kind: Kind) {
        let Some(call) = self.calls.remove(token) else { return };
        if let Some(service) = call.aim.service() {
            self.left_service(service);
        }
        if let Some(Caller::Part(part)) = call.caller {
            self.part_ended(part, PartEnd::Missing(kind, false));
        }
    }

    /// A gather has ended before one that was asked; true if that may have run.
    pub(super) fn drop_part(&mut self, token: u64) -> bool {
        let Some(call) = self.calls.get_mut(token) else { return false };
        match (call.aim, &call.state) {
            (Aim::Subscriber, State::Running { session, .. }) => {
                let session = *session;
                self.calls.remove(token);
                self.sessions[session].requests -= 1;
                if self.sessions[session].linked() {
                    self.effects.push_back(Effect::Withdraw { session, request: token });
                }
                true
            }
            // The message still goes there.
            (Aim::Subscriber, State::Waiting) => {
                self.calls.remove(token);
                true
            }
            (_, State::Running { .. }) => {
                call.caller = None;
                self.withdraw(token, None);
                true
            }
            (aim, State::Waiting) => {
                self.calls.remove(token);
                aim.service().into_iter().for_each(|service| self.left_service(service));
                false
            }
        }
    }

    /// One that was asked by a gather will not answer. False if the call is no part of one.
    pub(super) fn part_missing(&mut self, now: Time, token: u64, kind: Kind, maybe: bool) -> bool {
        let Some(Caller::Part(part)) = self.calls.get(token).and_then(|call| call.caller) else {
            return false;
        };
        if let Some(call) = self.calls.remove(token) {
            self.part_ended(part, PartEnd::Missing(kind, maybe));
            self.left_call(now, &call);
        }
        true
    }
}
