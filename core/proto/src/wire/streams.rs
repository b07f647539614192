//! Frames of streams, as bytes and back.
//!
//! Floor: imports `base`.

use bytes::{BufMut, Bytes};

use super::decode::{DURABILITIES, Decoded, Reader};
use super::encode::Writer;
use super::frame::{Append, BatchPart, Change, Frame, FrameKind, Reset};
use crate::base::stream::Committing;
use crate::base::{
    Appended, Compression, Cursor, GroupInfo, GroupPlace, Headers, Name, PartitionInfo, Reading,
    Start, StreamInfo, StreamOptions, limits,
};

const EXPECTS: u32 = 1;

impl Writer<'_> {
    pub(super) fn streams(&mut self, frame: &Frame) {
        match frame {
            Frame::DeclareStream { ticket, change, name, options } => {
                self.changed(FrameKind::DeclareStream, *ticket, change, |w| {
                    w.name(*name);
                    w.stream_options(options);
                });
            }
            Frame::DeleteStream { ticket, change, name } => {
                self.changed(FrameKind::DeleteStream, *ticket, change, |w| w.name(*name));
            }
            Frame::InspectStream { ticket, name } => {
                self.named(FrameKind::InspectStream, *ticket, *name, |_| ());
            }
            Frame::ListStreams { ticket, after } => {
                self.frame(FrameKind::ListStreams, 0, *ticket, |w| w.short_name(after.as_ref()));
            }
            Frame::Append { ticket, change, name, append } => {
                let deadline = self.clock.encode(append.deadline);
                self.changed(FrameKind::Append, *ticket, change, |w| {
                    w.name(*name);
                    w.out.put_u64_le(deadline);
                    w.out.put_u32_le(append.partition);
                    w.out.put_u32_le(append.partitions);
                    w.out.put_u64_le(append.expect.unwrap_or(0));
                    w.out.put_u32_le(if append.expect.is_some() { EXPECTS } else { 0 });
                    w.out.put_u32_le(0);
                    w.out.put_slice(&append.batch);
                });
            }
            Frame::Read { id, name, reading, stream, held, cursors } => {
                self.named(FrameKind::Read, *id, *name, |w| {
                    w.reading(reading);
                    w.out.put_u64_le(*stream);
                    w.out.put_u64_le(*held);
                    w.cursors(cursors);
                });
            }
            other => self.groups(other),
        }
    }

    fn groups(&mut self, frame: &Frame) {
        match frame {
            Frame::Commit { ticket, change, committing } => {
                self.changed(FrameKind::Commit, *ticket, change, |w| w.committing(committing));
            }
            Frame::ListGroups { ticket, name } => {
                self.named(FrameKind::ListGroups, *ticket, *name, |_| ());
            }
            Frame::ResetGroup { ticket, change, name, reset } => {
                self.changed(FrameKind::ResetGroup, *ticket, change, |w| {
                    w.name(*name);
                    w.partition(reset.partition);
                    w.start(reset.start);
                    w.short_name(Some(&reset.group));
                });
            }
            Frame::DeleteGroup { ticket, change, name, group } => {
                self.changed(FrameKind::DeleteGroup, *ticket, change, |w| {
                    w.name(*name);
                    w.short_name(Some(group));
                });
            }
            other => self.stream_outcome(other),
        }
    }

    fn stream_outcome(&mut self, frame: &Frame) {
        match frame {
            Frame::Groups { ticket, groups } => {
                self.frame(FrameKind::Groups, 0, *ticket, |w| {
                    w.out.put_u64_le(groups.len() as u64);
                    groups.iter().for_each(|group| w.group(group));
                });
            }
            Frame::Appended { ticket, appended } => {
                self.frame(FrameKind::Appended, 0, *ticket, |w| {
                    w.out.put_u64_le(appended.offset);
                    w.out.put_u32_le(appended.partition);
                    w.out.put_u32_le(appended.durability as u32);
                });
            }
            Frame::Stream { ticket, info } => {
                self.frame(FrameKind::Stream, 0, *ticket, |w| w.stream(info));
            }
            Frame::Streams { ticket, streams } => {
                self.frame(FrameKind::Streams, 0, *ticket, |w| {
                    w.out.put_u64_le(streams.len() as u64);
                    for (name, info) in streams {
                        w.short_name(Some(name));
                        w.stream(info);
                    }
                });
            }
            Frame::Reading { id, stream, cursors } => {
                self.frame(FrameKind::Reading, 0, *id, |w| {
                    w.out.put_u64_le(*stream);
                    w.cursors(cursors);
                });
            }
            Frame::Records { id, partition, batch } => {
                self.frame(FrameKind::Records, 0, *id, |w| {
                    w.out.put_u32_le(*partition);
                    w.out.put_u32_le(0);
                    w.out.put_slice(batch);
                });
            }
            other => unreachable!("{other:?} is not about streams"),
        }
    }

    fn stream_options(&mut self, options: &StreamOptions) {
        self.out.put_u32_le(options.partitions);
        self.out.put_u32_le(options.durability.map_or(0, |durability| durability as u32));
        self.out.put_u64_le(options.age_max_ms);
        self.out.put_u64_le(options.bytes_max);
        self.out.put_u64_le(options.records_max);
        self.out.put_u64_le(options.tombstone_age_ms);
        self.out.put_u32_le(options.compact.into());
        self.out.put_u32_le(options.keep_unread.into());
        self.out.put_u64_le(options.compression.map_or(0, |compression| compression as u64));
    }

    fn stream(&mut self, info: &StreamInfo) {
        self.stream_options(&info.options);
        self.out.put_u64_le(info.partitions.len() as u64);
        for partition in &info.partitions {
            self.out.put_u64_le(partition.first);
            self.out.put_u64_le(partition.next);
            self.out.put_u64_le(partition.bytes);
        }
        self.bindings(&info.bindings);
    }

    pub(super) fn committing(&mut self, committing: &Committing) {
        self.out.put_u64_le(committing.reader);
        self.out.put_u64_le(committing.generation);
        self.out.put_u64_le(committing.next);
        self.out.put_u32_le(committing.partition);
        self.out.put_u32_le(0);
    }

    fn group(&mut self, group: &GroupInfo) {
        self.short_name(Some(&group.name));
        self.out.put_u32_le(group.members);
        self.out.put_u64_le(group.places.len() as u64);
        for place in &group.places {
            self.out.put_u64_le(place.next);
            self.out.put_u64_le(place.lag);
            self.out.put_u64_le(place.is_read.into());
        }
    }

    fn reading(&mut self, reading: &Reading) {
        self.partition(reading.partition);
        self.start(reading.start);
        self.out.put_u32_le(reading.buffer);
        self.out.put_u32_le(reading.follow.into());
        self.short_name(reading.group.as_ref());
        let (key, headers) = (reading.key.as_deref().unwrap_or(&[]), reading.headers.encoded());
        self.out.put_u64_le(reading.max_processing_ms);
        self.out.put_u32_le(headers.len() as u32);
        self.out.put_u32_le(key.len() as u32);
        self.out.put_slice(key);
        self.out.put_slice(headers);
    }

    pub(super) fn partition(&mut self, partition: Option<u32>) {
        self.out.put_u32_le(partition.unwrap_or(0));
        self.out.put_u32_le(partition.is_some().into());
    }

    fn start(&mut self, start: Start) {
        let (start, value) = match start {
            Start::Beginning => (0, 0),
            Start::End => (1, 0),
            Start::Offset(offset) => (2, offset),
            Start::Time(time_ms) => (3, time_ms),
        };
        self.out.put_u64_le(start);
        self.out.put_u64_le(value);
    }

    fn cursors(&mut self, cursors: &[Cursor]) {
        self.out.put_u64_le(cursors.len() as u64);
        for cursor in cursors {
            self.out.put_u32_le(cursor.partition);
            self.out.put_u32_le(0);
            self.out.put_u64_le(cursor.next);
            self.out.put_u64_le(cursor.seen);
            self.out.put_u64_le(cursor.end);
            self.out.put_u64_le(cursor.generation);
        }
    }
}

