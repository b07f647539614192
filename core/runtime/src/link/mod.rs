//! What carries bytes between a handle and its hub: a socket, or two rings in memory.
//!
//! A link reads into a machine's inbox and writes from its outbox, as far as that goes without
//! waiting, and remembers what it is ready for.
//!
//! Floor: poller, system, descriptors, clock.

pub(crate) mod connect;
pub(crate) mod listen;
pub(crate) mod ring;
pub(crate) mod socket;

use std::io;

use bytes::BytesMut;
use telpher_proto::wire::Outbox;

use crate::poller::{Poller, Source};

pub(crate) use ring::{Farewell, RingEnd};
pub(crate) use socket::Socket;

/// How a read went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// Bytes came.
    Some,
    /// Nothing is there now.
    Nothing,
    /// The other end is done, and all it sent has been read.
    Closed,
}

/// One end of a connection.
pub(crate) enum Link {
    Socket(Socket),
    Ring(RingEnd),
}

impl Link {
    /// True if a read may bring something.
    pub(crate) fn is_readable(&self) -> bool {
        match self {
            Link::Socket(socket) => socket.readable,
            Link::Ring(ring) => ring.is_readable(),
        }
    }

    /// The next read is tried, though nothing was heard of it.
    pub(crate) fn look_again(&mut self) {
        if let Link::Socket(socket) = self {
            socket.readable = true;
        }
    }

    /// Reads once into `inbox`. `scratch` is a buffer that many connections share.
    pub(crate) fn read(
        &mut self,
        inbox: &mut BytesMut,
        scratch: &mut BytesMut,
    ) -> io::Result<Read> {
        match self {
            Link::Socket(socket) => socket.read(inbox, scratch),
            Link::Ring(ring) => Ok(ring.read(inbox)),
        }
    }

    /// To be called when the machine has looked at `inbox`: lets go of a shared buffer.
    pub(crate) fn tidy(&self, inbox: &mut BytesMut) {
        if let Link::Socket(_) = self {
            socket::tidy(inbox);
        }
    }

    /// Writes from `outbox`; returns whether anything was written. `source` is what `poller` knows
    /// the link by, if it is a socket.
    pub(crate) fn write(
        &mut self,
        poller: &Poller,
        source: Source,
        outbox: &mut Outbox,
    ) -> io::Result<bool> {
        match self {
            Link::Socket(socket) => {
                let idle = outbox.is_empty();
                let wrote = socket.write(outbox)?;
                socket.watch(poller, source, idle)?;
                Ok(wrote)
            }
            Link::Ring(ring) => ring.write(outbox),
        }
    }

    /// Why the other end closed, if it said so.
    pub(crate) fn farewell(&self) -> Option<Farewell> {
        match self {
            Link::Socket(_) => None,
            Link::Ring(ring) => ring.farewell(),
        }
    }
}
