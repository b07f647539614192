//! What the machines want of the outside: a connection to where the hub is.
//!
//! ```text
//! mem://      a ring to the host in this process, started if there is none
//! directory   as the election says: take the lock and host, or connect to whoever does
//! tcp, unix   a socket
//! inline      a ring to the core in this very driver
//! ```
//!
//! Floor: handle, host, link, directory.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use telpher_proto::base::limits;
use telpher_proto::base::{Error, Time};
use telpher_proto::client;
use telpher_proto::election::{self, Election, Role};

use super::driver::{Driver, DriverBell};
use crate::address::Address;
use crate::directory::{Directory, Lock, Locked};
use crate::host::{self, Host, Key, Plan};
use crate::link::connect::{Attempt, Connecting};
use crate::link::listen::Listener;
use crate::link::ring::Bell;
use crate::link::{Link, connect};
use crate::poller::{Readiness, Source};

/// How the handle is connected now.
pub(super) enum Connection {
    None,
    /// Being made; given up at this moment.
    Waiting(Connecting, Time),
    Made(Link),
}

impl Connection {
    pub(super) fn is_ready(&self) -> bool {
        matches!(self, Connection::Made(link) if link.is_readable())
    }
}

/// What a hub hosted by this handle's process is to be like.
#[derive(Clone, Debug)]
pub(super) struct Hosting {
    pub(super) url: String,
    pub(super) listen: Vec<(Address, String)>,
    pub(super) session_grace_ms: u64,
}

impl Hosting {
    pub(super) fn bind(&self) -> Result<Vec<Listener>, Error> {
        let mut listeners = Vec::new();
        for (address, url) in &self.listen {
            listeners.extend(Listener::bind(address, url)?);
        }
        Ok(listeners)
    }

    pub(super) fn plan(&self, directory: Option<(Arc<Directory>, Lock)>) -> Plan {
        Plan {
            url: self.url.clone(),
            directory,
            listeners: Vec::new(),
            session_grace_ms: self.session_grace_ms,
        }
    }
}

/// Where the hub is.
pub(super) enum Target {
    Memory { name: String, hosting: Hosting, host: Option<Arc<Host>> },
    Directory(Box<Place>),
    Tcp(Vec<SocketAddr>),
    Unix(PathBuf),
    Inline(Arc<Host>),
}

/// A directory hub, as this handle sees it.
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) role: Role,
    /// The process that was last seen to host while this one must.
    pub(super) waits_for: Option<u32>,
    pub(super) directory: Option<Arc<Directory>>,
    pub(super) election: Election,
    pub(super) lock: Option<Lock>,
    pub(super) hosting: Hosting,
    pub(super) host: Option<Arc<Host>>,
    /// The host has been given this handle's addresses.
    pub(super) is_listening: bool,
}

impl Target {
    /// The host that this handle keeps alive.
    pub(super) fn take_host(&mut self) -> Option<Arc<Host>> {
        match self {
            Target::Memory { host, .. } => host.take(),
            Target::Directory(place) => place.host.take(),
            _ => None,
        }
    }
}

impl Driver {
    pub(super) fn handle_link_ready(&mut self, now: Time, ready: &Readiness) {
        match std::mem::replace(&mut self.connection, Connection::None) {
            Connection::None => {}
            Connection::Made(mut link) => {
                if let Link::Socket(socket) = &mut link {
                    socket.handle_ready(ready);
                }
                self.connection = Connection::Made(link);
            }
            Connection::Waiting(connecting, until) => {
                match connecting.handle_ready(&self.poller) {
                    Attempt::Waiting(more) => self.connection = Connection::Waiting(more, until),
                    done => self.handle_attempt(now, done),
                }
                if let Connection::Made(Link::Socket(socket)) = &mut self.connection {
                    socket.handle_ready(ready);
                }
            }
        }
    }

    fn handle_attempt(&mut self, now: Time, attempt: Attempt) {
        match attempt {
            Attempt::Connected(socket) => self.connected(now, Link::Socket(socket)),
            Attempt::Waiting(connecting) => {
                let until = now.plus_ms(limits::CONNECT_TIMEOUT_MS);
                self.connection = Connection::Waiting(connecting, until);
            }
            Attempt::Failed(error) => self.refused(now, &error.to_string()),
        }
    }

