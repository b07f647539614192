//! The directory of a hub.
//!
//! ```text
//! VERSION   "telpher directory 1": what the rest looks like
//! LOCK      locked by the process that hosts the hub, whose number it holds
//! HUB       the hub's id, the epoch that rises with every host, the last one's first segment
//! journal.* what every host has written down
//! stream.*  what streams keep of that
//! checkpoint  what stood at some point of that: a cache
//! reserve   room on a full disk for the next host
//! hub.sock  where the host listens
//! ```
//! Only its owner may get in (0700). A directory that is not a hub's is never taken over, and one
//! of an unknown version is not touched.
//!
//! Floor: descriptors.

mod lock;
mod record;
mod segments;

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use telpher_proto::base::{Error, Kind};

use crate::descriptors::{Descriptor, Tracked};

pub(crate) use lock::{Lock, Locked};
pub(crate) use record::Record;
pub(crate) use segments::{Filling, SegmentFile, is_full, read_frame, segment_name};

const VERSION: &[u8] = b"telpher directory 1\n";
const FILE_SIZE_MAX: u64 = 4 * 1024;

/// What makes a file system a network's: locks and memory are not shared as we need them.
const NETWORKS: [(u32, &str); 4] =
    [(0x6969, "NFS"), (0xff53_4d42, "CIFS"), (0xfe53_4d42, "SMB2"), (0x0102_1997, "9P")];

/// An open directory of a hub.
pub(crate) struct Directory {
    descriptor: Descriptor,
    path: PathBuf,
    /// Device and inode: the same for every path that leads here.
    pub(crate) key: (u64, u64),
}

