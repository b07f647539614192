//! What a journal's segments say, after whatever has happened to them.
//!
//! A frame that is damaged or missing is *corruption* if it is known to have been durable: some
//! commit or segment header behind it says so. Otherwise it is a torn tail: nothing from it on was
//! ever confirmed, and it counts for nothing, whatever valid frames follow, since unsynced pages
//! reach the disk in any order.
//!
//! ```text
//!   durable up to W          W+1 ... last commit      torn
//! |------------------------|----------------------|~~~~~~~~~
//!   stays where it is        is written anew by     ignored
//!                            the next host
//! ```
//! A segment whose header says that it begins at position P makes void what earlier segments hold
//! from P on: it was begun by a host that had written that anew.
//!
//! Floor: imports `base`.

use std::collections::VecDeque;

use bytes::Bytes;

use super::format::{
    COMMIT, Commit, END, FRAME_HEADER_SIZE, FrameHeader, SEGMENT_HEADER_SIZE, Seed, SegmentHeader,
    frame_size,
};
use super::trouble::{Fault, Trouble};
use super::{Checkpoint, Segment, decode};
use crate::base::Error;
use crate::base::record::{Place, Position, Record};

/// A segment's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// The segment's number.
    pub number: u32,
    /// Its size in bytes.
    pub size: u64,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Recovered {
    /// The number of the segment with which the next host begins.
    pub next: u32,
    /// Segments that are still needed, oldest first.
    pub segments: VecDeque<Segment>,
    /// The last position.
    pub last: Position,
    /// The last position that was known to be durable.
    pub durable: Position,
    /// The highest epoch of any host that began a segment.
    pub epoch: u64,
    /// What came after it, to be written anew; and where it lies now.
    pub tail: Vec<(Position, Record, Place)>,
    /// How far each segment holds something that counts: number, bytes.
    pub extents: Vec<(u32, u64)>,
    /// Where the journal ends, if something lies behind its end.
    pub torn: Option<Fault>,
    /// Files that hold nothing that is needed: to be removed once the new segment is durable.
    pub obsolete: Vec<u32>,
}

/// Why bytes at a place are no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// What is wrong.
    pub what: &'static str,
}

/// Every segment is larger; of a smaller one not even the header would say so.
const SIZE_MIN: usize = 4096;

/// No hub comes that far, and behind it a segment's positions can still be counted.
const FIRST_MAX: Position = Position::MAX / 2;

/// Zeros that are passed over at once: most of a segment, and what is left between frames.
const ZEROS: (usize, usize) = (4096, 64);

type Sink<'a> = &'a mut dyn FnMut(Record, Place) -> Result<(), Error>;

struct Scan<'a> {
    journal_id: [u8; 16],
    sink: Sink<'a>,
    segments: VecDeque<Segment>,
    epoch: u64,
    last: Position,
    durable: Position,
    /// Groups that are not known to be durable yet.
    waiting: VecDeque<(Position, Record, Place)>,
    fault: Option<Fault>,
    /// Behind the fault lies something.
    is_torn: bool,
    /// The oldest segment that is still needed, as far as anything says.
    oldest: u32,
    /// The last segment says that it goes on in the next.
    goes_on: bool,
}

/// What there is to recover from.
pub struct Source<'a> {
    /// The segments' files.
    pub files: &'a [File],
    /// The last checkpoint's file, if there is one.
    pub checkpoint: Option<Bytes>,
    /// Gives a segment's whole content.
    pub read: &'a mut dyn FnMut(u32) -> Result<Bytes, Error>,
}

/// Reads segments in order; hands to `sink` each record that is known to be durable, with its
/// place. With a checkpoint, what it lists comes first, and only what was written after it.
///
/// # Errors
///
/// Damage; whatever `read` and `sink` say.
pub fn recover(
    journal_id: [u8; 16],
    source: Source<'_>,
    sink: &mut dyn FnMut(Record, Place) -> Result<(), Error>,
) -> Result<Recovered, Trouble> {
    let Source { files, checkpoint, read } = source;
    let mut files = files.to_vec();
    files.sort_unstable_by_key(|file| file.number);
    let left_over = files.split_off(end_of_those_that_count(&journal_id, &files, read)?);
    let first = unbroken(&files);
    let mut scan = Scan {
        journal_id,
        sink,
        segments: VecDeque::new(),
        epoch: 0,
        last: 0,
        durable: 0,
        waiting: VecDeque::new(),
        fault: None,
        is_torn: false,
        oldest: 1,
        goes_on: false,
    };
    let mut checkpoint = checkpoint.and_then(|bytes| Checkpoint::decode(&journal_id, &bytes));
    let from = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.segment);
    let start = files.iter().position(|file| file.number == from).filter(|at| *at >= first);
    for (at, file) in files.iter().enumerate().skip(start.unwrap_or(first)) {
        let content = read(file.number)?;
        if let (true, Some(checkpoint)) = (Some(at) == start, checkpoint.take())
            && !scan.begin_behind(checkpoint, &files[first..at], &content)?
        {
            // It fits nothing: as if there were none.
            let files = &files;
            return recover(journal_id, Source { files, checkpoint: None, read }, scan.sink);
        }
        scan.segment(file.number, &content)?;
    }
    let mut found = scan.finish(&files)?;
    found.obsolete.extend(left_over.into_iter().map(|file| file.number));
    Ok(found)
}

