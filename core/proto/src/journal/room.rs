//! The next segment, made ahead, and what may be written while the disk has no room for it.
//!
//! New messages are refused before the disk is full: what verdicts on all that is stored will take
//! is left free. With that, segments are made in which nothing but verdicts goes, until they have
//! freed old ones. If other programs take that room, too, what is left of the active segment is
//! used up: first for handing out and verdicts, then for verdicts on what is held.
//!
//! Floor: imports `base`.

use super::{Effect, Journal};
use crate::base::record::Room;
use crate::base::{Time, limits};

/// Bytes that settling on a full disk leaves untouched: what closing and a last commit need.
const LAST_RESERVE: u64 = 16 * 1024;

/// Bytes that handing out a message and a verdict on it take, each in a group of its own.
const VERDICT_SIZE: u64 = 320;

/// Bytes of a group, on average, from which a sync takes so long that telling the file system of
/// each first use of a block costs less than writing all blocks twice.
const LARGE_GROUP: u64 = 96 * 1024;

/// What becomes of the next segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    None,
    /// It is being made; `spares`: only if what verdicts need is left free.
    Preparing {
        size: u64,
        spares: bool,
    },
    /// It has been made, with this size.
    Ready(u64),
    /// There was no room; it is tried again at this moment. `spent`: there is none for verdicts.
    Full {
        at: Time,
        spent: bool,
    },
}

impl Journal {
    pub(super) fn prepare_next(&mut self) {
        match self.next {
            Next::None if self.active().used > self.active().size / 2 => {
                self.ask_for_next(self.size_of_next(), true);
            }
            // Not before it is begun at once: while it waits, nobody would see that there is room.
            Next::Full { spent: false, .. } if self.is_nearly_used() => self.ask_for_verdicts(),
            _ => {}
        }
    }

    fn is_nearly_used(&self) -> bool {
        self.active().remaining() < self.active().slack()
    }

    fn size_of_next(&self) -> u64 {
        let (least, most) = self.config.sizes.segment;
        // What it begins with is to be a small part of it.
        (self.active().size * 4).clamp(least, most).max((self.stated * 4).next_multiple_of(4096))
    }

    fn size_for_verdicts(&self) -> u64 {
        let (least, most) = self.config.sizes.segment;
        (least * 4).min(most)
    }

    fn ask_for_verdicts(&mut self) {
        self.ask_for_next(self.size_for_verdicts(), false);
    }

    fn ask_for_next(&mut self, size: u64, spares: bool) {
        self.next = Next::Preparing { size, spares };
        let active = self.active();
        let (segment, zeros) = (active.number + 1, active.used < active.groups * LARGE_GROUP);
        let spare = if spares { self.spare() } else { 0 };
        self.effects.push_back(Effect::Prepare { segment, size, zeros, spare });
    }

    /// Bytes that verdicts on all that is stored need at most before they have freed as much.
    pub(super) fn spare(&self) -> u64 {
        let (mut most, mut excess) = (0, 0);
        for segment in &self.segments {
            let (count, bytes) = (segment.live.0, segment.live_bytes());
            let needed = count * VERDICT_SIZE;
            // A segment goes when all before it are gone, and only then gives its room back.
            most = needed.max(most);
            excess += needed.saturating_sub(bytes);
        }
        most + excess + 2 * self.size_for_verdicts()
    }

    /// A segment has been made, with this size; or the disk was full. Then a smaller one may fit.
    pub fn handle_prepared(&mut self, now: Time, size: Option<u64>) {
        let Next::Preparing { size: asked, spares } = self.next else { return };
        let least = self.config.sizes.segment.0;
        match size {
            Some(size) => {
                self.next = Next::Ready(size);
                self.is_full = !spares;
            }
            None if asked > least => self.ask_for_next((asked / 4).max(least), spares),
            None if spares => {
                if !std::mem::replace(&mut self.is_full, true) {
                    // The next host finds no room to write much anew.
                    self.sync();
                }
                self.next = self.full(now, false);
                self.prepare_next();
            }
            None => self.next = self.full(now, true),
        }
    }

    fn full(&self, now: Time, spent: bool) -> Next {
        Next::Full { at: now.plus_ms(limits::SPACE_RETRY_MS), spent }
    }

    /// What is next once the segment that was made is begun.
    pub(super) fn after_ready(&self, now: Time) -> Next {
        if self.is_full { self.full(now, false) } else { Next::None }
    }

    /// When the disk is tried again.
    pub(super) fn retry_at(&self) -> Option<Time> {
        match self.next {
            Next::Full { at, .. } => Some(at),
            _ => None,
        }
    }

    /// There may be room now.
    pub(super) fn try_again(&mut self) {
        if matches!(self.next, Next::Full { .. }) {
            self.ask_for_next(self.size_of_next(), true);
        }
    }

    /// Bytes that may be written without a sync: few on a full disk, where the next host could not
    /// write much anew.
    fn unsynced_max(&self) -> u64 {
        let Self { config, is_full, .. } = self;
        let most = config.sizes.unsynced_max;
        if *is_full { most.min(config.sizes.segment.0 / 4) } else { most }
    }

    /// True if what is written next is to be synced though nobody waits for that. On a full disk
    /// also while a sync runs, so that it waits for it: little would be left to be written anew.
    pub(super) fn is_sync_due(&self) -> bool {
        self.unsynced > self.unsynced_max() || (self.is_full && self.asked > self.synced)
    }

    /// What may be written now.
    pub fn room(&self) -> Room {
        let (left, slack) = (self.active().remaining(), self.active().slack());
        match self.next {
            Next::Ready(_) if self.is_full => Room::Settlements,
            // Also while it is tried again.
            _ if self.is_full && left < LAST_RESERVE => Room::Nothing,
            _ if self.is_full && left < slack / 2 => Room::Verdicts,
            _ if self.is_full => Room::Settlements,
            Next::Preparing { .. } if self.is_nearly_used() => Room::Behind,
            _ if self.pending_size > self.config.sizes.pending_max => Room::Behind,
            _ => Room::Open,
        }
    }

    /// True if the next segment is to be begun: `roll`, and then state everything anew.
    pub fn needs_roll(&self) -> bool {
        matches!(self.next, Next::Ready(_)) && self.is_nearly_used()
    }
}
