//! The journal: records as groups of checksummed frames in numbered segments, as logic.
//!
//! ```text
//! append -> open group -> seal -> Write -> written up to N -> (Sync) -> durable up to N
//!
//! segments:  [3 ####.####] [4 #########] [5 ####......]  [6 zeros]
//!             oldest                      active          next, prepared ahead
//! ```
//! Order of calls: `append` whatever has come of one input, then `seal`; between two inputs, where
//! the state that is written down is whole, `needs_roll` and the rest. `poll_effect` says what the
//! disk is to do, `handle_*` tells what it has done.
//!
//! Invariants:
//! - What is appended gets its place at once and never moves.
//! - A group is whole in one segment, and counts only with its commit.
//! - Each segment begins by stating everything that is not a message, so it can be read without
//!   those before it. A segment is freed only if all before it are, and nothing in it is needed.
//!
//! Floor: imports `base`.

mod checkpoint;
mod decode;
mod decode_topics;
mod encode;
pub mod format;
mod recover;
mod room;
mod segments;
mod stream_files;
mod trouble;

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};

use crate::base::record::{ASIDE, Place, Position, Record};
use crate::base::{Time, limits, limits::Sizes};

use format::{Commit, FRAME_HEADER_SIZE, FrameHeader, SEGMENT_HEADER_SIZE, Seed, SegmentHeader};
use room::Next;

pub use checkpoint::Checkpoint;
pub use recover::{File, Recovered, Source, Unreadable, has_begun, read_frame, recover};
pub use segments::Segment;
pub use stream_files::{check_lengths, not_renamed};
pub use trouble::{Fault, Trouble};

/// What a journal is told at its start.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// What all its checksums begin with.
    pub journal_id: [u8; 16],
    /// The host's epoch.
    pub epoch: u64,
    /// When segments change.
    pub sizes: Sizes,
}

/// What the disk is to do.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Write, then `handle_written`; with `sync` make it durable with all before it, then
    /// `handle_synced`.
    Write {
        /// The segment.
        segment: u32,
        /// Where in it.
        offset: u64,
        /// What.
        bytes: Bytes,
        /// The position that is then written.
        last: Position,
        /// Somebody waits for it to be durable.
        sync: bool,
    },
    /// Make a segment that reads as zeros, durable before it has its name. Then `handle_prepared`.
    Prepare {
        /// Its number.
        segment: u32,
        /// Its size in bytes.
        size: u64,
        /// Zeros are written into it: syncs of a little are faster then, but all is written twice.
        zeros: bool,
        /// Bytes that must be left free on the disk; else it counts as full.
        spare: u64,
    },
    /// Remove a segment, put aside or not, or a stream file.
    Free {
        /// Its number.
        segment: u32,
    },
    /// Give a segment the number that it has out of the journal, [`ASIDE`] more, and when that is
    /// durable cut off what it does not hold. It is to be found under either number.
    PutAside {
        /// Its number.
        segment: u32,
        /// Bytes that it holds.
        size: u64,
    },
    /// Write to a stream file and make that durable, with the file's name if it is new; then the
    /// hub's `handle_disk` with `Filed`.
    Append {
        /// The stream file's number.
        segment: u32,
        /// Where in it; at 0 it is made.
        offset: u64,
        /// What.
        bytes: Bytes,
        /// Bytes that must be left free on the disk; else it counts as full.
        spare: u64,
    },
    /// Put a checkpoint in the place of the last one. It is a cache: nothing waits for it, and it
    /// need not be durable.
    Checkpoint {
        /// The file's content.
        bytes: Bytes,
    },
    /// Read a record's frame; then the hub's `handle_read`.
    Read {
        /// For the answer.
        id: u64,
        /// Which.
        place: Place,
    },
}

#[derive(Debug, Default)]
struct Group {
    bytes: BytesMut,
    count: u32,
    crc: u32,
    sync: bool,
}