/// How many of the files may count. What lies behind a gap may be left of files that a later host
/// has removed, in any order, having begun before them: an earlier one began them, or nobody.
fn end_of_those_that_count(
    journal_id: &[u8; 16],
    files: &[File],
    read: &mut dyn FnMut(u32) -> Result<Bytes, Error>,
) -> Result<usize, Error> {
    let mut epoch = |file: File| {
        let header = SegmentHeader::decode(journal_id, file.number, &read(file.number)?);
        Ok(header.map(|header| header.epoch))
    };
    for (at, pair) in files.windows(2).enumerate() {
        let [before, behind] = [pair[0], pair[1]];
        if before.number + 1 == behind.number {
            continue;
        }
        // If it is the next one that is missing, the one before says so.
        if let Some(before) = epoch(before)?
            && epoch(behind)?.is_none_or(|behind| behind < before)
        {
            return Ok(at + 1);
        }
    }
    Ok(files.len())
}

/// The first of the files that follow each other without a gap up to the last one.
fn unbroken(files: &[File]) -> usize {
    let gap = |pair: &[File]| pair[0].number + 1 != pair[1].number;
    files.windows(2).rposition(gap).map_or(0, |at| at + 1)
}

impl Scan<'_> {
    /// Takes in what a checkpoint lists, if it ends where this segment begins.
    fn begin_behind(
        &mut self,
        checkpoint: Checkpoint,
        earlier: &[File],
        content: &Bytes,
    ) -> Result<bool, Trouble> {
        let header = SegmentHeader::decode(&self.journal_id, checkpoint.segment, content);
        if header.is_none_or(|header| Some(header.first) != checkpoint.position.checked_add(1)) {
            return Ok(false);
        }
        self.last = checkpoint.position;
        self.durable = checkpoint.position;
        for file in earlier {
            let (number, size) = (file.number, file.size);
            let mut segment = Segment::new(number, 0, size);
            segment.used = size;
            self.segments.push_back(segment);
        }
        for record in checkpoint.records {
            (self.sink)(record, Place::default())?;
        }
        Ok(true)
    }

    fn segment(&mut self, number: u32, content: &Bytes) -> Result<(), Trouble> {
        let seed = Seed::new(&self.journal_id, number);
        self.goes_on = false;
        if content.len() < SIZE_MIN {
            let (offset, expected) = (content.len() as u64, self.last + 1);
            let what = "the file is shorter than any segment";
            return Err(Trouble::Damaged(Fault { segment: number, offset, expected, what }));
        }
        let is_first = self.segments.is_empty() && self.fault.is_none();
        // Also one of which nothing counts is among them: their numbers have no gaps, and it goes
        // when those before it do.
        let (size, first) = (content.len() as u64, Position::MAX);
        self.segments.push_back(Segment::new(number, first, size));
        let Some(header) = SegmentHeader::decode(&self.journal_id, number, content) else {
            let what = "the segment's header is damaged";
            self.begin_fault(number, 0, what);
            return self.look_for_watermarks(seed, content, 0);
        };
        // What an earlier host has left behind after another took over counts for nothing.
        if header.epoch < self.epoch {
            return Ok(());
        }
        if (content.len() as u64) < u64::from(header.pages) * 4096 {
            let (offset, expected) = (content.len() as u64, header.first);
            let what = "the file is shorter than it was made";
            return Err(Trouble::Damaged(Fault { segment: number, offset, expected, what }));
        }
        if !(1..=FIRST_MAX).contains(&header.first) {
            let what = "the segment says that it begins at a position that there is not";
            let fault = Fault { segment: number, offset: 0, expected: self.last + 1, what };
            return Err(Trouble::Damaged(fault));
        }
        if is_first {
            // Whether earlier ones are missed, whatever is still needed says in the end. If they
            // were freed, what they held was durable.
            self.last = header.first - 1;
            self.durable = self.last;
        }
        if header.first > self.last + 1 {
            self.begin_fault(number, 0, "records before this segment are missing");
            self.known_durable(header.durable)?;
            return self.look_for_watermarks(seed, content, SEGMENT_HEADER_SIZE);
        }
        self.known_durable(header.durable)?;
        self.supersede(number, header)?;
        if let Some(segment) = self.segments.back_mut() {
            segment.first = header.first;
        }
        let end = self.frames(seed, header, content)?;
        if let Some(segment) = self.segments.back_mut() {
            segment.used = end as u64;
        }
        if end < content.len() {
            let what = "a frame is damaged or missing";
            self.begin_fault(number, end as u64, what);
            self.look_for_watermarks(seed, content, end)?;
        }
        Ok(())
    }

    /// The segment begins at its first position: what earlier ones hold from there on is void.
    fn supersede(&mut self, number: u32, header: SegmentHeader) -> Result<(), Trouble> {
        let first = header.first;
        if first <= self.durable {
            let what = "the segment begins before what is known to be durable";
            let fault = Fault { segment: number, offset: 0, expected: first, what };
            return Err(Trouble::Damaged(fault));
        }
        if header.oldest > number {
            let what = "the segment says that it is not needed itself";
            let fault = Fault { segment: number, offset: 0, expected: first, what };
            return Err(Trouble::Damaged(fault));
        }
        self.epoch = header.epoch;
        self.oldest = self.oldest.max(header.oldest);
        self.last = first - 1;
        while self.waiting.back().is_some_and(|(position, ..)| *position >= first) {
            self.waiting.pop_back();
        }
        if self.fault.is_some_and(|fault| fault.expected >= first) {
            self.fault = None;
            self.is_torn = false;
        }
        Ok(())
    }

    /// Takes in groups until one is not whole; returns where that is.
    fn frames(
        &mut self,
        seed: Seed,
        header: SegmentHeader,
        content: &Bytes,
    ) -> Result<usize, Trouble> {
        let mut group = Vec::new();
        let (mut start, mut at, mut crc) = (SEGMENT_HEADER_SIZE, SEGMENT_HEADER_SIZE, 0);
        while let Some(frame) = FrameHeader::decode(seed, at as u64, &content[at..]) {
            let is_record = !matches!(frame.kind, COMMIT | END);
            let expected = self.last + group.len() as u64 + u64::from(is_record);
            let belongs = frame.position == expected && frame.epoch == header.epoch as u32;
            if !belongs || !frame.check_body(seed, at as u64, &content[at..]) {
                break;
            }
            let body_at = at + FRAME_HEADER_SIZE;
            let body = content.slice(body_at..body_at + frame.size as usize);
            let next = at + frame_size(frame.size as usize);
            if frame.kind == COMMIT {
                let Some(commit) = Commit::decode(&body) else { break };
                if commit.count as usize != group.len() || commit.crc != crc {
                    break;
                }
                self.take_group(&mut group, commit)?;
                (start, crc) = (next, 0);
            } else if frame.kind == END {
                self.goes_on = true;
            } else {
                let Some(record) = decode::decode(frame.kind, body) else {
                    let what = "a record can't be read";
                    let offset = at as u64;
                    let (segment, expected) = (header.segment, frame.position);
                    return Err(Trouble::Damaged(Fault { segment, offset, expected, what }));
                };
                let place =
                    Place { segment: header.segment, offset: (at / 8) as u32, size: frame.size };
                group.push((frame.position, record, place));
                crc = crc32c::crc32c_append(crc, &frame.crc.to_le_bytes());
            }
            at = next;
        }
        Ok(start)
    }

    fn take_group(
        &mut self,
        group: &mut Vec<(Position, Record, Place)>,
        commit: Commit,
    ) -> Result<(), Trouble> {
        if let Some((position, ..)) = group.last() {
            self.last = *position;
        }
        self.waiting.extend(group.drain(..));
        self.known_durable(commit.durable)
    }

    /// Everything up to `position` is known to be durable.
    fn known_durable(&mut self, position: Position) -> Result<(), Trouble> {
        if let Some(fault) = self.fault.filter(|fault| fault.expected <= position) {
            return Err(Trouble::Damaged(fault));
        }
        self.durable = self.durable.max(position);
        while self.waiting.front().is_some_and(|(at, ..)| *at <= self.durable) {
            let Some((_, record, place)) = self.waiting.pop_front() else { break };
            if let Record::Freed { through } = record {
                self.oldest = self.oldest.max(through.saturating_add(1));
            }
            (self.sink)(record, place)?;
        }
        Ok(())
    }

    fn begin_fault(&mut self, segment: u32, offset: u64, what: &'static str) {
        if self.fault.is_none() {
            let expected = self.last + 1;
            self.fault = Some(Fault { segment, offset, expected, what });
        }
    }

    /// Behind a fault: does anything say that what is missing was durable?
    fn look_for_watermarks(
        &mut self,
        seed: Seed,
        content: &Bytes,
        from: usize,
    ) -> Result<(), Trouble> {
        let mut at = from.next_multiple_of(8);
        while at + FRAME_HEADER_SIZE <= content.len() {
            if content[at..].first_chunk() == Some(&[0u8; ZEROS.0]) {
                at += ZEROS.0;
                continue;
            }
            if content[at..].first_chunk() == Some(&[0u8; ZEROS.1]) {
                at += ZEROS.1;
                continue;
            }
            self.is_torn |= content[at..at + 8] != [0; 8];
            let frame = FrameHeader::decode(seed, at as u64, &content[at..]);
            let frame = frame.filter(|frame| {
                frame.kind == COMMIT && frame.check_body(seed, at as u64, &content[at..])
            });
            let body = frame.map(|_| &content[at + FRAME_HEADER_SIZE..]);
            let commit =
                body.and_then(|body| Commit::decode(body.get(..super::format::COMMIT_SIZE)?));
            if let Some(commit) = commit {
                self.known_durable(commit.durable)?;
            }
            at += 8;
        }
        Ok(())
    }

    fn finish(mut self, files: &[File]) -> Result<Recovered, Trouble> {
        // What the tail frees may be gone already: it was durable, though nothing says so. What is
        // still there of it may be needed to read the tail: when it goes is decided anew.
        let mut freed = self.oldest;
        for (_, record, _) in &mut self.waiting {
            if let Record::Freed { through } = record {
                freed = freed.max(std::mem::take(through).saturating_add(1));
            }
        }
        let first = self.segments.front().map_or(1, |segment| segment.number);
        let missing = match files.last().map(|last| last.number + 1) {
            _ if freed < first => Some(first - 1),
            // The next segment had its name before this one was ended.
            next if self.goes_on => next,
            _ => None,
        };
        if let Some(missing) = missing {
            return Err(Trouble::Missing(missing));
        }
        while self.segments.front().is_some_and(|segment| segment.number < self.oldest) {
            self.segments.pop_front();
        }
        let begun = |s: &&Segment| s.used > SEGMENT_HEADER_SIZE as u64;
        let extents = self.segments.iter().filter(begun).map(|s| (s.number, s.used)).collect();
        // What a segment holds that begins behind all that is durable, if it was begun at all, is
        // written anew as a whole.
        while self.segments.back().is_some_and(|segment| segment.first > self.durable) {
            self.segments.pop_back();
        }
        let kept = |file: &&File| self.segments.iter().all(|kept| kept.number != file.number);
        Ok(Recovered {
            last: self.last,
            durable: self.durable,
            epoch: self.epoch,
            obsolete: files.iter().filter(kept).map(|file| file.number).collect(),
            tail: self.waiting.into(),
            extents,
            torn: self.fault.filter(|_| self.is_torn),
            // Numbers go on, also if all that is needed is written anew.
            next: self.segments.back().map_or(first, |last| last.number + 1),
            segments: self.segments,
        })
    }
}