impl Directory {
    /// Opens the directory at `path`; makes it if it does not exist and `create` is set. `None` if
    /// it does not exist.
    ///
    /// # Errors
    ///
    /// `REFUSED` if it belongs to somebody else, is open to others, or holds other things;
    /// `UNSUPPORTED` for an unknown version or a network file system; `IO` for the rest.
    pub(crate) fn open(path: &Path, create: bool) -> Result<Option<Directory>, Error> {
        let failed = |error: io::Error| failure("open", path, &error);
        let mut is_made = false;
        if create {
            match rustix::fs::mkdir(path, Mode::RWXU) {
                Ok(()) => is_made = true,
                Err(Errno::EXIST) => {}
                Err(error) => return Err(failure("make", path, &error.into())),
            }
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = || Ok(rustix::fs::open(path, flags, Mode::empty())?);
        let descriptor = match Descriptor::make(open) {
            Ok(descriptor) => descriptor,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !create => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let stat = rustix::fs::fstat(&descriptor).map_err(|error| failed(error.into()))?;
        let path = std::fs::canonicalize(path).map_err(failed)?;
        if is_made && let Some(parent) = path.parent() {
            // So that a power cut can't take the whole directory.
            std::fs::File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed)?;
        }
        let directory = Directory { descriptor, path, key: (stat.st_dev, stat.st_ino) };
        directory.check(&stat)?;
        Ok(Some(directory))
    }

    /// Opens a hub's directory to look at it: changes nothing, and asks only that it can be read.
    ///
    /// # Errors
    ///
    /// `IO` if there is none; `REFUSED` if it is not a hub's; `UNSUPPORTED` for an unknown version.
    pub(crate) fn look(path: &Path) -> Result<Directory, Error> {
        let failed = |error: io::Error| failure("open", path, &error);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = || Ok(rustix::fs::open(path, flags, Mode::empty())?);
        let descriptor = Descriptor::make(open).map_err(failed)?;
        let stat = rustix::fs::fstat(&descriptor).map_err(|error| failed(error.into()))?;
        let path = std::fs::canonicalize(path).map_err(failed)?;
        let directory = Directory { descriptor, path, key: (stat.st_dev, stat.st_ino) };
        match directory.read("VERSION")? {
            Some(version) => directory.check_version(&version)?,
            None => return Err(directory.refused("it is not a hub's directory")),
        }
        Ok(directory)
    }

    /// Makes an empty directory that of a hub, for a copy.
    ///
    /// # Errors
    ///
    /// `IO` with the system's words.
    pub(crate) fn found(path: &Path) -> Result<Directory, Error> {
        let failed = |error: io::Error| failure("make", path, &error);
        let mut options = OpenOptions::new();
        let file = open(&path.join("VERSION"), options.write(true).create_new(true));
        let written = file.and_then(|file| {
            (&*file).write_all(VERSION)?;
            file.sync_all()
        });
        written.map_err(failed)?;
        Directory::look(path)
    }

    /// Where the host listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.path.join("hub.sock")
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn check(&self, stat: &rustix::fs::Stat) -> Result<(), Error> {
        let owner = rustix::process::geteuid();
        if stat.st_uid != owner.as_raw() {
            let who = format!("user {}, and this is user {}", stat.st_uid, owner.as_raw());
            return Err(self.refused(&format!("it belongs to {who}")));
        }
        let filesystem = rustix::fs::fstatfs(self).map_err(|error| self.failed("open", error))?;
        if let Some(network) = network(filesystem.f_type as u32) {
            let detail =
                format!("{} is on {network}: a hub needs a local file system", self.text());
            return Err(Error::new(Kind::Unsupported, detail));
        }
        match self.read("VERSION")? {
            Some(version) => self.check_existing(stat, &version),
            None => self.begin(stat),
        }
    }

    fn check_version(&self, version: &[u8]) -> Result<(), Error> {
        if version != VERSION {
            let found = String::from_utf8_lossy(&version[..version.len().min(64)]).into_owned();
            let detail = format!(
                "{} has version {:?}; this library knows {:?}",
                self.text(),
                found.trim_end(),
                String::from_utf8_lossy(VERSION).trim_end()
            );
            return Err(Error::new(Kind::Unsupported, detail));
        }
        Ok(())
    }

    fn check_existing(&self, stat: &rustix::fs::Stat, version: &[u8]) -> Result<(), Error> {
        self.check_version(version)?;
        if stat.st_mode & 0o077 != 0 {
            let mode = stat.st_mode & 0o777;
            return Err(
                self.refused(&format!("its mode is {mode:04o}, open to others; 0700 is allowed"))
            );
        }
        Ok(())
    }

    /// Makes an empty directory that of a hub.
    fn begin(&self, stat: &rustix::fs::Stat) -> Result<(), Error> {
        if let Some(name) = self.foreign()? {
            return Err(self.refused(&format!("it is not a hub's directory, and holds {name:?}")));
        }
        if stat.st_mode & 0o077 != 0 {
            rustix::fs::fchmod(self, Mode::RWXU).map_err(|error| self.failed("tighten", error))?;
        }
        self.replace("VERSION", VERSION)
    }

    /// The name of something here that no hub makes.
    fn foreign(&self) -> Result<Option<String>, Error> {
        let failed = |error| self.failed("read", error);
        for entry in rustix::fs::Dir::read_from(self).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let ours = ["VERSION", "LOCK", "HUB", "hub.sock"];
            let is_ours =
                ours.iter().any(|own| name == *own || name.starts_with(&format!("{own}.")))
                    || name.starts_with(segments::PREFIX)
                    || name.starts_with(segments::STREAM_PREFIX)
                    || name.starts_with(segments::CHECKPOINT)
                    || name.starts_with(segments::RESERVE);
            if !is_ours && name != "." && name != ".." {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// A small file's content.
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let failed = |error: io::Error| self.failed_at(name, &error);
        let file = match open(&self.path.join(name), OpenOptions::new().read(true)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(self.refused(&format!("its {name} is no plain file")));
        }
        let mut content = Vec::new();
        (&*file).take(FILE_SIZE_MAX).read_to_end(&mut content).map_err(failed)?;
        Ok(Some(content))
    }

    /// Replaces a small file, so that after a crash there is either the old one or the new one.
    fn replace(&self, name: &str, content: &[u8]) -> Result<(), Error> {
        let temporary = self.path.join(format!("{name}.{}", std::process::id()));
        let written = write_synced(&temporary, content).or_else(|error| {
            if is_full(&error) && self.give_spare() {
                return write_synced(&temporary, content);
            }
            Err(error)
        });
        let replaced = written
            .and_then(|()| std::fs::rename(&temporary, self.path.join(name)))
            .and_then(|()| self.sync());
        replaced.map_err(|error| {
            let _ = std::fs::remove_file(&temporary);
            self.failed_at(name, &error)
        })
    }

    /// Makes the directory's own entries durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Tracked::make(|| File::open(&self.path))?.sync_all()
    }

    fn text(&self) -> String {
        format!("the directory {}", self.path.display())
    }

    fn refused(&self, why: &str) -> Error {
        Error::new(Kind::Refused, format!("{} is refused: {why}", self.text()))
    }

    fn failed(&self, what: &str, error: Errno) -> Error {
        failure(what, &self.path, &error.into())
    }

    fn failed_at(&self, name: &str, error: &io::Error) -> Error {
        failure("use", &self.path.join(name), error)
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

fn failure(what: &str, path: &Path, error: &io::Error) -> Error {
    Error::new(Kind::Io, format!("can't {what} {}: {error}", path.display()))
}

fn network(magic: u32) -> Option<&'static str> {
    NETWORKS.iter().find(|(known, _)| *known == magic).map(|(_, name)| *name)
}

/// Opens a file of the directory. This and all that is done with it goes through the system's C
/// library, so that a test can put itself between.
fn open(path: &Path, options: &mut OpenOptions) -> io::Result<Tracked<File>> {
    let flags = libc::O_NOFOLLOW | libc::O_CLOEXEC;
    let options = options.custom_flags(flags | libc::O_NONBLOCK).mode(0o600);
    Tracked::make(|| lifted(options.open(path)?))
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = open(path, OpenOptions::new().write(true).create_new(true))?;
    (&*file).write_all(content)?;
    file.sync_all()
}

/// The same file under a number above the standard streams', where no stray output can reach it.
fn lifted(file: File) -> io::Result<File> {
    if file.as_raw_fd() > 2 {
        return Ok(file);
    }
    Ok(File::from(rustix::io::fcntl_dupfd_cloexec(&file, 3)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_file_system_is_known_by_its_number() {
        assert_eq!(network(0x6969), Some("NFS"));
        assert_eq!(network(0xef53), None);
    }
}
