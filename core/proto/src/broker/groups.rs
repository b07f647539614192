//! Reader groups: the partitions of a stream, spread over the readers that are members, each with
//! the place up to which the group has done its work.
//!
//! ```text
//! a member comes or goes -> every member gets its share; what it has, it keeps
//!   too much: a partition leaves it when every record of it that was sent is committed, and goes
//!             on with another from the group's place; the rest goes on meanwhile
//! ```
//! An assignment has a generation: whoever commits under an old one is refused. Nobody loses its
//! partitions for being busy, unless it has stated for how long it may be at most.
//!
//! Floor: broker.

use super::declare::no_space;
use super::log::Level;
use super::readers::begin;
use super::sends::ChangeRef;
use super::sessions::Done;
use super::streams::{StreamRef, no_partition};
use super::{Broker, Due, Effect, NameId, SessionKey};
use crate::base::record::{GroupState, PlaceState, Record, Room};
use crate::base::stream::{GroupInfo, GroupPlace};
use crate::base::{Error, Kind, Name, Outcome, Reading, Start, Time, limits};

/// A reader group.
#[derive(Debug)]
pub(super) struct Group {
    /// Names it for ever.
    pub id: u64,
    pub name: Name,
    /// How far it has come in each partition.
    pub places: Vec<GroupAt>,
    /// Its readers, in the order in which they came.
    members: Vec<usize>,
}

/// How far a group has come in one partition, and who reads it.
#[derive(Debug)]
pub(super) struct GroupAt {
    pub state: PlaceState,
    pub owner: Option<usize>,
}

/// A partition that a member has got. It hears of it when that is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Assigned {
    stream: StreamRef,
    group: u64,
    partition: u32,
    generation: u64,
    pub member: usize,
}

impl Group {
    pub fn restored(state: GroupState) -> Group {
        let place = |state| GroupAt { state, owner: None };
        let places = state.places.into_iter().map(place).collect();
        Group { id: state.id, name: state.name, places, members: Vec::new() }
    }

    pub fn state(&self) -> GroupState {
        let places = self.places.iter().map(|place| place.state).collect();
        GroupState { id: self.id, name: self.name.clone(), places }
    }

    fn count(&self, member: usize) -> usize {
        self.places.iter().filter(|place| place.owner == Some(member)).count()
    }
}

impl Broker {
    /// The group's number among those of its stream; it is made if it is new.
    pub(super) fn group_of(
        &mut self,
        stream: StreamRef,
        name: &Name,
        reading: &Reading,
    ) -> Result<usize, Error> {
        let found = &self.streams.all[stream.key];
        if let Some(at) = found.groups.iter().position(|group| group.name == *name) {
            return Ok(at);
        }
        let count = found.groups.len();
        if count >= limits::GROUPS_MAX {
            let detail = format!("the stream {:?} has {count} groups, its limit", found.name);
            return Err(Error::new(Kind::Full, detail));
        }
        if self.is_stream_journaled(stream.key) && !matches!(self.room, Room::Open | Room::Behind) {
            return Err(no_space());
        }
        let is_kept = self.is_stream_journaled(stream.key);
        let generation = if is_kept { 0 } else { self.unused_in_memory() };
        let places = (0..).zip(&found.partitions).map(|(number, partition)| {
            let cursor = begin(number, partition, reading)?;
            Ok(PlaceState { next: cursor.next, generation })
        });
        let places = places.collect::<Result<_, Error>>()?;
        self.streams.group_count += 1;
        let state = GroupState { id: self.streams.group_count, name: name.clone(), places };
        self.write_group(stream, None, state.clone());
        let groups = &mut self.streams.all[stream.key].groups;
        groups.push(Group::restored(state));
        Ok(groups.len() - 1)
    }

