//! The disk of the hub's machine: files with an image that every process sees and one that survives
//! a power cut.
//!
//! ```text
//! write -> written image, and unsynced -> sync -> durable image
//! put, remove -> names, and pending    -> sync of the directory -> durable names
//! ```
//! At a power cut each unsynced write survives whole, not at all, or torn, and of the pending names
//! any part does. A sync that fails leaves the written image as it is and forgets what was
//! unsynced: nobody knows which of it is durable, and no later sync will make it so.

use std::collections::BTreeMap;

use telpher_proto::base::record::{ASIDE, STREAM_FILES};
use telpher_proto::journal::File;

use crate::random::Random;

#[derive(Clone, Debug)]
struct Write {
    offset: usize,
    bytes: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
struct Inode {
    written: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Write>,
}

#[derive(Clone, Copy, Debug)]
enum Naming {
    Put(u32, usize),
    Remove(u32),
    PutAside(u32),
}

/// What the directory's own record says; it is replaced as a whole, and durable at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Note {
    /// The highest epoch that any host has taken.
    pub epoch: u64,
    /// The last one with which a host has served.
    pub served: u64,
    /// A segment that there must be.
    pub segment: u32,
}

/// The disk.
#[derive(Debug, Default)]
pub struct Disk {
    inodes: Vec<Inode>,
    names: BTreeMap<u32, usize>,
    durable_names: BTreeMap<u32, usize>,
    pending: Vec<Naming>,
    /// The directory's record.
    pub note: Note,
    /// The last checkpoint. Nothing of it is ever synced.
    pub checkpoint: Option<Vec<u8>>,
    /// What a power cut may leave of earlier ones.
    checkpoints: Vec<Option<Vec<u8>>>,
    /// There is no room.
    pub is_full: bool,
    /// There is room, but none to spare.
    pub is_tight: bool,
    /// Room is kept for the first segment of a host.
    pub has_reserve: bool,
}

/// Puts bytes into an image, which grows if need be.
fn put(image: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if image.len() < end {
        image.resize(end, 0);
    }
    image[offset..end].copy_from_slice(bytes);
}

impl Inode {
    fn sync(&mut self) {
        for write in self.unsynced.drain(..) {
            put(&mut self.durable, write.offset, &write.bytes);
        }
    }

    /// Of what is unsynced, some becomes durable.
    fn settle(&mut self, random: &mut Random) {
        for write in std::mem::take(&mut self.unsynced) {
            match random.below(3) {
                0 => {}
                1 => put(&mut self.durable, write.offset, &write.bytes),
                _ => self.tear(random, &write),
            }
        }
    }

    /// Some parts of a write survive: a beginning, an end, or any of its sectors.
    fn tear(&mut self, random: &mut Random, write: &Write) {
        let Write { offset, bytes } = write;
        let cut = (8 * random.below(bytes.len() as u64 / 8 + 1)) as usize;
        match random.below(4) {
            0 => put(&mut self.durable, *offset, &bytes[..cut]),
            1 => put(&mut self.durable, offset + cut, &bytes[cut..]),
            kind => {
                let sector = if kind == 2 { 512 } else { 8 };
                let mut at = 0;
                while at < bytes.len() {
                    let end = ((offset + at) / sector + 1) * sector - offset;
                    let end = end.min(bytes.len());
                    if random.chance(60) {
                        put(&mut self.durable, offset + at, &bytes[at..end]);
                    }
                    at = end;
                }
            }
        }
    }
}

impl Disk {
    /// An empty one.
    pub fn new() -> Disk {
        Disk { has_reserve: true, ..Disk::default() }
    }

    /// The segments, and the stream files.
    pub fn files(&self) -> (Vec<File>, Vec<File>) {
        let size = |inode: &usize| self.inodes[*inode].written.len() as u64;
        let file = |(number, inode): (&u32, &usize)| File { number: *number, size: size(inode) };
        self.names.iter().map(file).partition(|file| file.number < ASIDE)
    }

