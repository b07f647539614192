//! How a handle comes to be.
//!
//! Everything that can be judged without waiting is judged before there is a handle: the URL, the
//! options, the directory and who owns it, the addresses to listen at.
//!
//! Floor: handle, host, directory, address.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use telpher_proto::base::{Error, Id, Kind, limits};
use telpher_proto::client::{Client, Config};
use telpher_proto::election::{Election, Role};
use telpher_proto::hub::Hub;

use super::admission::Admission;
use super::dispatch::{Hosting, Place, Target};
use super::driver::{Driver, Parts};
use super::hand_over::Outgoing;
use super::inbox::{Callback, Destination, Inbox, Submission, Ticket};
use super::{Notices, Shared, drive};
use crate::address::Address;
use crate::api::{Done, Drive, HostRole, OpenOptions};
use crate::descriptors::generation;
use crate::directory::Directory;
use crate::host::{self, Core, Host, Key, Mailbox};
use crate::link::listen::Listener;
use crate::poller::Poller;
use crate::{clock, system};

/// A destination taken apart: which, the program's number, its function.
pub(crate) fn take_apart(done: Done) -> (Destination, u64, Option<Callback>) {
    match done {
        Done::Wait => (Destination::Wait, 0, None),
        Done::Event(user) => (Destination::Event, user, None),
        Done::Callback(function) => (Destination::Callback, 0, Some(function)),
        Done::None => (Destination::None, 0, None),
    }
}

/// Opens a handle; the id is that of the ticket that ends when the hub is reached.
pub(crate) fn open(
    url: &str,
    options: OpenOptions,
    done: Done,
    notices: Done,
) -> Result<(Arc<Shared>, Id), Error> {
    let address = Address::parse(url)?;
    let hosting = check(url, &address, &options)?;
    let now = clock::now();
    let (notices, function) = split_notices(notices)?;
    let poller = Poller::new().map_err(|error| no_resources(url, &error))?;
    let (target, core) = target(address, &hosting, &options, &poller)?;
    let backoff_ms = match &target {
        Target::Directory(_) => limits::DIRECTORY_BACKOFF_MS,
        _ => limits::RECONNECT_BACKOFF_MS,
    };
    let config =
        Config { seed: clock::seed(), clock: clock::boot_id(), backoff_ms, url: url.to_owned() };
    let shared = Arc::new(shared(&options, notices, &poller));
    shared.keeps_queues.store(matches!(target, Target::Directory(_)), Ordering::SeqCst);
    let deadline = options.timeout.deadline(now);
    let (destination, user, callback) = take_apart(done);
    let id = shared.inbox.id(destination);
    if destination == Destination::Wait {
        shared.outcomes.lock().insert(id, false);
    }
    let ticket = Ticket { id, user, counted: None, callback, is_stream: false, is_opening: true };
    shared.submit(Submission::Open { ticket, deadline });
    let client = Client::new(config, now);
    let outgoing = Outgoing::new(function);
    let parts = Parts { shared: Arc::clone(&shared), poller, client, target, core, outgoing };
    set_going(&shared, Driver::new(parts), url)?;
    Ok((shared, id))
}

fn set_going(shared: &Arc<Shared>, driver: Driver, url: &str) -> Result<(), Error> {
    if shared.drive != Drive::Library {
        *shared.driver.lock() = Some(driver);
        return Ok(());
    }
    let thread = system::spawn("telpher-driver", move || drive::run(driver))
        .map_err(|error| no_resources(url, &error))?;
    *shared.thread.lock() = Some(thread);
    Ok(())
}

fn shared(options: &OpenOptions, notices: Notices, poller: &Poller) -> Shared {
    let in_flight_max = match options.in_flight_max {
        0 => limits::IN_FLIGHT_DEFAULT,
        stated => stated,
    };
    Shared {
        generation: generation(),
        drive: options.drive,
        interruptible: options.interruptible,
        notices,
        admission: Admission::new(in_flight_max),
        inbox: Inbox::new(Arc::clone(poller.alarm())),
        outcomes: Default::default(),
        events: Default::default(),
        requests: Default::default(),
        taken: Default::default(),
        driver: Default::default(),
        thread: Default::default(),
        driving: AtomicUsize::new(0),
        poller: Default::default(),
        is_watched: AtomicBool::new(false),
        epoll: poller.as_raw_fd(),
        is_closing: AtomicBool::new(false),
        keeps_queues: AtomicBool::new(false),
        finished: Default::default(),
        fault: OnceLock::new(),
    }
}

fn no_resources(url: &str, error: &io::Error) -> Error {
    Error::new(Kind::Io, format!("can't open {url}: {error}"))
}

fn invalid(detail: String) -> Error {
    Error::new(Kind::Invalid, detail)
}

fn split_notices(notices: Done) -> Result<(Notices, Option<Callback>), Error> {
    match notices {
        Done::Wait => Err(invalid("notices can't be waited for: nothing names them".to_owned())),
        Done::Event(user) => Ok((Notices::Event(user), None)),
        Done::Callback(function) => Ok((Notices::Callback, Some(function))),
        Done::None => Ok((Notices::None, None)),
    }
}

