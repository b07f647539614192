//! A hub: the broker and a port for each connection, joined.
//!
//! Order of calls: append to `inbox(port)`, `handle_received`; then `poll_effect` until it is
//! empty, writing each `outbox` that it names; `handle_written` after writing. With a journal:
//! `flush` at the end of a turn, `poll_disk` until it is empty, `handle_disk` for what has come of
//! it.
//!
//! What never happens here: input and output, waiting, decisions about messages (the broker's) or
//! about bytes (the port's).
//!
//! Floor: imports `base`, `wire`, `port`, `broker` and `journal`.

mod disk;
mod effects;
mod frames;
mod streams;
mod topics;

use std::collections::VecDeque;

use bytes::BytesMut;
use slab::Slab;

use crate::base::record::Process;
use crate::base::timers::{TimerKey, Timers};
use crate::base::{Error, Time, limits};
use crate::broker::{Broker, NameId, Resumed, SessionKey};
use crate::journal::Journal;
use crate::port::Port;
use crate::wire::{Frame, Outbox};

pub use crate::broker::{Linger, SessionId};
pub use disk::{Beginning, DiskDone};

/// What a hub is told at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// The hub, for ever.
    pub hub_id: [u8; 16],
    /// What the checksums of its journal begin with; a copy of a hub keeps it.
    pub journal_id: [u8; 16],
    /// Rises with every host.
    pub epoch: u64,
    /// The epoch of the last host that got so far as to serve; of a directory.
    pub served: u64,
    /// The machine's boot id: programs with the same one share its monotonic clock.
    pub clock: [u8; 16],
    /// How long a remote session outlives its connection, in ms.
    pub session_grace_ms: u64,
    /// The time, in ms since 1970.
    pub time_ms: u64,
    /// For jitter.
    pub seed: u64,
    /// When segments change, and what stays in memory.
    pub sizes: limits::Sizes,
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A program on another machine, or one that may be.
    Remote,
    /// A program on this machine, with its process if it is known.
    Local(Option<Process>),
}

/// Names a connection while it lasts; used again after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PortId(pub usize);

/// What the reactor is to do with a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Its outbox has bytes to write.
    Transmit(PortId),
    /// Write what is in the outbox, as far as that goes within a second, then drop the connection;
    /// the port is to be removed by `handle_disconnected`.
    Close(PortId),
    /// Its outbox is too full: stop reading from it until `Resume`.
    Pause(PortId),
    /// Read from it again.
    Resume(PortId),
}

#[derive(Debug)]
struct Connection {
    port: Port<NameId>,
    session: Option<SessionKey>,
    peer: Peer,
    /// The boot id that the program has stated.
    clock: [u8; 16],
    /// The host that the program knew before.
    epoch: u64,
    /// For the session that may begin here.
    token: [u8; 16],
    /// Something has come since the greeting.
    used: bool,
    /// A `Transmit` is on its way.
    dirty: bool,
    paused: bool,
    timer: Option<(Time, TimerKey)>,
    /// What a resuming program says that it still has.
    resumed: Resumed,
    answered_told: u64,
    /// Answers have arrived that are to be told of by now, or with the next frame.
    answered_due: Option<Time>,
}

/// A hub.
#[derive(Debug)]
pub struct Hub {
    config: Config,
    broker: Broker,
    /// Of a hub with a directory.
    journal: Option<Journal>,
    /// The last record has been written.
    is_closing: bool,
    connections: Slab<Connection>,
    /// By session: the connection that carries it.
    carriers: Vec<Option<PortId>>,
    timers: Timers<PortId>,
    effects: VecDeque<Effect>,
}

impl Hub {
    /// A hub with nothing in it.
    pub fn new(config: Config, now: Time) -> Hub {
        let broker = Broker::new(config.broker(false), now);
        Hub::with(config, broker, None)
    }

    fn with(config: Config, broker: Broker, journal: Option<Journal>) -> Hub {
        Hub {
            broker,
            journal,
            is_closing: false,
            connections: Slab::new(),
            carriers: Vec::new(),
            timers: Timers::default(),
            effects: VecDeque::new(),
            config,
        }
    }

    /// The host's epoch.
    pub fn epoch(&self) -> u64 {
        self.config.epoch
    }