    /// What every process sees of a segment, put aside or not, or a stream file.
    pub fn read(&self, number: u32) -> Option<&[u8]> {
        let other = match number {
            0..ASIDE => ASIDE + number,
            ASIDE..STREAM_FILES => number - ASIDE,
            _ => number,
        };
        self.names
            .get(&number)
            .or_else(|| self.names.get(&other))
            .map(|inode| &self.inodes[*inode].written[..])
    }

    /// Writes to a segment; false if there is none, or it would have to grow on a full disk.
    pub fn write(&mut self, number: u32, offset: u64, bytes: &[u8]) -> bool {
        let Some(inode) = self.names.get(&number) else { return false };
        let inode = &mut self.inodes[*inode];
        let offset = offset as usize;
        if self.is_full && offset + bytes.len() > inode.written.len() {
            return false;
        }
        put(&mut inode.written, offset, bytes);
        inode.unsynced.push(Write { offset, bytes: bytes.to_vec() });
        true
    }

    /// What was written to a segment is durable.
    pub fn sync(&mut self, number: u32) {
        if let Some(inode) = self.names.get(&number) {
            self.inodes[*inode].sync();
        }
    }

    /// Syncing a segment fails.
    pub fn fail_sync(&mut self, number: u32, random: &mut Random) {
        if let Some(inode) = self.names.get(&number) {
            self.inodes[*inode].settle(random);
        }
    }

    /// A file without a name: zeros behind `content`; durable unless it is said otherwise.
    pub fn make(&mut self, size: u64, content: &[u8], is_synced: bool) -> usize {
        let mut written = content.to_vec();
        written.resize(written.len().max(size as usize), 0);
        let mut inode = Inode { durable: written.clone(), written, unsynced: Vec::new() };
        if !is_synced {
            inode.durable = vec![0; inode.written.len()];
            inode.unsynced.push(Write { offset: 0, bytes: content.to_vec() });
        }
        self.inodes.push(inode);
        self.inodes.len() - 1
    }

    /// The file gets its name, and whatever had that loses it.
    pub fn put(&mut self, number: u32, inode: usize) {
        self.names.insert(number, inode);
        self.pending.push(Naming::Put(number, inode));
    }

    /// A segment is removed.
    pub fn remove(&mut self, number: u32) {
        if self.names.remove(&number).is_some() {
            self.pending.push(Naming::Remove(number));
        }
    }

    /// A file ends behind `size` bytes.
    pub fn cut(&mut self, number: u32, size: usize) {
        if let Some(inode) = self.names.get(&number) {
            self.inodes[*inode].written.truncate(size);
            self.inodes[*inode].durable.truncate(size);
        }
    }

    /// A segment gets the number that it has out of the journal.
    pub fn put_aside(&mut self, number: u32) {
        if let Some(inode) = self.names.remove(&number) {
            self.names.insert(ASIDE + number, inode);
            self.pending.push(Naming::PutAside(number));
        }
    }

    /// All names are durable.
    pub fn sync_names(&mut self) {
        self.pending.clear();
        self.durable_names.clone_from(&self.names);
        self.forget_nameless();
    }

    /// Puts a checkpoint in the place of the last one.
    pub fn put_checkpoint(&mut self, content: Vec<u8>) {
        self.checkpoints.push(self.checkpoint.replace(content));
        if self.checkpoints.len() > 3 {
            self.checkpoints.remove(0);
        }
    }

    /// The last checkpoint is there, or an earlier one, or none; and its bytes may be torn.
    fn tear_checkpoint(&mut self, random: &mut Random) {
        let mut all = std::mem::take(&mut self.checkpoints);
        all.push(self.checkpoint.take());
        let mut inode = Inode::default();
        if let Some(bytes) = random.pick(&all).flatten() {
            let write = Write { offset: 0, bytes };
            if random.chance(50) {
                inode.unsynced.push(write);
                inode.settle(random);
            } else {
                inode.durable = write.bytes;
            }
            self.checkpoint = Some(inode.durable);
        }
    }

