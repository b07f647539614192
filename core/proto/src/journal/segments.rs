//! Which segments hold something that is still needed, and how much.
//!
//! Floor: imports `base`.

use super::{Journal, Segment};
use crate::base::record::{Position, Room};

impl Journal {
    /// So many messages, of `size` bytes together, lie in `segment` and are needed.
    pub fn keep(&mut self, segment: u32, count: u64, size: u64) {
        if let Some(segment) = self.segment(segment) {
            segment.live.0 += count;
            segment.live.1 += size;
        }
    }

    /// So many messages, of `size` bytes together, in `segment` are no longer needed.
    pub fn release(&mut self, segment: u32, count: u64, size: u64) {
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
        let live: u64 = self.segments.iter().map(|segment| segment.live.1).sum();
        let garbage = used.saturating_sub(live);
        let sparse = garbage > live.max(self.config.sizes.garbage_min) && self.room() == Room::Open;
        (sparse && oldest.live.0 > 0).then_some(oldest.number)
    }

    /// Bytes of all segments, and of messages in them that are needed.
    pub fn sizes(&self) -> (u64, u64) {
        let used = self.segments.iter().map(|segment| segment.used).sum();
        (used, self.segments.iter().map(|segment| segment.live.1).sum())
    }
}
