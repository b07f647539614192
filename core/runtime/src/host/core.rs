//! What turns a hub: its listeners, its connections, and the machine between them.
//!
//! A turn: take the mail, accept, read once from each peer that has something, let the machine look
//! at the time, write what it wants written. It is repeated until nothing is left to do, or for a
//! bounded number of times; a peer that has more waits behind the others.
//!
//! Never: a read larger than `READ_SIZE`, a wait, a system call for a peer without news.
//!
//! Floor: link, poller, host/{peer,process}.

mod processes;
mod writing;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use foldhash::HashMap;
use slab::Slab;
use telpher_proto::base::limits::{self, SESSIONS_MAX};
use telpher_proto::base::{Error, Time};
use telpher_proto::hub::{self, Effect, Hub, PortId};

use super::disk::Disk;
use super::peer::Peer;
use super::process::{Watched, judge};
use super::{Mail, Mailbox};
use crate::clock;
use crate::link::listen::{Accepted, Listener};
use crate::link::{Farewell, Link, Read};
use crate::poller::{Poller, Readiness, Source};

/// Rounds of reading and writing in one turn.
const ROUNDS_MAX: usize = 16;

struct Door {
    listener: Listener,
    /// Somebody may be waiting.
    is_ready: bool,
    /// No more attempts before this moment.
    paused: Option<Time>,
}

/// A hub and everything that is connected to it.
pub(crate) struct Core {
    hub: Hub,
    disk: Option<Disk>,
    /// Why nothing more can be written down.
    disk_failure: Option<Error>,
    /// More may be there for the disk than it was given in this turn.
    has_gathered: bool,
    peers: Slab<Peer>,
    ports: HashMap<PortId, usize>,
    doors: Slab<Door>,
    watched: Slab<Watched>,
    mailbox: Arc<Mailbox>,
    mail: Vec<Mail>,
    /// Peers that have something to read, in the order of their turns.
    ready: VecDeque<usize>,
    /// Peers that have something to write.
    dirty: Vec<usize>,
    /// Peers that are being closed.
    closing: Vec<usize>,
    scratch: BytesMut,
    is_stopped: bool,
}

impl Core {
    /// A core around a hub; with the disk that carries out what its journal wants, if it has one.
    pub(crate) fn new(hub: Hub, mailbox: Arc<Mailbox>, disk: Option<Disk>) -> Core {
        Core {
            hub,
            disk,
            disk_failure: None,
            has_gathered: false,
            peers: Slab::new(),
            ports: HashMap::default(),
            doors: Slab::new(),
            watched: Slab::new(),
            mailbox,
            mail: Vec::new(),
            ready: VecDeque::new(),
            dirty: Vec::new(),
            closing: Vec::new(),
            scratch: BytesMut::new(),
            is_stopped: false,
        }
    }

    /// Accepts connections from `listener`.
    pub(crate) fn listen(&mut self, poller: &Poller, listener: Listener) -> io::Result<()> {
        let entry = self.doors.vacant_entry();
        poller.add_reader(&listener, Source::Listener(entry.key()))?;
        entry.insert(Door { listener, is_ready: true, paused: None });
        Ok(())
    }

    /// True when the last handle has let go.
    pub(crate) fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// The epoll set has news.
    pub(crate) fn handle_ready(&mut self, now: Time, ready: &Readiness) {
        match ready.source {
            Source::Listener(key) => {
                if let Some(door) = self.doors.get_mut(key) {
                    door.is_ready = true;
                }
            }
            Source::Peer(key) => self.handle_peer_ready(key, ready),
            Source::Process(key) => {
                if let Some(watched) = self.watched.try_remove(key) {
                    self.hub.handle_process_ended(now, watched.session);
                }
            }
            _ => {}
        }
    }

