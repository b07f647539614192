//! The connection: made, greeted, lost, made again.
//!
//! Floor: client.

use super::{Client, Due};
use crate::base::timers::TimerKey;
use crate::base::{Error, HubInfo, Id, Kind, Notice, Outcome, Time, What, limits};
use crate::wire::{self, Clock, Frame, HeldKind, Hello, Welcome};

/// What the reactor is to do with the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Make a connection; then `handle_connected`, or `handle_disconnected` with the reason.
    Connect,
    /// Write what is in the outbox, as far as that goes without waiting, and drop the connection.
    /// (No `handle_disconnected` follows.)
    Disconnect,
}

#[derive(Debug)]
pub(super) enum State {
    /// Nobody has asked for a connection yet.
    Idle,
    /// A pause before the next attempt.
    Waiting,
    /// The reactor is at it.
    Connecting,
    /// The greeting was sent.
    Greeting(TimerKey),
    /// The hub has answered it.
    Open,
    /// For good.
    Closed,
}

#[derive(Debug)]
pub(super) struct Opening {
    id: Id,
    user: u64,
    timer: Option<TimerKey>,
    /// Why it has not succeeded yet.
    reason: String,
    /// A hub was reached but did not answer.
    unanswered: bool,
}

/// Entries in one `Held` frame, well below the largest frame.
const HELD_CHUNK: usize = 8_192;

impl Client {
    /// Reaches the hub; the ticket ends when it is reached or `deadline` has passed.
    pub fn open(&mut self, _now: Time, id: Id, user: u64, deadline: Option<Time>) {
        let timer = deadline.map(|at| self.timers.insert(at, Due::Open));
        let reason = String::from("no attempt has ended yet");
        self.opening = Some(Opening { id, user, timer, reason, unanswered: false });
        self.link = State::Connecting;
        self.links.push_back(Link::Connect);
    }

    /// A connection has been made.
    pub fn handle_connected(&mut self, now: Time) {
        if !matches!(self.link, State::Connecting) {
            return;
        }
        let greeting_due = now.plus_ms(limits::HANDSHAKE_TIMEOUT_MS);
        self.link = State::Greeting(self.timers.insert(greeting_due, Due::Greeting));
        self.clock_shared = false;
        let known = self.hub.unwrap_or_default();
        let hello = Hello {
            versions: (wire::VERSION, wire::VERSION),
            features: 0,
            session_id: known.session_id,
            token: self.token,
            hub_id: known.hub_id,
            epoch: known.epoch,
            clock: self.config.clock,
            received: self.received,
        };
        self.outbox.push(&Frame::Hello(Box::new(hello)), Clock { shared: false, now });
        self.received_told = self.received;
        self.received_bytes = 0;
    }

    /// There is no connection (any more), and why.
    pub fn handle_disconnected(&mut self, now: Time, reason: &str) {
        self.inbox.clear();
        self.outbox.clear();
        self.names.clear();
        match std::mem::replace(&mut self.link, State::Waiting) {
            State::Closed => return self.link = State::Closed,
            State::Idle => return self.link = State::Idle,
            State::Waiting => return,
            State::Greeting(timer) => {
                self.timers.remove(timer);
            }
            State::Open => self.notice(Notice::Disconnected { reason: reason.to_owned() }),
            State::Connecting => {}
        }
        if let Some(opening) = &mut self.opening {
            reason.clone_into(&mut opening.reason);
        }
        let pause_us = self.backoff.next_us();
        let at = now.plus(std::time::Duration::from_micros(pause_us));
        self.timers.insert(at, Due::Connect);
    }

    pub(super) fn connect_due(&mut self) {
        if matches!(self.link, State::Waiting) {
            self.link = State::Connecting;
            self.links.push_back(Link::Connect);
        }
    }

    pub(super) fn greeting_due(&mut self, now: Time) {
        if !matches!(self.link, State::Greeting(_)) {
            return;
        }
        self.link = State::Connecting;
        if let Some(opening) = &mut self.opening {
            opening.unanswered = true;
        }
        let limit = limits::HANDSHAKE_TIMEOUT_MS;
        self.drop_link(now, &format!("the hub did not answer the greeting within {limit} ms"));
    }

    /// Ends the connection from this side.
    pub(super) fn drop_link(&mut self, now: Time, reason: &str) {
        self.links.push_back(Link::Disconnect);
        self.handle_disconnected(now, reason);
    }

    pub(super) fn open_due(&mut self) {
        let Some(opening) = &mut self.opening else {
            return;
        };
        opening.timer = None;
        let unanswered = opening.unanswered || matches!(self.link, State::Greeting(_));
        let detail = format!("{} was not reached in time: {}", self.config.url, opening.reason);
        let (id, user) = (opening.id, opening.user);
        if unanswered {
            self.opening = None;
            let error = Error::new(Kind::HostUnresponsive, detail.clone());
            self.done(id, user, Err(error));
        }
        // Nothing else that was started has left this handle.
        self.fail(&Error::new(Kind::NoHost, detail));
        self.links.push_back(Link::Disconnect);
    }