/// The journal of one host.
#[derive(Debug)]
pub struct Journal {
    config: Config,
    /// Oldest first; the last is the active one.
    segments: VecDeque<Segment>,
    seed: Seed,
    group: Group,
    last: Position,
    written: Position,
    synced: Position,
    /// The durable position that the last commit told of.
    told: Position,
    /// Bytes handed to the disk and not written yet.
    pending: VecDeque<(Position, usize)>,
    pending_size: usize,
    /// Bytes written since a sync was last asked for.
    unsynced: u64,
    /// The last position for which a sync was asked for.
    asked: Position,
    next: Next,
    /// The disk has no room for new messages, as far as was tried last.
    is_full: bool,
    /// The segment in which everything but messages was last stated anew.
    restated: u32,
    /// Segments to be freed once this position is durable.
    freeing: Option<(u32, Position)>,
    freed: u32,
    /// Up to this segment all that streams keep was filed, as far as it can be.
    emptied: u32,
    /// Bytes that the last segment took to state everything anew.
    stated: u64,
    stream_files: stream_files::StreamFiles,
    /// A checkpoint, to be kept once its position is durable.
    checkpoint: Option<Checkpoint>,
    idle_at: Option<Time>,
    /// What is appended goes into the beginning, which is one group however large it gets.
    is_beginning: bool,
    effects: VecDeque<Effect>,
}

impl Journal {
    /// A journal that goes on in a new segment behind what is durable of `found`.
    pub fn new(config: Config, found: Recovered, size_hint: u64) -> Journal {
        let Recovered { next, mut segments, .. } = found;
        let (number, last) = (next.max(1), found.durable.min(found.last));
        let size = config.sizes.segment.0.max((size_hint * 2).next_power_of_two());
        let oldest = segments.front().map_or(number, |first| first.number);
        segments.push_back(Segment::new(number, last + 1, size));
        let mut journal = Journal {
            config,
            segments,
            seed: Seed::new(&config.journal_id, number),
            group: Group::default(),
            last,
            written: last,
            synced: last,
            told: last,
            pending: VecDeque::new(),
            pending_size: 0,
            unsynced: 0,
            asked: last,
            next: Next::None,
            is_full: false,
            restated: number,
            freeing: None,
            freed: oldest - 1,
            emptied: 0,
            stated: 0,
            stream_files: stream_files::StreamFiles::default(),
            checkpoint: None,
            idle_at: None,
            is_beginning: true,
            effects: VecDeque::new(),
        };
        journal.begin_segment();
        journal
    }

    /// All that was appended so far, for a new segment that is written as a whole and durable
    /// before anything else is done; with its number and size.
    pub fn take_beginning(&mut self) -> (u32, u64, Bytes) {
        self.is_beginning = false;
        self.append_commit();
        // What was sealed on the way belongs to it.
        let mut whole = BytesMut::new();
        self.effects.retain(|effect| match effect {
            Effect::Write { bytes, .. } => {
                whole.extend_from_slice(bytes);
                false
            }
            _ => true,
        });
        whole.extend_from_slice(&self.group.bytes);
        let bytes = whole.freeze();
        self.group = Group::default();
        self.pending.clear();
        (self.pending_size, self.unsynced) = (0, 0);
        self.written = self.last;
        self.synced = self.last;
        let active = self.active_mut();
        active.size = active.size.max(active.used.next_multiple_of(4096));
        (active.number, active.size, bytes)
    }

    /// Appends a record; `sync` if somebody waits for it to be durable.
    pub fn append(&mut self, position: Position, record: &Record, sync: bool) -> Place {
        if self.group.bytes.len() > self.config.sizes.group_max && !self.is_beginning {
            self.seal_group();
        }
        let start = self.group.bytes.len();
        self.group.bytes.reserve(encode::size_hint(record) + 3 * FRAME_HEADER_SIZE);
        self.group.bytes.put_bytes(0, FRAME_HEADER_SIZE);
        encode::encode(record, &mut self.group.bytes);
        let size = (self.group.bytes.len() - start - FRAME_HEADER_SIZE) as u32;
        let segment = self.active().number;
        let offset = self.complete_frame(encode::kind(record), position, start);
        self.last = position;
        self.group.count += 1;
        self.group.sync |= sync;
        Place { segment, offset: (offset / 8) as u32, size }
    }

