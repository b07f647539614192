//! Groups of the journal on their way to its file, by the hub's thread or by the journal thread.
//!
//! ```text
//! hub's thread: a group that nobody waits for to be durable, with none before it on the way
//!     |            -> written here, and told at once: it costs less than waking a thread
//!     +-- others -> journal thread: write all that waits -> told -> one sync for it -> told
//! ```
//! A file system lets one thread write while another syncs the same file, so what is confirmed when
//! it is written does not wait for a sync that runs. Should a write of the hub's thread take long
//! all the same (the kernel holds back who writes more than the disk takes), the journal thread
//! writes for a while, and the hub serves on.
//!
//! Invariants:
//! - Groups are written in their order: the hub's thread writes only if the other has written all
//!   that it was given, and alone knows what it was given.
//! - The name of the lock is looked up before a group is written and before anything of it is told.
//! - A sync counts for what was told to it as written before it began, whoever wrote it.
//!
//! Floor: directory, host/mod.

use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use bytes::Bytes;
use telpher_proto::base::record::Position;
use telpher_proto::base::{Error, Time, limits};
use telpher_proto::hub::DiskDone;

use super::{check_lock, failure};
use crate::clock;
use crate::directory::{Directory, Lock, SegmentFile};
use crate::host::{Mail, Mailbox};
use crate::sync::Mutex;

/// A group, and where it goes.
pub(super) struct Write {
    pub segment: u32,
    pub offset: u64,
    pub bytes: Bytes,
    pub last: Position,
    pub sync: bool,
}

/// The segment that is written to; opened by the journal thread.
type Open = Option<(u32, Arc<SegmentFile>)>;

/// What both threads know.
struct Shared {
    directory: Arc<Directory>,
    lock: Arc<Lock>,
    open: Mutex<Open>,
    /// Something was written to the open segment since it was last synced. Said after the write, so
    /// that a sync that has begun before does not count for it.
    is_dirty: AtomicBool,
    /// Groups that the journal thread has written.
    written: AtomicU64,
    /// The journal thread has ended with a failure: nothing more is told.
    has_failed: AtomicBool,
}

/// The side of the hub's thread.
pub(super) struct Writer {
    shared: Arc<Shared>,
    to_thread: Sender<Write>,
    /// Groups that the journal thread was given.
    given: u64,
    /// The segment that is open, as it was last seen.
    open: Open,
    /// Until then the journal thread writes everything: this one was held back.
    held_back: Option<Time>,
}

/// The side of the journal thread.
pub(super) struct Journal {
    shared: Arc<Shared>,
    mailbox: Arc<Mailbox>,
    writes: Receiver<Write>,
}

/// Both sides of a writer.
pub(super) fn writer(
    directory: Arc<Directory>,
    lock: Arc<Lock>,
    mailbox: Arc<Mailbox>,
) -> (Writer, Journal) {
    let shared = Arc::new(Shared {
        directory,
        lock,
        open: Mutex::new(None),
        is_dirty: AtomicBool::new(false),
        written: AtomicU64::new(0),
        has_failed: AtomicBool::new(false),
    });
    let (to_thread, writes) = channel();
    let own = Arc::clone(&shared);
    let writer = Writer { shared: own, to_thread, given: 0, open: None, held_back: None };
    (writer, Journal { shared, mailbox, writes })
}

impl Writer {
    /// Writes a group, or has it written; says what is done already.
    ///
    /// # Errors
    ///
    /// `IO`: the last thing that this writer is to be asked.
    pub(super) fn write(&mut self, write: Write) -> Result<Option<DiskDone>, Error> {
        if !self.may_write(&write) {
            self.given += 1;
            // A segment that was removed takes room while it is open.
            self.open.take_if(|(number, _)| *number != write.segment);
            // A thread that has ended has mailed why.
            let _ = self.to_thread.send(write);
            return Ok(None);
        }
        let Some((_, file)) = &self.open else { return Ok(None) };
        let begun = clock::now();
        self.shared.check_lock()?;
        self.shared.write(file, &write)?;
        self.shared.check_lock()?;
        let took = clock::now().since(begun);
        if took.as_millis() >= u128::from(limits::WRITE_SLOW_MS) {
            tracing::debug!(?took, "a write was held back; the journal's thread goes on");
            self.held_back = Some(clock::now().plus_ms(limits::WRITE_PAUSE_MS));
        }
        let has_failed = self.shared.has_failed.load(Ordering::SeqCst);
        Ok((!has_failed).then_some(DiskDone::Written(write.last)))
    }