    fn handle_peer_ready(&mut self, key: usize, ready: &Readiness) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        if let Link::Socket(socket) = &mut peer.link {
            socket.handle_ready(ready);
        }
        if ready.readable {
            self.mark_ready(key);
        }
        if ready.writable {
            self.mark_dirty(key);
        }
    }

    fn mark_ready(&mut self, key: usize) {
        if let Some(peer) = self.peers.get_mut(key)
            && !peer.is_ready
            && !peer.is_paused
        {
            peer.is_ready = true;
            self.ready.push_back(key);
        }
    }

    fn mark_dirty(&mut self, key: usize) {
        if let Some(peer) = self.peers.get_mut(key)
            && !peer.is_dirty
        {
            peer.is_dirty = true;
            self.dirty.push(key);
        }
    }

    /// Does what can be done now; returns whether anything was.
    pub(crate) fn turn(&mut self, poller: &Poller, now: Time) -> bool {
        let mut worked = false;
        for _ in 0..ROUNDS_MAX {
            self.take_mail(poller, now);
            self.accept(poller, now);
            let read = self.read(poller, now);
            if self.hub.poll_timeout().is_some_and(|at| at <= now) {
                self.hub.handle_timeout(now);
            }
            self.flush(now);
            self.take_effects(now);
            let wrote = self.write(poller, now);
            self.close_due(poller, now);
            if !read && !wrote {
                break;
            }
            worked = true;
        }
        worked
    }

    /// True if a turn would find something to do at once.
    pub(crate) fn has_work(&self) -> bool {
        self.mailbox.has_mail()
            || self.has_gathered
            || !self.ready.is_empty()
            || !self.dirty.is_empty()
            || self.doors.iter().any(|(_, door)| door.is_ready && door.paused.is_none())
    }

    /// When it must be turned next, if nothing else happens.
    pub(crate) fn deadline(&self) -> Option<Time> {
        let closing = self.closing.iter().filter_map(|key| self.peers.get(*key)?.closing);
        let doors = self.doors.iter().filter_map(|(_, door)| door.paused);
        closing.chain(doors).chain(self.hub.poll_timeout()).min()
    }

    fn take_mail(&mut self, poller: &Poller, now: Time) {
        let mut mail = std::mem::take(&mut self.mail);
        self.mailbox.take(&mut mail);
        for message in mail.drain(..) {
            match message {
                Mail::Attach(ring) => self.connect_ring(now, ring),
                Mail::Ring(key) => {
                    self.mark_ready(key);
                    self.mark_dirty(key);
                }
                Mail::Listen(listener) => {
                    if let Err(error) = self.listen(poller, listener) {
                        tracing::error!(%error, "can't accept connections");
                    }
                }
                Mail::Disk(done) => self.hub.handle_disk(now, done),
                Mail::DiskFailed(error) => self.fail(error),
                Mail::Stop => self.is_stopped = true,
            }
        }
        self.mail = mail;
    }

    fn connect_ring(&mut self, now: Time, ring: crate::link::RingEnd) {
        if self.peers.len() >= SESSIONS_MAX {
            let reason = format!("the hub has {SESSIONS_MAX} connections, and allows no more");
            ring.say(Farewell::Ended(reason));
            return;
        }
        let port = self.hub.connect(now, self.local(), clock::random());
        let entry = self.peers.vacant_entry();
        let key = entry.key();
        ring.set_key(key);
        entry.insert(Peer::new(port, Link::Ring(ring), false));
        self.ports.insert(port, key);
        self.mark_ready(key);
    }

    /// A program in this process; it is named only where another host may have to find it.
    fn local(&self) -> hub::Peer {
        hub::Peer::Local(self.disk.as_ref().and_then(|_| super::process::own()))
    }

    fn accept(&mut self, poller: &Poller, now: Time) {
        for key in 0..self.doors.capacity() {
            for _ in 0..limits::ACCEPTS_PER_TURN_MAX {
                let Some(door) = self.doors.get_mut(key) else { break };
                if door.paused.is_some_and(|until| until > now) || !door.is_ready {
                    break;
                }
                door.paused = None;
                match door.listener.accept() {
                    Ok(None) => door.is_ready = false,
                    Ok(Some(accepted)) => self.connect_socket(poller, now, accepted),
                    Err(error) if is_passing(&error) => {}
                    Err(error) => {
                        door.paused = Some(now.plus_ms(limits::ACCEPT_PAUSE_MS));
                        tracing::warn!(%error, "can't accept a connection");
                    }
                }
            }
        }
    }

    fn connect_socket(&mut self, poller: &Poller, now: Time, accepted: Accepted) {
        if self.peers.len() >= SESSIONS_MAX {
            tracing::warn!(limit = SESSIONS_MAX, "a connection was refused: there are too many");
            return;
        }
        let Accepted { mut socket, is_unix } = accepted;
        if is_unix && !is_welcome(&socket) {
            tracing::warn!("a connection of another user was refused");
            return;
        }
        let entry = self.peers.vacant_entry();
        let key = entry.key();
        if let Err(error) = socket.join(poller, Source::Peer(key), false) {
            tracing::warn!(%error, "a connection was refused");
            return;
        }
        let link = Link::Socket(socket);
        let process = self.disk.as_ref().and_then(|_| super::process::of_peer(&link));
        let peer = if is_unix { hub::Peer::Local(process) } else { hub::Peer::Remote };
        let port = self.hub.connect(now, peer, clock::random());
        entry.insert(Peer::new(port, link, is_unix));
        self.ports.insert(port, key);
    }

    fn read(&mut self, poller: &Poller, now: Time) -> bool {
        let mut worked = false;
        for _ in 0..self.ready.len() {
            let Some(key) = self.ready.pop_front() else { break };
            let Some(peer) = self.peers.get_mut(key) else { continue };
            peer.is_ready = false;
            if peer.is_paused || peer.closing.is_some() {
                continue;
            }
            let inbox = self.hub.inbox(peer.port);
            match peer.link.read(inbox, &mut self.scratch) {
                Ok(Read::Nothing) => {}
                Ok(Read::Some) => {
                    worked = true;
                    let port = peer.port;
                    let mut is_more = self.hub.handle_received(now, port);
                    while is_more {
                        self.flush(now);
                        is_more = self.hub.go_on(now, port);
                    }
                    self.take_effects(now);
                    self.after_read(key);
                }
                Ok(Read::Closed) => self.disconnect(poller, now, key),
                Err(error) => {
                    tracing::debug!(%error, "a connection broke");
                    self.disconnect(poller, now, key);
                }
            }
        }
        worked
    }

    fn after_read(&mut self, key: usize) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        peer.link.tidy(self.hub.inbox(peer.port));
        if peer.link.is_readable() {
            self.mark_ready(key);
        }
    }

    fn take_effects(&mut self, now: Time) {
        while let Some(effect) = self.hub.poll_effect() {
            let (Effect::Transmit(port)
            | Effect::Close(port)
            | Effect::Pause(port)
            | Effect::Resume(port)) = effect;
            let Some(&key) = self.ports.get(&port) else { continue };
            let Some(peer) = self.peers.get_mut(key) else { continue };
            match effect {
                Effect::Transmit(_) => self.mark_dirty(key),
                Effect::Pause(_) => peer.is_paused = true,
                Effect::Resume(_) => {
                    peer.is_paused = false;
                    if peer.link.is_readable() {
                        self.mark_ready(key);
                    }
                }
                Effect::Close(_) => {
                    if peer.closing.is_none() {
                        peer.closing = Some(now.plus_ms(limits::CLOSE_WRITE_MS));
                        self.closing.push(key);
                    }
                    self.mark_dirty(key);
                }
            }
        }
    }

    fn write(&mut self, poller: &Poller, now: Time) -> bool {
        let mut worked = false;
        let mut dirty = std::mem::take(&mut self.dirty);
        for key in dirty.drain(..) {
            let Some(peer) = self.peers.get_mut(key) else { continue };
            peer.is_dirty = false;
            let outbox = self.hub.outbox(peer.port);
            match peer.link.write(poller, Source::Peer(key), outbox) {
                Ok(false) => {}
                Ok(true) => {
                    worked = true;
                    let port = peer.port;
                    self.hub.handle_written(now, port);
                }
                Err(error) => {
                    tracing::debug!(%error, "a connection broke");
                    // What it sent before may still be read; the end shows there.
                    if peer.closing.is_some() || !peer.link.is_readable() {
                        self.disconnect(poller, now, key);
                    } else {
                        self.mark_ready(key);
                    }
                }
            }
        }
        if self.dirty.is_empty() {
            self.dirty = dirty;
        }
        self.take_effects(now);
        worked
    }

    fn close_due(&mut self, poller: &Poller, now: Time) {
        let mut closing = std::mem::take(&mut self.closing);
        closing.retain(|&key| {
            let Some(peer) = self.peers.get(key) else { return false };
            let Some(until) = peer.closing else { return false };
            if until > now && !self.hub.outbox(peer.port).is_empty() {
                return true;
            }
            self.disconnect(poller, now, key);
            false
        });
        closing.append(&mut self.closing);
        self.closing = closing;
    }

    fn disconnect(&mut self, poller: &Poller, now: Time, key: usize) {
        let peer = self.peers.remove(key);
        self.ports.remove(&peer.port);
        let (linger, process) = judge(&peer.link, peer.is_unix);
        let session = self.hub.handle_disconnected(now, peer.port, linger);
        drop(peer);
        if let (Some(session), Some(process)) = (session, process) {
            self.watch_process(poller, Watched::new(session, process));
        }
    }

    /// Ends every connection, saying why to those in this process.
    pub(crate) fn stop(&mut self, reason: &str) {
        for (_, peer) in &self.peers {
            if let Link::Ring(ring) = &peer.link {
                ring.say(Farewell::ended(reason));
            }
        }
        self.doors.clear();
        self.peers.clear();
        self.ports.clear();
        self.watched.clear();
        self.mailbox.close(Farewell::ended(reason));
        self.is_stopped = true;
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        if !self.is_stopped || !self.peers.is_empty() {
            self.stop("the hub has ended");
        }
    }
}

/// True if only the one who came is concerned.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted)
}

/// A socket file's mode keeps others out; this holds even where a file system ignores modes.
fn is_welcome(socket: &crate::link::Socket) -> bool {
    let own = rustix::process::geteuid();
    rustix::net::sockopt::socket_peercred(socket.descriptor())
        .is_ok_and(|peer| peer.uid == own || peer.uid.is_root())
}
