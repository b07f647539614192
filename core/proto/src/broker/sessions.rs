//! Sessions: one handle's lasting relation with the hub.
//!
//! A session is *linked* while a connection carries it, and *present* once the program has said
//! what it still holds; only then is anything new handed to it.
//!
//! Floor: broker.

use std::collections::VecDeque;
use std::ops::{Index, IndexMut};

use slab::Slab;

use super::kept::Kept;
use super::log::{Level, SessionRef, Staged};
use super::sends::ChangeRef;
use super::{Broker, Due, Map, Set};
use crate::base::record::{AppendedBatch, Process, Receipts, Record, SessionState};
use crate::base::sequence::Marks;
use crate::base::timers::TimerKey;
use crate::base::{Appended, Durability, Error, Kind, Outcome, Receipt, Time, limits};

/// Names a session while it lasts; used again after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionKey(pub(super) usize);

impl SessionKey {
    /// A small number, for tables.
    pub fn index(self) -> usize {
        self.0
    }
}

/// Names a session for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(pub u64);

/// What becomes of a session whose connection broke without a goodbye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linger {
    /// It ends now, as after a goodbye.
    Ended,
    /// Its process is gone without a goodbye: it ends now, and what it held is suspect.
    Died,
    /// It ends after the grace time unless it resumes.
    Grace,
    /// It lasts until its process is known to be gone.
    Process,
}

/// What a hub remembers of a change that may be repeated.
#[derive(Clone, Debug)]
pub(super) enum Marked {
    /// It waits for room.
    Pending,
    /// It is written down, and not safe enough yet to be told of.
    Logged(Done),
    /// It was told of.
    Done(Done),
}

/// The outcome of a change.
#[derive(Clone, Debug)]
pub(super) enum Done {
    Empty,
    Receipt(Receipt),
    Count(u64),
    Receipts(Receipts),
    Appended(AppendedBatch),
    /// A publish, stored with this durability.
    Stored(Durability),
}