    fn connected(&mut self, now: Time, link: Link) {
        self.connection = Connection::Made(link);
        self.was_connected = true;
        self.shared.admission.count_connect();
        if let Target::Directory(place) = &mut self.target {
            place.election.handle_connected();
        }
        self.client.handle_connected(now);
    }

    fn refused(&mut self, now: Time, reason: &str) {
        match &mut self.target {
            Target::Directory(place) => place.election.handle_refused(now),
            _ => self.client.handle_disconnected(now, reason),
        }
    }

    /// Does what the machines want done with the link.
    pub(super) fn follow_link(&mut self, now: Time) {
        while let Some(wish) = self.client.poll_link() {
            match wish {
                client::Link::Connect => {
                    self.wants_link = true;
                    self.connect(now);
                }
                client::Link::Disconnect => {
                    self.wants_link = false;
                    if let Connection::Made(link) = &mut self.connection {
                        // The other side learns of the end in any case.
                        let _ = link.write(&self.poller, Source::Link, self.client.outbox());
                    }
                    self.connection = Connection::None;
                }
            }
        }
        self.follow_election(now);
    }

    fn bell(&self) -> Arc<dyn Bell> {
        Arc::new(DriverBell(Arc::clone(self.poller.alarm())))
    }

    fn connect(&mut self, now: Time) {
        self.connection = Connection::None;
        let bell = self.bell();
        let made = match &mut self.target {
            Target::Directory(place) => return place.election.begin(),
            Target::Tcp(addresses) => Err(connect::tcp(&self.poller, addresses)),
            Target::Unix(path) => Err(connect::unix(&self.poller, path)),
            Target::Inline(host) => Ok(Ok(host.attach(bell))),
            Target::Memory { name, hosting, host } => {
                let key = Key::Memory(name.clone());
                let found = host::find_or_start(key, || host::start(hosting.plan(None)));
                Ok(found.map(|found| host.insert(found).attach(bell)))
            }
        };
        match made {
            Ok(Ok(ring)) => self.connected(now, Link::Ring(ring)),
            Ok(Err(error)) => self.client.handle_disconnected(now, error.detail()),
            Err(attempt) => self.handle_attempt(now, attempt),
        }
    }

    fn follow_election(&mut self, now: Time) {
        loop {
            let Target::Directory(place) = &mut self.target else { return };
            if !self.wants_link {
                place.lock = None;
                return;
            }
            let Some(effect) = place.election.poll_effect() else { return };
            match effect {
                election::Effect::TryLock => {
                    let lock = place.try_lock(self.was_connected);
                    place.election.handle_lock(now, lock);
                }
                election::Effect::Unlock => place.lock = None,
                election::Effect::Connect => self.connect_to_directory(now),
                election::Effect::Host => self.host_directory(now),
                election::Effect::Fail(error) => self.give_up(&error),
            }
        }
    }

    fn connect_to_directory(&mut self, now: Time) {
        let bell = self.bell();
        let Target::Directory(place) = &mut self.target else { return };
        if let Err(error) = place.find() {
            return self.fail(now, &error);
        }
        let Some(directory) = &place.directory else { return place.election.handle_refused(now) };
        if let Some(found) = host::find(&Key::Directory(directory.key)) {
            let ring = place.host.insert(found).attach(bell);
            return self.connected(now, Link::Ring(ring));
        }
        let attempt = connect::unix(&self.poller, &directory.socket());
        self.handle_attempt(now, attempt);
    }

    fn host_directory(&mut self, now: Time) {
        let bell = self.bell();
        let Target::Directory(place) = &mut self.target else { return };
        match place.host() {
            Ok(Some(found)) => {
                let ring = place.host.insert(found).attach(bell);
                self.connected(now, Link::Ring(ring));
            }
            Ok(None) => place.election.handle_refused(now),
            Err(error) => self.fail(now, &error),
        }
    }

