//! The lock that makes a process the host of a directory.
//!
//! `flock` belongs to the open file, so the kernel frees it when the process ends however that
//! happens, and no other `close` in the process can. A lock file that was replaced after it was
//! opened protects nothing, so the name is looked up once more. The process that hosts writes its
//! number into the file, for people to read; nothing is decided by it.
//!
//! Floor: directory.

use std::io;

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use telpher_proto::base::Error;

use super::{Directory, lifted};
use crate::descriptors::Descriptor;

const NAME: &str = "LOCK";

/// Held while this process hosts.
#[derive(Debug)]
pub(crate) struct Lock {
    descriptor: Descriptor,
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
        let failed = |error: Errno| self.failed_at(NAME, &error.into());
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mode = Mode::RUSR | Mode::WUSR;
        let open = || Ok(lifted(rustix::fs::openat(self, NAME, flags, mode)?)?);
        let file = Descriptor::make(open).map_err(|error| self.failed_at(NAME, &error))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK | Errno::INTR) => return Ok(Locked::HeldByOther),
            Err(error) => return Err(failed(error)),
        }
        let held = rustix::fs::fstat(&file).map_err(failed)?;
        match rustix::fs::statat(self, NAME, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(named) if (named.st_dev, named.st_ino) == (held.st_dev, held.st_ino) => {
                Ok(Locked::Taken(Lock { descriptor: file }))
            }
            Ok(_) | Err(Errno::NOENT) => Ok(Locked::HeldByOther),
            Err(error) => Err(failed(error)),
        }
    }

    /// True if a process hosts; tells so without changing anything.
    ///
    /// # Errors
    ///
    /// `IO` with the system's words.
    pub(crate) fn is_hosted(&self) -> Result<bool, Error> {
        let failed = |error: io::Error| self.failed_at(NAME, &error);
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let open = || Ok(rustix::fs::openat(self, NAME, flags, Mode::empty())?);
        let file = match Descriptor::make(open) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(failed(error)),
        };
        // Given back as soon as the file is closed. Who wants to host in this moment asks again.
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(false),
            Err(Errno::WOULDBLOCK | Errno::INTR) => Ok(true),
            Err(error) => Err(failed(error.into())),
        }
    }

    /// Writes down that this process hosts.
    ///
    /// # Errors
    ///
    /// `IO` with the system's words.
    pub(crate) fn sign(&self, lock: &Lock) -> Result<(), Error> {
        let text = format!("{}\n", std::process::id());
        rustix::fs::ftruncate(&lock.descriptor, 0)
            .and_then(|()| rustix::io::pwrite(&lock.descriptor, text.as_bytes(), 0))
            .map(drop)
            .map_err(|error| self.failed_at(NAME, &error.into()))
    }

    /// The process that hosts, as it wrote down itself; `None` if it has not yet.
    pub(crate) fn signature(&self) -> Option<u32> {
        std::str::from_utf8(&self.read(NAME).ok()??).ok()?.trim_end().parse().ok()
    }
}