impl From<Done> for Outcome {
    fn from(done: Done) -> Outcome {
        match done {
            Done::Empty | Done::Stored(_) => Outcome::Empty,
            Done::Receipt(receipt) => Outcome::Receipt(receipt),
            Done::Count(count) => Outcome::Count(count),
            Done::Receipts(receipts) => Outcome::Receipts(receipts.each()),
            Done::Appended(AppendedBatch { partition, base, durability }) => {
                Outcome::Appended(Appended { partition, offset: base, durability })
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Confirmation {
    pub change: ChangeRef,
    pub outcome: Done,
}

/// What a ticket that is no change stands for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ticket {
    Call(u64),
    Gather(u64),
    Receive(usize),
    /// A receive whose message is held.
    Received,
    /// A send or publish that waits for room.
    Send(u64),
    /// An append or a batch that waits for the disk.
    Disk(u64),
}

#[derive(Debug)]
pub(super) struct Session {
    pub id: SessionId,
    pub token: [u8; 16],
    /// Its program is on the hub's machine.
    pub local: bool,
    pub process: Option<Process>,
    linked: bool,
    present: bool,
    congested: bool,
    /// It holds a suspect message, and is to hold nothing else.
    pub alone: bool,
    pub grace: Option<TimerKey>,
    pub marks: Marks<Marked>,
    pub tickets: Map<u64, Ticket>,
    pub registrations: Map<u64, usize>,
    /// Deliveries held.
    pub held: Set<u64>,
    /// Requests being handled. Which they are, the calls know.
    pub requests: usize,
    /// Sends that wait for room.
    pub sends_waiting: usize,
    /// Gathers that are open.
    pub gathers: usize,
    /// Bytes of published messages that its connection is still to be given.
    pub outgoing: u64,
    /// Answers that have arrived.
    pub answered: u64,
    pub kept: VecDeque<(u64, Kept)>,
    pub kept_first: u64,
    /// Tickets, consumers, services and subscribers known here that are open for the resuming
    /// program: it repeats each of them once, perhaps after they have ended here.
    pub repeated: Set<u64>,
}

impl Session {
    fn new(id: SessionId, token: [u8; 16]) -> Session {
        Session {
            id,
            token,
            local: false,
            process: None,
            linked: true,
            present: true,
            congested: false,
            alone: false,
            grace: None,
            marks: Marks::default(),
            tickets: Map::default(),
            registrations: Map::default(),
            held: Set::default(),
            requests: 0,
            sends_waiting: 0,
            gathers: 0,
            outgoing: 0,
            answered: 0,
            kept: VecDeque::new(),
            kept_first: 0,
            repeated: Set::default(),
        }
    }

    /// A connection carries it.
    pub fn linked(&self) -> bool {
        self.linked
    }

    /// A connection carries it, and the program has said what it has.
    pub fn present(&self) -> bool {
        self.present
    }

    /// Its connection is too slow for what it is sent.
    pub fn congested(&self) -> bool {
        self.congested
    }

    /// Something new may be handed to it.
    pub fn takes_more(&self) -> bool {
        self.present && !self.congested && !self.alone
    }
}

/// What a program still has of a session that it resumes.
#[derive(Debug, Default)]
pub struct Resumed {
    /// Deliveries that it holds.
    pub deliveries: Set<u64>,
    /// Requests that it handles, or whose answers are on their way.
    pub requests: Set<u64>,
    /// Tickets, consumers, services and subscribers that are open; others were cancelled or
    /// stopped.
    pub open: Set<u64>,
}

#[derive(Debug)]
pub(super) struct Sessions {
    slab: Slab<Session>,
    by_id: Map<SessionId, SessionKey>,
    next_id: u64,
    /// Results kept for all of them.
    pub kept: usize,
    /// Bytes of answers among these.
    pub kept_bytes: u64,
}

impl Sessions {
    pub fn new(epoch: u64) -> Sessions {
        Sessions {
            slab: Slab::new(),
            by_id: Map::default(),
            next_id: (epoch << 32) + 1,
            kept: 0,
            kept_bytes: 0,
        }
    }

    pub fn get_mut(&mut self, session: SessionRef) -> Option<&mut Session> {
        self.slab.get_mut(session.key.0).filter(|found| found.id == session.id)
    }

    /// The session that has this key by now.
    pub fn at(&mut self, key: SessionKey) -> Option<&mut Session> {
        self.slab.get_mut(key.0)
    }

    /// Every session, in order.
    pub fn keys(&self) -> Vec<SessionKey> {
        self.slab.iter().map(|(key, _)| SessionKey(key)).collect()
    }

    /// A session that an earlier host had; nothing carries it yet.
    pub fn restore(&mut self, state: &SessionState) -> SessionKey {
        let mut session = Session::new(SessionId(state.id), state.token);
        (session.local, session.process) = (state.local, state.process);
        (session.linked, session.present) = (false, false);
        let key = SessionKey(self.slab.insert(session));
        self.by_id.insert(SessionId(state.id), key);
        key
    }

    pub fn reference(&self, key: SessionKey) -> SessionRef {
        SessionRef { key, id: self[key].id }
    }
}

impl Index<SessionKey> for Sessions {
    type Output = Session;

    fn index(&self, key: SessionKey) -> &Session {
        &self.slab[key.0]
    }
}

impl IndexMut<SessionKey> for Sessions {
    fn index_mut(&mut self, key: SessionKey) -> &mut Session {
        &mut self.slab[key.0]
    }
}

impl Broker {
    /// A new session, carried by a connection from the start; an effect says when it may be
    /// greeted.
    ///
    /// # Errors
    ///
    /// `BUSY` if the hub has as many as it may.
    pub fn start_session(
        &mut self,
        now: Time,
        token: [u8; 16],
        local: bool,
        process: Option<Process>,
    ) -> Result<SessionKey, Error> {
        if self.sessions.slab.len() >= limits::SESSIONS_MAX {
            let detail = format!("the hub has {} sessions, its limit", limits::SESSIONS_MAX);
            return Err(Error::new(Kind::Busy, detail));
        }
        let id = SessionId(self.sessions.next_id);
        self.sessions.next_id += 1;
        let mut session = Session::new(id, token);
        (session.local, session.process) = (local, process);
        let key = SessionKey(self.sessions.slab.insert(session));
        self.sessions.by_id.insert(id, key);
        let mut level = Level::Now;
        if self.log.is_on {
            level = Level::Written;
            let state = Box::new(self.session_state(key));
            self.write(level, Record::Session(state));
        }
        let reference = self.sessions.reference(key);
        self.stage(now, level, Staged::Welcome(reference));
        Ok(key)
    }

    /// The session with this id, if the token is its own.
    pub fn find_session(&self, id: SessionId, token: &[u8; 16]) -> Option<SessionKey> {
        let key = *self.sessions.by_id.get(&id)?;
        (self.sessions[key].token == *token).then_some(key)
    }

    /// The session with this id.
    pub fn session_by_id(&self, id: SessionId) -> Option<SessionKey> {
        self.sessions.by_id.get(&id).copied()
    }

    /// What the session's program proves itself with.
    pub fn session_token(&self, key: SessionKey) -> [u8; 16] {
        self.sessions[key].token
    }

    /// The session's id.
    pub fn session_id(&self, key: SessionKey) -> SessionId {
        self.sessions[key].id
    }

    /// Answers that have arrived from the session.
    pub fn answered(&self, key: SessionKey) -> u64 {
        self.sessions[key].answered
    }

    /// A connection carries the session again; `received` counted results have arrived.
    ///
    /// Nothing new is handed to it until `handle_resumed`.
    pub fn resume(&mut self, key: SessionKey, received: u64) {
        self.handle_received(key, received);
        self.await_subscribers(key);
        let session = &mut self.sessions[key];
        session.linked = true;
        session.present = false;
        session.congested = false;
        for (ticket, kept) in &session.kept {
            self.effects.push_back(kept.clone().effect(key, *ticket));
        }
        if let Some(timer) = session.grace.take() {
            self.timers.remove(timer);
        }
    }

    /// What the program still has: deliveries, requests and open ids. Whatever else it was
    /// handed did not arrive and is handed out again; whatever else it asked for was cancelled.
    pub fn handle_resumed(&mut self, now: Time, key: SessionKey, resumed: Resumed) {
        let Resumed { deliveries, requests, open } = resumed;
        let tickets = self.sessions[key].tickets.keys().copied();
        for ticket in sorted(tickets.filter(|ticket| !open.contains(ticket))) {
            self.cancel(now, key, ticket);
        }
        let registrations = self.sessions[key].registrations.keys().copied();
        for id in sorted(registrations.filter(|id| !open.contains(id))) {
            self.stop(key, id);
        }
        let session = &mut self.sessions[key];
        let kept: Set<u64> = session.kept.iter().map(|(ticket, _)| *ticket).collect();
        let known = |id: &u64| {
            session.tickets.contains_key(id)
                || session.registrations.contains_key(id)
                || kept.contains(id)
        };
        session.repeated = open.into_iter().filter(known).collect();
        session.present = true;
        self.deliver_again(now, key, &deliveries);
        self.request_again(now, key, &requests);
        self.offer_all(now, key);
        self.look_for_claims(now);
    }

    /// The session's connection is too slow for what it is sent, or has caught up.
    pub fn handle_congestion(&mut self, now: Time, key: SessionKey, congested: bool) {
        self.sessions[key].congested = congested;
        if !congested {
            self.offer_all(now, key);
        }
    }

    /// The session's connection broke. True if the session is still there.
    pub fn handle_unlinked(&mut self, now: Time, key: SessionKey, linger: Linger) -> bool {
        let session = &mut self.sessions[key];
        session.linked = false;
        session.present = false;
        match linger {
            Linger::Ended => self.end_session(now, key, false),
            Linger::Died => self.end_session(now, key, true),
            Linger::Process => {}
            Linger::Grace => {
                let deadline = now.plus_ms(self.config.session_grace_ms);
                let timer = self.timers.insert(deadline, Due::Session(key));
                self.sessions[key].grace = Some(timer);
            }
        }
        !matches!(linger, Linger::Ended | Linger::Died)
    }

    pub(super) fn session_expired(&mut self, now: Time, key: SessionKey) {
        self.sessions[key].grace = None;
        self.end_session(now, key, false);
    }

    /// The session ends: what it held goes back, what it waited for is dropped. `died`: its process
    /// is gone without a goodbye, so that what it held is suspect.
    pub fn end_session(&mut self, now: Time, key: SessionKey, died: bool) {
        let session = &mut self.sessions[key];
        session.linked = false;
        session.present = false;
        if let Some(timer) = session.grace.take() {
            self.timers.remove(timer);
        }
        let id = session.id;
        let tickets = std::mem::take(&mut session.tickets);
        let registrations = std::mem::take(&mut session.registrations);
        let held = session.held.clone();
        // In a fixed order, so that the same history always goes on in the same way.
        let requests = self.requests_of(key);
        let held = sorted(held);
        for token in &requests {
            self.calls.get_mut(*token).into_iter().for_each(|call| call.forget_registration(None));
        }
        for token in &held {
            self.held.get_mut(*token).into_iter().for_each(|held| held.forget_registration(None));
        }
        for key in sorted(registrations.into_values()) {
            self.remove_registration(key);
        }
        let mut tickets: Vec<(u64, Ticket)> = tickets.into_iter().collect();
        tickets.sort_unstable_by_key(|(ticket, _)| *ticket);
        for (_, ticket) in tickets {
            match ticket {
                Ticket::Call(token) => self.caller_left(token),
                Ticket::Gather(token) => self.drop_gather(token),
                Ticket::Receive(receive) => {
                    self.remove_receive(receive);
                }
                Ticket::Send(token) => self.drop_waiting_send(now, token),
                Ticket::Disk(token) => self.drop_disk_wait(token),
                Ticket::Received => {}
            }
        }
        requests.into_iter().for_each(|token| self.handler_left(now, token));
        self.put_back(now, &held, died);
        self.forget_peeks(key);
        if self.log.is_on {
            self.write(Level::Written, Record::SessionGone { session: id.0 });
        }
        self.sessions.by_id.remove(&id);
        let session = self.sessions.slab.remove(key.0);
        self.sessions.kept -= session.kept.len();
        let bytes: u64 = session.kept.iter().map(|(_, kept)| kept.answer_size()).sum();
        self.sessions.kept_bytes -= bytes;
        self.look_for_claims(now);
    }

    /// True if the program repeats a ticket that the hub knows already.
    pub(super) fn is_repeat(&mut self, key: SessionKey, ticket: u64) -> bool {
        let session = &mut self.sessions[key];
        session.repeated.remove(&ticket) || session.tickets.contains_key(&ticket)
    }
}

pub(super) fn sorted<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut sorted: Vec<T> = items.into_iter().collect();
    sorted.sort_unstable();
    sorted
}
