//! Figures of streams as C sees them.
//!
//! Floor: `output`.

use std::ptr;

use telpher::{Durability, GroupInfo, GroupPlace, Name, PartitionInfo, StreamInfo};

use crate::output::{Extra, durability};
use crate::types::*;

/// What events about streams point to. Each is boxed or a list of its own, so that it stays where
/// it is.
#[derive(Default)]
pub struct Streams {
    partitions: Vec<Vec<telpher_partition_info>>,
    #[expect(clippy::vec_box, reason = "C points to them while the vector grows")]
    infos: Vec<Box<telpher_stream_info>>,
    lists: Vec<Vec<*const telpher_stream_info>>,
    places: Vec<Vec<telpher_group_place>>,
    groups: Vec<Vec<telpher_group_info>>,
    group_lists: Vec<Vec<*const telpher_group_info>>,
}

impl Streams {
    /// Drops everything, for other events.
    pub fn clear(&mut self) {
        self.group_lists.clear();
        self.groups.clear();
        self.places.clear();
        self.lists.clear();
        self.infos.clear();
        self.partitions.clear();
    }
}

impl Extra {
    /// The figures of one stream.
    pub fn stream(&mut self, name: Option<&Name>, info: &StreamInfo) -> *const telpher_stream_info {
        let name = name.map_or(ptr::null(), |name| self.text(name.as_str()));
        let bindings = self.bindings(&info.bindings);
        let partitions: Vec<_> = info.partitions.iter().map(partition_info).collect();
        let Streams { partitions: all, infos, .. } = &mut self.streams;
        let options = &info.options;
        infos.push(Box::new(telpher_stream_info {
            name,
            partitions: partitions.as_ptr(),
            partitions_count: partitions.len(),
            age_max_ms: options.age_max_ms,
            bytes_max: options.bytes_max,
            records_max: options.records_max,
            durability: durability(options.durability.unwrap_or(Durability::Disk)),
            compact: options.compact.into(),
            keep_unread: options.keep_unread.into(),
            tombstone_age_ms: options.tombstone_age_ms,
            compression: options.compression.map_or(0, |compression| compression as u32),
            bindings,
        }));
        all.push(partitions);
        infos.last().map_or(ptr::null(), |info| &raw const **info)
    }

    /// Those of several; NULL if there are none.
    pub fn stream_list(
        &mut self,
        streams: &[(Name, StreamInfo)],
    ) -> *const *const telpher_stream_info {
        if streams.is_empty() {
            return ptr::null();
        }
        let list = streams.iter().map(|(name, info)| self.stream(Some(name), info)).collect();
        self.streams.lists.push(list);
        self.streams.lists.last().map_or(ptr::null(), |list| list.as_ptr())
    }

    /// The figures of a stream's reader groups; NULL if there are none.
    pub fn group_list(&mut self, groups: &[GroupInfo]) -> *const *const telpher_group_info {
        if groups.is_empty() {
            return ptr::null();
        }
        let infos: Vec<_> = groups.iter().map(|group| self.group(group)).collect();
        let list: Vec<*const telpher_group_info> = infos.iter().map(ptr::from_ref).collect();
        let pointer = list.as_ptr();
        self.streams.groups.push(infos);
        self.streams.group_lists.push(list);
        pointer
    }

    fn group(&mut self, group: &GroupInfo) -> telpher_group_info {
        let name = self.text(group.name.as_str());
        let places: Vec<_> = group.places.iter().map(group_place).collect();
        let (pointer, places_count) = (places.as_ptr(), places.len());
        self.streams.places.push(places);
        telpher_group_info { name, places: pointer, places_count, members: group.members }
    }
}

fn group_place(place: &GroupPlace) -> telpher_group_place {
    let GroupPlace { next, lag, is_read } = *place;
    telpher_group_place { next, lag, is_read }
}

fn partition_info(info: &PartitionInfo) -> telpher_partition_info {
    let PartitionInfo { first, next, bytes } = *info;
    telpher_partition_info { first, next, bytes }
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;
    use crate::output::fill;
    use telpher::{Event, Outcome, What};

    fn filled(event: &Event, extra: &mut Extra) -> crate::types::telpher_event {
        // SAFETY: made of integers, pointers and false.
        let mut seen = unsafe { std::mem::zeroed() };
        fill(&mut seen, event, extra);
        seen
    }

    #[test]
    fn listed_streams_stay_where_they_are_while_other_events_are_filled() {
        let mut extra = Extra::default();
        let info = |first| StreamInfo {
            partitions: vec![PartitionInfo { first, next: first + 1, bytes: 9 }; 2],
            options: Default::default(),
            bindings: Vec::new(),
        };
        let name = |at: u64| Name::parse(&format!("stream-{at}")).unwrap();
        let events: Vec<Event> = (0..20)
            .map(|at| {
                let streams = vec![(name(at), info(at)), (name(at + 100), info(at + 100))];
                Event { id: 1, user: 0, what: What::Done(Ok(Outcome::Streams(streams))) }
            })
            .collect();
        let seen: Vec<_> = events.iter().map(|event| filled(event, &mut extra)).collect();
        for (at, event) in (0..).zip(&seen) {
            // SAFETY: `extra` holds them, and each list has as many as it says.
            let list = unsafe { std::slice::from_raw_parts(event.streams, event.streams_count) };
            for (number, stream) in [at, at + 100].into_iter().zip(list) {
                // SAFETY: as above.
                let stream = unsafe { **stream };
                // SAFETY: as above.
                let text = unsafe { CStr::from_ptr(stream.name) }.to_str().unwrap();
                // SAFETY: as above.
                let partitions = unsafe {
                    std::slice::from_raw_parts(stream.partitions, stream.partitions_count)
                };
                assert_eq!(text, name(number).as_str());
                assert!(partitions.iter().all(|partition| partition.first == number));
                assert_eq!((list.len(), partitions.len()), (2, 2));
            }
        }
        let none = Event { id: 1, user: 0, what: What::Done(Ok(Outcome::Streams(Vec::new()))) };
        assert!(filled(&none, &mut extra).streams.is_null());
    }
}
