//! Stream files: what streams keep, out of the journal's way.
//!
//! ```text
//! segments:      [3 ##.#.###] [4 #########] [5 ####......]
//!                   \  batches of one partition that follow each other, as one
//! stream files:  [1 ############] [2 #####......]      no order among them; each goes by itself
//! ```
//! A stream file begins as a segment does and has frames as segments have them, without commits:
//! what counts in it is what the journal says of it. Each host begins one of its own.
//!
//! A segment of which mostly large batches are needed is put aside as it is: it leaves the journal,
//! and is a stream file that is not written to. It gets its new name when it is durable that the
//! journal needs it no more; until then, and by a host that finds it so, it is found under the old
//! one.
//!
//! Floor: imports `base`.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{BufMut, BytesMut};

use super::format::{
    FRAME_HEADER_SIZE, FrameHeader, SEGMENT_HEADER_SIZE, Seed, SegmentHeader, end_of,
};
use super::{Effect, Fault, File, Journal, Trouble, encode};
use crate::base::record::{ASIDE, Place, Position, Record, Room, STREAM_FILES};
use crate::base::{Time, limits};

/// The stream files of one host's journal.
#[derive(Debug, Default)]
pub(super) struct StreamFiles {
    all: BTreeMap<u32, StreamFile>,
    /// The one that is written to.
    active: Option<u32>,
    /// Others of which so little is needed that this is to be put into the active one.
    sparse: BTreeSet<u32>,
    /// The highest number that any of them has had.
    highest: u32,
    /// What is to be written to the active one.
    gathered: BytesMut,
    /// It is being written.
    is_writing: bool,
    /// There was no room; it is tried again at this moment.
    pub retry_at: Option<Time>,
    /// Files that hold nothing any more, to be removed once this position is durable.
    dying: Vec<(u32, Position)>,
}

#[derive(Debug, Default)]
struct StreamFile {
    /// Bytes that are written, or being.
    used: u64,
    /// Batches in it that are needed, and their bytes.
    live: (u64, u64),
}

impl StreamFiles {
    pub fn keep(&mut self, number: u32, count: u64, size: u64) {
        self.highest = self.highest.max(number);
        let file = self.all.entry(number).or_default();
        file.live.0 += count;
        file.live.1 += size;
    }

    pub fn release(&mut self, number: u32, count: u64, size: u64) {
        let Some(file) = self.all.get_mut(&number) else { return };
        file.live.0 -= count;
        file.live.1 -= size;
    }

    pub fn has(&self, number: u32) -> bool {
        self.all.contains_key(&number)
    }

    /// Less may be needed of a file than before, or it is not written to any more.
    fn look_at(&mut self, number: u32) {
        let file = self.all.get(&number).filter(|_| self.active != Some(number));
        if file.is_some_and(|file| file.live.1 < file.used / 2) {
            self.sparse.insert(number);
        }
    }

    fn is_dead(&self, number: u32) -> bool {
        self.active != Some(number) && self.all.get(&number).is_some_and(|file| file.live.0 == 0)
    }
}

