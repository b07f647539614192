//! The public Rust API that the C library and the Python and Node bindings stand on.

use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use telpher_proto::base::{Command, Error, Event, Id, Kind, Timeout, Untaken, limits};

use crate::clock;
use crate::handle::inbox::{Destination, Submission, Ticket};
use crate::handle::open::take_apart;
use crate::handle::taken::Pace;
use crate::handle::{self, Shared};

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
///
/// Dropping the last clone closes the handle, with little patience: [`Hub::close`] is the better
/// end. In a child process after a fork, every function of a handle that the parent opened ends as
/// `FORKED`, and dropping it does nothing.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.shared.is_forked() {
            // What the parent made is never dropped here: this keeps it for ever.
            std::mem::forget(Arc::clone(&self.shared));
            return;
        }
        let deadline = clock::now().plus_ms(limits::DROP_MS);
        // It can only fail in a child process.
        let _ = self.shared.close(Some(deadline));
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

impl Hub {
    fn shared(&self) -> &Shared {
        &self.inner.shared
    }

    /// Starts to open a hub; never blocks. The ticket ends with [`crate::Outcome::Opened`], or with
    /// `NO_HOST` or `HOST_UNRESPONSIVE` if the hub was not reached in time, or why this process
    /// could not host a directory: `CORRUPT` with file and offset, `NO_SPACE`, `IO`. Once the hub
    /// was reached, such a failure is logged and tried again.
    /// `notices` (not `Wait`) gets `Notice` and `Ready` events.
    ///
    /// # Errors
    ///
    /// Nothing is open then. `INVALID` or `UNSUPPORTED` for the URL or an option, naming it;
    /// `REFUSED` for a directory that is not ours to use, or an address open to the network;
    /// `MISMATCH` for an inline hub that exists; `IO` with the system's words.
    pub fn open(
        url: &str,
        options: OpenOptions,
        done: Done,
        notices: Done,
    ) -> Result<(Hub, Id), Error> {
        check_span(options.timeout)?;
        let (shared, id) = handle::open::open(url, options, done, notices)?;
        Ok((Hub { inner: Arc::new(Inner { shared }) }, id))
    }

    /// Starts an operation; never blocks. The id names its ticket, consumer, service or subscriber.
    ///
    /// # Errors
    ///
    /// Nothing was started then. `INVALID` or `TOO_LARGE` for a value, with its limit; `FULL` if as
    /// much is in flight as may be: wait for id 0, or for the `Ready` event; `CLOSED`, `FORKED`,
    /// or why the handle failed.
    pub fn start(&self, command: Command, timeout: Timeout, done: Done) -> Result<Id, Error> {
        self.start_with(command, timeout, done, Pace::Handle)
    }

    /// The same for a reader or subscriber whose records or messages are kept for the program until
    /// that asks for them: they count as taken when [`Hub::taken`] says so, and not when they are
    /// handed over here. So what is kept has the bound of its buffer.
    ///
    /// # Errors
    ///
    /// As [`Hub::start`].
    pub fn start_paced(&self, command: Command, timeout: Timeout, done: Done) -> Result<Id, Error> {
        self.start_with(command, timeout, done, Pace::Program)
    }

    /// The program has taken what came for a reader or subscriber that was started by
    /// [`Hub::start_paced`]: so many, with so many bytes by [`crate::StreamRecord::untaken`] or
    /// [`crate::Published::untaken`]. The hub is told in steps, and sends more. For an id that has
    /// ended it does nothing.
    pub fn taken(&self, id: Id, taken: Untaken) {
        let shared = self.shared();
        if shared.check_open().is_ok() {
            shared.note_paced(id, taken);
        }
    }

    fn start_with(
        &self,
        command: Command,
        timeout: Timeout,
        done: Done,
        pace: Pace,
    ) -> Result<Id, Error> {
        let shared = self.shared();
        shared.check_open()?;
        command.check()?;
        check_span(timeout)?;
        let is_registration = matches!(
            command,
            Command::Serve { .. }
                | Command::Consume { .. }
                | Command::Subscribe { .. }
                | Command::Read { .. }
        );
        let is_stream = is_registration || matches!(command, Command::Gather { .. });
        let is_answer = is_answer(&command);
        let deadline = match timeout {
            // A registration is without bound unless a time is stated.
            Timeout::Default if is_registration => None,
            // An answer that nobody waits for lasts as long as its session.
            Timeout::Default if is_answer && matches!(done, Done::None) => None,
            Timeout::Never if !may_last(&command) => return Err(needs_a_bound()),
            timeout => timeout.deadline(clock::now()),
        };
        let counted = if is_registration { None } else { Some(command.size()) };
        if let Some(size) = counted
            && let Err(full) = shared.admission.admit(size, is_answer)
        {
            // What was refused may have become possible in this very moment.
            shared.announce_room();
            return Err(full);
        }
        if let Command::Reply { request, .. } = &command {
            shared.requests.lock().remove(*request);
        }
        let (destination, user, callback) = take_apart(done);
        let id = shared.inbox.id(destination);
        if destination == Destination::Wait {
            shared.outcomes.lock().insert(id, is_stream);
        }
        match &command {
            Command::Subscribe { buffer, .. } => shared.taken.insert(id, *buffer, pace),
            Command::Read { reading, .. } => shared.taken.insert_reader(id, reading.buffer, pace),
            // Only their bytes are bounded.
            Command::Gather { .. } => shared.taken.insert(id, u32::MAX, pace),
            _ => {}
        }
        let ticket = Ticket { id, user, counted, callback, is_stream, is_opening: false };
        shared.submit(Submission::Start { ticket, command, deadline });
        Ok(id)
    }

