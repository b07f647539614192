//! A stream socket, TCP or Unix.
//!
//! The epoll set is edge triggered, so a socket remembers what it is ready for. A read that leaves
//! room in its buffer has drained the socket; if the other end is done, reads go on to the end.
//! Room to write is watched for only while it is lacking: a socket that mostly has room would
//! otherwise wake its owner whenever the other end reads.
//! Nothing is ever written with `write`, which would raise SIGPIPE in the program.
//!
//! Floor: poller, system, descriptors.

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use bytes::BytesMut;
use rustix::net::sockopt;
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use telpher_proto::base::limits::{self, READ_SIZE};
use telpher_proto::wire::Outbox;

use super::Read;
use crate::descriptors::Descriptor;
use crate::poller::{Poller, Readiness, Source};
use crate::system;

const SLICES_MAX: usize = 64;

/// Room below which a shared buffer is not worth a read.
const ROOM_MIN: usize = 4 * 1024;

/// A connected socket.
pub(crate) struct Socket {
    descriptor: Descriptor,
    /// True if a read may bring something.
    pub(crate) readable: bool,
    writable: bool,
    closing: bool,
    /// The epoll set tells of room to write.
    watched: bool,
}

impl Socket {
    /// `descriptor` is connected, or about to be.
    pub(crate) fn new(descriptor: Descriptor) -> Socket {
        Socket { descriptor, readable: false, writable: true, closing: false, watched: false }
    }

    /// Joins `poller` as `source`. One that is about to be connected has room when it is.
    pub(crate) fn join(
        &mut self,
        poller: &Poller,
        source: Source,
        connecting: bool,
    ) -> io::Result<()> {
        self.watched = connecting;
        if connecting { poller.add_socket(self, source) } else { poller.add_reader(self, source) }
    }

    /// The same for TCP: small writes are not held back, a dead peer is noticed.
    pub(crate) fn tune(&self) -> io::Result<()> {
        sockopt::set_tcp_nodelay(&self.descriptor, true)?;
        sockopt::set_socket_keepalive(&self.descriptor, true)?;
        let (idle_s, again_s, times) = limits::KEEPALIVE_S;
        sockopt::set_tcp_keepidle(&self.descriptor, Duration::from_secs(idle_s))?;
        sockopt::set_tcp_keepintvl(&self.descriptor, Duration::from_secs(again_s))?;
        sockopt::set_tcp_keepcnt(&self.descriptor, times)?;
        Ok(())
    }

    pub(crate) fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The epoll set has said this of the socket.
    pub(crate) fn handle_ready(&mut self, ready: &Readiness) {
        self.readable |= ready.readable;
        self.writable |= ready.writable;
        self.closing |= ready.closed;
    }

    /// The error that a connection attempt ended with, if any.
    pub(crate) fn take_error(&self) -> io::Result<()> {
        Ok(sockopt::socket_error(&self.descriptor)??)
    }

    pub(crate) fn read(
        &mut self,
        inbox: &mut BytesMut,
        scratch: &mut BytesMut,
    ) -> io::Result<Read> {
        if !self.readable {
            return Ok(Read::Nothing);
        }
        let shared = inbox.is_empty();
        let target = if shared { &mut *scratch } else { &mut *inbox };
        if target.capacity() - target.len() < ROOM_MIN {
            target.reserve(READ_SIZE);
        }
        let room = target.capacity() - target.len();
        let count = match system::receive(&self.descriptor, target) {
            Ok(0) => return Ok(Read::Closed),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readable = false;
                return Ok(Read::Nothing);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Read::Nothing),
            Err(error) => return Err(error),
        };
        if shared {
            *inbox = scratch.split();
        }
        self.readable = count == room || self.closing;
        Ok(Read::Some)
    }

    pub(crate) fn write(&mut self, outbox: &mut Outbox) -> io::Result<bool> {
        let mut wrote = false;
        while self.writable && !outbox.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let used = outbox.slices(&mut slices);
            let offered: usize = slices[..used].iter().map(|slice| slice.len()).sum();
            let mut none = SendAncillaryBuffer::default();
            match sendmsg(&self.descriptor, &slices[..used], &mut none, SendFlags::NOSIGNAL) {
                Ok(count) => {
                    outbox.advance(count);
                    self.writable = count == offered;
                    wrote = true;
                }
                Err(rustix::io::Errno::AGAIN) => self.writable = false,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(wrote)
    }
}

