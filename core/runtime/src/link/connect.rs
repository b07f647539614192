//! Connecting without waiting.
//!
//! Floor: address, descriptors, poller.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix};

use super::Socket;
use super::listen::{Reachable, family, stream};
use crate::poller::{Poller, Source};

/// A connection being made; if one address fails, the next is tried.
pub(crate) struct Connecting {
    socket: Socket,
    more: VecDeque<SocketAddr>,
}

/// How an attempt stands.
pub(crate) enum Attempt {
    Connected(Socket),
    Waiting(Connecting),
    Failed(io::Error),
}

/// Begins to connect to the first of `addresses` that lets us.
pub(crate) fn tcp(poller: &Poller, addresses: &[SocketAddr]) -> Attempt {
    next(poller, addresses.iter().copied().collect(), io::ErrorKind::AddrNotAvailable.into())
}

fn next(poller: &Poller, mut more: VecDeque<SocketAddr>, mut last: io::Error) -> Attempt {
    while let Some(address) = more.pop_front() {
        match begin_tcp(poller, &address) {
            Ok((socket, true)) => return Attempt::Connected(socket),
            Ok((socket, false)) => return Attempt::Waiting(Connecting { socket, more }),
            Err(error) => last = error,
        }
    }
    Attempt::Failed(last)
}

fn begin_tcp(poller: &Poller, address: &SocketAddr) -> io::Result<(Socket, bool)> {
    let mut socket = Socket::new(stream(family(address))?);
    socket.tune()?;
    let done = match rustix::net::connect(socket.descriptor(), address) {
        Ok(()) => true,
        Err(Errno::INPROGRESS | Errno::INTR) => false,
        Err(error) => return Err(error.into()),
    };
    socket.join(poller, Source::Link, !done)?;
    Ok((socket, done))
}

/// Connects to a Unix socket, which never takes time: it works or it does not.
pub(crate) fn unix(poller: &Poller, path: &Path) -> Attempt {
    match begin_unix(poller, path) {
        Ok(socket) => Attempt::Connected(socket),
        Err(error) => Attempt::Failed(error),
    }
}

fn begin_unix(poller: &Poller, path: &Path) -> io::Result<Socket> {
    let reached = Reachable::new(path)?;
    let address: PathBuf = reached.path(path);
    let mut socket = Socket::new(stream(AddressFamily::UNIX)?);
    rustix::net::connect(socket.descriptor(), &SocketAddrUnix::new(&address)?)?;
    socket.join(poller, Source::Link, false)?;
    Ok(socket)
}

impl Connecting {
    /// The epoll set has something to say about the attempt.
    pub(crate) fn handle_ready(self, poller: &Poller) -> Attempt {
        match self.socket.take_error() {
            Err(error) => next(poller, self.more, error),
            Ok(()) => match rustix::net::getpeername(self.socket.descriptor()) {
                Ok(Some(_)) => Attempt::Connected(self.socket),
                _ => Attempt::Waiting(self),
            },
        }
    }
}