    /// Blocks for the outcome of a ticket, or the next event of a gather, consumer, service or
    /// subscriber.
    /// Id 0 waits for readiness: until half of what may be in flight is free.
    ///
    /// # Errors
    ///
    /// `PENDING` if the wait's own time passed first and `INTERRUPTED` at a signal: nothing has
    /// changed. `STALE` if the id was redeemed before, or never was; `WOULD_DEADLOCK` inside a
    /// callback; `CLOSED` if the handle was closed and nothing is left for this id; `FORKED`.
    pub fn wait(&self, id: Id, timeout: Timeout) -> Result<Event, Error> {
        self.shared().wait(id, timeout.deadline(clock::now()))
    }

    /// As [`Hub::wait`], without waiting: `None` if nothing has arrived that was not taken. It
    /// never turns the reactor; so a loop that turns it looks here after each `poll` and `flush`.
    ///
    /// # Errors
    ///
    /// As of [`Hub::wait`], but never `PENDING`, `INTERRUPTED` or `WOULD_DEADLOCK`.
    pub fn take(&self, id: Id) -> Result<Option<Event>, Error> {
        self.shared().take(id)
    }

    /// Appends up to `capacity` events; blocks for the first up to `timeout` (default: not at all).
    /// Returns how many; 0 if the time passed first, or [`Hub::wake`] was called.
    ///
    /// # Errors
    ///
    /// `WOULD_DEADLOCK` inside a callback, or while another thread drives a handle without a thread
    /// of its own; `INTERRUPTED` at a signal; `CLOSED` or why the handle failed, when no event is
    /// left; `FORKED`.
    pub fn poll(
        &self,
        events: &mut Vec<Event>,
        capacity: usize,
        timeout: Timeout,
    ) -> Result<usize, Error> {
        let now = clock::now();
        let deadline = match timeout {
            Timeout::Default => Some(now),
            timeout => timeout.deadline(now),
        };
        self.shared().poll(events, capacity, deadline)
    }

    /// A descriptor for an outer loop. For `Caller` and `Inline` handles it is readable whenever
    /// [`Hub::poll`] has something to do, timers and left-over events included; for `Library`
    /// handles, while events wait. It belongs to the handle: watch it, and nothing else.
    ///
    /// # Errors
    ///
    /// `CLOSED`, `FORKED`, or `IO` if no descriptor can be had.
    pub fn fd(&self) -> Result<RawFd, Error> {
        let shared = self.shared();
        shared.check_open()?;
        if shared.drive == Drive::Library {
            let made = shared.events.lock().signal();
            return made.map_err(|error| Error::new(Kind::Io, error.to_string()));
        }
        if !shared.is_watched.swap(true, Ordering::SeqCst) {
            // What was started or has arrived before shows, too.
            shared.inbox.alarm().force();
        }
        Ok(shared.epoll)
    }

    /// Sends what has been started and takes in what has arrived, without waiting.
    ///
    /// # Errors
    ///
    /// `CLOSED`, `FORKED`, or why the handle failed.
    pub fn flush(&self) -> Result<(), Error> {
        self.shared().flush()
    }

    /// Ends the current `poll` of another thread early; if there is none, the next.
    ///
    /// # Errors
    ///
    /// `CLOSED`, `FORKED`, or why the handle failed.
    pub fn wake(&self) -> Result<(), Error> {
        self.shared().wake()
    }

    /// Asks for a ticket's end; it still ends exactly once, and the result may win.
    ///
    /// # Errors
    ///
    /// `STALE` if it has ended, as far as that is known here; `CLOSED`; `FORKED`.
    pub fn cancel(&self, id: Id) -> Result<(), Error> {
        let shared = self.shared();
        shared.check_open()?;
        let is_stale = !shared.inbox.knows(id)
            || (Destination::of(id) == Destination::Wait && !shared.outcomes.lock().is_open(id));
        if is_stale {
            return Err(handle::outcomes::stale(id));
        }
        shared.submit(Submission::Cancel(id));
        Ok(())
    }

