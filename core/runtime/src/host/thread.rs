//! The thread of a hosted hub.
//!
//! It raises the epoch and listens before it takes anybody in, all away from the program's threads,
//! since a slow disk may be involved. The directory's lock is released last. A panic ends the hub
//! and frees the lock; the program goes on, and another process may host.
//!
//! Floor: host, directory.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use telpher_proto::base::{Error, Kind};
use telpher_proto::hub::Config;

use super::{Core, Host, Mailbox};
use crate::directory::{Directory, Lock};
use crate::link::listen::Listener;
use crate::poller::{Poller, Readiness};
use crate::{clock, system};

/// What is to be hosted.
pub(crate) struct Plan {
    /// How the hub is called in logs.
    pub(crate) url: String,
    /// For a directory: the directory and its lock.
    pub(crate) directory: Option<(Arc<Directory>, Lock)>,
    /// Where it listens besides.
    pub(crate) listeners: Vec<Listener>,
    pub(crate) session_grace_ms: u64,
}

impl Plan {
    /// The configuration of a hub that lives in memory.
    pub(crate) fn config(&self) -> Config {
        Config {
            hub_id: clock::random(),
            epoch: 1,
            clock: clock::boot_id(),
            session_grace_ms: self.session_grace_ms,
            directory: false,
            log_delayed: false,
        }
    }
}

/// Starts a host.
///
/// # Errors
///
/// `IO` if descriptors or a thread can't be had.
pub(crate) fn start(plan: Plan) -> Result<Arc<Host>, Error> {
    let failed =
        |error: io::Error| Error::new(Kind::Io, format!("can't host {}: {error}", plan.url));
    let poller = Poller::new().map_err(failed)?;
    let mailbox = Arc::new(Mailbox::new(Arc::clone(poller.alarm())));
    let host = Arc::new(Host::new(Arc::clone(&mailbox), None));
    let ended = Arc::clone(&host.ended);
    let url = plan.url.clone();
    let body = move || {
        let mailbox_of_thread = Arc::clone(&mailbox);
        let reason = match catch_unwind(AssertUnwindSafe(|| run(plan, poller, mailbox_of_thread))) {
            Ok(Ok(())) => "the hub was closed".to_owned(),
            Ok(Err(error)) => error.detail().to_owned(),
            Err(_) => "a fault in Telpher itself ended the hub".to_owned(),
        };
        tracing::info!(%reason, "no longer hosting");
        mailbox.close(&reason);
        ended.set();
    };
    let thread = system::spawn("telpher-hub", body)
        .map_err(|error| Error::new(Kind::Io, format!("can't host {url}: {error}")))?;
    *host.thread.lock() = Some(thread);
    Ok(host)
}

fn run(plan: Plan, mut poller: Poller, mailbox: Arc<Mailbox>) -> Result<(), Error> {
    let mut config = plan.config();
    let Plan { url, directory, mut listeners, .. } = plan;
    if let Some((directory, lock)) = &directory {
        directory.sign(lock)?;
        let record = directory.raise_epoch()?;
        (config.hub_id, config.epoch, config.directory) = (record.hub_id, record.epoch, true);
        let socket = directory.socket();
        let listener = Listener::replace_unix(&socket).map_err(|error| {
            Error::new(Kind::Io, format!("can't listen at {}: {error}", socket.display()))
        })?;
        listeners.push(listener);
    }
    tracing::info!(%url, epoch = config.epoch, "hosting");
    let mut core = Core::new(config, mailbox, clock::now());
    for listener in listeners {
        core.listen(&poller, listener)
            .map_err(|error| Error::new(Kind::Io, format!("can't accept connections: {error}")))?;
    }
    let result = turn_until_stopped(&mut core, &mut poller);
    core.stop("the hub was closed");
    drop(core);
    // Only now may another process take over.
    drop(directory);
    result
}

fn turn_until_stopped(core: &mut Core, poller: &mut Poller) -> Result<(), Error> {
    let mut ready: Vec<Readiness> = Vec::new();
    while !core.is_stopped() {
        let now = clock::now();
        core.turn(poller, now);
        poller.alarm().arm();
        let until = if core.has_work() || core.is_stopped() { Some(now) } else { core.deadline() };
        match poller.wait(until, now, &mut ready) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                return Err(Error::new(Kind::Io, format!("can't wait for events: {error}")));
            }
        }
        let now = clock::now();
        for ready in ready.drain(..) {
            core.handle_ready(now, &ready);
        }
    }
    // What the last handles have sent is still taken in, and answered.
    core.turn(poller, clock::now());
    Ok(())
}