    /// A connection has been made. `token`: 16 bytes that nobody can guess, for the session that
    /// may begin on it.
    pub fn connect(&mut self, now: Time, peer: Peer, token: [u8; 16]) -> PortId {
        let id = PortId(self.connections.insert(Connection {
            port: Port::new(now),
            session: None,
            peer,
            clock: [0; 16],
            epoch: 0,
            token,
            used: false,
            dirty: false,
            paused: false,
            timer: None,
            resumed: Resumed::default(),
            answered_told: 0,
            answered_due: None,
        }));
        self.watch(id);
        id
    }

    /// Where received bytes are appended; `handle_received` after it.
    pub fn inbox(&mut self, port: PortId) -> &mut BytesMut {
        self.connections[port.0].port.inbox()
    }

    /// Bytes have been appended to the inbox. True if the disk could already work for some of it:
    /// `flush`, then `go_on`.
    pub fn handle_received(&mut self, now: Time, port: PortId) -> bool {
        self.connections[port.0].port.handle_received(now);
        self.go_on(now, port)
    }

    /// Takes up the rest of what was received; true as `handle_received`.
    pub fn go_on(&mut self, now: Time, port: PortId) -> bool {
        while let Some(frame) = self.connections[port.0].port.poll_frame(now) {
            self.handle_frame(now, port, frame);
            self.after_input(now);
            if self.journal.as_ref().is_some_and(Journal::is_worth_sealing) {
                return true;
            }
        }
        self.note_answered(now, port);
        if let Some(fault) = self.connections[port.0].port.take_fault() {
            self.close(now, port, Some(fault));
        }
        self.watch(port);
        false
    }

    /// The connection is gone, and with it the port. Returns the session that lingers on, if one
    /// does.
    pub fn handle_disconnected(
        &mut self,
        now: Time,
        port: PortId,
        linger: Linger,
    ) -> Option<SessionId> {
        let connection = self.connections.remove(port.0);
        if let Some((_, timer)) = connection.timer {
            self.timers.remove(timer);
        }
        self.effects.retain(|effect| effect.port() != port);
        for name in connection.port.names() {
            self.broker.release_name(name);
        }
        let session = connection.session?;
        // Perhaps the program never heard of the session, and will begin another.
        let linger = match linger {
            Linger::Process if !connection.used => Linger::Grace,
            linger => linger,
        };
        let id = self.broker.session_id(session);
        self.carriers[session.index()] = None;
        let lingers = self.broker.handle_unlinked(now, session, linger);
        self.after_input(now);
        lingers.then_some(id)
    }

    /// The process of a session that was left lingering is gone.
    pub fn handle_process_ended(&mut self, now: Time, session: SessionId) {
        let Some(key) = self.broker.session_by_id(session) else {
            return;
        };
        if self.carrier(key).is_none() {
            self.broker.end_session(now, key, true);
            self.after_input(now);
        }
    }

    /// The process of a session that was left lingering can't be watched: who does not resume
    /// within the grace time is taken for gone.
    pub fn handle_unwatched(&mut self, now: Time, session: SessionId) {
        let Some(key) = self.broker.session_by_id(session) else {
            return;
        };
        if self.carrier(key).is_none() {
            self.broker.handle_unlinked(now, key, Linger::Grace);
        }
    }

    /// Deadlines may have come.
    pub fn handle_timeout(&mut self, now: Time) {
        self.broker.handle_timeout(now);
        if let Some(journal) = &mut self.journal {
            journal.handle_timeout(now);
        }
        self.after_input(now);
        while let Some(port) = self.timers.pop(now) {
            let connection = &mut self.connections[port.0];
            connection.timer = None;
            connection.port.handle_timeout(now);
            if connection.answered_due.is_some_and(|due| due <= now) {
                self.tell_answered(now, port);
            }
            let connection = &mut self.connections[port.0];
            if let Some(fault) = connection.port.take_fault() {
                self.close(now, port, Some(fault));
            }
            self.watch(port);
        }
    }

    /// When `handle_timeout` wants to be called.
    pub fn poll_timeout(&self) -> Option<Time> {
        let journal = self.journal.as_ref().and_then(Journal::poll_timeout);
        [self.broker.poll_timeout(), self.timers.next(), journal].into_iter().flatten().min()
    }

