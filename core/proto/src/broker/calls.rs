//! Calls: requests to services.
//!
//! ```text
//! call -> waiting in line -> running at an instance -> answered
//!             | expired          | timed out, cancelled, caller gone: withdrawn, but the
//!             v                  v   slot stays taken until the handler answers or lets go
//! ```
//!
//! Floor: broker.

use super::gathers::{PartEnd, PartRef};
use super::sessions::Ticket;
use super::{Broker, Due, Effect, NameId, SessionKey, Set};
use crate::base::timers::TimerKey;
use crate::base::{Error, Kind, Message, Outcome, Reply, Request, Time, limits};

#[derive(Debug)]
pub(super) struct Call {
    pub aim: Aim,
    /// Who waits for the reply, if anybody still does.
    pub caller: Option<Caller>,
    pub deadline: Option<Time>,
    pub timer: Option<TimerKey>,
    /// Kept so that it can be handed out again after a broken connection.
    pub message: Message,
    pub state: State,
}

/// Who is to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// Any instance of the service.
    Service(usize),
    /// One instance of the service.
    Instance(usize),
    /// One subscriber; of a message that waits for it the call is waiting, too.
    Subscriber,
}

impl Aim {
    pub fn service(self) -> Option<usize> {
        match self {
            Aim::Service(service) | Aim::Instance(service) => Some(service),
            Aim::Subscriber => None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Caller {
    Ticket(SessionKey, u64),
    Part(PartRef),
}

#[derive(Debug)]
pub(super) enum State {
    Waiting,
    Running { session: SessionKey, registration: Option<usize> },
}

impl Call {
    fn runs_at(&self, at: SessionKey) -> bool {
        matches!(self.state, State::Running { session, .. } if session == at)
    }

    /// The call no longer counts against `key`, or against any registration.
    pub fn forget_registration(&mut self, key: Option<usize>) {
        if let State::Running { registration, .. } = &mut self.state
            && (key.is_none() || *registration == key)
        {
            *registration = None;
        }
    }
}

impl Broker {
    /// A request to a service; ends with exactly one counted result.
    pub fn call(
        &mut self,
        now: Time,
        caller: (SessionKey, u64),
        name: NameId,
        deadline: Option<Time>,
        message: Message,
    ) {
        let (session, ticket) = caller;
        if self.is_repeat(session, ticket) {
            return;
        }
        if let Err(error) = self.admit_call(now, session, name, deadline) {
            return self.call_result(session, ticket, Err(error));
        }
        let service = self.service_of(name);
        let call = Call {
            aim: Aim::Service(service),
            caller: Some(Caller::Ticket(session, ticket)),
            deadline,
            timer: None,
            message: self.kept_request(&message),
            state: State::Waiting,
        };
        let Ok(token) = self.calls.insert(call) else {
            let error = Error::new(Kind::Busy, "the hub has 16,777,216 calls open, its limit");
            return self.call_result(session, ticket, Err(error));
        };
        self.services[service].calls += 1;
        if let Some(at) = deadline {
            let timer = self.timers.insert(at, Due::Call(token));
            self.calls.get_mut(token).expect("inserted above").timer = Some(timer);
        }
        self.sessions[session].tickets.insert(ticket, Ticket::Call(token));
        if self.services[service].waiting == 0
            && let Some(key) = self.next_ready(service)
        {
            return self.hand_over(key, token, message);
        }
        self.services[service].line.push_back(token);
        self.services[service].waiting += 1;
    }

    /// The message as the call keeps it. Few of them may share their read buffers, so that the
    /// usual call costs no copy; of many each has its own, so that none holds on to a large buffer.
    pub(super) fn kept_request(&self, message: &Message) -> Message {
        match self.calls.len() < limits::CALLS_SHARING_MAX {
            true => message.clone(),
            false => message.to_stored(),
        }
    }

    fn admit_call(
        &self,
        now: Time,
        session: SessionKey,
        name: NameId,
        deadline: Option<Time>,
    ) -> Result<(), Error> {
        let text = self.names.name(name);
        if deadline.is_some_and(|at| at <= now) {
            return Err(Error::new(Kind::Expired, "the time ran out on the way to the hub"));
        }
        if self.kept_full(session) {
            let detail = "the session has not said that its replies arrived";
            return Err(Error::new(Kind::Busy, detail));
        }
        let service = self.names.service(name).map(|key| &self.services[key]);
        let Some(service) = service.filter(|s| !s.instances.is_empty() || self.recovering) else {
            if self.recovering {
                return Ok(());
            }
            let detail = format!("no instance serves {text:?}");
            return Err(Error::new(Kind::NoService, detail));
        };
        if service.ready.is_empty() && service.waiting >= service.line_max {
            let detail = format!(
                "{} requests wait for {text:?}, and its line holds {}",
                service.waiting, service.line_max
            );
            return Err(Error::new(Kind::Busy, detail));
        }
        Ok(())
    }

    /// Hands waiting calls to instances that can take more.
    pub(super) fn dispatch(&mut self, now: Time, service: usize) {
        while let Some(key) = self.next_ready(service) {
            let Some((token, message)) = self.next_waiting(now, service) else {
                return;
            };
            self.hand_over(key, token, message);
        }
    }

    /// Hands a call to the instance at the front of its service's ready line.
    fn hand_over(&mut self, key: usize, token: u64, message: Message) {
        let (service, ready) = self.give(key, token, message);
        self.registrations[key].served_own = false;
        let instances = &mut self.services[service].ready;
        instances.pop_front();
        if ready {
            instances.push_back(key);
        }
    }

    /// Gives a call to an instance; says whether that can take more.
    pub(super) fn give(&mut self, key: usize, token: u64, message: Message) -> (usize, bool) {
        let registration = &mut self.registrations[key];
        registration.used += 1;
        registration.ready &= registration.used < registration.credit;
        let (session, id, ready) = (registration.session, registration.id, registration.ready);
        self.sessions[session].requests += 1;
        let call = self.calls.get_mut(token).expect("handed over while it waits");
        call.state = State::Running { session, registration: Some(key) };
        let request = Request { token, deadline: call.deadline, message };
        self.effects.push_back(Effect::Request { session, id, request });
        (call.aim.service().unwrap_or_default(), ready)
    }

    pub(super) fn takes_request(&self, key: usize) -> bool {
        let registration = &self.registrations[key];
        registration.used < registration.credit && self.sessions[registration.session].takes_more()
    }

    /// A call that was removed no longer takes a slot, or keeps its service.
    pub(super) fn left_call(&mut self, now: Time, call: &Call) {
        if let State::Running { registration, .. } = call.state {
            self.release_use(now, registration);
        }
        if let Some(service) = call.aim.service() {
            self.left_service(service);
        }
    }

    /// The front of the ready line, past those whose session cannot take more just now.
    fn next_ready(&mut self, service: usize) -> Option<usize> {
        loop {
            let key = *self.services[service].ready.front()?;
            if self.sessions[self.registrations[key].session].takes_more() {
                return Some(key);
            }
            self.services[service].ready.pop_front();
            self.registrations[key].ready = false;
        }
    }

    fn next_waiting(&mut self, now: Time, service: usize) -> Option<(u64, Message)> {
        loop {
            let token = self.services[service].line.pop_front()?;
            let Some(call) = self.calls.get(token) else {
                continue;
            };
            if call.deadline.is_some_and(|at| at <= now) {
                self.call_expired(token);
                continue;
            }
            let message = call.message.clone();
            self.services[service].waiting -= 1;
            return Some((token, message));
        }
    }

    /// A handler's answer.
    ///
    /// # Errors
    ///
    /// `LEASE_LOST` if the session does not handle such a request.
    pub fn answer(
        &mut self,
        now: Time,
        session: SessionKey,
        token: u64,
        reply: Reply,
    ) -> Result<(), Error> {
        self.sessions[session].answered += 1;
        if !self.handles(session, token) {
            let detail = "the session does not handle this request (any more)";
            return Err(Error::new(Kind::LeaseLost, detail));
        }
        self.sessions[session].requests -= 1;
        match reply {
            Err(error) if error.kind() == Kind::Busy => self.decline(now, token),
            reply => self.finish_call(now, token, reply.map(Outcome::Reply)),
        }
        Ok(())
    }

    /// The instance has not run the request: it goes to the front of the line again.
    fn decline(&mut self, now: Time, token: u64) {
        if self.part_missing(now, token, Kind::Busy, false) {
            return;
        }
        let Some(call) = self.calls.get_mut(token) else {
            return;
        };
        let State::Running { registration, .. } = call.state else {
            return;
        };
        if call.caller.is_none() {
            let error = Error::new(Kind::Abandoned, "nobody waits for it");
            return self.finish_call(now, token, Err(error));
        }
        let Aim::Service(service) = call.aim else {
            let error = Error::new(Kind::Abandoned, "the handler let go of the request");
            return self.finish_call(now, token, Err(error));
        };
        call.state = State::Waiting;
        self.services[service].line.push_front(token);
        self.services[service].waiting += 1;
        self.release_use(now, registration);
        if self.services[service].instances.is_empty() && !self.recovering {
            return self.refuse_line(service);
        }
        self.dispatch(now, service);
    }

    /// The caller has its result, or none wants it any more.
    fn finish_call(&mut self, now: Time, token: u64, result: Result<Outcome, Error>) {
        let Some(call) = self.calls.remove(token) else {
            return;
        };
        if let Some(timer) = call.timer {
            self.timers.remove(timer);
        }
        match (call.caller, result) {
            (None, _) => {}
            (Some(Caller::Ticket(session, ticket)), result) => {
                self.call_result(session, ticket, result);
            }
            (Some(Caller::Part(part)), Ok(Outcome::Reply(message))) => {
                self.part_ended(part, PartEnd::Answer(Ok(message)));
            }
            (Some(Caller::Part(part)), result) => {
                let failed = Error::new(Kind::Internal, "no answer came of it");
                let error = result.err().unwrap_or(failed);
                self.part_ended(part, PartEnd::Answer(Err(error)));
            }
        }
        self.left_call(now, &call);
    }

    /// The call's time is over.
    pub(super) fn call_expired(&mut self, token: u64) {
        let Some(call) = self.calls.get_mut(token) else {
            return;
        };
        call.timer = None;
        if matches!(call.state, State::Running { .. }) {
            let error = Error::new(Kind::TimedOut, "the handler was running as the time ran out");
            return self.withdraw(token, Some(error));
        }
        let detail = "the time ran out while the request waited in line";
        self.drop_waiting(token, Some(Error::new(Kind::Expired, detail)));
    }

    /// The program cancelled a call, receive or send; its ticket has ended there already.
    pub fn cancel(&mut self, now: Time, session: SessionKey, ticket: u64) {
        let tickets = &mut self.sessions[session].tickets;
        match tickets.get(&ticket).copied() {
            // The message is on its way; its program will release it.
            None | Some(Ticket::Received) => {}
            Some(Ticket::Call(token)) => {
                tickets.remove(&ticket);
                self.caller_left(token);
            }
            Some(Ticket::Gather(token)) => {
                tickets.remove(&ticket);
                self.drop_gather(token);
            }
            Some(Ticket::Receive(receive)) => {
                tickets.remove(&ticket);
                self.remove_receive(receive);
            }
            Some(Ticket::Send(token)) => self.drop_waiting_send(now, token),
            Some(Ticket::Disk(token)) => self.drop_disk_wait(token),
        }
    }

    /// Nobody waits for the call any more.
    pub(super) fn caller_left(&mut self, token: u64) {
        let Some(call) = self.calls.get_mut(token) else {
            return;
        };
        match call.state {
            State::Running { .. } => {
                call.caller = None;
                self.withdraw(token, None);
            }
            State::Waiting => {
                call.caller = None;
                self.drop_waiting(token, None);
            }
        }
    }

    pub(super) fn drop_waiting(&mut self, token: u64, error: Option<Error>) {
        let Some(call) = self.calls.remove(token) else {
            return;
        };
        if let Some(timer) = call.timer {
            self.timers.remove(timer);
        }
        self.call_failed(call.caller, error);
        let Aim::Service(key) = call.aim else { return };
        let service = &mut self.services[key];
        service.waiting -= 1;
        if service.line.len() > 2 * service.waiting + 64 {
            service.line.retain(|token| self.calls.get(*token).is_some());
        }
        self.left_service(key);
    }

    fn call_failed(&mut self, caller: Option<Caller>, error: Option<Error>) {
        if let (Some(Caller::Ticket(session, ticket)), Some(error)) = (caller, error) {
            self.call_result(session, ticket, Err(error));
        }
    }

    /// Ends a running call for its caller; its slot is freed when the handler answers or lets go.
    pub(super) fn withdraw(&mut self, token: u64, error: Option<Error>) {
        let Some(call) = self.calls.get_mut(token) else {
            return;
        };
        let caller = call.caller.take();
        if let Some(timer) = call.timer.take() {
            self.timers.remove(timer);
        }
        call.message = Message::default();
        if let State::Running { session, .. } = call.state
            && self.sessions[session].linked()
        {
            self.effects.push_back(Effect::Withdraw { session, request: token });
        }
        self.call_failed(caller, error);
    }

    /// The session that ran the call has ended.
    pub(super) fn handler_left(&mut self, now: Time, token: u64) {
        if self.part_missing(now, token, Kind::Abandoned, true) {
            return;
        }
        let detail = "the session that handled the request ended without an answer";
        self.finish_call(now, token, Err(Error::new(Kind::Abandoned, detail)));
    }

    /// After a broken connection: requests that did not arrive are handed out again, and requests
    /// that nobody waits for any more are withdrawn.
    pub(super) fn request_again(&mut self, now: Time, session: SessionKey, arrived: &Set<u64>) {
        for token in self.requests_of(session) {
            let Some(call) = self.calls.get(token) else { continue };
            let State::Running { registration, .. } = call.state else { continue };
            match (arrived.contains(&token), call.caller.is_some()) {
                (true, true) => {}
                (true, false) => {
                    self.effects.push_back(Effect::Withdraw { session, request: token });
                }
                // What was on its way to a subscriber is lost.
                (false, true) if call.aim == Aim::Subscriber => {
                    self.sessions[session].requests -= 1;
                    self.part_missing(now, token, Kind::Lost, false);
                }
                (false, true) => {
                    let id = registration.map_or(0, |key| self.registrations[key].id);
                    let (deadline, message) = (call.deadline, call.message.clone());
                    let request = Request { token, deadline, message };
                    self.effects.push_back(Effect::Request { session, id, request });
                }
                // No handler has seen it, and none needs to any more.
                (false, false) => {
                    self.sessions[session].requests -= 1;
                    self.handler_left(now, token);
                }
            }
        }
    }

    /// True if the session handles this.
    pub fn handles(&self, session: SessionKey, token: u64) -> bool {
        self.calls.get(token).is_some_and(|call| call.runs_at(session))
    }

    /// Requests that a session handles, in order.
    pub(super) fn requests_of(&self, session: SessionKey) -> Vec<u64> {
        if self.sessions[session].requests == 0 {
            return Vec::new();
        }
        let running = self.calls.iter().filter(|(_, call)| call.runs_at(session));
        let mut running: Vec<u64> = running.map(|(token, _)| token).collect();
        running.sort_unstable();
        running
    }
}