/// Checks that stream files are as long as what is needed of them.
///
/// # Errors
///
/// The first one that is missing, or ends too early.
pub fn check_lengths<'a>(
    needed: impl Iterator<Item = Place>,
    found: impl Iterator<Item = &'a File>,
) -> Result<(), Trouble> {
    let sizes: BTreeMap<u32, u64> = found.map(|file| (file.number, file.size)).collect();
    for place in needed {
        match sizes.get(&place.segment) {
            None => return Err(Trouble::Missing(place.segment)),
            Some(size) if *size < end_of(place) => {
                let (segment, offset) = (place.segment, *size);
                let what = "it ends before what it is to hold";
                return Err(Trouble::Damaged(Fault { segment, offset, expected: 0, what }));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Segments that were put aside, of which something is needed, and that have their old names yet.
pub fn not_renamed(
    needed: impl Iterator<Item = Place>,
    segments: &[File],
    found: &[File],
) -> Vec<File> {
    let needed: BTreeSet<u32> = needed.map(|place| place.segment).collect();
    let aside = segments.iter().map(|file| File { number: ASIDE + file.number, ..*file });
    let is_found = |number: u32| found.iter().any(|file| file.number == number);
    aside.filter(|file| needed.contains(&file.number) && !is_found(file.number)).collect()
}

impl Journal {
    /// The stream files that there are, and segments that were put aside and have their old names;
    /// those of which nothing is needed. Call it when all that is needed of them was kept.
    pub fn begin_stream_files(&mut self, found: &[File], not_renamed: &[File]) -> Vec<u32> {
        for File { number, size } in not_renamed {
            let segment = number - ASIDE;
            if self.segments.iter().all(|kept| kept.number != segment) {
                self.effects.push_back(Effect::PutAside { segment, size: *size });
            }
        }
        let files = &mut self.stream_files;
        let highest = found.iter().map(|file| file.number).max();
        files.highest = files.highest.max(highest.unwrap_or(STREAM_FILES));
        let mut unused = Vec::new();
        for File { number, size } in found.iter().chain(not_renamed) {
            match files.all.get_mut(number) {
                Some(file) => {
                    file.used = *size;
                    files.look_at(*number);
                }
                None => unused.push(*number),
            }
        }
        unused
    }

    /// Appends a batch to a stream file. It may be read there once `handle_filed` says that what
    /// `write_filed` has handed over is durable.
    pub fn file(&mut self, record: &Record) -> Place {
        let number = self.active_file();
        let (journal_id, epoch) = (self.config.journal_id, self.config.epoch as u32);
        let files = &mut self.stream_files;
        let used = files.all.get(&number).map_or(0, |file| file.used);
        let start = files.gathered.len();
        files.gathered.put_bytes(0, FRAME_HEADER_SIZE);
        encode::encode(record, &mut files.gathered);
        let size = (files.gathered.len() - start - FRAME_HEADER_SIZE) as u32;
        let (kind, position) = (encode::kind(record), self.last);
        let header = FrameHeader { kind, size: 0, position, epoch, body_crc: 0, crc: 0 };
        let offset = used + start as u64;
        header.complete(Seed::new(&journal_id, number), offset, &mut files.gathered, start);
        Place { segment: number, offset: (offset / 8) as u32, size }
    }

    /// The file that is written to; the next one, if that is full.
    fn active_file(&mut self) -> u32 {
        let size_max = self.config.sizes.segment.1;
        let files = &mut self.stream_files;
        let used = |number: &u32| files.all.get(number).map_or(0, |file| file.used);
        let has_room = |number: &u32| used(number) + (files.gathered.len() as u64) < size_max;
        let before = files.active;
        if let Some(number) = before.filter(|number| !files.gathered.is_empty() || has_room(number))
        {
            return number;
        }
        files.highest = files.highest.max(STREAM_FILES) + 1;
        let number = files.highest;
        files.active = Some(number);
        files.all.insert(number, StreamFile::default());
        let header = SegmentHeader {
            segment: number,
            epoch: self.config.epoch,
            first: self.last + 1,
            durable: self.synced,
            oldest: self.freed + 1,
            pages: 0,
        };
        header.encode(&self.config.journal_id, &mut files.gathered);
        debug_assert_eq!(files.gathered.len(), SEGMENT_HEADER_SIZE);
        if let Some(before) = before {
            self.forget_if_dead(before);
        }
        number
    }

    /// Hands to the disk what was filed.
    pub fn write_filed(&mut self) {
        let spare = self.spare();
        let files = &mut self.stream_files;
        let Some(number) = files.active.filter(|_| !files.gathered.is_empty()) else { return };
        let bytes = std::mem::take(&mut files.gathered).freeze();
        let Some(file) = files.all.get_mut(&number) else { return };
        let offset = file.used;
        file.used += bytes.len() as u64;
        files.is_writing = true;
        self.effects.push_back(Effect::Append { segment: number, offset, bytes, spare });
    }

    /// What was filed is durable; or there was no room for it, and nothing of it counts.
    pub fn handle_filed(&mut self, now: Time, is_durable: bool) {
        let files = &mut self.stream_files;
        files.is_writing = false;
        if !is_durable {
            // How much of it is there, nobody knows: it is not written to again.
            files.retry_at = Some(now.plus_ms(limits::SPACE_RETRY_MS));
            if let Some(number) = files.active.take() {
                self.forget_if_dead(number);
            }
        }
    }

    /// A file of which nothing is needed goes as soon as that is durable.
    pub(super) fn forget_if_dead(&mut self, number: u32) {
        let files = &mut self.stream_files;
        files.look_at(number);
        if files.is_dead(number) {
            files.all.remove(&number);
            files.sparse.remove(&number);
            // A segment that the journal still has goes with that.
            if self.segments.iter().any(|segment| ASIDE + segment.number == number) {
                return;
            }
            files.dying.push((number, self.last));
            self.sync();
        }
    }

    /// Everything up to `synced` is durable: so are the ends of files.
    pub(super) fn free_stream_files(&mut self) {
        let synced = self.synced;
        let Journal { stream_files, effects, .. } = self;
        stream_files.dying.retain(|(segment, position)| {
            let stays = *position > synced;
            if !stays {
                effects.push_back(Effect::Free { segment: *segment });
            }
            stays
        });
    }

    /// True if batches may be filed: nothing that was is on its way to the disk, which has room.
    pub fn may_file(&self) -> bool {
        let files = &self.stream_files;
        self.room() == Room::Open && !files.is_writing && files.retry_at.is_none()
    }

    /// There may be room for them now.
    pub(super) fn try_to_file_again(&mut self, now: Time) {
        let files = &mut self.stream_files;
        files.retry_at = files.retry_at.filter(|at| *at > now);
    }

    /// A segment, the `sparse` one if there is any, or a stream file, from which what streams keep
    /// is to be put into a stream file. All of it is durable: nobody reads what may yet be lost
    /// because it became part of a batch with what may be read.
    pub fn to_be_emptied(&self, sparse: Option<u32>) -> Option<u32> {
        let segment = sparse.or_else(|| self.crowded());
        let file = || self.stream_files.sparse.first().copied();
        segment.filter(|segment| self.is_durable(*segment)).or_else(file)
    }

    /// How much of a segment is needed, if that is so much that it may be put aside: how many
    /// messages and batches, and the bytes that batches must have.
    pub fn may_put_aside(&self, segment: u32) -> Option<(u64, u64)> {
        let segment = self.segments.iter().find(|kept| kept.number == segment)?;
        let least = segment.used * self.config.sizes.aside_share / 100;
        (segment.live.1 >= least).then_some((segment.live.0, least))
    }

    /// What is needed of a segment was kept, as of a file out of the journal.
    pub fn note_put_aside(&mut self, segment: u32) {
        let Some(found) = self.segments.iter().find(|kept| kept.number == segment) else { return };
        if let Some(file) = self.stream_files.all.get_mut(&(ASIDE + segment)) {
            file.used = found.used;
        }
    }

    fn is_durable(&self, segment: u32) -> bool {
        let next = self.segments.iter().find(|next| next.number > segment);
        next.is_some_and(|next| next.first <= self.synced + 1)
    }

    /// The oldest segment that is not emptied, if it is older than what is to be in the journal.
    fn crowded(&self) -> Option<u32> {
        let mut from_here: u64 = self.segments.iter().map(|segment| segment.used).sum();
        let mut oldest = self.segments.iter().take_while(|segment| segment.number < self.restated);
        let found = oldest.find(|segment| {
            let is_old = from_here > self.config.sizes.journal_max;
            from_here -= segment.used;
            is_old && segment.live.0 > 0 && !self.is_emptied(segment.number)
        });
        found.map(|segment| segment.number)
    }

    /// Nothing more of what streams keep in a segment, or in a stream file, can be filed.
    pub fn note_emptied(&mut self, segment: u32) {
        match segment {
            0..ASIDE => self.emptied = self.emptied.max(segment),
            _ => drop(self.stream_files.sparse.remove(&segment)),
        }
    }

    /// True if nothing more in a segment of the journal can be filed.
    pub fn is_emptied(&self, segment: u32) -> bool {
        segment <= self.emptied
    }
}