fn check(url: &str, address: &Address, options: &OpenOptions) -> Result<Hosting, Error> {
    if options.in_flight_max > limits::IN_FLIGHT_MAX {
        let most = limits::IN_FLIGHT_MAX;
        let detail = format!("in_flight_max is {}; allowed are 1 to {most}", options.in_flight_max);
        return Err(invalid(detail));
    }
    let is_inline = options.drive == Drive::Inline;
    if is_inline && matches!(address, Address::Directory(_)) {
        let detail = "a directory's hub can't be inline: a paused program would hold its lock";
        return Err(Error::new(Kind::Unsupported, detail));
    }
    let is_served = matches!(address, Address::Tcp(_) | Address::Unix(_));
    if is_served && !is_inline && !options.listen.is_empty() {
        let detail = format!("{url} is served elsewhere, so it can't listen at further addresses");
        return Err(invalid(detail));
    }
    if is_served && is_inline {
        check_listen(url, address, options.insecure)?;
    }
    let mut listen = Vec::new();
    for url in &options.listen {
        let address = Address::parse(url)?;
        check_listen(url, &address, options.insecure)?;
        listen.push((address, url.clone()));
    }
    let grace = options.session_grace.map_or(limits::SESSION_GRACE_MS, |grace| {
        u64::try_from(grace.as_millis()).unwrap_or(u64::MAX).min(limits::TIMEOUT_MAX_MS)
    });
    Ok(Hosting { url: url.to_owned(), listen, session_grace_ms: grace })
}

fn check_listen(url: &str, address: &Address, insecure: bool) -> Result<(), Error> {
    if !matches!(address, Address::Tcp(_) | Address::Unix(_)) {
        let detail = format!("{url:?} is no address to listen at; allowed are tcp:// and unix://");
        return Err(invalid(detail));
    }
    if !address.is_loopback() && !insecure {
        let detail = format!(
            "listening at {url} would let anybody on the network connect; it is refused unless \
             it is stated to be wanted (insecure)"
        );
        return Err(Error::new(Kind::Refused, detail));
    }
    Ok(())
}

fn target(
    address: Address,
    hosting: &Hosting,
    options: &OpenOptions,
    poller: &Poller,
) -> Result<(Target, Option<Core>), Error> {
    if options.drive == Drive::Inline {
        return inline(&address, hosting, poller);
    }
    let hosting = hosting.clone();
    let target = match address {
        Address::Tcp(addresses) => Target::Tcp(addresses),
        Address::Unix(path) => Target::Unix(path),
        Address::Memory(name) => memory(name, hosting)?,
        Address::Directory(path) => Target::Directory(Box::new(place(&path, hosting, options)?)),
    };
    Ok((target, None))
}

fn memory(name: String, hosting: Hosting) -> Result<Target, Error> {
    let listeners = hosting.bind()?;
    let start = || host::start(hosting.plan(None));
    let host = host::find_or_start(Key::Memory(name.clone()), start)?;
    for listener in listeners {
        host.listen(listener);
    }
    Ok(Target::Memory { name, hosting, host: Some(host) })
}

fn place(path: &Path, hosting: Hosting, options: &OpenOptions) -> Result<Place, Error> {
    let may_host = options.host != HostRole::Never;
    let role = match options.host {
        HostRole::Auto => Role::Auto,
        HostRole::Never => Role::Never,
        HostRole::Always => Role::Always,
    };
    Ok(Place {
        path: std::path::absolute(path).map_err(|error| no_resources(&hosting.url, &error))?,
        role,
        waits_for: None,
        directory: Directory::open(path, may_host)?.map(Arc::new),
        election: Election::new(role, clock::seed()),
        lock: None,
        hosting,
        host: None,
        is_listening: false,
    })
}

fn inline(
    address: &Address,
    hosting: &Hosting,
    poller: &Poller,
) -> Result<(Target, Option<Core>), Error> {
    let mut listeners = hosting.bind()?;
    if matches!(address, Address::Tcp(_) | Address::Unix(_)) {
        listeners.extend(Listener::bind(address, &hosting.url)?);
    }
    let mailbox = Arc::new(Mailbox::new(Arc::clone(poller.alarm())));
    let host = Arc::new(Host::new(Arc::clone(&mailbox), None));
    if let Address::Memory(name) = address
        && !host::insert(Key::Memory(name.clone()), &host)
    {
        let detail = format!("{} is hosted by another handle of this process", hosting.url);
        return Err(Error::new(Kind::Mismatch, detail));
    }
    let hub = Hub::new(hosting.plan(None).config(), clock::now());
    let mut core = Core::new(hub, mailbox, None);
    for listener in listeners {
        core.listen(poller, listener).map_err(|error| no_resources(&hosting.url, &error))?;
    }
    Ok((Target::Inline(host), Some(core)))
}