/// True if a segment begins with a header and a record. With those of which that is known it is
/// damage if they do not, though nothing that they hold says so.
pub fn has_begun(journal_id: &[u8; 16], segment: u32, content: &Bytes) -> bool {
    let first = content.get(SEGMENT_HEADER_SIZE..).and_then(|frame| {
        let (seed, offset) = (Seed::new(journal_id, segment), SEGMENT_HEADER_SIZE as u64);
        FrameHeader::decode(seed, offset, frame)
            .filter(|header| header.check_body(seed, offset, frame))
    });
    SegmentHeader::decode(journal_id, segment, content).is_some() && first.is_some()
}

/// Reads the record at a place from the bytes of its frame.
///
/// # Errors
///
/// If they are not that record's.
pub fn read_frame(
    journal_id: &[u8; 16],
    place: Place,
    bytes: &Bytes,
) -> Result<Record, Unreadable> {
    let seed = Seed::new(journal_id, place.seed_number());
    let offset = u64::from(place.offset) * 8;
    let header = FrameHeader::decode(seed, offset, bytes)
        .filter(|header| header.size == place.size)
        .ok_or(Unreadable { what: "the frame's header is damaged" })?;
    if !header.check_body(seed, offset, bytes) {
        return Err(Unreadable { what: "the frame's body is damaged" });
    }
    let body = bytes.slice(FRAME_HEADER_SIZE..FRAME_HEADER_SIZE + place.size as usize);
    decode::decode(header.kind, body).ok_or(Unreadable { what: "the record can't be read" })
}