    /// Lets go of an id: a ticket's outcome goes nowhere; a gather is cancelled; a consumer,
    /// service or subscriber is stopped and its id ends with `Done`. What had arrived for it and
    /// was not taken goes back as if untouched, or, of a subscriber, is dropped; what was taken
    /// stays the program's to settle or answer.
    ///
    /// # Errors
    ///
    /// `STALE` if it was redeemed before; `CLOSED`; `FORKED`.
    pub fn detach(&self, id: Id) -> Result<(), Error> {
        self.shared().check_open()?;
        self.shared().detach(id)
    }

    /// As `detach`, for a consumer, service or subscriber whose end nobody will ask for.
    pub fn forget(&self, id: Id) {
        if self.shared().check_open().is_ok() {
            self.shared().forget(id);
        }
    }

    /// True if the caller of this request no longer waits.
    ///
    /// # Errors
    ///
    /// `STALE` if it was answered, or is a message of a topic and nobody waits for its answer;
    /// `FORKED`.
    pub fn request_cancelled(&self, request: u64) -> Result<bool, Error> {
        let open = self.open_request(request)?;
        Ok(open.is_withdrawn || open.deadline.is_some_and(|deadline| deadline <= clock::now()))
    }

    /// What is left of the request's time; `None` if it has no deadline.
    ///
    /// # Errors
    ///
    /// `STALE` if it was answered; `FORKED`.
    pub fn request_remaining(&self, request: u64) -> Result<Option<Duration>, Error> {
        let open = self.open_request(request)?;
        Ok(open.deadline.map(|deadline| deadline.since(clock::now())))
    }

    fn open_request(&self, request: u64) -> Result<handle::requests::Open, Error> {
        let shared = self.shared();
        shared.check_process()?;
        shared.requests.lock().get(request)
    }

    /// Says goodbye: every open ticket ends as `CLOSED`, every waiter wakes. Returns within
    /// `timeout`; from a callback it is carried out after it. Closing twice is fine.
    ///
    /// # Errors
    ///
    /// `FORKED`.
    pub fn close(&self, timeout: Timeout) -> Result<(), Error> {
        self.shared().close(timeout.deadline(clock::now()))
    }

    /// Counters.
    pub fn stats(&self) -> Stats {
        self.shared().admission.stats()
    }

    /// What the hub can do, by name: `calls`, `queues.memory`, `queues.os`, `queues.disk`,
    /// `batches`, `dead_letters`, `topics`, `bindings`, `gather`, `streams`; without
    /// `queues.os` and `queues.disk` it keeps queues and streams in memory only. Until the hub is
    /// reached, this is what every hub at such a URL can.
    pub fn capabilities(&self) -> &'static [&'static str] {
        match self.shared().keeps_queues.load(Ordering::SeqCst) {
            true => &[
                "calls",
                "queues.memory",
                "queues.os",
                "queues.disk",
                "batches",
                "dead_letters",
                "topics",
                "bindings",
                "gather",
                "streams",
            ],
            false => &[
                "calls",
                "queues.memory",
                "batches",
                "dead_letters",
                "topics",
                "bindings",
                "gather",
                "streams",
            ],
        }
    }

    /// True if the calling process is a fork of the one that opened the handle.
    pub fn forked(&self) -> bool {
        self.shared().is_forked()
    }
}

/// Operations whose purpose may be to wait.
fn may_last(command: &Command) -> bool {
    matches!(
        command,
        Command::Serve { .. }
            | Command::Reply { .. }
            | Command::Receive { .. }
            | Command::Consume { .. }
            | Command::Settle { .. }
            | Command::Subscribe { .. }
            | Command::Read { .. }
            | Command::Credit { .. }
    )
}

fn is_answer(command: &Command) -> bool {
    matches!(
        command,
        Command::Reply { .. }
            | Command::Settle { .. }
            | Command::Extend { .. }
            | Command::Credit { .. }
    )
}

fn needs_a_bound() -> Error {
    let detail = "this operation needs a time limit; only what waits for something to arrive may \
                  be without one";
    Error::new(Kind::Invalid, detail)
}

fn check_span(timeout: Timeout) -> Result<(), Error> {
    let most = Duration::from_millis(limits::TIMEOUT_MAX_MS);
    match timeout {
        Timeout::After(span) if span > most => {
            let detail = format!("the timeout is {span:?}; at most {most:?} is allowed");
            Err(Error::new(Kind::Invalid, detail))
        }
        _ => Ok(()),
    }
}