impl Reader<'_> {
    /// A frame of a program that changes streams.
    pub(super) fn stream_change(&mut self, ticket: u64, change: Change) -> Decoded<Frame> {
        if self.kind == FrameKind::Commit {
            return Ok(Frame::Commit { ticket, change, committing: self.committing()? });
        }
        let name = self.name_ref()?;
        Ok(match self.kind {
            FrameKind::ResetGroup => {
                let (partition, start) = (self.partition()?, self.start()?);
                let reset = Reset { group: self.stated_name()?, partition, start };
                Frame::ResetGroup { ticket, change, name, reset: Box::new(reset) }
            }
            FrameKind::DeleteGroup => {
                Frame::DeleteGroup { ticket, change, name, group: self.stated_name()? }
            }
            FrameKind::DeclareStream => {
                let options = Box::new(self.stream_options()?);
                Frame::DeclareStream { ticket, change, name, options }
            }
            FrameKind::DeleteStream => Frame::DeleteStream { ticket, change, name },
            _ => {
                let deadline = self.deadline()?;
                let (partition, partitions) = (self.u32()?, self.u32()?);
                let (expect, flags) = (self.u64()?, self.padded_u32()?);
                let expect = match (flags, expect) {
                    (0, 0) => None,
                    (EXPECTS, expect) => Some(expect),
                    _ => return self.fail("expects nothing, and yet an offset"),
                };
                let batch = self.shared(self.rest())?;
                let append = Box::new(Append { deadline, partition, partitions, expect, batch });
                Frame::Append { ticket, change, name, append }
            }
        })
    }

    /// Every other frame about streams.
    pub(super) fn streams(&mut self, id: u64) -> Decoded<Frame> {
        let ticket = id;
        Ok(match self.kind {
            FrameKind::InspectStream => Frame::InspectStream { ticket, name: self.name_ref()? },
            FrameKind::ListGroups => Frame::ListGroups { ticket, name: self.name_ref()? },
            FrameKind::Groups => {
                let count = self.count(limits::GROUPS_MAX as u64)?;
                let groups = (0..count).map(|_| self.group()).collect::<Decoded<_>>()?;
                Frame::Groups { ticket, groups }
            }
            FrameKind::ListStreams => Frame::ListStreams { ticket, after: self.short_name()? },
            FrameKind::Read => {
                let (name, reading) = (self.name_ref()?, self.reading()?);
                let (stream, held) = (self.u64()?, self.u64()?);
                Frame::Read { id, name, reading, stream, held, cursors: self.cursors()? }
            }
            FrameKind::Appended => {
                let (offset, partition) = (self.u64()?, self.u32()?);
                let durability = self.durability()?;
                self.zero(3)?;
                Frame::Appended { ticket, appended: Appended { partition, offset, durability } }
            }
            FrameKind::Stream => Frame::Stream { ticket, info: Box::new(self.stream()?) },
            FrameKind::Streams => {
                let count = self.count(limits::LIST_MAX as u64)?;
                let streams = (0..count).map(|_| self.named_stream()).collect::<Decoded<_>>()?;
                Frame::Streams { ticket, streams }
            }
            FrameKind::Reading => {
                Frame::Reading { id, stream: self.u64()?, cursors: self.cursors()? }
            }
            _ => {
                let partition = self.padded_u32()?;
                Frame::Records { id, partition, batch: self.shared(self.rest())? }
            }
        })
    }

    fn named_stream(&mut self) -> Decoded<(Name, StreamInfo)> {
        Ok((self.stated_name()?, self.stream()?))
    }

    fn switch(&mut self, what: &str) -> Decoded<bool> {
        let is_on = self.choice(&[(0, false), (1, true)], what)?;
        self.zero(3)?;
        Ok(is_on)
    }

    fn compression(&mut self) -> Decoded<Option<Compression>> {
        let number = self.u64()?;
        let known = u32::try_from(number).ok().and_then(Compression::from_number);
        match (number, known) {
            (0, _) => Ok(None),
            (_, Some(compression)) => Ok(Some(compression)),
            (other, None) => self.fail(&format!("has compression {other}, which does not exist")),
        }
    }

    fn stream_options(&mut self) -> Decoded<StreamOptions> {
        let partitions = self.u32()?;
        let durability = self.choice(&DURABILITIES, "durability")?;
        self.zero(3)?;
        Ok(StreamOptions {
            partitions,
            durability,
            age_max_ms: self.u64()?,
            bytes_max: self.u64()?,
            records_max: self.u64()?,
            tombstone_age_ms: self.u64()?,
            compact: self.switch("mark of compaction")?,
            keep_unread: self.switch("mark of what is unread")?,
            compression: self.compression()?,
        })
    }

    fn stream(&mut self) -> Decoded<StreamInfo> {
        let options = self.stream_options()?;
        let count = self.count(limits::PARTITIONS_MAX.into())?;
        let partition = |reader: &mut Self| {
            let (first, next, bytes) = (reader.u64()?, reader.u64()?, reader.u64()?);
            Ok(PartitionInfo { first, next, bytes })
        };
        let partitions = (0..count).map(|_| partition(self)).collect::<Decoded<_>>()?;
        let bindings = self.bindings(limits::BINDINGS_PER_STREAM_MAX)?;
        Ok(StreamInfo { options, partitions, bindings })
    }

    pub(super) fn committing(&mut self) -> Decoded<Committing> {
        let (reader, generation, next) = (self.u64()?, self.u64()?, self.u64()?);
        Ok(Committing { reader, partition: self.padded_u32()?, generation, next })
    }

    pub(super) fn append_part(&mut self) -> Decoded<BatchPart> {
        let (name, partition) = (self.name_ref()?, self.partition()?);
        let (expect, is_expected) = (self.u64()?, self.u64()?);
        let expect = match (is_expected, expect) {
            (0, 0) => None,
            (1, expect) => Some(expect),
            _ => return self.fail("expects nothing, and yet an offset"),
        };
        Ok(BatchPart::Append { name, message: self.message()?.0, partition, expect })
    }

    fn group(&mut self) -> Decoded<GroupInfo> {
        let (name, members) = (self.stated_name()?, self.u32()?);
        let count = self.count(limits::PARTITIONS_MAX.into())?;
        let place = |reader: &mut Self| {
            let (next, lag) = (reader.u64()?, reader.u64()?);
            let is_read = reader.choice(&[(0, false), (1, true)], "mark of being read")?;
            reader.zero(7)?;
            Ok(GroupPlace { next, lag, is_read })
        };
        let places = (0..count).map(|_| place(self)).collect::<Decoded<_>>()?;
        Ok(GroupInfo { name, members, places })
    }

    fn stated_name(&mut self) -> Decoded<Name> {
        match self.short_name()? {
            Some(name) => Ok(name),
            None => self.fail("states no name"),
        }
    }

    fn reading(&mut self) -> Decoded<Reading> {
        let (partition, start) = (self.partition()?, self.start()?);
        let buffer = self.u32()?;
        let follow = self.choice(&[(0, false), (1, true)], "mark of following")?;
        self.zero(3)?;
        let group = self.short_name()?;
        let max_processing_ms = self.u64()?;
        let (headers, key) = (self.u32()? as usize, self.u32()? as usize);
        if key > limits::KEY_SIZE_MAX || headers > limits::HEADERS_SIZE_MAX {
            return self.fail("states a key or headers that are too large");
        }
        // They are kept, and would keep the whole read buffer.
        let key = Bytes::copy_from_slice(&self.shared(key)?);
        let headers = Bytes::copy_from_slice(&self.shared(headers)?);
        let key = Some(key).filter(|key| !key.is_empty());
        let Some(headers) = Headers::from_encoded(headers) else {
            return self.fail("has malformed headers");
        };
        let filter = Reading { key, headers, ..Reading::default() };
        Ok(Reading { partition, start, follow, group, buffer, max_processing_ms, ..filter })
    }

    fn partition(&mut self) -> Decoded<Option<u32>> {
        match (self.u32()?, self.u32()?) {
            (one, 1) => Ok(Some(one)),
            (0, 0) => Ok(None),
            (one, how) => self.fail(&format!("states partition {one} in a way {how}")),
        }
    }

    fn start(&mut self) -> Decoded<Start> {
        match (self.u64()?, self.u64()?) {
            (0, 0) => Ok(Start::Beginning),
            (1, 0) => Ok(Start::End),
            (2, offset) => Ok(Start::Offset(offset)),
            (3, time_ms) => Ok(Start::Time(time_ms)),
            (how, value) => self.fail(&format!("begins to read at {value} in a way {how}")),
        }
    }

    fn cursors(&mut self) -> Decoded<Vec<Cursor>> {
        let count = self.count(limits::PARTITIONS_MAX.into())?;
        let cursor = |reader: &mut Self| {
            let partition = reader.padded_u32()?;
            let (next, seen) = (reader.u64()?, reader.u64()?);
            let (end, generation) = (reader.u64()?, reader.u64()?);
            Ok(Cursor { partition, next, seen, end, generation })
        };
        (0..count).map(|_| cursor(self)).collect()
    }
}
