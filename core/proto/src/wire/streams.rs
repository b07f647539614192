//! Frames of streams, as bytes and back.
//!
//! Floor: imports `base`.

use bytes::BufMut;

use super::decode::{DURABILITIES, Decoded, Reader};
use super::encode::Writer;
use super::frame::{Change, Frame, FrameKind};
use crate::base::{
    Appended, Cursor, Name, PartitionInfo, Reading, Start, StreamInfo, StreamOptions, limits,
};

const FOLLOWS: u32 = 1;
const IS_ONE: u32 = 2;
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
    }

    fn stream(&mut self, info: &StreamInfo) {
        self.stream_options(&info.options);
        self.out.put_u64_le(info.partitions.len() as u64);
        for partition in &info.partitions {
            self.out.put_u64_le(partition.first);
            self.out.put_u64_le(partition.next);
            self.out.put_u64_le(partition.bytes);
        }
    }

    fn reading(&mut self, reading: &Reading) {
        let (start, value) = match reading.start {
            Start::Beginning => (0, 0),
            Start::End => (1, 0),
            Start::Offset(offset) => (2, offset),
            Start::Time(time_ms) => (3, time_ms),
        };
        let follows = if reading.follow { FOLLOWS } else { 0 };
        let is_one = if reading.partition.is_some() { IS_ONE } else { 0 };
        self.out.put_u32_le(reading.partition.unwrap_or(0));
        self.out.put_u32_le(reading.buffer);
        self.out.put_u32_le(follows | is_one);
        self.out.put_u32_le(start);
        self.out.put_u64_le(value);
    }

    fn cursors(&mut self, cursors: &[Cursor]) {
        self.out.put_u64_le(cursors.len() as u64);
        for cursor in cursors {
            self.out.put_u32_le(cursor.partition);
            self.out.put_u32_le(0);
            self.out.put_u64_le(cursor.next);
            self.out.put_u64_le(cursor.end);
        }
    }
}

impl Reader<'_> {
    /// A frame of a program that changes streams.
    pub(super) fn stream_change(&mut self, ticket: u64, change: Change) -> Decoded<Frame> {
        let name = self.name_ref()?;
        Ok(match self.kind {
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
                let append = Box::new(super::frame::Append {
                    deadline,
                    partition,
                    partitions,
                    expect,
                    batch,
                });
                Frame::Append { ticket, change, name, append }
            }
        })
    }

    /// Every other frame about streams.
    pub(super) fn streams(&mut self, id: u64) -> Decoded<Frame> {
        let ticket = id;
        Ok(match self.kind {
            FrameKind::InspectStream => Frame::InspectStream { ticket, name: self.name_ref()? },
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
        match self.short_name()? {
            Some(name) => Ok((name, self.stream()?)),
            None => self.fail("lists a stream without a name"),
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
        Ok(StreamInfo { options, partitions })
    }

    fn reading(&mut self) -> Decoded<Reading> {
        let (partition, buffer, flags) = (self.u32()?, self.u32()?, self.u32()?);
        let partition = match (flags & IS_ONE != 0, partition) {
            (true, one) => Some(one),
            (false, 0) => None,
            (false, _) => return self.fail("reads all partitions, and yet states one"),
        };
        if flags & !(FOLLOWS | IS_ONE) != 0 {
            return self.fail(&format!("has flags {flags:#x} for what is read"));
        }
        let (start, value) = (self.u32()?, self.u64()?);
        let start = match (start, value) {
            (0, 0) => Start::Beginning,
            (1, 0) => Start::End,
            (2, offset) => Start::Offset(offset),
            (3, time_ms) => Start::Time(time_ms),
            _ => return self.fail(&format!("begins to read at {value} in a way {start}")),
        };
        Ok(Reading { partition, start, follow: flags & FOLLOWS != 0, buffer })
    }

    fn cursors(&mut self) -> Decoded<Vec<Cursor>> {
        let count = self.count(limits::PARTITIONS_MAX.into())?;
        let cursor = |reader: &mut Self| {
            let partition = reader.padded_u32()?;
            Ok(Cursor { partition, next: reader.u64()?, end: reader.u64()? })
        };
        (0..count).map(|_| cursor(self)).collect()
    }
}
