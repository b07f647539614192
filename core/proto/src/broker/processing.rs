//! Members of groups that have stated for how long they are at work at most: whoever commits
//! nothing for longer loses what it reads.
//!
//! ```text
//! nothing to be committed --handed over--> time runs --too long--> the reader ends, others go on
//!            ^------- all committed ----------|  ^-- commit: from its beginning
//! ```
//! It does not run while the program has no connection, and not on for the time that the hub itself
//! was paused.
//!
//! Floor: broker.

use super::{Broker, Due};
use crate::base::timers::TimerKey;
use crate::base::{Error, Kind, Time, limits};

/// How long a reader may be at work without a commit, and since when it is.
#[derive(Debug, Default)]
pub(super) struct Processing {
    /// 0: as long as it takes.
    max_ms: u64,
    /// When it is to have committed something.
    until: Option<Time>,
    timer: Option<TimerKey>,
    is_noted: bool,
    /// Since it was last looked.
    pub has_committed: bool,
}

impl Processing {
    pub fn new(max_ms: u64) -> Processing {
        Processing { max_ms, ..Processing::default() }
    }

    /// Its connection was made anew.
    pub fn begin_anew(&mut self) {
        self.until = None;
    }
}

impl Broker {
    /// A reader has got something, or committed, or reads something else.
    pub(super) fn note_processing(&mut self, key: usize) {
        let processing = &mut self.streams.readers[key].processing;
        if processing.max_ms > 0 && !std::mem::replace(&mut processing.is_noted, true) {
            self.processing.push(key);
        }
    }

    pub(super) fn forget_processing(&mut self, key: usize, processing: Processing) {
        if let Some(timer) = processing.timer {
            self.timers.remove(timer);
        }
        self.processing.retain(|other| *other != key);
    }

    /// After every input: for whom time runs.
    pub(super) fn watch_processing(&mut self, now: Time) {
        for key in std::mem::take(&mut self.processing) {
            let is_behind = self.first_uncommitted(key).is_some();
            let Some(reader) = self.streams.readers.get_mut(key) else { continue };
            let processing = &mut reader.processing;
            processing.is_noted = false;
            let has_committed = std::mem::take(&mut processing.has_committed);
            if !is_behind {
                processing.until = None;
            } else if processing.until.is_none() || has_committed {
                let until = now.plus_ms(processing.max_ms);
                processing.until = Some(until);
                if processing.timer.is_none() {
                    processing.timer = Some(self.timers.insert(until, Due::Processing(key)));
                }
            }
        }
    }

    /// The first record that a member was handed and has not committed: its partition and offset.
    fn first_uncommitted(&self, key: usize) -> Option<(u32, u64)> {
        let reader = self.streams.readers.get(key)?;
        let stream = self.streams.all.get(reader.stream.key)?;
        let group =
            stream.groups.iter().find(|group| Some(&group.name) == reader.group.as_ref())?;
        reader.claims().into_iter().find_map(|cursor| {
            let next = group.places.get(cursor.partition as usize)?.state.next;
            (next < cursor.seen).then_some((cursor.partition, next))
        })
    }

    /// Somebody's time may be over.
    pub(super) fn processing_due(&mut self, now: Time, key: usize) {
        let first = self.first_uncommitted(key);
        let reader = &mut self.streams.readers[key];
        let session = &self.sessions[self.registrations[reader.registration].session];
        let is_there = reader.is_live && session.present();
        let processing = &mut reader.processing;
        processing.timer = None;
        let (Some(until), Some((partition, offset)), true) = (processing.until, first, is_there)
        else {
            // Time begins when it is there again, and has something.
            processing.until = None;
            return;
        };
        let late = now.since(until);
        let is_paused = late.as_millis() as u64 >= limits::LEASE_LATE_MS;
        if now < until || is_paused {
            // If the hub was paused, nobody could be heard: there is as much time again.
            let until = if is_paused { now.plus(late) } else { until };
            processing.until = Some(until);
            processing.timer = Some(self.timers.insert(until, Due::Processing(key)));
            return;
        }
        let detail = format!(
            "max_processing is {} ms, and the reader has committed nothing for that long: it was \
             handed offset {offset} of partition {partition} and more; its partitions go to other \
             members",
            processing.max_ms
        );
        self.end_reader(key, Err(Error::new(Kind::LeaseLost, detail)));
    }
}
