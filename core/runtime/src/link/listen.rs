//! Listening sockets.
//!
//! A Unix socket is bound under a temporary name, given its mode, and then renamed to its place,
//! so that nobody ever meets one that is open to all or not yet listening.
//!
//! Floor: address, descriptors.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use telpher_proto::base::limits;
use telpher_proto::base::{Error, Kind};

use super::Socket;
use crate::address::Address;
use crate::descriptors::Descriptor;

const SOCKET_PATH_SIZE_MAX: usize = 107;

/// A listening socket.
pub(crate) struct Listener {
    descriptor: Descriptor,
    /// The socket file and its inode, to be removed at the end.
    file: Option<(PathBuf, u64)>,
    is_unix: bool,
}

/// One who has come.
pub(crate) struct Accepted {
    pub(crate) socket: Socket,
    pub(crate) is_unix: bool,
}

impl Listener {
    /// Listens at `address`; at all of them if it stands for several.
    pub(crate) fn bind(address: &Address, url: &str) -> Result<Vec<Listener>, Error> {
        let failed =
            |error: io::Error| Error::new(Kind::Io, format!("can't listen at {url}: {error}"));
        match address {
            Address::Tcp(addresses) => bind_tcp(addresses).map_err(failed),
            Address::Unix(path) => Ok(vec![bind_unix(path).map_err(failed)?]),
            _ => {
                let detail =
                    format!("{url:?} is no address to listen at; allowed are tcp:// and unix://");
                Err(Error::new(Kind::Invalid, detail))
            }
        }
    }

    /// Listens at a Unix socket in place of whatever is there.
    pub(crate) fn replace_unix(path: &Path) -> io::Result<Listener> {
        let reached = Reachable::new(path)?;
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}", std::process::id()));
        let temporary = reached.sibling(&name);
        let _ = std::fs::remove_file(&temporary);
        let descriptor = stream(AddressFamily::UNIX)?;
        rustix::net::bind(&descriptor, &SocketAddrUnix::new(&temporary)?)?;
        rustix::fs::chmod(&temporary, Mode::RUSR | Mode::WUSR)?;
        rustix::net::listen(&descriptor, limits::ACCEPT_BACKLOG)?;
        let inode = rustix::fs::stat(&temporary)?.st_ino;
        std::fs::rename(&temporary, path)?;
        Ok(Listener { descriptor, file: Some((path.to_owned(), inode)), is_unix: true })
    }

    /// Takes in one connection; `None` if nobody waits.
    pub(crate) fn accept(&self) -> io::Result<Option<Accepted>> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let accepted = Descriptor::make(|| Ok(rustix::net::accept_with(&self.descriptor, flags)?));
        match accepted {
            Ok(descriptor) => {
                let socket = Socket::new(descriptor);
                if !self.is_unix
                    && let Err(error) = socket.tune()
                {
                    // It has broken already, which the first read will tell.
                    tracing::debug!(%error, "can't tune a connection");
                }
                Ok(Some(Accepted { socket, is_unix: self.is_unix }))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let Some((path, inode)) = &self.file else { return };
        if rustix::fs::lstat(path).is_ok_and(|stat| stat.st_ino == *inode) {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A non-blocking stream socket.
pub(super) fn stream(family: AddressFamily) -> io::Result<Descriptor> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let create = || Ok(rustix::net::socket_with(family, SocketType::STREAM, flags, None)?);
    Descriptor::make(create)
}

pub(super) fn family(address: &SocketAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 }
}

fn bind_tcp(addresses: &[SocketAddr]) -> io::Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    for address in addresses {
        match bind_one(address) {
            Ok(listener) => listeners.push(listener),
            // A machine may have only one of the two loopback addresses.
            Err(error) if addresses.len() > 1 && no_such_address(&error) => {}
            Err(error) => return Err(error),
        }
    }
    if listeners.is_empty() {
        return Err(io::ErrorKind::AddrNotAvailable.into());
    }
    Ok(listeners)
}

fn no_such_address(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT))
}

fn bind_one(address: &SocketAddr) -> io::Result<Listener> {
    let descriptor = stream(family(address))?;
    rustix::net::sockopt::set_socket_reuseaddr(&descriptor, true)?;
    if address.is_ipv6() {
        rustix::net::sockopt::set_ipv6_v6only(&descriptor, true)?;
    }
    rustix::net::bind(&descriptor, address)?;
    rustix::net::listen(&descriptor, limits::ACCEPT_BACKLOG)?;
    Ok(Listener { descriptor, file: None, is_unix: false })
}

/// A socket file left by a dead process is replaced; a living one's is not, nor any other file.
fn bind_unix(path: &Path) -> io::Result<Listener> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "a file that is no socket is there",
            ));
        }
        Ok(_) => {
            let probe = stream(AddressFamily::UNIX)?;
            let reached = Reachable::new(path)?;
            let address = SocketAddrUnix::new(reached.path(path))?;
            match rustix::net::connect(&probe, &address) {
                Err(Errno::CONNREFUSED | Errno::NOENT) => {}
                _ => return Err(io::ErrorKind::AddrInUse.into()),
            }
        }
    }
    Listener::replace_unix(path)
}

/// A way to name a file whose path is too long for a socket address: through a descriptor of its
/// directory.
pub(super) struct Reachable {
    directory: Option<Descriptor>,
    parent: PathBuf,
}

impl Reachable {
    pub(super) fn new(path: &Path) -> io::Result<Reachable> {
        let parent = path.parent().unwrap_or(Path::new("/")).to_owned();
        // A temporary name is longer by a dot and a process id.
        if path.as_os_str().as_bytes().len() + 12 <= SOCKET_PATH_SIZE_MAX {
            return Ok(Reachable { directory: None, parent });
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = || Ok(rustix::fs::open(&parent, flags, Mode::empty())?);
        Ok(Reachable { directory: Some(Descriptor::make(open)?), parent })
    }

    fn sibling(&self, name: &std::ffi::OsStr) -> PathBuf {
        match &self.directory {
            None => self.parent.join(name),
            Some(directory) => {
                PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(name)
            }
        }
    }

    pub(super) fn path(&self, path: &Path) -> PathBuf {
        self.sibling(path.file_name().unwrap_or_default())
    }
}
