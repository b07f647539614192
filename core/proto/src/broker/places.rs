//! The places of reader groups: how far each has come, and who may move them.
//!
//! Floor: broker.

use super::declare::no_space;
use super::log::Level;
use super::sends::ChangeRef;
use super::sessions::Done;
use super::streams::StreamRef;
use super::{Broker, SessionKey};
use crate::base::record::{Placed, Record, Room};
use crate::base::stream::Committing;
use crate::base::{Error, Kind, Time};

/// A place that may be committed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Committable {
    pub stream: StreamRef,
    pub group: u64,
    partition: u32,
    next: u64,
}

impl Broker {
    /// A group has done its work up to a place.
    pub fn commit_place(&mut self, now: Time, change: ChangeRef, committing: Committing) {
        match self.check_commit(change.session.key, committing) {
            Err(error) => self.refuse(change, error),
            Ok(place) => {
                let level = self.apply_commit(place, Some(change));
                self.changed(now, change, level, Done::Empty);
                self.spread_group(place.stream, place.group);
            }
        }
    }

    pub(super) fn check_commit(
        &self,
        session: SessionKey,
        committing: Committing,
    ) -> Result<Committable, Error> {
        let Committing { reader, partition, generation, next } = committing;
        let lost = || {
            let detail = format!("partition {partition} is not this reader's any more");
            Error::new(Kind::LeaseLost, detail)
        };
        let key = self.reader_of(session, reader).ok_or_else(lost)?;
        let reader = &self.streams.readers[key];
        let (stream, name) =
            reader.group.as_ref().map(|name| (reader.stream, name)).ok_or_else(|| {
                Error::new(Kind::Invalid, "the reader is in no group, so it has no place to commit")
            })?;
        let found = self.streams.all.get(stream.key).filter(|found| found.id == stream.id);
        let found = found.ok_or_else(lost)?;
        let group = found.groups.iter().find(|group| group.name == *name).ok_or_else(lost)?;
        let place = group.places.get(partition as usize).ok_or_else(lost)?;
        if place.owner != Some(key) || place.state.generation != generation {
            return Err(lost());
        }
        let cursor = reader.cursor_of(partition);
        let sent = cursor.map_or(place.state.next, |cursor| cursor.next);
        if next > sent {
            let detail = format!(
                "offset {next} is committed, but only records below {sent} of partition \
                 {partition} have been read"
            );
            return Err(Error::new(Kind::Invalid, detail));
        }
        self.check_group_room(stream.key)?;
        // Behind the last record that it was sent there was none for it.
        let next = if cursor.is_some_and(|cursor| cursor.seen <= next) { sent } else { next };
        Ok(Committable { stream, group: group.id, partition, next })
    }

    /// A commit and what is said of a group are small, as settlements are: only the very last of
    /// a full disk refuses them.
    pub(super) fn check_group_room(&self, stream: usize) -> Result<(), Error> {
        match self.room {
            Room::Nothing if self.is_stream_journaled(stream) => Err(no_space()),
            _ => Ok(()),
        }
    }

    /// Moves a group's place; never back.
    fn apply_commit(&mut self, at: Committable, change: Option<ChangeRef>) -> Level {
        self.move_place(at);
        let level = self.stream_level(at.stream.key);
        self.write_place(level, change, (at.stream, at.group, at.partition));
        level
    }

    /// The same, for a batch that writes it down.
    pub(super) fn move_place(&mut self, at: Committable) -> Option<Placed> {
        let Committable { stream, group, partition, next } = at;
        let found = self.streams.at(stream)?.group(group)?;
        let place = found.places.get_mut(partition as usize)?;
        place.state.next = place.state.next.max(next);
        let (owner, state) = (place.owner, place.state);
        if let Some(owner) = owner {
            self.streams.readers[owner].processing.has_committed = true;
            self.note_processing(owner);
        }
        Some(Placed { stream: stream.id, group, partition, state })
    }

    /// Moves the places of a member on over what it has passed over, where all that it was sent is
    /// committed.
    pub(super) fn pass_places(&mut self, key: usize) {
        let reader = &self.streams.readers[key];
        let (Some(name), stream) = (&reader.group, reader.stream) else { return };
        let found = self.streams.all.get(stream.key).filter(|found| found.id == stream.id);
        let group = found.and_then(|found| found.groups.iter().find(|group| group.name == *name));
        let Some(group) = group else { return };
        let id = group.id;
        let passed = reader.claims().into_iter().filter(|cursor| {
            group.places.get(cursor.partition as usize).is_some_and(|place| {
                place.owner == Some(key) && (cursor.seen..cursor.next).contains(&place.state.next)
            })
        });
        let passed: Vec<(u32, u64)> =
            passed.map(|cursor| (cursor.partition, cursor.next)).collect();
        if passed.is_empty() || self.check_group_room(stream.key).is_err() {
            return;
        }
        for (partition, next) in passed {
            let place = self.streams.at(stream).and_then(|found| found.group(id));
            let place = place.and_then(|group| group.places.get_mut(partition as usize));
            place.into_iter().for_each(|place| place.state.next = next);
            self.write_place(Level::Written, None, (stream, id, partition));
        }
        self.spread_group(stream, id);
    }

    pub(super) fn write_place(
        &mut self,
        level: Level,
        change: Option<ChangeRef>,
        at: (StreamRef, u64, u32),
    ) {
        let (stream, group, partition) = at;
        let found = self.streams.at(stream).and_then(|found| found.group(group));
        let Some(state) = found.map(|group| group.places[partition as usize].state) else { return };
        if self.is_stream_journaled(stream.key) {
            let change = change.map(|change| change.numbers);
            let placed = Placed { stream: stream.id, group, partition, state };
            self.write(level, Record::Placed { change, placed });
        }
    }
}
