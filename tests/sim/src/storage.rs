//! What the host does for its hub's journal: one thread writes and syncs, another makes, removes
//! and reads files, each in time. At every operation the host may be killed, the power may be cut,
//! or the operation may fail.
//!
//! The first failure is the last thing that the hub hears of its disk.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use telpher_proto::base::record::{ASIDE, Place, Position};
use telpher_proto::hub::DiskDone;
use telpher_proto::journal::{Effect, format};

use crate::agenda::Item;
use crate::mutant::Mutant;
use crate::world::World;

/// How a host, or an operation of its, ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The process is killed.
    Kill,
    /// The machine loses its power.
    Power,
    /// The operation fails.
    Error,
}

/// An end that comes after so many more operations of the disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doom {
    pub operations: u64,
    pub end: End,
    /// Only operations on whole segments and checkpoints count: there are few of them.
    pub is_picky: bool,
}

#[derive(Debug)]
pub(crate) enum Mail {
    Done(DiskDone),
    Failed,
}

#[derive(Debug)]
struct Write {
    segment: u32,
    offset: u64,
    bytes: Bytes,
    last: Position,
    sync: bool,
}

/// The threads of a host.
#[derive(Debug, Default)]
pub(crate) struct Threads {
    writes: VecDeque<Write>,
    /// A sync is under way that makes this position durable.
    syncing: Option<Position>,
    is_busy: bool,
    /// The segment that is written to.
    open: Option<u32>,
    is_dirty: bool,
    tasks: VecDeque<Effect>,
    has_failed: bool,
    pub mail: VecDeque<Mail>,
}

impl World {
    /// Gives the threads what the hub wants of the disk.
    pub(crate) fn drain_disk(&mut self) {
        while let Some(effect) = self.host.hub.as_mut().and_then(|hub| hub.poll_disk()) {
            let threads = &mut self.host.threads;
            if let Effect::Write { segment, offset, bytes, last, sync } = effect {
                threads.writes.push_back(Write { segment, offset, bytes, last, sync });
                self.go_on_writing();
            } else {
                threads.tasks.push_back(effect);
                if threads.tasks.len() == 1 {
                    self.later(2_000, Item::Files(self.host.epoch));
                }
            }
        }
    }

    /// The journal's thread takes up its next work, if it has any.
    fn go_on_writing(&mut self) {
        let threads = &mut self.host.threads;
        let is_idle = threads.writes.is_empty() && threads.syncing.is_none();
        if threads.is_busy || threads.has_failed || is_idle {
            return;
        }
        threads.is_busy = true;
        let (least, most) = match threads.syncing {
            None => self.plan.disk.write_us,
            Some(_) if self.random.chance(self.plan.disk.stalls) => (1_000_000, 4_000_000),
            Some(_) => self.plan.disk.sync_us,
        };
        let span = Duration::from_micros(self.random.between(least, most));
        let item = Item::Journal(self.host.epoch);
        self.agenda.add(&mut self.random, self.now.plus(span), item);
    }

    /// The journal's thread has done what it was at.
    pub(crate) fn journal_turn(&mut self) {
        self.host.threads.is_busy = false;
        let done = match self.host.threads.syncing.take() {
            Some(position) => self.finish_sync(position),
            None => self.write_all(),
        };
        match done {
            Ok(()) => self.go_on_writing(),
            Err(end) => self.end_host(end),
        }
    }

    /// Writes all that waits; one sync will do for it.
    fn write_all(&mut self) -> Result<(), End> {
        let (mut last, mut sync) = (0, false);
        if self.mischief.is(Mutant::ConfirmedUnwritten) {
            let unwritten = self.host.threads.writes.back().map_or(0, |write| write.last);
            self.post(DiskDone::Synced(unwritten));
        }
        while let Some(write) = self.host.threads.writes.pop_front() {
            let is_open = self.host.threads.open == Some(write.segment);
            if !is_open && self.host.threads.is_dirty {
                self.sync_open("the sync of a full segment")?;
            }
            self.host.threads.open = Some(write.segment);
            self.write(&write)?;
            (last, sync) = (write.last, sync | write.sync);
        }
        self.post(DiskDone::Written(last));
        self.host.threads.syncing = sync.then_some(last);
        if sync && self.mischief.is(Mutant::ConfirmedUnsynced) {
            self.post(DiskDone::Synced(last));
        }
        Ok(())
    }