    /// True if this thread may write the group itself, with its segment open.
    fn may_write(&mut self, write: &Write) -> bool {
        if write.sync
            || write.bytes.len() > limits::WRITE_AT_ONCE_MAX
            || self.shared.written.load(Ordering::SeqCst) != self.given
        {
            return false;
        }
        if self.held_back.is_some_and(|until| until > clock::now()) {
            return false;
        }
        self.held_back = None;
        let is_it = |open: &Open| open.as_ref().is_some_and(|(number, _)| *number == write.segment);
        if !is_it(&self.open) {
            self.open.clone_from(&self.shared.open.lock());
        }
        is_it(&self.open)
    }
}

impl Journal {
    pub(super) fn run(self) {
        while let Ok(first) = self.writes.recv() {
            if let Err(error) = self.write_all(first) {
                self.shared.has_failed.store(true, Ordering::SeqCst);
                return self.mailbox.post(Mail::DiskFailed(error));
            }
        }
    }

    /// Writes all that waits, and syncs once if anybody wants that.
    fn write_all(&self, first: Write) -> Result<(), Error> {
        let mut next = Some(first);
        let (mut last, mut sync, mut count) = (0, false, 0);
        // Before, so that the next host's journal is left alone; after, before anything is told.
        self.shared.check_lock()?;
        while let Some(write) = next {
            let file = self.file(write.segment)?;
            self.shared.write(&file, &write)?;
            last = write.last;
            sync |= write.sync;
            count += 1;
            next = self.writes.try_recv().ok();
        }
        self.shared.check_lock()?;
        self.shared.written.fetch_add(count, Ordering::SeqCst);
        self.mailbox.post(Mail::Disk(DiskDone::Written(last)));
        if sync {
            self.sync()?;
            self.shared.check_lock()?;
            self.mailbox.post(Mail::Disk(DiskDone::Synced(last)));
        }
        Ok(())
    }

    /// The segment with this number, open; the one before it is synced first.
    fn file(&self, segment: u32) -> Result<Arc<SegmentFile>, Error> {
        let open = self.shared.open.lock().clone();
        if let Some((_, file)) = open.filter(|(number, _)| *number == segment) {
            return Ok(file);
        }
        self.sync()?;
        self.shared.check_lock()?;
        let file = self
            .shared
            .directory
            .open_segment(segment, true)
            .map_err(|error| failure(&self.shared.directory, segment, "write to", &error))?;
        let file = Arc::new(file);
        *self.shared.open.lock() = Some((segment, Arc::clone(&file)));
        Ok(file)
    }

    fn sync(&self) -> Result<(), Error> {
        if !self.shared.is_dirty.swap(false, Ordering::SeqCst) {
            return Ok(());
        }
        let Some((segment, file)) = self.shared.open.lock().clone() else { return Ok(()) };
        let directory = &self.shared.directory;
        file.sync_data().map_err(|error| failure(directory, segment, "sync", &error))
    }
}

impl Shared {
    fn write(&self, file: &SegmentFile, write: &Write) -> Result<(), Error> {
        let failed = |error: io::Error| failure(&self.directory, write.segment, "write to", &error);
        file.write_all_at(&write.bytes, write.offset).map_err(failed)?;
        self.is_dirty.store(true, Ordering::SeqCst);
        Ok(())
    }

