//! Two rings in memory between a handle and a hub in the same process.
//!
//! ```text
//! handle --up-->   hub      each direction is a bounded buffer of bytes: the writer appends, the
//! handle <--down-- hub      reader swaps it for an empty one
//! ```
//! One wake per batch: a writer rings the reader's bell only for the first bytes after the reader
//! has drained; a reader rings the writer's only if that was stopped by a full buffer. A bell wakes
//! only who sleeps. Dropping an end closes both directions; what was written before is still read.
//!
//! Floor: poller.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::BytesMut;
use telpher_proto::base::{Error, limits};
use telpher_proto::wire::Outbox;

use super::Read;
use crate::sync::Mutex;

/// Why one end of a ring is dropped, for who has the other.
#[derive(Clone, Debug)]
pub(crate) enum Farewell {
    /// There is no hub any more, or it takes nobody else in: another attempt may find one.
    Ended(String),
    /// The hub could not begin, and would not at another attempt, either.
    Failed(Error),
}

impl Farewell {
    pub(crate) fn ended(reason: &str) -> Farewell {
        Farewell::Ended(reason.to_owned())
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Farewell::Ended(reason) => reason,
            Farewell::Failed(error) => error.detail(),
        }
    }
}

/// Tells an end's owner that there is something to do.
pub(crate) trait Bell: Send + Sync {
    fn ring(&self, key: usize);
}

struct Pipe {
    buffer: Mutex<BytesMut>,
    /// There are bytes, or the end.
    ready: AtomicBool,
    /// The writer waits for room.
    stopped: AtomicBool,
}

struct Side {
    bell: Arc<dyn Bell>,
    /// What the owner knows this end by.
    key: AtomicUsize,
}

struct Ring {
    /// Handle to hub, hub to handle.
    pipes: [Pipe; 2],
    /// The handle's and the hub's.
    sides: [Side; 2],
    closed: AtomicBool,
    farewell: Mutex<Option<Farewell>>,
}

/// One end of a ring.
pub(crate) struct RingEnd {
    ring: Arc<Ring>,
    /// 0 for the handle's end, 1 for the hub's.
    own: usize,
}

/// Makes the handle's and the hub's end.
pub(crate) fn ring(handle: Arc<dyn Bell>, hub: Arc<dyn Bell>) -> (RingEnd, RingEnd) {
    let pipe = || Pipe {
        buffer: Mutex::new(BytesMut::new()),
        ready: AtomicBool::new(false),
        stopped: AtomicBool::new(false),
    };
    let side = |bell| Side { bell, key: AtomicUsize::new(usize::MAX) };
    let ring = Arc::new(Ring {
        pipes: [pipe(), pipe()],
        sides: [side(handle), side(hub)],
        closed: AtomicBool::new(false),
        farewell: Mutex::new(None),
    });
    (RingEnd { ring: Arc::clone(&ring), own: 0 }, RingEnd { ring, own: 1 })
}

impl RingEnd {
    /// The owner knows this end by `key` from now on.
    pub(crate) fn set_key(&self, key: usize) {
        self.ring.sides[self.own].key.store(key, Ordering::SeqCst);
    }

    fn incoming(&self) -> &Pipe {
        &self.ring.pipes[1 - self.own]
    }

    fn ring_other(&self) {
        let other = &self.ring.sides[1 - self.own];
        other.bell.ring(other.key.load(Ordering::SeqCst));
    }

    pub(crate) fn is_readable(&self) -> bool {
        self.incoming().ready.load(Ordering::SeqCst)
    }

    pub(crate) fn read(&mut self, inbox: &mut BytesMut) -> Read {
        let pipe = self.incoming();
        let mut buffer = pipe.buffer.lock();
        if buffer.is_empty() {
            let closed = self.ring.closed.load(Ordering::SeqCst);
            pipe.ready.store(closed, Ordering::SeqCst);
            return if closed { Read::Closed } else { Read::Nothing };
        }
        if inbox.is_empty() {
            std::mem::swap(inbox, &mut buffer);
            buffer.clear();
        } else {
            inbox.extend_from_slice(&buffer);
            buffer.clear();
        }
        pipe.ready.store(self.ring.closed.load(Ordering::SeqCst), Ordering::SeqCst);
        drop(buffer);
        if pipe.stopped.swap(false, Ordering::SeqCst) {
            self.ring_other();
        }
        Read::Some
    }

    pub(crate) fn write(&mut self, outbox: &mut Outbox) -> io::Result<bool> {
        if outbox.is_empty() {
            return Ok(false);
        }
        if self.ring.closed.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let pipe = &self.ring.pipes[self.own];
        let mut buffer = pipe.buffer.lock();
        let mut wrote = false;
        while !outbox.is_empty() && buffer.len() < limits::RING_SIZE_MAX {
            let mut slices = [io::IoSlice::new(&[])];
            outbox.slices(&mut slices);
            let count = slices[0].len().min(limits::RING_SIZE_MAX - buffer.len());
            buffer.extend_from_slice(&slices[0][..count]);
            outbox.advance(count);
            wrote = true;
        }
        pipe.stopped.store(!outbox.is_empty(), Ordering::SeqCst);
        let was_ready = pipe.ready.swap(true, Ordering::SeqCst);
        drop(buffer);
        if !was_ready {
            self.ring_other();
        }
        Ok(wrote)
    }

    /// Puts bytes that no machine would write.
    #[cfg(test)]
    pub(crate) fn write_garbage_for_test(&mut self) {
        let pipe = &self.ring.pipes[self.own];
        pipe.buffer.lock().extend_from_slice(&[0xff; 64]);
        pipe.ready.store(true, Ordering::SeqCst);
        self.ring_other();
    }

    /// Why the other end closed, if it said so.
    pub(crate) fn farewell(&self) -> Option<Farewell> {
        self.ring.farewell.lock().clone()
    }

    /// Says why this end is about to be dropped.
    pub(crate) fn say(&self, farewell: Farewell) {
        *self.ring.farewell.lock() = Some(farewell);
    }
}

impl Drop for RingEnd {
    fn drop(&mut self) {
        self.ring.closed.store(true, Ordering::SeqCst);
        let outgoing = &self.ring.pipes[self.own];
        let guard = outgoing.buffer.lock();
        outgoing.ready.store(true, Ordering::SeqCst);
        drop(guard);
        self.ring_other();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Bell for Count {
        fn ring(&self, _key: usize) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn ends() -> (RingEnd, RingEnd, Arc<Count>, Arc<Count>) {
        let (handle, hub) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let (a, b) = ring(handle.clone(), hub.clone());
        (a, b, handle, hub)
    }

    #[test]
    fn closing_one_end_is_seen_at_the_other_after_all_that_was_written() {
        let (a, mut b, _, bell) = ends();
        a.say(Farewell::ended("enough"));
        drop(a);
        assert_eq!(bell.0.load(Ordering::SeqCst), 1);
        assert!(b.is_readable());
        assert_eq!(b.read(&mut BytesMut::new()), Read::Closed);
        assert_eq!(b.farewell().unwrap().text(), "enough");
    }

    #[test]
    fn a_ring_without_bytes_is_not_readable() {
        let (a, mut b, ..) = ends();
        assert!(!a.is_readable() && !b.is_readable());
        assert_eq!(b.read(&mut BytesMut::new()), Read::Nothing);
    }
}