    /// The hub can't be had. Before it ever was, that ends the handle; later it is tried again.
    fn fail(&mut self, now: Time, error: &Error) {
        match &mut self.target {
            Target::Directory(place) if self.was_connected => {
                tracing::warn!(%error, "the hub is not to be had now");
                place.election.handle_refused(now);
            }
            _ => self.give_up(error),
        }
    }

    pub(super) fn give_up(&mut self, error: &Error) {
        self.wants_link = false;
        self.client.fail(error);
    }

    pub(super) fn target_deadline(&self) -> Option<Time> {
        let waiting = match &self.connection {
            Connection::Waiting(_, until) => Some(*until),
            _ => None,
        };
        let election = match &self.target {
            Target::Directory(place) if self.wants_link => place.election.poll_timeout(),
            _ => None,
        };
        waiting.into_iter().chain(election).min()
    }

    pub(super) fn take_target_timeouts(&mut self, now: Time) {
        if let Target::Directory(place) = &mut self.target
            && self.wants_link
            && place.election.poll_timeout().is_some_and(|at| at <= now)
        {
            place.election.handle_timeout(now);
        }
        if let Connection::Waiting(_, until) = &self.connection
            && *until <= now
        {
            self.connection = Connection::None;
            self.refused(now, &format!("no answer within {} ms", limits::CONNECT_TIMEOUT_MS));
        }
    }
}

impl Place {
    /// Opens the directory if it could not be before.
    fn find(&mut self) -> Result<(), Error> {
        if self.directory.is_none() {
            self.directory = Directory::open(&self.path, self.may_host())?.map(Arc::new);
        }
        Ok(())
    }

    fn may_host(&self) -> bool {
        self.role != Role::Never
    }

    /// Says who hosts, once for each, if this handle does nothing until that process ends.
    fn say_who_hosts(&mut self) {
        let Some(directory) = &self.directory else { return };
        let process = directory.signature();
        if self.role == Role::Always && process.is_some() && process != self.waits_for {
            self.waits_for = process;
            let process = process.unwrap_or_default();
            let path = directory.path().display();
            tracing::info!("process {process} hosts {path}; waiting to take its place");
        }
    }

    fn try_lock(&mut self, was_connected: bool) -> election::Lock {
        match self.look_at_lock() {
            Ok(lock) => lock,
            Err(error) if was_connected => {
                tracing::warn!(%error, "the lock is not to be had now");
                election::Lock::HeldByOther
            }
            Err(error) => election::Lock::Failed(error),
        }
    }

    fn look_at_lock(&mut self) -> Result<election::Lock, Error> {
        self.find()?;
        // Without a directory nobody hosts it; without the right to make one, neither do we.
        let Some(directory) = &self.directory else { return Ok(election::Lock::Taken) };
        if host::find(&Key::Directory(directory.key)).is_some() {
            let may = self.may_host();
            return Ok(if may { election::Lock::Taken } else { election::Lock::HeldByOther });
        }
        if self.lock.is_none() {
            self.lock = match directory.lock()? {
                Locked::Taken(lock) => Some(lock),
                Locked::HeldByOther => {
                    self.say_who_hosts();
                    return Ok(election::Lock::HeldByOther);
                }
            };
        }
        Ok(election::Lock::Taken)
    }

    /// This process's host of the directory, started if the lock is ours; `None` if neither.
    fn host(&mut self) -> Result<Option<Arc<Host>>, Error> {
        let Some(directory) = self.directory.clone() else { return Ok(None) };
        let key = Key::Directory(directory.key);
        let found = match (host::find(&key), self.lock.take()) {
            (Some(found), _) => found,
            (None, None) => return Ok(None),
            (None, Some(lock)) => {
                self.is_listening = false;
                let start = || host::start(self.hosting.plan(Some((directory, lock))));
                host::find_or_start(key, start)?
            }
        };
        if !self.is_listening {
            for listener in self.hosting.bind()? {
                found.listen(listener);
            }
            self.is_listening = true;
        }
        Ok(Some(found))
    }
}