    fn check_lock(&self) -> Result<(), Error> {
        check_lock(&self.directory, &self.lock)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::directory::{Locked, segment_name};
    use crate::poller::Poller;

    const SEGMENT: u32 = 1;

    /// A writer whose journal thread does something only when a test lets it.
    struct Bench {
        folder: PathBuf,
        writer: Writer,
        journal: Journal,
        /// Bytes that were handed over.
        size: u64,
    }

    impl Bench {
        fn new() -> Bench {
            let name = format!("telpher-writer-{:032x}", u128::from_ne_bytes(clock::random()));
            let folder = std::env::temp_dir().join(name);
            let directory = Directory::open(&folder, true).unwrap().unwrap();
            directory.make_first((SEGMENT, 4096, &Bytes::new())).unwrap();
            let Locked::Taken(lock) = directory.lock().unwrap() else { panic!("it is new") };
            let mailbox = Arc::new(Mailbox::new(Arc::clone(Poller::new().unwrap().alarm())));
            let (writer, journal) = writer(Arc::new(directory), Arc::new(lock), mailbox);
            Bench { folder, writer, journal, size: 0 }
        }

        /// One to whose writer the segment is known.
        fn opened() -> Bench {
            let mut bench = Bench::new();
            assert!(bench.write("begun;", false).unwrap().is_none());
            bench.let_journal_work().unwrap();
            bench
        }

        fn write(&mut self, text: &str, sync: bool) -> Result<Option<DiskDone>, Error> {
            let (offset, bytes) = (self.size, Bytes::copy_from_slice(text.as_bytes()));
            self.size += bytes.len() as u64;
            let last = self.size;
            self.writer.write(Write { segment: SEGMENT, offset, bytes, last, sync })
        }

        fn let_journal_work(&mut self) -> Result<(), Error> {
            let first = self.journal.writes.try_recv().expect("something was given to it");
            self.journal.write_all(first)
        }

        fn written(&self) -> String {
            let bytes = std::fs::read(self.folder.join(segment_name(SEGMENT))).unwrap();
            let end = bytes.iter().position(|byte| *byte == 0).unwrap();
            String::from_utf8(bytes[..end].to_vec()).unwrap()
        }

        fn is_dirty(&self) -> bool {
            self.journal.shared.is_dirty.load(Ordering::SeqCst)
        }
    }

    impl Drop for Bench {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }

    #[test]
    fn the_hubs_thread_writes_only_if_nothing_before_it_is_on_the_way() {
        let mut bench = Bench::new();
        assert!(bench.write("one;", false).unwrap().is_none(), "nobody has opened the segment");
        assert!(bench.write("two;", false).unwrap().is_none(), "the first is on the way");
        assert_eq!(bench.written(), "");
        bench.let_journal_work().unwrap();
        assert_eq!(bench.written(), "one;two;");
        let last = match bench.write("three;", false).unwrap() {
            Some(DiskDone::Written(last)) => last,
            other => panic!("{other:?}"),
        };
        assert_eq!((bench.written().as_str(), last), ("one;two;three;", bench.size));
        assert!(
            bench.write("four;", true).unwrap().is_none(),
            "somebody waits for it to be synced"
        );
        assert!(bench.write("five;", false).unwrap().is_none(), "that is on the way");
        bench.let_journal_work().unwrap();
        assert_eq!(bench.written(), "one;two;three;four;five;");
    }

    #[test]
    fn a_sync_counts_for_what_the_hubs_thread_has_written_before_and_for_no_more() {
        let mut bench = Bench::opened();
        assert!(bench.write("one;", false).unwrap().is_some());
        assert!(bench.is_dirty());
        assert!(bench.write("two;", true).unwrap().is_none());
        bench.let_journal_work().unwrap();
        assert!(!bench.is_dirty());
        assert!(bench.write("three;", false).unwrap().is_some());
        assert!(bench.is_dirty());
    }

    #[test]
    fn nothing_is_written_or_told_if_the_lock_was_replaced() {
        let mut bench = Bench::opened();
        let lock = bench.folder.join("LOCK");
        std::fs::remove_file(&lock).unwrap();
        std::fs::write(&lock, "").unwrap();
        assert!(bench.write("one;", false).is_err());
        assert_eq!(bench.written(), "begun;");
    }

    #[test]
    fn nothing_is_told_once_the_journal_thread_has_failed() {
        let mut bench = Bench::opened();
        bench.journal.shared.has_failed.store(true, Ordering::SeqCst);
        assert!(bench.write("one;", false).unwrap().is_none());
    }

    #[test]
    fn after_a_write_that_was_held_back_the_journal_thread_writes_for_a_while() {
        let mut bench = Bench::opened();
        bench.writer.held_back = Some(clock::now().plus_ms(60_000));
        assert!(bench.write("one;", false).unwrap().is_none());
        bench.let_journal_work().unwrap();
        bench.writer.held_back = Some(clock::now());
        assert!(bench.write("two;", false).unwrap().is_some());
        assert_eq!(bench.written(), "begun;one;two;");
    }
}