    /// The hub's greeting.
    pub(super) fn handle_welcome(&mut self, now: Time, welcome: &Welcome) {
        let State::Greeting(timer) = self.link else {
            return self.drop_link(now, "the hub greeted twice");
        };
        self.timers.remove(timer);
        if welcome.authentication != 0 || welcome.version != wire::VERSION {
            let detail = format!(
                "the hub speaks version {} and wants authentication {}; this program speaks \
                 version {} and knows none",
                welcome.version,
                welcome.authentication,
                wire::VERSION
            );
            self.fail(&Error::new(Kind::Unsupported, detail));
            return self.links.push_back(Link::Disconnect);
        }
        if let Some(known) = self.hub
            && known.hub_id == welcome.hub_id
            && known.epoch > welcome.epoch
        {
            let detail = format!(
                "the host has epoch {}, and the hub has been at {} already",
                welcome.epoch, known.epoch
            );
            return self.drop_link(now, &detail);
        }
        self.link = State::Open;
        self.clock_shared = welcome.clock_shared;
        self.backoff.reset();
        let before = self.hub.replace(HubInfo {
            hub_id: welcome.hub_id,
            epoch: welcome.epoch,
            session_id: welcome.session_id,
            memory_only: welcome.memory_only,
        });
        self.token = welcome.token;
        match before {
            Some(before) if welcome.resumed && before.epoch == welcome.epoch => {
                self.resume(now, welcome.answered);
            }
            Some(_) if welcome.resumed => self.resume_elsewhere(now, welcome.memory_lost),
            before => self.begin_session(now, before, welcome.memory_lost),
        }
        self.write_waiting(now);
        self.flush(now);
        if let (Some(opening), Some(hub)) = (self.opening.take(), self.hub) {
            if let Some(timer) = opening.timer {
                self.timers.remove(timer);
            }
            self.done(opening.id, opening.user, Ok(Outcome::Opened(hub)));
        }
    }

    /// The same session, over a new connection.
    fn resume(&mut self, now: Time, answered: u64) {
        self.answers_arrived(answered);
        let mut requests: Vec<u64> = self.requests.keys().copied().collect();
        requests.extend(self.answers.requests());
        requests.sort_unstable();
        self.say_again(now, &requests);
        self.notice(Notice::Resumed);
    }

    /// The same session, with another host. It knows what was written down: deliveries, and what
    /// has become of changes. Calls and requests were the old host's own.
    fn resume_elsewhere(&mut self, now: Time, memory_lost: bool) {
        let Some(hub) = self.hub else { return };
        let error = host_lost(hub.epoch);
        self.forget_counts();
        self.notice(Notice::HubChanged { epoch: hub.epoch, memory_lost });
        // What is written in the meantime would come before what is said here.
        self.link = State::Connecting;
        self.withdraw_all();
        self.drop_answers(&error);
        self.end_calls(now, &error);
        self.link = State::Open;
        self.say_again(now, &[]);
    }

    fn forget_counts(&mut self) {
        self.received = 0;
        self.received_told = 0;
        self.received_bytes = 0;
    }

    /// Says what the program holds and has open, and everything that has no verdict yet.
    fn say_again(&mut self, now: Time, requests: &[u64]) {
        self.write_held(now, HeldKind::Deliveries, &self.held.tokens());
        self.write_held(now, HeldKind::Requests, requests);
        let mut open = self.written_tickets();
        open.extend(self.registered());
        self.write_held(now, HeldKind::Open, &open);
        let last = Frame::Held { last: true, what: HeldKind::Open, tokens: Vec::new() };
        self.push(now, &last);
        self.register_again(now);
        self.answer_again(now);
        self.write_again(now);
    }

    fn write_held(&mut self, now: Time, what: HeldKind, tokens: &[u64]) {
        for chunk in tokens.chunks(HELD_CHUNK) {
            self.push(now, &Frame::Held { last: false, what, tokens: chunk.to_vec() });
        }
    }

    /// A new session; whatever an earlier one had at the hub is gone.
    fn begin_session(&mut self, now: Time, before: Option<HubInfo>, lost_with_host: bool) {
        self.forget_counts();
        if let (Some(before), Some(hub)) = (before, self.hub) {
            let is_other = (before.hub_id, before.epoch) != (hub.hub_id, hub.epoch);
            let error = if is_other {
                host_lost(hub.epoch)
            } else {
                let detail = "the hub has ended the session: its connection was broken too long";
                Error::new(Kind::HostLost, detail)
            };
            // A hub without a directory has nothing else than its memory.
            let memory_lost = is_other && (lost_with_host || hub.memory_only);
            self.notice(Notice::HubChanged { epoch: hub.epoch, memory_lost });
            self.held.clear();
            self.withdraw_all();
            self.drop_answers(&error);
            // The rest is written in order once everything of the old session is gone.
            self.link = State::Connecting;
            self.end_written(now, &error);
            self.link = State::Open;
        }
        self.register_again(now);
    }

    /// Everything ends with this error, for good.
    pub(super) fn end_everything(&mut self, error: &Error) {
        if let State::Greeting(timer) = std::mem::replace(&mut self.link, State::Closed) {
            self.timers.remove(timer);
        }
        if let Some(opening) = self.opening.take() {
            if let Some(timer) = opening.timer {
                self.timers.remove(timer);
            }
            self.done(opening.id, opening.user, Err(error.clone().executed(false)));
        }
        self.end_all(error);
        self.drop_answers(error);
        self.requests.clear();
        self.held.clear();
        for id in self.registered() {
            self.registration_failed(id, &error.clone().executed(false));
        }
    }

    /// Requests of an earlier session: nobody waits for them.
    fn withdraw_all(&mut self) {
        let waited = self.requests.drain().filter(|(_, handling)| !handling.withdrawn);
        let mut requests: Vec<(u64, Id)> = waited.map(|(token, h)| (token, h.service)).collect();
        requests.sort_unstable();
        for (request, id) in requests {
            let Some(registration) = self.registrations.get(&id) else {
                continue;
            };
            let event = crate::base::Event {
                id,
                user: registration.user,
                what: What::Withdrawn { request },
            };
            self.events.push_back(event);
        }
    }
}

fn host_lost(epoch: u64) -> Error {
    let detail = format!("another host, of epoch {epoch}, has taken over the hub");
    Error::new(Kind::HostLost, detail)
}
