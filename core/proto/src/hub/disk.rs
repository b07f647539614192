//! The hub and its journal: what is written down, and what comes of it.
//!
//! Records go to the journal after every input, before anything else is let in: so between two
//! inputs the journal says all that the broker's durable state is, and a new segment may begin.
//!
//! Floor: hub.

use bytes::Bytes;

use super::{Config, Hub, SessionId};
use crate::base::record::{ASIDE, AppendedPart, Copies, Place, Position, Process, Record};
use crate::base::{Error, Kind, Time};
use crate::broker::{self, Broker, Fetched, Past, Restored};
use crate::journal::{self, Effect, File, Journal, Source};

/// Messages of a sparse segment that are written anew at a time.
const MOVES: usize = 64;

/// What the disk has done.
#[derive(Clone, Debug)]
pub enum DiskDone {
    /// Everything up to this position is written.
    Written(Position),
    /// Everything up to this position is durable.
    Synced(Position),
    /// The next segment has been made, with this size; `None` if the disk is full.
    Prepared(Option<u64>),
    /// What was to be put into a stream file is durable there; or the disk is full.
    Filed(bool),
    /// A record's frame has been read: its bytes, as many as there are.
    Read {
        /// From the effect.
        id: u64,
        /// Where it lies.
        place: Place,
        /// The frame; `None` if the disk does not give it, which may be otherwise another time.
        bytes: Option<Bytes>,
    },
}

/// How a host of a directory begins.
#[derive(Debug)]
pub struct Beginning {
    /// The hub.
    pub hub: Hub,
    /// The segment to be made: number, size, and its first bytes. Once it is durable, with its
    /// name, the hub may serve.
    pub segment: (u32, u64, Bytes),
    /// Segments that are to be removed after that.
    pub obsolete: Vec<u32>,
    /// Sessions of local programs, to be ended with their processes.
    pub watched: Vec<(SessionId, Process)>,
}

impl Config {
    pub(super) fn broker(&self, directory: bool) -> broker::Config {
        broker::Config {
            hub_id: self.hub_id,
            epoch: self.epoch,
            directory,
            session_grace_ms: self.session_grace_ms,
            boot: self.clock,
            time_ms: self.time_ms,
            seed: self.seed,
            resident_max: self.sizes.resident_max,
            compact_min: self.sizes.compact_min,
            aside_batch: self.sizes.aside_batch,
        }
    }
}

