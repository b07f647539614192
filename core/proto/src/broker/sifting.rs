//! Readers that want only some of the records: the others are passed over here.
//!
//! ```text
//!   told .......... next
//!   [ ][ ][ ][ ][ ] [ batch ]   all of it is wanted: sent as it is
//!   nothing wanted              some of it: a batch of these is sent, with the offsets from `told`
//!                               none of it: passed over; told after a while, all at once
//! ```
//! So much is unpacked and compared in a ms, for all readers together; who wants more waits in
//! line. A group's place goes on over what its member has passed over behind everything that it has
//! committed.
//!
//! Floor: broker.

use std::collections::VecDeque;

use bytes::Bytes;

use super::reader::Place;
use super::{Broker, Due};
use crate::base::batch::{self, BATCH_HEADER_SIZE, BatchHeader};
use crate::base::repacked::{Repacked, packed_records};
use crate::base::{Time, limits};

/// Who waits to be compared with, and who has passed over something.
#[derive(Debug, Default)]
pub(super) struct Sifting {
    /// Bytes that were compared since then.
    done: u64,
    since: Time,
    /// Readers that want to go on.
    line: VecDeque<usize>,
    goes_on: bool,
    /// Readers that have passed over something, and are to hear of it.
    passing: Vec<usize>,
    is_telling: bool,
}

impl Sifting {
    pub fn forget(&mut self, reader: usize) {
        self.line.retain(|other| *other != reader);
        self.passing.retain(|other| *other != reader);
    }
}

impl Broker {
    /// Sends what is wanted of a batch. False if that has to wait.
    pub(super) fn sift(&mut self, key: usize, at: usize, (batch, end): (Bytes, u64)) -> bool {
        let reader = &mut self.streams.readers[key];
        if self.sifting.done >= limits::FILTER_STEP {
            if !std::mem::replace(&mut reader.is_in_line, true) {
                self.sifting.line.push_back(key);
            }
            return false;
        }
        let cost = BatchHeader::read(&batch).map_or(0, |header| header.cost());
        self.sifting.done += cost;
        let (Some(filter), Some(plain)) = (&reader.filter, batch::plain(&batch)) else {
            // The program finds out that it is damaged.
            self.send_records(key, at, (batch, end));
            return true;
        };
        let Place { cursor, told, .. } = reader.places[at];
        let (mut wanted, mut all) = (0, 0);
        for record in packed_records(&plain).filter(|record| record.offset >= cursor.next) {
            (wanted, all) = (wanted + u64::from(filter.matches(&record)), all + 1);
        }
        let is_far = end - told > u64::from(u32::MAX);
        if wanted == 0 {
            reader.places[at].cursor.next = end;
            self.note_passing(key);
            return true;
        }
        if told < cursor.next && (wanted == all || is_far) {
            self.tell_passed(key, at);
        }
        let batches = if wanted == all { vec![(batch, end)] } else { self.sifted(key, at, &plain) };
        batches.into_iter().for_each(|batch| self.send_records(key, at, batch));
        true
    }

    /// Batches of what is wanted of this one, from where the program knows that it is, each with
    /// the offset behind it. Packed anew, each record takes a little more; so they may be several.
    fn sifted(&self, key: usize, at: usize, batch: &Bytes) -> Vec<(Bytes, u64)> {
        let reader = &self.streams.readers[key];
        let Place { cursor, told, .. } = &reader.places[at];
        let (Some(filter), Some(header)) = (&reader.filter, BatchHeader::read(batch)) else {
            return Vec::new();
        };
        let place = (reader.stream.id, cursor.partition);
        let mut batches = Vec::new();
        let mut close = |mut packed: Repacked, end: u64| {
            packed.end(header);
            packed.pass_to(end);
            batches.extend(packed.build(place, None).map(|batch| (batch, end)));
        };
        let mut packed = Repacked::new(*told);
        for record in packed_records(batch).filter(|record| record.offset >= cursor.next) {
            if filter.matches(&record) {
                let is_begun = packed.size() > BATCH_HEADER_SIZE;
                if is_begun && packed.size() + record.size() > limits::APPEND_BATCH_MAX {
                    close(
                        std::mem::replace(&mut packed, Repacked::new(record.offset)),
                        record.offset,
                    );
                }
                packed.push(&record);
            }
        }
        close(packed, header.end());
        batches
    }

    /// Tells a program with a batch of no records, or more of them, how far it is.
    fn tell_passed(&mut self, key: usize, at: usize) {
        loop {
            let reader = &self.streams.readers[key];
            let Place { cursor, told, .. } = &reader.places[at];
            let next = cursor.next;
            if *told >= next {
                return;
            }
            let end = next.min(told.saturating_add(u32::MAX.into()));
            let mut packed = Repacked::new(*told);
            packed.pass_to(end);
            let Some(batch) = packed.build((reader.stream.id, cursor.partition), None) else {
                return;
            };
            self.send_records(key, at, (batch, end));
            self.streams.readers[key].places[at].cursor.next = next;
        }
    }

    /// A reader has passed over something.
    pub(super) fn note_passing(&mut self, key: usize) {
        let reader = &mut self.streams.readers[key];
        if !std::mem::replace(&mut reader.is_passing, true) {
            self.sifting.passing.push(key);
        }
    }

    /// After every input: whoever waits goes on in a ms, and hears of what it has passed over a
    /// while later.
    pub(super) fn watch_sifting(&mut self, now: Time) {
        let sifting = &mut self.sifting;
        if sifting.since.plus_ms(1) <= now {
            (sifting.done, sifting.since) = (0, now);
        }
        if !sifting.line.is_empty() && !std::mem::replace(&mut sifting.goes_on, true) {
            self.timers.insert(now.plus_ms(1), Due::Sift);
        }
        if !sifting.passing.is_empty() && !std::mem::replace(&mut sifting.is_telling, true) {
            self.timers.insert(now.plus_ms(limits::PASSED_DELAY_MS), Due::Passed);
        }
    }

    /// Readers in line go on, as far as that may be in this ms.
    pub(super) fn sift_due(&mut self, now: Time) {
        (self.sifting.done, self.sifting.since, self.sifting.goes_on) = (0, now, false);
        while self.sifting.done < limits::FILTER_STEP
            && let Some(key) = self.sifting.line.pop_front()
        {
            let reader = self.streams.readers.get_mut(key);
            reader.into_iter().for_each(|reader| reader.is_in_line = false);
            self.pump_reader(key);
        }
    }

    /// Readers hear of what they have passed over. Whoever can't now is noted again when it can, or
    /// states where it is.
    pub(super) fn passed_due(&mut self) {
        self.sifting.is_telling = false;
        for key in std::mem::take(&mut self.sifting.passing) {
            let Some(reader) = self.streams.readers.get(key) else { continue };
            let count = reader.places.len();
            if self.takes_records(key) {
                (0..count).for_each(|at| self.tell_passed(key, at));
                self.pass_places(key);
            }
            let reader = self.streams.readers.get_mut(key);
            reader.into_iter().for_each(|reader| reader.is_passing = false);
        }
    }
}
