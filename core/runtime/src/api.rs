//! The public Rust API that the C library and the Python and Node bindings stand on.

use std::os::fd::RawFd;
use std::time::Duration;

use telpher_proto::base::{Command, Error, Event, Id, Timeout};

/// Who turns a handle's reactor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Drive {
    /// A background thread; callbacks run there.
    #[default]
    Library = 0,
    /// The thread that first polls or waits; the handle has no thread.
    Caller = 1,
    /// As `Caller`, and the hub itself is hosted on that thread too: `mem`, `tcp` and `unix` only.
    /// With `tcp` and `unix` the handle listens at that address.
    Inline = 2,
}

/// Whether a handle's process may host the hub of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum HostRole {
    /// If nobody else does.
    #[default]
    Auto = 0,
    /// Never; without a host, opening ends as `NO_HOST`.
    Never = 1,
    /// Opening waits until this process is the host.
    Always = 2,
}

/// Where the outcome of an operation goes.
#[derive(Default)]
pub enum Done {
    /// To [`Hub::wait`] with the id.
    #[default]
    Wait,
    /// To [`Hub::poll`], with this number of the program's own.
    Event(u64),
    /// To this function, on the handle's driver, with no lock held. It may start operations, and
    /// must not wait for them.
    Callback(Box<dyn FnMut(Event) + Send>),
    /// Nowhere; failures are counted and logged.
    None,
}

/// How a hub is opened. `Default` is every default.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Who turns the reactor.
    pub drive: Drive,
    /// Whether this process may host.
    pub host: HostRole,
    /// Time until opening fails.
    pub timeout: Timeout,
    /// Operations in flight, 1 to 65,536; 0 is the default of 1,024.
    pub in_flight_max: usize,
    /// Further addresses at which a hub hosted by this process listens (`tcp://`, `unix://`).
    pub listen: Vec<String>,
    /// Listen at addresses other than loopback, where anybody may connect.
    pub insecure: bool,
    /// How long a hub hosted here keeps a remote session whose connection broke; default 5 s.
    pub session_grace: Option<Duration>,
    /// Let a signal end a wait as `INTERRUPTED`.
    pub interruptible: bool,
}

/// Counters of one handle, since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Operations open now, handed-over outcomes not counted.
    pub in_flight: u64,
    /// Bytes of bodies open now.
    pub in_flight_bytes: u64,
    /// Operations started.
    pub started: u64,
    /// Operations that ended with an error.
    pub failed: u64,
    /// Of these, with nobody to look at them.
    pub failed_unseen: u64,
    /// Connections made.
    pub connects: u64,
}

/// A handle to a hub. Cloning shares it; every function may be called from any thread.
#[derive(Clone)]
pub struct Hub;

#[allow(unused_variables)]
impl Hub {
    /// Starts to open a hub; never blocks. The ticket ends with [`crate::Outcome::Opened`].
    /// `notices` (not `Wait`) gets `Notice` and `Ready` events.
    pub fn open(
        url: &str,
        options: OpenOptions,
        done: Done,
        notices: Done,
    ) -> Result<(Hub, Id), Error> {
        unimplemented!()
    }
    /// Starts an operation; never blocks. The id names its ticket, consumer or service.
    pub fn start(&self, command: Command, timeout: Timeout, done: Done) -> Result<Id, Error> {
        unimplemented!()
    }
    /// Blocks for the outcome of a ticket, or the next event of a consumer or service. Id 0 waits
    /// for readiness: until half of what may be in flight is free.
    pub fn wait(&self, id: Id, timeout: Timeout) -> Result<Event, Error> {
        unimplemented!()
    }
    /// Appends up to `capacity` events; blocks for the first up to `timeout` (default: not at all).
    pub fn poll(
        &self,
        events: &mut Vec<Event>,
        capacity: usize,
        timeout: Timeout,
    ) -> Result<usize, Error> {
        unimplemented!()
    }
    /// Readable whenever `poll` has something to do. For `Caller` and `Inline` handles only
    /// (`UNSUPPORTED` otherwise); also for `Library` handles: readable when events are waiting.
    pub fn fd(&self) -> Result<RawFd, Error> {
        unimplemented!()
    }
    /// Sends what has been started and takes in what has arrived, without waiting.
    pub fn flush(&self) -> Result<(), Error> {
        unimplemented!()
    }
    /// Ends the current `poll` of another thread early.
    pub fn wake(&self) -> Result<(), Error> {
        unimplemented!()
    }
    /// Asks for a ticket's end; it still ends exactly once. `STALE` if it has ended.
    pub fn cancel(&self, id: Id) -> Result<(), Error> {
        unimplemented!()
    }
    /// Lets go of an id: a ticket's outcome goes nowhere; a consumer or service is stopped, what it
    /// holds goes back, and its id ends with `Done`.
    pub fn detach(&self, id: Id) -> Result<(), Error> {
        unimplemented!()
    }
    /// True if the caller of this request no longer waits.
    pub fn request_cancelled(&self, request: u64) -> Result<bool, Error> {
        unimplemented!()
    }
    /// What is left of the request's time; `None` if it has no deadline.
    pub fn request_remaining(&self, request: u64) -> Result<Option<Duration>, Error> {
        unimplemented!()
    }
    /// Says goodbye: every open ticket ends as `CLOSED`, every waiter wakes. Returns within
    /// `timeout`; from a callback it is carried out after it.
    pub fn close(&self, timeout: Timeout) -> Result<(), Error> {
        unimplemented!()
    }
    /// Counters.
    pub fn stats(&self) -> Stats {
        unimplemented!()
    }
    /// What the hub can do, by name: `calls`, `queues.memory`, ...
    pub fn capabilities(&self) -> &'static [&'static str] {
        unimplemented!()
    }
    /// True if the calling process is a fork of the one that opened the handle.
    pub fn forked(&self) -> bool {
        unimplemented!()
    }
}
