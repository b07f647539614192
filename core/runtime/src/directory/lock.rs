//! The lock that makes a process the host of a directory.
//!
//! `flock` belongs to the open file, so the kernel frees it when the process ends however that
//! happens, and no other `close` in the process can. A lock file that was replaced after it was
//! opened protects nothing, so the name is looked up once more.
//!
//! Floor: directory.

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use telpher_proto::base::Error;

use super::{Directory, lifted};
use crate::descriptors::Descriptor;

const NAME: &str = "LOCK";

/// Held while this process hosts.
#[derive(Debug)]
pub(crate) struct Lock {
    _descriptor: Descriptor,
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
                Ok(Locked::Taken(Lock { _descriptor: file }))
            }
            Ok(_) | Err(Errno::NOENT) => Ok(Locked::HeldByOther),
            Err(error) => Err(failed(error)),
        }
    }
}