    /// Bytes to be written to a connection; `handle_written` after advancing it.
    pub fn outbox(&mut self, port: PortId) -> &mut Outbox {
        self.connections[port.0].port.outbox()
    }

    /// Bytes of the outbox have been written.
    pub fn handle_written(&mut self, now: Time, port: PortId) {
        let connection = &mut self.connections[port.0];
        if connection.paused && connection.port.outbox().len() < limits::OUTBOX_SIZE_MAX / 2 {
            connection.paused = false;
            self.effects.push_back(Effect::Resume(port));
            if let Some(session) = connection.session {
                self.broker.handle_congestion(now, session, false);
                self.after_input(now);
            }
        }
    }

    /// What is to be done next.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        let effect = self.effects.pop_front()?;
        if let Effect::Transmit(port) = effect {
            self.connections[port.0].dirty = false;
        }
        Some(effect)
    }

    fn carrier(&self, session: SessionKey) -> Option<PortId> {
        self.carriers.get(session.index()).copied().flatten()
    }

    fn push(&mut self, now: Time, port: PortId, frame: &Frame) {
        let connection = &mut self.connections[port.0];
        connection.port.push(now, frame);
        if connection.answered_due.is_some() {
            self.append_answered(now, port);
        }
        let connection = &mut self.connections[port.0];
        if !connection.dirty {
            connection.dirty = true;
            self.effects.push_back(Effect::Transmit(port));
        }
        if !connection.paused && connection.port.outbox().len() > limits::OUTBOX_SIZE_MAX {
            connection.paused = true;
            self.effects.push_back(Effect::Pause(port));
            if let Some(session) = connection.session {
                self.broker.handle_congestion(now, session, true);
            }
        }
    }

    fn close(&mut self, now: Time, port: PortId, reason: Option<Error>) {
        let connection = &mut self.connections[port.0];
        if !connection.port.is_closed() {
            connection.port.close(now, reason);
            self.effects.push_back(Effect::Close(port));
        }
    }

    /// Keeps the port's deadline among the timers.
    fn watch(&mut self, port: PortId) {
        let connection = &mut self.connections[port.0];
        let due = [connection.port.poll_timeout(), connection.answered_due];
        let due = due.into_iter().flatten().min();
        // One that comes too early does no harm, and is cheaper than moving it for every answer.
        let is_kept = |at: Time| connection.answered_due.is_some_and(|due| at <= due);
        if connection.timer.is_some_and(|(at, _)| Some(at) == due || is_kept(at)) {
            return;
        }
        if connection.timer.is_none() && due.is_none() {
            return;
        }
        if let Some((_, timer)) = connection.timer.take() {
            self.timers.remove(timer);
        }
        connection.timer = due.map(|at| (at, self.timers.insert(at, port)));
    }

    /// Answers may have arrived. The service is told so with whatever is said to it next; with
    /// nothing else to say, after a while or when many have arrived.
    fn note_answered(&mut self, now: Time, port: PortId) {
        let connection = &mut self.connections[port.0];
        let Some(session) = connection.session else {
            return;
        };
        let untold = self.broker.answered(session) - connection.answered_told;
        if untold >= limits::ANSWERS_UNTOLD_MAX || (untold > 0 && connection.dirty) {
            self.tell_answered(now, port);
        } else if untold > 0 && connection.answered_due.is_none() {
            connection.answered_due = Some(now.plus_ms(limits::ANSWERED_DELAY_MS));
        }
    }

    fn tell_answered(&mut self, now: Time, port: PortId) {
        let connection = &mut self.connections[port.0];
        connection.answered_due = None;
        let Some(session) = connection.session else {
            return;
        };
        let count = self.broker.answered(session);
        connection.answered_told = count;
        self.push(now, port, &Frame::Answered { count });
    }

    /// The same, after another frame.
    fn append_answered(&mut self, now: Time, port: PortId) {
        let connection = &mut self.connections[port.0];
        connection.answered_due = None;
        if let Some(session) = connection.session {
            let count = self.broker.answered(session);
            connection.answered_told = count;
            connection.port.push(now, &Frame::Answered { count });
        }
    }
}

impl Effect {
    fn port(self) -> PortId {
        match self {
            Effect::Transmit(port)
            | Effect::Close(port)
            | Effect::Pause(port)
            | Effect::Resume(port) => port,
        }
    }
}
