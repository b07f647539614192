//! One reader of a stream: its place in each partition that it reads.
//!
//! Floor: broker.

use super::processing::Processing;
use super::streams::StreamRef;
use crate::base::filter::Filter;
use crate::base::record::PlaceState;
use crate::base::{Cursor, Name};

/// Where a reader is in one partition.
#[derive(Debug)]
pub(super) struct Place {
    /// `next` is the next offset that is looked at.
    pub cursor: Cursor,
    /// Up to here the program has been told; from there to `next` nothing is wanted.
    pub told: u64,
    /// It stands among those that wait for the partition.
    pub is_waiting: bool,
    /// It is to go on with another member of the group: nothing more is sent of it.
    pub is_leaving: bool,
}

#[derive(Debug)]
pub(super) struct Reader {
    pub registration: usize,
    pub stream: StreamRef,
    /// The group that it is a member of.
    pub group: Option<Name>,
    /// What it wants, if not everything.
    pub filter: Option<Filter>,
    pub places: Vec<Place>,
    /// Whose turn it is.
    pub turn: usize,
    pub buffer: u64,
    /// Bytes on their way to the program, which it has not taken.
    pub sent: u64,
    /// The program has said where it is, after its connection was made.
    pub has_said: bool,
    /// So it has, and that is as safe as it has to be: it gets records.
    pub is_live: bool,
    /// It ends only when it has what compaction has put behind its end.
    pub may_end_later: bool,
    /// It waits until the hub may compare more with what it wants.
    pub is_in_line: bool,
    /// Somewhere something was passed over that has consequences.
    pub is_passing: bool,
    /// How long it may be at work without a commit.
    pub processing: Processing,
}

impl Place {
    pub fn new(cursor: Cursor) -> Place {
        Place { cursor, told: cursor.next, is_waiting: false, is_leaving: false }
    }

    /// The program does not know yet what it has passed over.
    pub fn is_untold(&self) -> bool {
        self.told < self.cursor.next
    }

    /// The program has said, or is to hear, that it is there.
    pub fn put(&mut self, next: u64, seen: u64) {
        (self.cursor.next, self.cursor.seen, self.told) = (next, seen, next);
    }
}

impl Reader {
    /// Its program has a new connection, or says anew where it is.
    pub fn await_live(&mut self, has_said: bool) {
        (self.has_said, self.is_live) = (has_said, false);
    }

    /// What it says it has.
    pub fn claims(&self) -> Vec<Cursor> {
        self.places.iter().map(|place| place.cursor).collect()
    }

    /// Forgets every cursor but these.
    pub fn keep(&mut self, is_kept: impl Fn(&Cursor) -> bool) {
        self.places.retain(|place| is_kept(&place.cursor));
    }

    fn place(&self, partition: u32) -> Option<&Place> {
        self.places.iter().find(|place| place.cursor.partition == partition)
    }

    /// A partition is to go on elsewhere, or is not. One behind the last record of it that was
    /// sent.
    pub fn leaving(&mut self, partition: u32, is_leaving: bool) -> Option<u64> {
        let place = self.places.iter_mut().find(|place| place.cursor.partition == partition)?;
        place.is_leaving = is_leaving;
        Some(place.cursor.seen)
    }

    pub fn drop_cursor(&mut self, partition: u32) {
        self.places.retain(|place| place.cursor.partition != partition);
    }

    pub fn add_cursor(&mut self, partition: u32, at: PlaceState) {
        let PlaceState { next, generation } = at;
        let end = u64::MAX;
        self.places.push(Place::new(Cursor { partition, next, seen: next, end, generation }));
    }

    /// What the program is told of it.
    pub fn told(&self) -> (u64, Vec<Cursor>) {
        let end = |cursor: Cursor| if self.may_end_later { u64::MAX } else { cursor.end };
        let told =
            |place: &Place| Cursor { next: place.told, end: end(place.cursor), ..place.cursor };
        (self.stream.id, self.places.iter().map(told).collect())
    }

    /// Where it is in a partition.
    pub fn cursor_of(&self, partition: u32) -> Option<Cursor> {
        self.place(partition).map(|place| place.cursor)
    }
}
