//! The lock that makes a process the host of a directory.
//!
//! `flock` belongs to the open file, so the kernel frees it when the process ends however that
//! happens, and no other `close` in the process can. A lock file that was replaced after it was
//! opened protects nothing, so the name is looked up once more. The process that hosts writes its
//! number into the file, for people to read; nothing is decided by it.
//!
//! Floor: directory.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use rustix::fs::FlockOperation;
use rustix::io::Errno;
use telpher_proto::base::Error;

use super::{Directory, open};
use crate::descriptors::Tracked;

const NAME: &str = "LOCK";

/// Held while this process hosts.
#[derive(Debug)]
pub(crate) struct Lock {
    file: Tracked<File>,
    /// Device and number of that file.
    identity: (u64, u64),
}

/// How trying went.
#[derive(Debug)]
pub(crate) enum Locked {
    Taken(Lock),
    HeldByOther,
}

impl Directory {
    /// Tries to take the lock, without waiting for it.
    ///
    /// # Errors
    ///
    /// `IO` with the system's words, `REFUSED` if the lock file is no plain file.
    pub(crate) fn lock(&self) -> Result<Locked, Error> {
        let failed = |error: io::Error| self.failed_at(NAME, &error);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = open(&self.path().join(NAME), &mut options).map_err(failed)?;
        match rustix::fs::flock(&*file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK | Errno::INTR) => return Ok(Locked::HeldByOther),
            Err(error) => return Err(failed(error.into())),
        }
        let held = file.metadata().map_err(failed)?;
        let lock = Lock { file, identity: (held.dev(), held.ino()) };
        let is_ours = self.still_has(&lock).map_err(failed)?;
        Ok(if is_ours { Locked::Taken(lock) } else { Locked::HeldByOther })
    }

    /// True unless the file that was locked is no longer the one with this name: then another
    /// process may have locked its successor, and hosts.
    pub(crate) fn still_has(&self, lock: &Lock) -> io::Result<bool> {
        match std::fs::symlink_metadata(self.path().join(NAME)) {
            Ok(named) => Ok((named.dev(), named.ino()) == lock.identity),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// True if a process hosts; tells so without changing anything.
    ///
    /// # Errors
    ///
    /// `IO` with the system's words.
    pub(crate) fn is_hosted(&self) -> Result<bool, Error> {
        let file = match open(&self.path().join(NAME), OpenOptions::new().read(true)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(self.failed_at(NAME, &error)),
        };
        // Given back as soon as the file is closed. Who wants to host in this moment asks again.
        match rustix::fs::flock(&*file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(false),
            Err(Errno::WOULDBLOCK | Errno::INTR) => Ok(true),
            Err(error) => Err(self.failed_at(NAME, &error.into())),
        }
    }

    /// Writes down that this process hosts, if that can be done.
    pub(crate) fn sign(&self, lock: &Lock) {
        let text = format!("{}\n", std::process::id());
        // In this order it needs no room on a full disk.
        let written = lock.file.write_all_at(text.as_bytes(), 0);
        if let Err(error) = written.and_then(|()| lock.file.set_len(text.len() as u64)) {
            tracing::debug!(%error, "who hosts is not written down");
        }
    }

    /// The process that hosts, as it wrote down itself; `None` if it has not yet.
    pub(crate) fn signature(&self) -> Option<u32> {
        std::str::from_utf8(&self.read(NAME).ok()??).ok()?.trim_end().parse().ok()
    }
}
