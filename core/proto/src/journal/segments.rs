//! The segments that may still be needed: what lies in them, and when they may go.
//!
//! Floor: imports `base`.

use super::Journal;
use crate::base::limits;
use crate::base::record::{ASIDE, Position, Room};

/// A segment that may still be needed.
#[derive(Clone, Debug)]
pub struct Segment {
    pub(super) number: u32,
    /// The position of its first record.
    pub(super) first: Position,
    pub(super) size: u64,
    pub(super) used: u64,
    /// Groups in it.
    pub(super) groups: u64,
    /// Messages in it that are still needed, and their bytes.
    pub(super) live: (u64, u64),
}

impl Segment {
    pub(super) fn new(number: u32, first: Position, size: u64) -> Segment {
        Segment { number, first, size, used: 0, groups: 0, live: (0, 0) }
    }

    /// Bytes of messages in it that are still needed: copies that share a record count more than
    /// they take.
    pub(super) fn live_bytes(&self) -> u64 {
        self.live.1.min(self.used)
    }

    pub(super) fn remaining(&self) -> u64 {
        self.size.saturating_sub(self.used)
    }

    /// Bytes that are left free at the end, so that what one input brings never has to grow the
    /// file: an eighth of a large segment, a quarter of a small one.
    pub(super) fn slack(&self) -> u64 {
        (self.size / 4).min(limits::FRAME_SIZE_MAX as u64 + 64 * 1024)
    }
}

impl Journal {
    /// So many messages, of `size` bytes together, lie in `segment`, or a stream file, and are
    /// needed.
    pub fn keep(&mut self, segment: u32, count: u64, size: u64) {
        if segment >= ASIDE {
            return self.stream_files.keep(segment, count, size);
        }
        if let Some(segment) = self.segment(segment) {
            segment.live.0 += count;
            segment.live.1 += size;
        }
    }

    /// So many messages, of `size` bytes together, in `segment` are no longer needed.
    pub fn release(&mut self, segment: u32, count: u64, size: u64) {
        if segment >= ASIDE {
            self.stream_files.release(segment, count, size);
            return self.forget_if_dead(segment);
        }
        if let Some(segment) = self.segment(segment) {
            segment.live.0 -= count;
            segment.live.1 -= size;
        }
    }

    /// The last of the segments from which nothing is needed any more; then append a `Freed` record
    /// and call `free`.
    pub fn dead(&self) -> Option<u32> {
        if self.freeing.is_some() {
            return None;
        }
        let dead = |segment: &&Segment| segment.number < self.restated && segment.live.0 == 0;
        self.segments.iter().take_while(dead).last().map(|segment| segment.number)
    }

    /// Segments up to `through` go as soon as `position` is durable.
    pub fn free(&mut self, through: u32, position: Position) {
        self.freeing = Some((through, position));
        self.freed = through;
    }

    /// The oldest segment, if so much of the journal is dead that its live messages are to be
    /// written anew.
    pub fn sparse(&self) -> Option<u32> {
        let oldest = self.segments.front().filter(|oldest| oldest.number < self.restated)?;
        let used: u64 = self.segments.iter().map(|segment| segment.used).sum();
        let live: u64 = self.segments.iter().map(Segment::live_bytes).sum();
        let garbage = used.saturating_sub(live);
        let sparse = garbage > live.max(self.config.sizes.garbage_min) && self.room() == Room::Open;
        (sparse && oldest.live.0 > 0).then_some(oldest.number)
    }

    /// Bytes of all segments, and of messages in them that are needed.
    pub fn sizes(&self) -> (u64, u64) {
        let used = self.segments.iter().map(|segment| segment.used).sum();
        (used, self.segments.iter().map(Segment::live_bytes).sum())
    }

    fn segment(&mut self, number: u32) -> Option<&mut Segment> {
        let first = self.segments.front()?.number;
        self.segments.get_mut(number.checked_sub(first)? as usize)
    }
}
