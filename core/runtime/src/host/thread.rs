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

use telpher_proto::base::{Error, Kind, limits};
use telpher_proto::hub::{Beginning, Config, Hub};
use telpher_proto::journal::{self, Source};

use super::disk::Disk;
use super::{Core, Host, Mailbox};
use crate::directory::{Directory, Lock, Record};
use crate::link::Farewell;
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
            journal_id: [0; 16],
            epoch: 1,
            served: 0,
            clock: clock::boot_id(),
            session_grace_ms: self.session_grace_ms,
            time_ms: clock::wall_ms(),
            seed: clock::seed(),
            sizes: limits::Sizes::default(),
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
        let why = match catch_unwind(AssertUnwindSafe(|| run(plan, poller, mailbox_of_thread))) {
            Ok(Ok(())) => Farewell::ended("the hub was closed"),
            Ok(Err(error)) => Farewell::Failed(error),
            Err(_) => Farewell::ended("a fault in Telpher itself ended the hub"),
        };
        tracing::info!(reason = why.text(), "no longer hosting");
        // A hub that has served has said why it ended, and this is passed over.
        mailbox.close(why);
        ended.set();
    };
    let thread = system::spawn("telpher-hub", body)
        .map_err(|error| Error::new(Kind::Io, format!("can't host {url}: {error}")))?;
    *host.thread.lock() = Some(thread);
    Ok(host)
}

fn run(plan: Plan, mut poller: Poller, mailbox: Arc<Mailbox>) -> Result<(), Error> {
    let config = plan.config();
    let Plan { url, directory, mut listeners, .. } = plan;
    let directory = directory.map(|(directory, lock)| (directory, Arc::new(lock)));
    let (mut hub, mut disk, mut watched) = (None, None, Vec::new());
    if let Some((directory, lock)) = &directory {
        directory.sign(lock);
        let begun = take_over(directory, config.clone())?;
        (hub, watched) = (Some(begun.hub), begun.watched);
        disk = Some(Disk::start((directory, lock), &mailbox).map_err(|error| {
            Error::new(Kind::Io, format!("can't start the threads of the disk: {error}"))
        })?);
        let socket = directory.socket();
        let listener = Listener::replace_unix(&socket).map_err(|error| {
            Error::new(Kind::Io, format!("can't listen at {}: {error}", socket.display()))
        })?;
        listeners.push(listener);
    }
    let hub = hub.unwrap_or_else(|| Hub::new(config, clock::now()));
    tracing::info!(%url, epoch = hub.epoch(), "hosting");
    let mut core = Core::new(hub, mailbox, disk);
    core.watch(&poller, watched);
    for listener in listeners {
        core.listen(&poller, listener)
            .map_err(|error| Error::new(Kind::Io, format!("can't accept connections: {error}")))?;
    }
    let result = turn_until_stopped(&mut core, &mut poller);
    match &result {
        Ok(()) => {
            core.close_down(&mut poller, clock::now().plus_ms(limits::CLOSE_DOWN_MS));
            core.stop("the hub was closed");
        }
        Err(error) => core.stop(error.detail()),
    }
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
    if let Some(error) = core.take_disk_failure() {
        return Err(error);
    }
    // What the last handles have sent is still taken in, and answered.
    core.turn(poller, clock::now());
    Ok(())
}

/// Makes this host the next of its directory: from here on its epoch is the highest, everything
/// that was written down is durable, and nothing of an earlier host counts any more but that.
fn take_over(directory: &Directory, config: Config) -> Result<Beginning, Error> {
    let begun = clock::now();
    let mut record = directory.raise_epoch()?;
    let Record { hub_id, journal_id, epoch, served, .. } = record;
    let ids = Config { hub_id, journal_id, epoch, served, ..config };
    let files = directory.segments()?;
    if files.last().map_or(0, |last| last.number) < record.segment {
        let path = directory.segment_text(record.segment);
        return Err(Error::new(Kind::Corrupt, format!("{path} is missing")));
    }
    let mut read = |number| {
        let content = directory.read_segment(number)?;
        if number == record.segment && !journal::has_begun(&record.journal_id, number, &content) {
            let path = directory.segment_text(number);
            let detail = format!("{path} is damaged at offset 0: it does not begin as it did");
            return Err(Error::new(Kind::Corrupt, detail));
        }
        Ok(content)
    };
    let path = |number| directory.segment_text(number);
    let checkpoint = directory.read_checkpoint();
    let source = Source { files: &files, checkpoint, read: &mut read };
    let stream_files = directory.stream_files()?;
    // Its clock begins to count here.
    let config = Config { time_ms: clock::wall_ms(), ..ids };
    let beginning = Hub::recover(config, clock::now(), (source, &stream_files), &path)?;
    let failed = |error: io::Error| {
        let path = directory.path().display();
        Error::new(Kind::Io, format!("can't tidy up {path}: {error}"))
    };
    directory.drop_temporaries().map_err(failed)?;
    let (number, size, content) = &beginning.segment;
    directory.make_first((*number, *size, content))?;
    for obsolete in &beginning.obsolete {
        directory.remove_segment(*obsolete).map_err(failed)?;
    }
    (record.served, record.segment) = (record.epoch, *number);
    directory.note(record)?;
    tracing::debug!(took = ?clock::now().since(begun), "recovered");
    Ok(beginning)
}