impl Socket {
    /// Has `poller` tell of room to write if that is lacking, and no more once it does so in vain.
    pub(crate) fn watch(&mut self, poller: &Poller, source: Source, idle: bool) -> io::Result<()> {
        let wanted = !self.writable || (self.watched && !idle);
        if wanted != self.watched {
            poller.watch_writing(self, source, wanted)?;
            self.watched = wanted;
        }
        Ok(())
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }
}

/// Lets go of the shared buffer: an idle connection holds no memory, a begun frame only its own.
pub(super) fn tidy(inbox: &mut BytesMut) {
    if inbox.is_empty() {
        if inbox.capacity() > 0 {
            *inbox = BytesMut::new();
        }
    } else if inbox.len() < ROOM_MIN {
        *inbox = BytesMut::from(&inbox[..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    use std::os::fd::OwnedFd;
    use telpher_proto::wire::{Clock, Frame};

    const SOURCE: Source = Source::Peer(0);

    /// A socket in an epoll set, and its other end.
    fn connected(poller: &Poller) -> (Socket, OwnedFd) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let pair = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None);
        let (own, other) = pair.unwrap();
        let mut socket = Socket::new(Descriptor::make(|| Ok(own)).unwrap());
        socket.join(poller, SOURCE, false).unwrap();
        (socket, other)
    }

    /// Writes so many frames, as far as that goes: how many bytes went, and how many did not.
    fn write(poller: &Poller, socket: &mut Socket, frames: usize) -> (usize, usize) {
        let mut outbox = Outbox::default();
        let clock = Clock { shared: true, now: clock::now() };
        (0..frames).for_each(|_| outbox.push(&Frame::Goodbye, clock));
        let size = outbox.len();
        socket.write(&mut outbox).unwrap();
        socket.watch(poller, SOURCE, frames == 0).unwrap();
        (size - outbox.len(), outbox.len())
    }

    fn drain(other: &OwnedFd, size: usize) {
        let mut rest = vec![0; size];
        let mut rest = &mut rest[..];
        while !rest.is_empty() {
            let count = rustix::io::read(other, &mut *rest).unwrap();
            rest = &mut rest[count..];
        }
    }

    fn told(poller: &mut Poller) -> Vec<Readiness> {
        let mut told = Vec::new();
        poller.wait(Some(clock::now()), clock::now(), &mut told).unwrap();
        told
    }

    #[test]
    fn an_end_that_has_room_is_not_told_when_the_other_reads() {
        let mut poller = Poller::new().unwrap();
        let (mut socket, other) = connected(&poller);
        let (written, left) = write(&poller, &mut socket, 1);
        assert_eq!(left, 0);
        drain(&other, written);
        assert!(told(&mut poller).is_empty());
    }

    #[test]
    fn room_is_told_of_after_it_was_lacking_and_then_no_more() {
        let mut poller = Poller::new().unwrap();
        let (mut socket, other) = connected(&poller);
        let (written, left) = write(&poller, &mut socket, 1 << 20);
        assert!(left > 0);
        drain(&other, written);
        let ready = told(&mut poller);
        assert!(ready[0].writable);
        socket.handle_ready(&ready[0]);
        let (written, left) = write(&poller, &mut socket, 1);
        assert_eq!(left, 0);
        write(&poller, &mut socket, 0);
        told(&mut poller);
        drain(&other, written);
        assert!(told(&mut poller).is_empty());
    }
}
