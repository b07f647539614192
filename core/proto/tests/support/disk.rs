//! A disk in memory that does what a hub's journal wants when a test lets it, and fails when a test
//! wants that.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use telpher_proto::base::record::{ASIDE, Place, STREAM_FILES};
use telpher_proto::base::{Error, Kind};
use telpher_proto::hub::DiskDone;
use telpher_proto::journal::{Effect, File, format};

#[derive(Default)]
pub struct Disk {
    /// What every process sees.
    pub files: BTreeMap<u32, Vec<u8>>,
    /// What survives a power cut.
    pub durable: BTreeMap<u32, Vec<u8>>,
    pub checkpoint: Option<Bytes>,
    /// Segments that were read as a whole.
    pub reads: Vec<u32>,
    /// Records that were read.
    pub records_read: usize,
    /// The last position that was written.
    pub written: u64,
    pub waiting: VecDeque<Effect>,
    pub is_full: bool,
    /// What is read for a hub is not given, though what a host begins with is.
    pub is_unreadable: bool,
    /// Bytes that segments may have together, if there is a limit.
    pub capacity: Option<u64>,
    /// Nothing is done until this is cleared.
    pub is_paused: bool,
    /// Everything but writes is done.
    pub no_write: bool,
    /// Writes are done, syncs wait.
    pub no_sync: bool,
    /// Which operations fail.
    pub faults: Faults,
    /// Files that were removed come back after a power cut, unless a new one was made since.
    pub forgets_removals: bool,
    unsynced: Vec<DiskDone>,
    /// Written, and not covered by any sync.
    dirty: Vec<(u32, usize, Bytes)>,
    removed: BTreeSet<u32>,
}

/// Which operations of a disk fail, counted from 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// How many there have been.
    pub count: u64,
    /// The one that fails; 0 is none.
    pub at: u64,
    /// All after it fail, too.
    pub for_ever: bool,
}

impl Disk {
    /// One operation.
    fn step(&mut self) -> Result<(), Error> {
        let Faults { count, at, for_ever } = &mut self.faults;
        *count += 1;
        if *at != 0 && (*count == *at || (*for_ever && *count > *at)) {
            return Err(Error::new(Kind::Io, format!("operation {count} failed")));
        }
        Ok(())
    }

    /// The segments that there are, and the stream files.
    pub fn files(&mut self) -> Result<(Vec<File>, Vec<File>), Error> {
        self.step()?;
        let file =
            |(number, bytes): (&u32, &Vec<u8>)| File { number: *number, size: bytes.len() as u64 };
        Ok(self.files.iter().map(file).partition(|file| file.number < ASIDE))
    }

    pub fn read(&mut self, number: u32) -> Result<Bytes, Error> {
        self.step()?;
        self.reads.push(number);
        let file = self.files.get(&number);
        file.map(|bytes| Bytes::copy_from_slice(bytes))
            .ok_or_else(|| Error::new(Kind::Io, format!("there is no segment {number}")))
    }

    pub fn make(&mut self, (number, size, content): (u32, u64, &Bytes)) -> Result<(), Error> {
        self.step()?;
        let mut file = content.to_vec();
        file.resize(size as usize, 0);
        self.files.insert(number, file.clone());
        self.dirty.retain(|(segment, ..)| *segment != number);
        // It has its name, and nobody knows whether it keeps it.
        self.step()?;
        for gone in std::mem::take(&mut self.removed) {
            self.durable.remove(&gone);
        }
        self.durable.insert(number, file);
        Ok(())
    }

    pub fn remove(&mut self, number: u32) -> Result<(), Error> {
        self.step()?;
        self.files.remove(&number);
        self.removed.insert(number);
        Ok(())
    }

    /// A segment gets another name, and may have the old one again after a power cut.
    fn put_aside(&mut self, number: u32, size: u64) -> Result<(), Error> {
        self.step()?;
        let mut file = self.files.remove(&number).expect("there is such a segment");
        file.truncate(size as usize);
        self.files.insert(ASIDE + number, file.clone());
        if !self.forgets_removals {
            self.durable.remove(&number);
            self.durable.insert(ASIDE + number, file);
        }
        Ok(())
    }

    /// The number under which a segment, put aside or not, or a stream file is there.
    fn named(&self, number: u32) -> u32 {
        match number {
            ASIDE..STREAM_FILES if !self.files.contains_key(&number) => number - ASIDE,
            0..ASIDE if !self.files.contains_key(&number) => ASIDE + number,
            _ => number,
        }
    }

    /// The machine loses its power: what was not synced is gone.
    pub fn cut_power(&mut self) {
        for gone in std::mem::take(&mut self.removed) {
            if !self.forgets_removals {
                self.durable.remove(&gone);
            }
        }
        self.files.clone_from(&self.durable);
        self.dirty.clear();
        self.forget_work();
    }

