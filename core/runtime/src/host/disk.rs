//! The disk of a hosted directory: what does what the hub's journal wants.
//!
//! ```text
//! hub's thread --Write---------> writer: here, or on the journal thread, which syncs
//!       ^      --all the others-> files thread: makes a segment ahead, fills stream files, reads,
//!       |                                       removes
//!       +------ mailbox: done, or why not ------+
//! ```
//! While a sync runs, the next writes gather; so many are made durable together without any timer.
//! The first failure is the last thing that a disk says: nothing is ever tried again on files whose
//! state nobody knows.
//!
//! Floor: directory, host/mod.

mod writer;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;

use bytes::Bytes;
use telpher_proto::base::record::Place;
use telpher_proto::base::{Error, Kind};
use telpher_proto::hub::DiskDone;
use telpher_proto::journal::Effect;

use self::writer::{Write, Writer, writer};
use super::{Mail, Mailbox};
use crate::directory::{Directory, Filling, Lock, SegmentFile, is_full, read_frame};
use crate::system;

enum Task {
    Prepare(u32, (u64, u64), bool),
    Free(u32),
    PutAside(u32, u64),
    Append { segment: u32, offset: u64, bytes: Bytes, spare: u64 },
    Checkpoint(Bytes),
    Read(u64, Place),
}

/// What does the work of a journal.
pub(crate) struct Disk {
    writer: Option<Writer>,
    tasks: Option<Sender<Task>>,
    threads: Vec<JoinHandle<()>>,
}

impl Disk {
    /// Starts the threads.
    pub(crate) fn start(
        (directory, lock): (&Arc<Directory>, &Arc<Lock>),
        mailbox: &Arc<Mailbox>,
    ) -> io::Result<Disk> {
        let (tasks, to_do) = channel();
        let (writer, journal) =
            writer(Arc::clone(directory), Arc::clone(lock), Arc::clone(mailbox));
        let (own, mail) = (Arc::clone(directory), Arc::clone(mailbox));
        let lock = Arc::clone(lock);
        let files = Files { directory: own, lock, mailbox: mail, filling: None, open: Vec::new() };
        let journal = system::spawn("telpher-journal", move || journal.run())?;
        let files = system::spawn("telpher-files", move || files.run(&to_do))?;
        let threads = vec![journal, files];
        Ok(Disk { writer: Some(writer), tasks: Some(tasks), threads })
    }

    /// Does what the journal wants; what comes of it is mailed, or said if it is done already.
    ///
    /// # Errors
    ///
    /// `IO`: the disk is not to be asked anything more.
    pub(crate) fn carry_out(&mut self, effect: Effect) -> Result<Option<DiskDone>, Error> {
        let (Some(writer), Some(tasks)) = (&mut self.writer, &self.tasks) else { return Ok(None) };
        // A thread that has ended has mailed why.
        let _ = match effect {
            Effect::Write { segment, offset, bytes, last, sync } => {
                return writer.write(Write { segment, offset, bytes, last, sync });
            }
            Effect::Prepare { segment, size, spare, zeros } => {
                tasks.send(Task::Prepare(segment, (size, spare), zeros))
            }
            Effect::Free { segment } => tasks.send(Task::Free(segment)),
            Effect::PutAside { segment, size } => tasks.send(Task::PutAside(segment, size)),
            Effect::Append { segment, offset, bytes, spare } => {
                tasks.send(Task::Append { segment, offset, bytes, spare })
            }
            Effect::Checkpoint { bytes } => tasks.send(Task::Checkpoint(bytes)),
            Effect::Read { id, place } => tasks.send(Task::Read(id, place)),
        };
        Ok(None)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.writer = None;
        self.tasks = None;
        for thread in self.threads.drain(..) {
            // Whatever it ended with, it has mailed.
            let _ = thread.join();
        }
    }
}

fn failure(directory: &Directory, segment: u32, what: &str, error: &io::Error) -> Error {
    let path = directory.segment_text(segment);
    Error::new(Kind::Io, format!("can't {what} {path}: {error}"))
}

/// A lock file that was replaced protects nothing: another process may host by now. It has replaced
/// the file before it read the journal, so what it did not see is noticed here, and confirmed to
/// nobody.
fn check_lock(directory: &Directory, lock: &Lock) -> Result<(), Error> {
    let path = directory.path().display();
    match directory.still_has(lock) {
        Ok(true) => Ok(()),
        Ok(false) => {
            let detail = format!("the lock file of {path} was removed or replaced");
            Err(Error::new(Kind::Io, detail))
        }
        Err(error) => {
            let detail = format!("can't look at the lock of {path}: {error}");
            Err(Error::new(Kind::Io, detail))
        }
    }
}

struct Files {
    directory: Arc<Directory>,
    lock: Arc<Lock>,
    mailbox: Arc<Mailbox>,
    /// The segment that is being made, and its number.
    filling: Option<(u32, Filling)>,
    /// Segments that are open for reading, most recently used last.
    open: Vec<(u32, SegmentFile)>,
}

/// Segments that are kept open for reading.
const OPEN_MAX: usize = 8;

impl Files {
    fn run(mut self, tasks: &Receiver<Task>) {
        // Nobody waits for it yet; without it only a full disk is harder to get over.
        self.keep_reserve();
        loop {
            let task = match self.filling {
                None => tasks.recv().map_err(|_| TryRecvError::Disconnected),
                Some(_) => tasks.try_recv(),
            };
            let done = match task {
                Ok(task) => self.carry_out(task),
                Err(TryRecvError::Empty) => self.fill(),
                Err(TryRecvError::Disconnected) => break,
            };
            if let Err(error) = done {
                self.mailbox.post(Mail::DiskFailed(error));
                break;
            }
        }
        if let Some((_, filling)) = self.filling.take() {
            filling.give_up();
        }
    }