    fn write(&mut self, write: &Write) -> Result<(), End> {
        let Write { segment, offset, bytes, .. } = write;
        if let Err(end) = self.before("a write") {
            let part = self.random.below(bytes.len() as u64 + 1) as usize;
            self.disk.write(*segment, *offset, &bytes[..part]);
            return Err(end);
        }
        if !self.disk.write(*segment, *offset, bytes) {
            *self.counts.entry("write without room".into()).or_default() += 1;
            return Err(End::Error);
        }
        self.host.threads.is_dirty = true;
        let size = bytes.len();
        self.trace.note(self.now, format_args!("{size} bytes to {segment} at {offset}"));
        self.after_operation("a write")
    }

    fn finish_sync(&mut self, position: Position) -> Result<(), End> {
        self.sync_open("a sync")?;
        self.post(DiskDone::Synced(position));
        Ok(())
    }

    fn sync_open(&mut self, what: &str) -> Result<(), End> {
        let Some(segment) = self.host.threads.open else { return Ok(()) };
        if let Err(end) = self.before(what) {
            if end == End::Error {
                self.disk.fail_sync(segment, &mut self.random);
                if self.mischief.is(Mutant::FailedSyncIgnored) {
                    return Ok(());
                }
            }
            return Err(end);
        }
        self.disk.sync(segment);
        self.host.threads.is_dirty = false;
        self.after_operation(what)
    }

    /// The thread for files does the next thing.
    pub(crate) fn files_turn(&mut self) {
        let Some(task) = self.host.threads.tasks.pop_front() else { return };
        let done = match task {
            Effect::Prepare { segment, size, spare, .. } => self.prepare(segment, size, spare),
            Effect::Free { segment } => self.remove(segment, "the removal of a segment"),
            Effect::PutAside { segment, size } => self.put_aside(segment, size as usize),
            Effect::Read { id, place } => self.read(id, place),
            Effect::Append { segment, offset, bytes, spare } => {
                self.file((segment, offset), &bytes, spare)
            }
            Effect::Checkpoint { bytes } => self.put_checkpoint(bytes.to_vec()),
            Effect::Write { .. } => Ok(()),
        };
        if let Err(end) = done {
            return self.end_host(end);
        }
        if !self.host.threads.tasks.is_empty() {
            self.later(2_000, Item::Files(self.host.epoch));
        }
    }

    fn prepare(&mut self, segment: u32, size: u64, spare: u64) -> Result<(), End> {
        if self.disk.is_full || (self.disk.is_tight && spare > 0) {
            *self.counts.entry("segment without room".into()).or_default() += 1;
            self.post(DiskDone::Prepared(None));
            return Ok(());
        }
        self.before("the making of a segment")?;
        let inode = self.disk.make(size, &[], true);
        self.disk.put(segment, inode);
        self.after_operation("the naming of a segment")?;
        self.disk.sync_names();
        self.disk.has_reserve = true;
        self.after_operation("the making of a segment")?;
        self.trace.note(self.now, format_args!("segment {segment} is made"));
        if self.disk.is_tight {
            *self.counts.entry("segment for verdicts".into()).or_default() += 1;
        }
        self.post(DiskDone::Prepared(Some(size)));
        Ok(())
    }

    /// Writes to a stream file, which is made at its beginning, and syncs that.
    fn file(&mut self, (number, offset): (u32, u64), bytes: &Bytes, spare: u64) -> Result<(), End> {
        let is_new = offset == 0;
        if self.disk.is_full || (self.disk.is_tight && spare > 0) {
            *self.counts.entry("filing without room".into()).or_default() += 1;
            self.post(DiskDone::Filed(false));
            return Ok(());
        }
        self.before("a write to a stream file")?;
        if is_new {
            let inode = self.disk.make(0, &[], true);
            self.disk.put(number, inode);
            self.after_operation("the naming of a stream file")?;
        }
        let part = self.random.below(bytes.len() as u64 + 1) as usize;
        self.disk.write(number, offset, &bytes[..part]);
        self.after_operation("half a write to a stream file")?;
        self.disk.write(number, offset + part as u64, &bytes[part..]);
        if self.mischief.is(Mutant::FiledUnsynced) {
            self.post(DiskDone::Filed(true));
            return Ok(());
        }
        if let Err(end) = self.before("the sync of a stream file") {
            self.disk.fail_sync(number, &mut self.random);
            return Err(end);
        }
        self.disk.sync(number);
        if is_new {
            self.disk.sync_names();
        }
        self.after_operation("the sync of a stream file")?;
        let size = bytes.len();
        self.trace.note(self.now, format_args!("{size} bytes to {number} at {offset}, synced"));
        if self.mischief.is(Mutant::StreamFileFreedEarly) && is_new {
            self.disk.remove(number - 1);
        }
        self.post(DiskDone::Filed(true));
        Ok(())
    }