    /// The host is killed: what it had not written yet is gone, and what it had not synced yet is
    /// not synced by those that come after it.
    pub fn forget_work(&mut self) {
        self.waiting.clear();
        self.unsynced.clear();
    }

    /// Does the next thing; what comes of it.
    ///
    /// # Errors
    ///
    /// If the thing failed: the host has to go.
    pub fn next(&mut self) -> Result<Vec<DiskDone>, Error> {
        if self.is_paused {
            return Ok(Vec::new());
        }
        if !self.no_sync && !self.unsynced.is_empty() {
            self.sync()?;
            return Ok(std::mem::take(&mut self.unsynced));
        }
        let may_be_done =
            |effect: &Effect| !self.no_write || !matches!(effect, Effect::Write { .. });
        let next = self.waiting.iter().position(may_be_done);
        Ok(match next.and_then(|next| self.waiting.remove(next)) {
            None => Vec::new(),
            Some(Effect::Write { segment, offset, bytes, last, sync }) => {
                self.write(segment, offset as usize, bytes)?;
                self.written = last;
                if sync {
                    self.unsynced.push(DiskDone::Synced(last));
                }
                vec![DiskDone::Written(last)]
            }
            Some(Effect::Prepare { size, spare, .. }) if !self.has_room(size + spare) => {
                vec![DiskDone::Prepared(None)]
            }
            Some(Effect::Prepare { segment, size, .. }) => {
                self.make((segment, size, &Bytes::new()))?;
                vec![DiskDone::Prepared(Some(size))]
            }
            Some(Effect::Free { segment }) => {
                self.remove(segment)?;
                return self.next();
            }
            Some(Effect::PutAside { segment, size }) => {
                self.put_aside(segment, size)?;
                return self.next();
            }
            Some(Effect::Append { bytes, spare, .. })
                if !self.has_room(bytes.len() as u64 + spare) =>
            {
                vec![DiskDone::Filed(false)]
            }
            Some(Effect::Append { segment, offset, bytes, .. }) => {
                self.append((segment, offset as usize), bytes)?;
                vec![DiskDone::Filed(true)]
            }
            Some(Effect::Checkpoint { bytes }) => {
                // Nobody misses one that could not be written.
                if self.step().is_ok() {
                    self.checkpoint = Some(bytes);
                }
                return self.next();
            }
            Some(Effect::Read { id, place }) => vec![self.read_frame(id, place)?],
        })
    }

    fn read_frame(&mut self, id: u64, place: Place) -> Result<DiskDone, Error> {
        self.step()?;
        self.records_read += 1;
        let from = place.offset as usize * 8;
        let to = from + format::frame_size(place.size as usize);
        let file = &self.files[&self.named(place.segment)];
        let bytes = Bytes::copy_from_slice(&file[from..to.min(file.len())]);
        let bytes = Some(bytes).filter(|_| !self.is_unreadable);
        Ok(DiskDone::Read { id, place, bytes })
    }

    fn has_room(&self, size: u64) -> bool {
        let used = self.files.values().map(|file| file.len() as u64).sum::<u64>();
        !self.is_full && self.capacity.is_none_or(|capacity| used + size <= capacity)
    }

    fn write(&mut self, segment: u32, offset: usize, bytes: Bytes) -> Result<(), Error> {
        let failed = self.step();
        let bytes = match &failed {
            Ok(()) => bytes,
            // Whatever fails may have been done in part.
            Err(_) => bytes.slice(..bytes.len() / 2),
        };
        put(self.files.entry(segment).or_default(), offset, &bytes);
        self.dirty.push((segment, offset, bytes));
        failed
    }

    /// Writes to a stream file and syncs that.
    fn append(&mut self, (number, offset): (u32, usize), bytes: Bytes) -> Result<(), Error> {
        self.write(number, offset, bytes)?;
        self.step()?;
        let content = self.files[&number].clone();
        self.removed.remove(&number);
        self.durable.insert(number, content);
        self.dirty.retain(|(segment, ..)| *segment != number);
        Ok(())
    }

    /// What a sync that fails should have covered stays in the cache, and no later sync writes it.
    fn sync(&mut self) -> Result<(), Error> {
        let failed = self.step();
        for (segment, offset, bytes) in std::mem::take(&mut self.dirty) {
            if failed.is_ok()
                && let Some(file) = self.durable.get_mut(&segment)
            {
                put(file, offset, &bytes);
            }
        }
        failed
    }
}

fn put(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    file.resize(file.len().max(end), 0);
    file[offset..end].copy_from_slice(bytes);
}

/// How a file is called in texts.
pub fn name(number: u32) -> String {
    match number {
        0..ASIDE => format!("journal.{number:08}"),
        ASIDE..STREAM_FILES => format!("aside.{:08}", number - ASIDE),
        _ => format!("stream.{:08}", number - STREAM_FILES),
    }
}