    /// The machine loses its power.
    pub fn cut_power(&mut self, random: &mut Random) {
        self.tear_checkpoint(random);
        let in_order = random.chance(50);
        let kept = random.below(self.pending.len() as u64 + 1) as usize;
        for (place, naming) in std::mem::take(&mut self.pending).into_iter().enumerate() {
            let survives = if in_order { place < kept } else { random.chance(50) };
            match naming {
                Naming::Put(number, inode) if survives => {
                    self.durable_names.insert(number, inode);
                }
                Naming::Remove(number) if survives => {
                    self.durable_names.remove(&number);
                }
                Naming::PutAside(number) if survives => {
                    let inode = self.durable_names.remove(&number);
                    inode.and_then(|inode| self.durable_names.insert(ASIDE + number, inode));
                }
                _ => {}
            }
        }
        self.names.clone_from(&self.durable_names);
        for inode in self.names.values() {
            let inode = &mut self.inodes[*inode];
            inode.settle(random);
            inode.written.clone_from(&inode.durable);
        }
        self.forget_nameless();
    }

    /// All segments are replaced by a durable one.
    pub fn replace(&mut self, number: u32, content: &[u8]) {
        self.names.retain(|number, _| *number >= ASIDE);
        let inode = self.make(content.len() as u64, content, true);
        self.put(number, inode);
        self.sync_names();
        self.note.segment = 0;
        self.checkpoint = None;
    }

    /// Files that no name leads to any more take no memory.
    fn forget_nameless(&mut self) {
        for (place, inode) in self.inodes.iter_mut().enumerate() {
            let named = |names: &BTreeMap<u32, usize>| names.values().any(|of| *of == place);
            if !inode.written.is_empty() && !named(&self.names) && !named(&self.durable_names) {
                *inode = Inode::default();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk() -> Disk {
        let mut disk = Disk::new();
        let inode = disk.make(4_096, b"begin", true);
        disk.put(1, inode);
        disk.sync_names();
        disk
    }

    #[test]
    fn what_was_synced_survives_a_power_cut_and_what_was_not_may_be_torn() {
        let (mut whole, mut gone, mut torn) = (0, 0, 0);
        for seed in 0..200 {
            let mut disk = disk();
            disk.write(1, 8, &[7; 1_000]);
            disk.sync(1);
            disk.write(1, 1_008, &[9; 1_000]);
            disk.cut_power(&mut Random::new(seed));
            let image = disk.read(1).unwrap();
            assert!(image.starts_with(b"begin") && image[8..1_008] == [7; 1_000]);
            match image[1_008..2_008].iter().filter(|byte| **byte == 9).count() {
                0 => gone += 1,
                1_000 => whole += 1,
                _ => torn += 1,
            }
        }
        assert!(whole > 20 && gone > 20 && torn > 20, "{whole} {gone} {torn}");
    }

    #[test]
    fn a_sync_after_a_failed_one_makes_nothing_durable() {
        let mut lost = 0;
        for seed in 0..100 {
            let (mut disk, mut random) = (disk(), Random::new(seed));
            disk.write(1, 8, &[7; 16]);
            disk.fail_sync(1, &mut random);
            assert_eq!(disk.read(1).unwrap()[8..24], [7; 16]);
            disk.sync(1);
            disk.cut_power(&mut random);
            lost += u32::from(disk.read(1).unwrap()[8..24] != [7; 16]);
        }
        assert!(lost > 20);
    }

    #[test]
    fn a_name_that_was_not_synced_may_be_gone_but_never_leads_to_half_a_file() {
        let (mut there, mut gone) = (0, 0);
        for seed in 0..100 {
            let mut disk = disk();
            let inode = disk.make(4_096, &[3; 100], true);
            disk.put(2, inode);
            disk.remove(1);
            disk.cut_power(&mut Random::new(seed));
            match disk.read(2) {
                Some(image) => {
                    assert_eq!(image[..100], [3; 100]);
                    there += 1;
                }
                None => gone += 1,
            }
        }
        assert!(there > 20 && gone > 20);
    }
}