    /// Removes a segment.
    pub(crate) fn remove(&mut self, segment: u32, what: &str) -> Result<(), End> {
        self.before(what)?;
        self.disk.remove(segment);
        self.trace.note(self.now, format_args!("segment {segment} is removed"));
        if self.mischief.is(Mutant::FreedEarly) && self.disk.files().0.len() > 1 {
            self.disk.remove(segment + 1);
        }
        self.after_operation(what)
    }

    /// A segment leaves the journal.
    fn put_aside(&mut self, segment: u32, size: usize) -> Result<(), End> {
        self.before("the putting aside of a segment")?;
        self.disk.put_aside(segment);
        self.after_operation("the renaming of a segment")?;
        self.disk.sync_names();
        match () {
            () if self.mischief.is(Mutant::AsideRemoved) => self.disk.remove(ASIDE + segment),
            () if self.mischief.is(Mutant::AsideCut) => self.disk.cut(ASIDE + segment, size / 2),
            () => self.disk.cut(ASIDE + segment, size),
        }
        self.trace.note(self.now, format_args!("segment {segment} is put aside"));
        self.after_operation("the putting aside of a segment")
    }

    /// That a checkpoint can't be written is no failure.
    fn put_checkpoint(&mut self, content: Vec<u8>) -> Result<(), End> {
        match self.before("a checkpoint") {
            Err(End::Error) => return Ok(()),
            done => done?,
        }
        if !self.disk.is_full {
            self.disk.put_checkpoint(content);
        }
        self.after_operation("a checkpoint")
    }

    fn read(&mut self, id: u64, place: Place) -> Result<(), End> {
        // A host that can't read a message goes on without it until there is another: here at once.
        self.before("a read")?;
        let Some(content) = self.disk.read(place.segment) else {
            self.model.complain(format!("the hub reads {place:?}, which is not there"));
            return Err(End::Error);
        };
        let from = place.offset as usize * 8;
        let to = (from + format::frame_size(place.size as usize)).min(content.len());
        let bytes = Bytes::copy_from_slice(&content[from.min(to)..to]);
        self.trace.note(self.now, format_args!("{place:?} is read"));
        self.post(DiskDone::Read { id, place, bytes: Some(bytes) });
        Ok(())
    }

    /// An operation of the disk is about to begin.
    pub(crate) fn before(&mut self, what: &str) -> Result<(), End> {
        *self.counts.entry(format!("disk: {what}")).or_default() += 1;
        self.doomed(&format!("{what}, before"), true)
    }

    /// An operation has been done, and nobody has heard of it.
    pub(crate) fn after_operation(&mut self, what: &str) -> Result<(), End> {
        self.doomed(&format!("{what}, after"), false)
    }

    fn doomed(&mut self, what: &str, may_fail: bool) -> Result<(), End> {
        let Some(doom) = &mut self.host.doom else { return Ok(()) };
        let is_rare = |what: &str| {
            ["segment", "stream file", "checkpoint"].iter().any(|rare| what.contains(rare))
        };
        let counts = !doom.is_picky || is_rare(what);
        if !counts || (!may_fail && doom.end == End::Error) {
            return Ok(());
        }
        if doom.operations > 0 {
            doom.operations -= 1;
            return Ok(());
        }
        let end = doom.end;
        self.host.doom = None;
        self.trace.note(self.now, format_args!("{end:?} at {what}"));
        let how = match end {
            End::Kill => "killed at",
            End::Power => "power cut at",
            End::Error => "failed:",
        };
        *self.counts.entry(format!("{how} {what}")).or_default() += 1;
        Err(end)
    }

    fn post(&mut self, done: DiskDone) {
        self.host.threads.mail.push_back(Mail::Done(done));
        self.later(200, Item::Mail(self.host.epoch));
    }

    /// The disk has failed: the hub hears so, and nothing after it.
    pub(crate) fn disk_fails(&mut self) {
        self.trace.note(self.now, format_args!("the disk fails"));
        self.host.threads.has_failed = true;
        self.model.disk_failed(self.now, self.host.epoch);
        self.host.threads.mail.push_back(Mail::Failed);
        self.later(20_000, Item::Mail(self.host.epoch));
    }

    /// The hub hears of its disk.
    pub(crate) fn take_mail(&mut self) {
        while let Some(mail) = self.host.threads.mail.pop_front() {
            match mail {
                Mail::Failed => return self.host_gives_up(),
                Mail::Done(done) if self.host.closing.is_some() => {
                    if let DiskDone::Synced(position) = done
                        && Some(position) >= self.host.closing
                    {
                        return self.handed_over();
                    }
                }
                Mail::Done(done) => {
                    let Some(hub) = &mut self.host.hub else { return };
                    hub.handle_disk(self.now, done);
                    self.drain_hub();
                }
            }
        }
    }
}