    /// Somebody waits for what was appended before to be durable, though it was not so then.
    pub fn sync(&mut self) {
        self.group.sync = true;
        if self.group.count == 0 {
            // It was handed to the disk already: an empty commit makes it so.
            self.seal_group();
        }
    }

    /// Completes the frame that begins at `start` in the open group; returns its offset.
    fn complete_frame(&mut self, kind: u8, position: Position, start: usize) -> u64 {
        let offset = self.active().used;
        let epoch = self.config.epoch as u32;
        let header = FrameHeader { kind, size: 0, position, epoch, body_crc: 0, crc: 0 };
        let crc = header.complete(self.seed, offset, &mut self.group.bytes, start);
        self.group.crc = crc32c::crc32c_append(self.group.crc, &crc.to_le_bytes());
        let size = (self.group.bytes.len() - start) as u64;
        self.active_mut().used += size;
        offset
    }

    /// True if the disk has nothing to do, and somebody waits for what was appended, which is
    /// enough for it: `seal` lets it work while more is appended.
    pub fn is_worth_sealing(&self) -> bool {
        let Group { bytes, sync, .. } = &self.group;
        let is_idle = self.pending.is_empty() && self.asked <= self.synced;
        *sync && bytes.len() >= self.config.sizes.group_worth && is_idle
    }

    /// Hands what was appended to the disk.
    pub fn seal(&mut self, now: Time) {
        if self.group.count > 0 {
            self.seal_group();
            self.idle_at = Some(now.plus_ms(limits::IDLE_COMMIT_MS));
        } else if self.told < self.synced && self.idle_at.is_none() {
            // A host has begun, and nothing has followed yet.
            self.idle_at = Some(now.plus_ms(limits::IDLE_COMMIT_MS));
        }
    }

    /// Nothing will follow: a last commit says that all of it is durable, so that damage to it is
    /// never taken for a torn write.
    pub fn seal_end(&mut self) {
        if self.told < self.synced && self.group.count == 0 {
            self.seal_group();
        }
    }

    fn append_commit(&mut self) {
        let commit = Commit {
            count: self.group.count,
            crc: self.group.crc,
            written: self.written,
            durable: self.synced,
        };
        self.told = self.synced;
        let start = self.group.bytes.len();
        self.group.bytes.put_bytes(0, FRAME_HEADER_SIZE);
        self.group.bytes.put_slice(&commit.encode());
        self.complete_frame(format::COMMIT, self.last, start);
    }

    fn seal_group(&mut self) {
        self.append_commit();
        // The next group goes to the same memory if this one is written by then.
        let bytes = self.group.bytes.split();
        let Group { bytes: rest, sync, .. } = std::mem::take(&mut self.group);
        self.group.bytes = rest;
        let active = self.active_mut();
        active.groups += 1;
        let (segment, offset) = (active.number, active.used - bytes.len() as u64);
        self.unsynced += bytes.len() as u64;
        let sync = sync || self.is_sync_due();
        if sync {
            self.unsynced = 0;
            self.asked = self.last;
        }
        self.pending.push_back((self.last, bytes.len()));
        self.pending_size += bytes.len();
        let bytes = bytes.freeze();
        self.effects.push_back(Effect::Write { segment, offset, bytes, last: self.last, sync });
        self.prepare_next();
    }

    /// Everything up to `position` has been written.
    pub fn handle_written(&mut self, position: Position) {
        self.written = self.written.max(position);
        while self.pending.front().is_some_and(|(last, _)| *last <= position) {
            if let Some((_, size)) = self.pending.pop_front() {
                self.pending_size -= size;
            }
        }
    }

