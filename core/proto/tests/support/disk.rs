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
            self.durable.clone_from(&self.files);
            return std::mem::take(&mut self.unsynced);
        }
        match self.waiting.pop_front() {
            None => Vec::new(),
            Some(Effect::Write { segment, offset, bytes, last, sync }) => {
                let file = self.files.entry(segment).or_default();
                let end = offset as usize + bytes.len();
                file.resize(file.len().max(end), 0);
                file[offset as usize..end].copy_from_slice(&bytes);
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
