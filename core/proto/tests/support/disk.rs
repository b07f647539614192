//! A disk in memory that does what a hub's journal wants when a test lets it.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use telpher_proto::base::{Error, Kind};
use telpher_proto::hub::DiskDone;
use telpher_proto::journal::{Effect, File, format};

#[derive(Default)]
pub struct Disk {
    /// What every process sees.
    pub files: BTreeMap<u32, Vec<u8>>,
    /// What survives a power cut.
    pub durable: BTreeMap<u32, Vec<u8>>,
    pub waiting: VecDeque<Effect>,
    pub is_full: bool,
    /// Nothing is done until this is cleared.
    pub is_paused: bool,
    /// Writes are done, syncs wait.
    pub no_sync: bool,
    unsynced: Vec<DiskDone>,
    /// Writes that only processes see so far.
    unsynced_writes: Vec<(u32, usize, Bytes)>,
}

impl Disk {
    pub fn files(&self) -> Vec<File> {
        let file =
            |(number, bytes): (&u32, &Vec<u8>)| File { number: *number, size: bytes.len() as u64 };
        self.files.iter().map(file).collect()
    }

    pub fn read(&self, number: u32) -> Result<Bytes, Error> {
        let file = self.files.get(&number);
        file.map(|bytes| Bytes::copy_from_slice(bytes))
            .ok_or_else(|| Error::new(Kind::Io, format!("there is no segment {number}")))
    }

    pub fn make(&mut self, (number, size, content): (u32, u64, &Bytes)) {
        let mut file = content.to_vec();
        file.resize(size as usize, 0);
        self.files.insert(number, file.clone());
        self.durable.insert(number, file);
    }

    pub fn remove(&mut self, number: u32) {
        self.files.remove(&number);
        self.durable.remove(&number);
    }

    /// The machine loses its power: what was not synced is gone.
    pub fn cut_power(&mut self) {
        self.files.clone_from(&self.durable);
        self.unsynced_writes.clear();
        self.forget_work();
    }

    /// The host is killed: what it had not written yet is gone.
    pub fn forget_work(&mut self) {
        self.waiting.clear();
        self.unsynced.clear();
    }

    /// Does the next thing; what comes of it.
    pub fn next(&mut self) -> Vec<DiskDone> {
        if self.is_paused {
            return Vec::new();
        }
        if !self.no_sync && !self.unsynced.is_empty() {
            for (segment, offset, bytes) in self.unsynced_writes.drain(..) {
                write(self.durable.entry(segment).or_default(), offset, &bytes);
            }
            return std::mem::take(&mut self.unsynced);
        }
        match self.waiting.pop_front() {
            None => Vec::new(),
            Some(Effect::Write { segment, offset, bytes, last, sync }) => {
                write(self.files.entry(segment).or_default(), offset as usize, &bytes);
                self.unsynced_writes.push((segment, offset as usize, bytes));
                if sync {
                    self.unsynced.push(DiskDone::Synced(last));
                }
                vec![DiskDone::Written(last)]
            }
            Some(Effect::Prepare { .. }) if self.is_full => vec![DiskDone::Prepared(None)],
            Some(Effect::Prepare { segment, size }) => {
                self.make((segment, size, &Bytes::new()));
                vec![DiskDone::Prepared(Some(size))]
            }
            Some(Effect::Free { segment }) => {
                self.remove(segment);
                self.next()
            }
            Some(Effect::Read { id, place }) => {
                let from = place.offset as usize * 8;
                let to = from + format::frame_size(place.size as usize);
                let file = &self.files[&place.segment];
                let bytes = Bytes::copy_from_slice(&file[from..to.min(file.len())]);
                vec![DiskDone::Read { id, place, bytes }]
            }
        }
    }
}

fn write(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    file.resize(file.len().max(end), 0);
    file[offset..end].copy_from_slice(bytes);
}