    /// Everything up to `position` is durable.
    pub fn handle_synced(&mut self, now: Time, position: Position) {
        self.handle_written(position);
        self.synced = self.synced.max(position);
        self.idle_at = Some(now.plus_ms(limits::IDLE_COMMIT_MS));
        if let Some(checkpoint) = self.checkpoint.take_if(|c| c.position <= self.synced) {
            let bytes = checkpoint.encode(&self.config.journal_id);
            self.effects.push_back(Effect::Checkpoint { bytes });
        }
        if let Some((through, at)) = self.freeing
            && at <= self.synced
        {
            self.freeing = None;
            while self.segments.front().is_some_and(|segment| segment.number <= through) {
                let Some(Segment { number, used, .. }) = self.segments.pop_front() else { break };
                self.effects.push_back(match self.stream_files.has(ASIDE + number) {
                    true => Effect::PutAside { segment: number, size: used },
                    false => Effect::Free { segment: number },
                });
            }
            self.try_again();
        }
        self.free_stream_files();
    }

    /// Deadlines may have come.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.idle_at.is_some_and(|at| at <= now) {
            self.idle_at = None;
            // Nothing follows by which recovery could tell damage in the last group from a torn
            // write; an empty commit does.
            self.seal_end();
        }
        if self.retry_at().is_some_and(|at| at <= now) {
            self.try_again();
        }
        self.try_to_file_again(now);
    }

    /// When `handle_timeout` wants to be called.
    pub fn poll_timeout(&self) -> Option<Time> {
        let idle = self.idle_at.filter(|_| self.told < self.synced);
        [idle, self.retry_at(), self.stream_files.retry_at].into_iter().flatten().min()
    }

    /// What the disk is to do next.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Keeps what stands where the active segment begins, once that is durable; called right after
    /// `roll`.
    pub fn keep_checkpoint(&mut self, records: Vec<Record>) {
        let (segment, position) = (self.active().number, self.last);
        self.checkpoint = Some(Checkpoint { segment, position, records });
    }

    /// Begins the next segment.
    pub fn roll(&mut self, now: Time) {
        let Next::Ready(size) = self.next else { return };
        self.seal(now);
        self.append_end();
        let number = self.active().number + 1;
        let first = self.last + 1;
        self.segments.push_back(Segment::new(number, first, size));
        self.seed = Seed::new(&self.config.journal_id, number);
        self.next = self.after_ready(now);
        self.restated = number;
        self.begin_segment();
    }

    /// All that a new segment states is there.
    pub fn note_stated(&mut self) {
        self.stated = self.active().used;
    }

    /// Should the next segment be gone one day, it will be missed.
    fn append_end(&mut self) {
        let start = self.group.bytes.len();
        self.group.bytes.put_bytes(0, FRAME_HEADER_SIZE);
        self.complete_frame(format::END, self.last, start);
        self.group.crc = 0;
        self.seal_group();
    }

    fn begin_segment(&mut self) {
        let active = self.active();
        let header = SegmentHeader {
            segment: active.number,
            epoch: self.config.epoch,
            first: self.last + 1,
            durable: self.synced,
            oldest: self.freed + 1,
            pages: (active.size / 4096) as u32,
        };
        header.encode(&self.config.journal_id, &mut self.group.bytes);
        self.active_mut().used = SEGMENT_HEADER_SIZE as u64;
    }

    /// The last position appended.
    pub fn last(&self) -> Position {
        self.last
    }

    /// The last position written, and the last one durable.
    pub fn reached(&self) -> (Position, Position) {
        (self.written, self.synced)
    }

    fn active(&self) -> &Segment {
        self.segments.back().expect("there is always an active segment")
    }

    fn active_mut(&mut self) -> &mut Segment {
        self.segments.back_mut().expect("there is always an active segment")
    }
}