impl Hub {
    /// A hub that goes on from a directory's journal and stream files; `path` names the file of a
    /// segment or stream file, for texts.
    ///
    /// # Errors
    ///
    /// `CORRUPT` naming file and offset; what reading says. Nothing has been changed then.
    pub fn recover(
        config: Config,
        now: Time,
        (source, stream_files): (Source<'_>, &[File]),
        path: &dyn Fn(u32) -> String,
    ) -> Result<Beginning, Error> {
        let mut past = Past::new(config.served);
        let mut sink = |record, place| {
            past.apply(record, place);
            Ok(())
        };
        let files = source.files;
        let mut found = journal::recover(config.journal_id, source, &mut sink)
            .map_err(|trouble| trouble.into_error(path))?;
        if found.epoch >= config.epoch {
            let detail = format!(
                "the journal was begun by host {}, and this is to be host {}: what counts them is \
                 out of date",
                found.epoch, config.epoch
            );
            return Err(Error::new(Kind::Corrupt, detail));
        }
        let mut obsolete = std::mem::take(&mut found.obsolete);
        // What is to be written anew comes behind what it builds upon.
        let tail: Vec<Record> = found.tail.drain(..).map(|(_, record, _)| record).collect();
        let before = if tail.is_empty() { Vec::new() } else { past.statement() };
        let (mut last, size) = (found.durable.min(found.last), tail_size(&tail));
        let own = journal::Config {
            journal_id: config.journal_id,
            epoch: config.epoch,
            sizes: config.sizes,
        };
        let mut journal = Journal::new(own, found, size);
        for record in before.into_iter().chain(tail) {
            last += 1;
            let place = journal.append(last, &record, false);
            past.apply(record, place);
        }
        let filed = || past.filed().map(|(.., at)| at.place);
        let not_renamed = journal::not_renamed(filed(), files, stream_files);
        journal::check_lengths(filed(), stream_files.iter().chain(&not_renamed))
            .map_err(|trouble| trouble.into_error(path))?;
        let Restored { broker, watched } = Broker::restore(config.broker(true), past, last, now)?;
        let mut hub = Hub::with(config, broker, Some(journal));
        hub.broker.restate(now);
        hub.write_down();
        hub.journal.iter_mut().for_each(Journal::note_stated);
        let mut journal = hub.journal.as_mut();
        let segment = journal.as_deref_mut().map(Journal::take_beginning).unwrap_or_default();
        let is_needed = |number: u32| not_renamed.iter().any(|file| file.number == ASIDE + number);
        obsolete.retain(|number| *number != segment.0 && !is_needed(*number));
        let unused = |j: &mut Journal| j.begin_stream_files(stream_files, &not_renamed);
        obsolete.extend(journal.into_iter().flat_map(unused));
        hub.note_reached(now);
        Ok(Beginning { hub, segment, obsolete, watched })
    }

    /// Hands all records to the journal, and carries out what may leave the hub.
    pub(super) fn after_input(&mut self, now: Time) {
        self.broker.after_input(now);
        if self.journal.is_some() {
            self.write_down();
            self.roll_if_full(now);
        }
        self.carry_out(now);
    }

    fn write_down(&mut self) {
        let Some(journal) = &mut self.journal else { return };
        while let Some(logged) = self.broker.poll_record() {
            let place = journal.append(logged.position, &logged.record, logged.sync);
            self.broker.handle_placed(logged.position, place);
        }
        if self.broker.poll_sync() {
            journal.sync();
        }
        while let Some(used) = self.broker.poll_usage() {
            match used.more {
                true => journal.keep(used.segment, used.count, used.size),
                false => journal.release(used.segment, used.count, used.size),
            }
        }
    }

    /// Between two inputs a new segment may begin, with everything stated anew.
    fn roll_if_full(&mut self, now: Time) {
        if self.is_closing {
            return;
        }
        let Some(journal) = &mut self.journal else { return };
        if journal.needs_roll() {
            journal.roll(now);
            journal.keep_checkpoint(self.broker.snapshot(now));
            self.broker.restate(now);
            self.write_down();
            self.journal.iter_mut().for_each(Journal::note_stated);
        }
        let room = self.journal.as_ref().map(Journal::room);
        if let Some(room) = room {
            self.broker.handle_room(now, room);
            self.write_down();
        }
    }

    /// Old segments go, if nothing in them is needed, or so little that it is written anew.
    fn keep_house(&mut self) {
        if self.is_closing {
            return;
        }
        let Some(journal) = &mut self.journal else { return };
        if let Some(through) = journal.dead() {
            let position = self.broker.note_freed(through);
            journal.free(through, position);
        } else {
            let sparse = journal.sparse();
            if let Some(emptied) = sparse.filter(|sparse| journal.is_emptied(*sparse)) {
                self.broker.move_from(emptied, MOVES);
            } else if let Some(old) = journal.to_be_emptied(sparse)
                && journal.may_file()
                && !self.put_aside(old)
            {
                self.file_from(old);
            }
        }
        self.write_down();
    }

    /// A segment of which mostly large batches are needed leaves the journal as it is, once the
    /// messages in it were written anew. False if it is to be emptied.
    fn put_aside(&mut self, segment: u32) -> bool {
        let Some(journal) = self.journal.as_ref() else { return false };
        let Some((count, least)) = journal.may_put_aside(segment) else { return false };
        if !self.broker.may_put_aside(segment, least) {
            return false;
        }
        if !self.broker.put_aside(segment, count) {
            self.broker.move_from(segment, MOVES);
            return true;
        }
        self.write_down();
        self.journal.iter_mut().for_each(|journal| journal.note_put_aside(segment));
        true
    }

    /// What streams keep in a segment, or in a stream file, is put into another one, as much as is
    /// done at a time.
    fn file_from(&mut self, segment: u32) {
        let Some(journal) = self.journal.as_mut() else { return };
        if !self.broker.file_from(segment) {
            return journal.note_emptied(segment);
        }
        while let Some(record) = self.broker.poll_filed() {
            let place = journal.file(&record);
            self.broker.handle_filed_at(place);
        }
        journal.write_filed();
    }

    /// The end of a turn: what has gathered goes to the disk.
    pub fn flush(&mut self, now: Time) {
        self.keep_house();
        if let Some(journal) = &mut self.journal {
            journal.seal(now);
        }
    }

    /// What the disk is to do next; `handle_disk` tells what came of it.
    pub fn poll_disk(&mut self) -> Option<Effect> {
        let journal = self.journal.as_mut()?;
        if let Some(effect) = journal.poll_effect() {
            return Some(effect);
        }
        let fetch = self.broker.poll_fetch()?;
        Some(Effect::Read { id: fetch.id, place: fetch.place })
    }

    /// The disk has done something.
    pub fn handle_disk(&mut self, now: Time, done: DiskDone) {
        let Some(journal) = &mut self.journal else { return };
        match done {
            DiskDone::Written(position) => journal.handle_written(position),
            DiskDone::Synced(position) => journal.handle_synced(now, position),
            DiskDone::Prepared(size) => journal.handle_prepared(now, size),
            DiskDone::Filed(is_durable) => {
                journal.handle_filed(now, is_durable);
                self.broker.handle_filed(is_durable);
            }
            DiskDone::Read { id, place, bytes } => {
                let journal_id = &self.config.journal_id;
                let frame = bytes.map(|bytes| journal::read_frame(journal_id, place, &bytes));
                let read = match &frame {
                    Some(Ok(record)) => Fetched::Record(record),
                    Some(Err(_)) => Fetched::Damaged,
                    None => Fetched::Nothing,
                };
                self.broker.handle_read(now, id, read);
            }
        }
        self.note_reached(now);
        self.after_input(now);
    }

    fn note_reached(&mut self, now: Time) {
        if let Some(journal) = &self.journal {
            let (written, durable) = journal.reached();
            self.broker.handle_log(now, written, durable);
        }
    }

    /// The host ends by itself: what was in memory only is written down. When the position that is
    /// returned is durable, the directory may be given back, after `seal_end`.
    pub fn close_down(&mut self, now: Time) -> Option<Position> {
        self.journal.as_ref()?;
        self.broker.close_down();
        self.write_down();
        self.is_closing = true;
        self.flush(now);
        self.journal.as_ref().map(Journal::last)
    }

    /// All is durable, and nothing follows: one last write says so.
    pub fn seal_end(&mut self) {
        if let Some(journal) = &mut self.journal {
            journal.seal_end();
        }
    }
}

fn copies_size(copies: &Copies) -> u64 {
    copies.message.size() as u64 + 256 + 24 * copies.places.len() as u64
}

fn appended_size(appended: &[AppendedPart]) -> u64 {
    appended.iter().map(|part| part.batch.len() as u64 + 64).sum()
}

/// Bytes that the tail will take, roughly.
fn tail_size(tail: &[Record]) -> u64 {
    let size = |record: &Record| match record {
        Record::Sent { sent, .. } => sent.message.size() as u64 + 256,
        Record::Batch { sent, published, streams, .. } => {
            let appended = appended_size(&streams.appended);
            let sent = sent.iter().map(|sent| sent.message.size() as u64 + 256);
            appended + sent.chain(published.iter().map(copies_size)).sum::<u64>()
        }
        Record::Published { copies, appended, .. } => copies_size(copies) + appended_size(appended),
        Record::Moved(stored) => stored.sent.message.size() as u64 + 1024,
        Record::Appended { batch, .. } => batch.len() as u64 + 256,
        _ => 256,
    };
    tail.iter().map(size).sum()
}
