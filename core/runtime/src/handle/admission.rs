//! How much is in flight on one handle, and its counters.
//!
//! An operation counts from its start until its outcome is handed over. Answers and settlements are
//! counted but never refused: they are bounded by what was delivered, and refusing them could hold
//! up the very thing that would make room.
//!
//! Floor: imports nothing of the runtime.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use telpher_proto::base::limits::IN_FLIGHT_BYTES_MAX;
use telpher_proto::base::{Error, Kind};

use crate::api::Stats;

/// What is in flight.
#[derive(Debug)]
pub(crate) struct Admission {
    count_max: usize,
    /// Operations and bytes in one number, so that both are counted at once.
    both: AtomicU64,
    /// Somebody was refused, and is to be told when half is free.
    starved: AtomicBool,
    started: AtomicU64,
    failed: AtomicU64,
    failed_unseen: AtomicU64,
    connects: AtomicU64,
}

impl Admission {
    pub(crate) fn new(count_max: usize) -> Admission {
        Admission {
            count_max,
            both: AtomicU64::new(0),
            starved: AtomicBool::new(false),
            started: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            failed_unseen: AtomicU64::new(0),
            connects: AtomicU64::new(0),
        }
    }

    /// Counts an operation with `size` bytes in, if there is room.
    pub(crate) fn admit(&self, size: usize, is_answer: bool) -> Result<(), Error> {
        let (count, bytes) = split(self.both.fetch_add(joined(size), Ordering::SeqCst));
        let fits = bytes == 0 || bytes.saturating_add(size) <= IN_FLIGHT_BYTES_MAX;
        if is_answer || (count < self.count_max && fits) {
            self.started.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        self.both.fetch_sub(joined(size), Ordering::SeqCst);
        self.starved.store(true, Ordering::SeqCst);
        // If the last release came just before that, nobody else would announce the room.
        if self.has_room() && self.starved.swap(false, Ordering::SeqCst) {
            return self.admit(size, is_answer);
        }
        let detail = if count >= self.count_max {
            format!("{count} operations are in flight; at most {} are allowed", self.count_max)
        } else {
            format!(
                "{bytes} bytes are in flight and {size} more were to come; \
                 at most {IN_FLIGHT_BYTES_MAX} are allowed"
            )
        };
        Err(Error::new(Kind::Full, detail))
    }

    /// Counts an operation out.
    pub(crate) fn release(&self, size: usize) {
        self.release_all(1, size);
    }

    /// Counts several operations out, with all their bytes.
    pub(crate) fn release_all(&self, count: u64, size: usize) {
        self.both.fetch_sub(count * joined(0) + size as u64, Ordering::SeqCst);
    }

    /// True if half is free.
    pub(crate) fn has_room(&self) -> bool {
        let (count, bytes) = split(self.both.load(Ordering::SeqCst));
        count <= self.count_max / 2 && bytes <= IN_FLIGHT_BYTES_MAX / 2
    }

    /// True, once, if half is free again after somebody was refused.
    pub(crate) fn take_ready(&self) -> bool {
        self.starved.load(Ordering::SeqCst)
            && self.has_room()
            && self.starved.swap(false, Ordering::SeqCst)
    }

    pub(crate) fn count_failure(&self, seen: bool) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        if !seen {
            self.failed_unseen.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn count_connect(&self) {
        self.connects.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self) -> Stats {
        let (count, bytes) = split(self.both.load(Ordering::Relaxed));
        Stats {
            in_flight: count as u64,
            in_flight_bytes: bytes as u64,
            started: self.started.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            failed_unseen: self.failed_unseen.load(Ordering::Relaxed),
            connects: self.connects.load(Ordering::Relaxed),
        }
    }
}

/// Bits of the bytes: more than all bodies that 65,536 operations and as many answers can have.
const BYTES_BITS: u32 = 42;

/// One operation of `size` bytes.
fn joined(size: usize) -> u64 {
    1 << BYTES_BITS | size as u64
}

fn split(both: u64) -> (usize, usize) {
    ((both >> BYTES_BITS) as usize, (both & ((1 << BYTES_BITS) - 1)) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_comes_once_when_half_is_free_after_a_refusal() {
        let admission = Admission::new(4);
        for _ in 0..4 {
            admission.admit(10, false).unwrap();
        }
        assert!(!admission.take_ready());
        let full = admission.admit(10, false).unwrap_err();
        assert_eq!(full.kind(), Kind::Full);
        assert!(full.detail().contains('4'));
        admission.admit(10, true).unwrap();
        for _ in 0..2 {
            admission.release(10);
            assert!(!admission.take_ready());
        }
        admission.release(10);
        assert!(admission.take_ready());
        assert!(!admission.take_ready());
        admission.release_all(2, 20);
        assert_eq!((admission.stats().in_flight, admission.stats().in_flight_bytes), (0, 0));
    }

    #[test]
    fn one_message_above_the_byte_bound_is_allowed_alone() {
        let admission = Admission::new(4);
        admission.admit(IN_FLIGHT_BYTES_MAX + 1, false).unwrap();
        assert_eq!(admission.admit(1, false).unwrap_err().kind(), Kind::Full);
        admission.release(IN_FLIGHT_BYTES_MAX + 1);
        assert!(admission.take_ready());
        admission.admit(1, false).unwrap();
    }
}