    fn write_group(&mut self, stream: StreamRef, change: Option<ChangeRef>, state: GroupState) {
        if self.is_stream_journaled(stream.key) {
            let level = self.streams.all[stream.key].level();
            let change = change.map(|change| change.numbers);
            let record = Record::Group { change, stream: stream.id, state: Box::new(state) };
            self.write(level, record);
        }
    }

    /// A reader becomes a member. What it says it has, under the generation that it has it, it
    /// keeps.
    pub(super) fn join_group(&mut self, stream: StreamRef, group: usize, key: usize) {
        let claims = self.streams.readers[key].claims();
        let group = &mut self.streams.all[stream.key].groups[group];
        group.members.push(key);
        for claim in claims {
            let place = group.places.get_mut(claim.partition as usize);
            if let Some(place) = place
                && place.owner.is_none()
                && place.state.generation == claim.generation
                && claim.generation != 0
            {
                place.owner = Some(key);
            }
        }
        let group = group.id;
        self.streams.readers[key].keep(|claim| {
            let found = self.streams.all[stream.key].groups.iter().find(|found| found.id == group);
            let place = found.and_then(|group| group.places.get(claim.partition as usize));
            place.is_some_and(|place| place.owner == Some(key))
        });
        self.spread_group(stream, group);
    }

    /// A reader is no member any more.
    pub(super) fn leave_group(&mut self, stream: StreamRef, group: &Name, key: usize) {
        let Some(found) = self.streams.at(stream) else { return };
        let Some(group) = found.groups.iter_mut().find(|found| found.name == *group) else {
            return;
        };
        group.members.retain(|member| *member != key);
        let id = group.id;
        let left = group.places.iter_mut().filter(|place| place.owner == Some(key));
        left.for_each(|place| place.owner = None);
        self.spread_group(stream, id);
    }

    /// Gives every member its share.
    pub(super) fn spread_group(&mut self, stream: StreamRef, id: u64) {
        let mut changed = Vec::new();
        loop {
            let freed = self.free_drained(stream, id, &mut changed);
            let given = self.give_free(stream, id, &mut changed);
            if !freed && !given {
                break;
            }
        }
        changed.sort_unstable();
        changed.dedup();
        for key in changed {
            self.tell_reading(key);
            self.pump_reader(key);
        }
    }

    /// Members with more than their share lose what they have committed all of; the rest is to
    /// follow. True if something is free now.
    fn free_drained(&mut self, stream: StreamRef, id: u64, changed: &mut Vec<usize>) -> bool {
        let Some(group) = self.streams.at(stream).and_then(|found| found.group(id)) else {
            return false;
        };
        let (count, members) = (group.places.len(), group.members.len());
        if members == 0 {
            return false;
        }
        let (share, mut extra) = (count / members, count % members);
        // Who has most keeps one of those that are left over.
        let mut by_count: Vec<(usize, usize)> =
            group.members.iter().map(|member| (group.count(*member), *member)).collect();
        by_count.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        let mut excess = Vec::new();
        for (has, member) in by_count {
            let may = if extra > 0 && has > share { share + 1 } else { share };
            extra -= usize::from(may > share);
            let own = (0..).zip(&group.places).filter(|(_, place)| place.owner == Some(member));
            let own: Vec<u32> = own.map(|(number, _)| number).collect();
            excess.push((member, own, has.saturating_sub(may)));
        }
        let mut is_freed = false;
        for (member, own, mut too_many) in excess {
            for number in own.into_iter().rev() {
                let is_leaving = too_many > 0;
                too_many = too_many.saturating_sub(1);
                let next = self.streams.readers[member].leaving(number, is_leaving);
                let Some(group) = self.streams.at(stream).and_then(|found| found.group(id)) else {
                    return is_freed;
                };
                let place = &mut group.places[number as usize];
                if is_leaving && next.is_none_or(|next| next <= place.state.next) {
                    place.owner = None;
                    self.streams.readers[member].drop_cursor(number);
                    changed.push(member);
                    is_freed = true;
                }
            }
        }
        is_freed
    }