    fn carry_out(&mut self, task: Task) -> Result<(), Error> {
        // The next host's files have the same names.
        check_lock(&self.directory, &self.lock)?;
        match task {
            Task::Prepare(segment, sizes, zeros) => self.prepare(segment, sizes, zeros),
            Task::Free(segment) => {
                self.open.retain(|(number, _)| *number != segment);
                self.directory
                    .remove_segment(segment)
                    .map_err(|error| failure(&self.directory, segment, "remove", &error))?;
                self.keep_reserve();
                Ok(())
            }
            Task::PutAside(segment, size) => self
                .directory
                .put_aside(segment, size)
                .map_err(|error| failure(&self.directory, segment, "put aside", &error)),
            Task::Append { segment, offset, bytes, spare } => {
                self.append(segment, offset, (&bytes, spare))
            }
            Task::Checkpoint(bytes) => {
                if let Err(error) = self.directory.write_checkpoint(&bytes) {
                    tracing::debug!(%error, "no checkpoint was written");
                }
                Ok(())
            }
            Task::Read(id, place) => {
                self.read(id, place);
                Ok(())
            }
        }
    }

    /// What was written where there was no room is never looked at.
    fn append(
        &mut self,
        segment: u32,
        offset: u64,
        (bytes, spare): (&Bytes, u64),
    ) -> Result<(), Error> {
        let has_room = self.directory.has_room(bytes.len() as u64 + spare);
        let done = match has_room {
            true => self.directory.append(segment, offset, bytes).map(|()| true),
            false => Ok(false),
        };
        let is_durable = done.or_else(|error| match is_full(&error) {
            true => Ok(false),
            false => Err(failure(&self.directory, segment, "write to", &error)),
        })?;
        check_lock(&self.directory, &self.lock)?;
        self.mailbox.post(Mail::Disk(DiskDone::Filed(is_durable)));
        Ok(())
    }

    /// True unless the disk is too full to keep room for the next host.
    fn keep_reserve(&self) -> bool {
        match self.directory.keep_reserve() {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!(%error, "no room is kept for a full disk");
                !is_full(&error)
            }
        }
    }

    fn prepare(
        &mut self,
        segment: u32,
        (size, spare): (u64, u64),
        zeros: bool,
    ) -> Result<(), Error> {
        // What the next host needs goes before what this one would like to have.
        if !self.keep_reserve() || !self.directory.has_room(size + spare) {
            self.mailbox.post(Mail::Disk(DiskDone::Prepared(None)));
            return Ok(());
        }
        let begun = self.directory.begin_segment(segment, size).and_then(|filling| {
            let (_, filling) = self.filling.insert((segment, filling));
            if zeros { Ok(()) } else { filling.reserve() }
        });
        begun.or_else(|error| self.not_prepared(segment, &error))
    }

    /// A full disk is no failure: it is asked again.
    fn not_prepared(&mut self, segment: u32, error: &io::Error) -> Result<(), Error> {
        if let Some((_, filling)) = self.filling.take() {
            filling.give_up();
        }
        if is_full(error) {
            self.mailbox.post(Mail::Disk(DiskDone::Prepared(None)));
            return Ok(());
        }
        Err(failure(&self.directory, segment, "make", error))
    }

    fn fill(&mut self) -> Result<(), Error> {
        let Some((segment, filling)) = &mut self.filling else { return Ok(()) };
        let segment = *segment;
        match filling.fill() {
            Ok(false) => Ok(()),
            Err(error) => self.not_prepared(segment, &error),
            Ok(true) => self.finish(segment),
        }
    }

    fn finish(&mut self, segment: u32) -> Result<(), Error> {
        let Some((_, filling)) = self.filling.take() else { return Ok(()) };
        let size = filling.size();
        check_lock(&self.directory, &self.lock)?;
        match filling.finish(&self.directory) {
            Ok(()) => {
                self.mailbox.post(Mail::Disk(DiskDone::Prepared(Some(size))));
                Ok(())
            }
            Err(error) => Err(failure(&self.directory, segment, "make", &error)),
        }
    }

    /// That one message can't be read ends nothing else. It is tried twice, once anew.
    fn read(&mut self, id: u64, place: Place) {
        let bytes = self.frame(place).or_else(|_| {
            self.open.retain(|(number, _)| *number != place.segment);
            self.frame(place)
        });
        let bytes = bytes.inspect_err(|error| {
            let (path, offset) = (self.directory.segment_text(place.segment), place.offset);
            let offset = u64::from(offset) * 8;
            tracing::error!(%path, offset, %error, "a message can't be read, and is put aside");
        });
        self.mailbox.post(Mail::Disk(DiskDone::Read { id, place, bytes: bytes.ok() }));
    }

    fn frame(&mut self, place: Place) -> io::Result<Bytes> {
        let segment = place.segment;
        let at = match self.open.iter().position(|(number, _)| *number == segment) {
            Some(at) => at,
            None => {
                let file = self.directory.open_segment(segment, false)?;
                if self.open.len() >= OPEN_MAX {
                    self.open.remove(0);
                }
                self.open.push((segment, file));
                self.open.len() - 1
            }
        };
        read_frame(&self.open[at].1, place)
    }
}