    /// Partitions that nobody has go to those who have fewest. True if there were any.
    fn give_free(&mut self, stream: StreamRef, id: u64, changed: &mut Vec<usize>) -> bool {
        // Whoever had them may be about to say so.
        if self.recovering
            && self.sessions.keys().into_iter().any(|key| !self.sessions[key].linked())
        {
            return false;
        }
        let mut given = false;
        loop {
            let Some(group) = self.streams.at(stream).and_then(|found| found.group(id)) else {
                return given;
            };
            let free = group.places.iter().position(|place| place.owner.is_none());
            let fewest = group.members.iter().copied().min_by_key(|member| group.count(*member));
            let (Some(free), Some(member)) = (free, fewest) else { return given };
            let place = &mut group.places[free];
            place.owner = Some(member);
            place.state.generation += 1;
            let (partition, generation) = (free as u32, place.state.generation);
            self.write_place(Level::Written, None, (stream, id, partition));
            let assigned = Assigned { stream, group: id, partition, generation, member };
            let is_told = match self.is_stream_journaled(stream.key) {
                true => self.stage_assigned(assigned),
                false => self.assign(assigned),
            };
            if is_told {
                changed.push(member);
            }
            given = true;
        }
    }

    /// A member reads a partition from now on, if that is still its own.
    pub(super) fn assign(&mut self, assigned: Assigned) -> bool {
        let Assigned { stream, group, partition, generation, member } = assigned;
        let Some(group) = self.streams.at(stream).and_then(|found| found.group(group)) else {
            return false;
        };
        let place = &group.places[partition as usize];
        if place.owner != Some(member) || place.state.generation != generation {
            return false;
        }
        let state = place.state;
        self.streams.readers[member].add_cursor(partition, state);
        true
    }

    /// A session is back, or will not be: after the last one partitions that nobody claims are
    /// given away, when members have had the time to claim theirs.
    pub(super) fn look_for_claims(&mut self, now: Time) {
        let mut sessions = self.sessions.keys().into_iter();
        if self.recovering && sessions.all(|key| self.sessions[key].linked()) {
            self.timers.insert(now.plus_ms(CLAIM_MS), Due::Claimed);
        }
    }

    /// Nobody of before may claim anything any more.
    pub(super) fn spread_all(&mut self) {
        let streams: Vec<usize> = self.streams.all.iter().map(|(key, _)| key).collect();
        for key in streams {
            let stream = self.stream_ref(key);
            let groups: Vec<u64> = self.streams.all[key].groups.iter().map(|g| g.id).collect();
            groups.into_iter().for_each(|group| self.spread_group(stream, group));
        }
    }

    /// Tells a member what it reads.
    pub(super) fn tell_reading(&mut self, key: usize) {
        let reader = &self.streams.readers[key];
        let registration = &self.registrations[reader.registration];
        let (session, id) = (registration.session, registration.id);
        if reader.is_live {
            let (stream, cursors) = reader.told();
            self.effects.push_back(Effect::Reading { session, id, stream, cursors });
        }
        self.note_processing(key);
    }

    /// How far each group of a stream has come.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` without such a stream.
    pub fn groups(&self, name: NameId) -> Result<Outcome, Error> {
        let stream = &self.streams.all[self.find_stream(name)?];
        let groups = stream.groups.iter().map(|group| {
            let places = group.places.iter().zip(&stream.partitions);
            let places = places.map(|(place, partition)| {
                let next = place.state.next.max(partition.first);
                let lag = partition.visible.saturating_sub(next);
                GroupPlace { next, lag, is_read: place.owner.is_some() }
            });
            let members = group.members.len() as u32;
            GroupInfo { name: group.name.clone(), members, places: places.collect() }
        });
        Ok(Outcome::Groups(groups.collect()))
    }

    /// Puts a group to another place, in one partition or in all.
    pub fn reset_group(
        &mut self,
        now: Time,
        change: ChangeRef,
        name: NameId,
        (group, partition, start): (&Name, Option<u32>, Start),
    ) {
        match self.try_reset(change, name, group, (partition, start)) {
            Err(error) => self.refuse(change, error),
            Ok((stream, owners)) => {
                let level = self.streams.all[stream.key].level();
                self.changed(now, change, level, Done::Empty);
                for owner in owners {
                    self.tell_reading(owner);
                    self.pump_reader(owner);
                }
            }
        }
    }

    /// The stream, and who reads what was put elsewhere.
    fn try_reset(
        &mut self,
        change: ChangeRef,
        name: NameId,
        group: &Name,
        (partition, start): (Option<u32>, Start),
    ) -> Result<(StreamRef, Vec<usize>), Error> {
        let key = self.find_stream(name)?;
        let stream = self.stream_ref(key);
        let at = self.find_group(key, group)?;
        self.check_group_room(key)?;
        let found = &self.streams.all[key];
        let count = found.partitions.len() as u32;
        let numbers = match partition {
            Some(one) if one >= count => return Err(no_partition(&found.name, one, count)),
            Some(one) => one..one + 1,
            None => 0..count,
        };
        let reading = Reading { start, ..Reading::default() };
        let cursor = |number| begin(number, &found.partitions[number as usize], &reading);
        let cursors = numbers.map(cursor).collect::<Result<Vec<_>, _>>()?;
        let mut owners = Vec::new();
        for cursor in cursors {
            let place = &mut self.streams.all[key].groups[at].places[cursor.partition as usize];
            place.state.next = cursor.next;
            place.state.generation += 1;
            if let Some(owner) = place.owner {
                let state = place.state;
                let reader = &mut self.streams.readers[owner];
                reader.drop_cursor(cursor.partition);
                reader.add_cursor(cursor.partition, state);
                reader.processing.begin_anew();
                owners.push(owner);
            }
        }
        owners.sort_unstable();
        owners.dedup();
        let state = self.streams.all[key].groups[at].state();
        self.write_group(stream, Some(change), state);
        Ok((stream, owners))
    }

    /// Removes a group with its places; its readers hear so.
    pub fn delete_group(&mut self, now: Time, change: ChangeRef, name: NameId, group: &Name) {
        let found = self.find_stream(name).and_then(|key| {
            let at = self.find_group(key, group)?;
            self.check_group_room(key)?;
            Ok((key, at))
        });
        let (key, at) = match found {
            Ok(found) => found,
            Err(error) => return self.refuse(change, error),
        };
        let stream = &mut self.streams.all[key];
        let id = stream.id;
        // A clean end may have written it down, also of a stream in memory.
        let level = if self.log.is_on { stream.level().max(Level::Written) } else { Level::Now };
        let gone = stream.groups.remove(at);
        if self.log.is_on {
            let (by, group) = (Some(change.numbers), gone.id);
            self.write(level, Record::GroupGone { change: by, stream: id, group });
        }
        let detail = format!("the group {group:?} was deleted");
        for member in gone.members {
            self.end_reader(member, Err(Error::new(Kind::NotFound, detail.clone())));
        }
        self.changed(now, change, level, Done::Empty);
    }

    fn find_group(&self, key: usize, group: &Name) -> Result<usize, Error> {
        let stream = &self.streams.all[key];
        stream.groups.iter().position(|found| found.name == *group).ok_or_else(|| {
            let detail = format!("the stream {:?} has no group {group:?}", stream.name);
            Error::new(Kind::NotFound, detail)
        })
    }

    pub(super) fn reader_of(&self, session: SessionKey, id: u64) -> Option<usize> {
        let registration = self.sessions[session].registrations.get(&id)?;
        match self.registrations[*registration].role {
            super::registrations::Role::Reader(key) => Some(key),
            _ => None,
        }
    }
}

/// So long after it is linked a session may claim the partitions that it had with an earlier host,
/// in ms.
const CLAIM_MS: u64 = 50;
