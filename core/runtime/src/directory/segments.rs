//! The journal's files.
//!
//! ```text
//! journal.00000007      a segment
//! journal.00000008.PID.tmp
//!                       one that is being made: filled with zeros, or given room that reads as
//!                       zeros, and synced before it is renamed
//! stream.00000001       a stream file: what streams keep of old segments
//! aside.00000005        a segment that was put aside as it was, for the same
//! checkpoint            what stood at the beginning of a segment: a cache
//! reserve               room on a full disk for the next host's first segment
//! ```
//! Everything here goes through the system's C library, so that a test can put itself between.
//!
//! Floor: directory.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use telpher_proto::base::limits::RESERVE_SIZE;
use telpher_proto::base::record::{ASIDE, Place, STREAM_FILES};
use telpher_proto::base::{Error, Kind};
use telpher_proto::journal::{self, format};

use super::{Directory, open};
use crate::descriptors::Tracked;
use crate::system;

/// What the names of segments begin with.
pub(super) const PREFIX: &str = "journal.";

/// What the names of stream files begin with.
pub(super) const STREAM_PREFIX: &str = "stream.";

/// What the names of segments begin with that were put aside.
const ASIDE_PREFIX: &str = "aside.";

/// The file that keeps room.
pub(super) const RESERVE: &str = "reserve";

/// Bytes of it that are given up first, for the small files that a next host writes before.
const SPARE_SIZE: u64 = 64 * 1024;

/// The last checkpoint.
pub(super) const CHECKPOINT: &str = "checkpoint";

/// Zeros written at a time.
const CHUNK_SIZE: usize = 1024 * 1024;

/// An open file of the directory.
pub(crate) type SegmentFile = Tracked<File>;

/// A segment that is being made.
pub(crate) struct Filling {
    file: SegmentFile,
    temporary: PathBuf,
    path: PathBuf,
    size: u64,
    filled: u64,
    /// What is written of it at a time.
    zeros: Vec<u8>,
}

/// The name of a segment's file, or of a stream file.
pub(crate) fn segment_name(number: u32) -> String {
    match number {
        0..ASIDE => format!("{PREFIX}{number:08}"),
        ASIDE..STREAM_FILES => format!("{ASIDE_PREFIX}{:08}", number - ASIDE),
        _ => format!("{STREAM_PREFIX}{:08}", number - STREAM_FILES),
    }
}

impl Directory {
    fn segment_path(&self, number: u32) -> PathBuf {
        self.path().join(segment_name(number))
    }

    /// The path of a segment, for texts.
    pub(crate) fn segment_text(&self, number: u32) -> String {
        self.segment_path(number).display().to_string()
    }

    /// Every segment that there is.
    ///
    /// # Errors
    ///
    /// `IO` with the system's words.
    pub(crate) fn segments(&self) -> Result<Vec<journal::File>, Error> {
        self.numbered(PREFIX, 0)
    }

    /// Every segment that was put aside, and every stream file.
    ///
    /// # Errors
    ///
    /// As `segments`.
    pub(crate) fn stream_files(&self) -> Result<Vec<journal::File>, Error> {
        let mut found = self.numbered(ASIDE_PREFIX, ASIDE)?;
        found.extend(self.numbered(STREAM_PREFIX, STREAM_FILES)?);
        Ok(found)
    }

    /// Files whose names have this prefix and a number; `first` is added to that.
    fn numbered(&self, prefix: &str, first: u32) -> Result<Vec<journal::File>, Error> {
        let failed = |error: io::Error| self.failed_at("", &error);
        let mut found = Vec::new();
        let most = if first == STREAM_FILES { STREAM_FILES } else { ASIDE };
        for entry in std::fs::read_dir(self.path()).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let digits = name.to_str().and_then(|name| name.strip_prefix(prefix));
            let digits = digits.filter(|digits| digits.len() >= 8);
            let number: Option<u32> = digits.and_then(|digits| digits.parse().ok());
            if let Some(number) = number.filter(|number| *number < most) {
                let number = first + number;
                let size = entry.metadata().map_err(failed)?.len();
                found.push(journal::File { number, size });
            }
        }
        found.sort_unstable_by_key(|file| file.number);
        Ok(found)
    }

    /// A segment's whole content.
    ///
    /// # Errors
    ///
    /// `IO` with the system's words.
    pub(crate) fn read_segment(&self, number: u32) -> Result<Bytes, Error> {
        let failed = |error: io::Error| self.failed_at(&segment_name(number), &error);
        let file = self.open_segment(number, false).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len() as usize;
        let mut content = BytesMut::zeroed(size);
        file.read_exact_at(&mut content, 0).map_err(failed)?;
        Ok(content.freeze())
    }

    /// The last checkpoint, if it can be had.
    pub(crate) fn read_checkpoint(&self) -> Option<Bytes> {
        let file = open(&self.path().join(CHECKPOINT), OpenOptions::new().read(true)).ok()?;
        let mut content = Vec::new();
        (&*file).read_to_end(&mut content).ok()?;
        Some(content.into())
    }

    /// Puts a checkpoint in the place of the last one. It need not be durable.
    pub(crate) fn write_checkpoint(&self, content: &Bytes) -> io::Result<()> {
        let path = self.path().join(CHECKPOINT);
        let temporary = path.with_extension("tmp");
        make(&temporary)?.write_all_at(content, 0)?;
        std::fs::rename(&temporary, &path)
    }

    /// Makes the copy of a segment; it is not durable yet.
    pub(crate) fn put_segment(&self, number: u32, content: &[u8]) -> io::Result<()> {
        let file = make(&self.segment_path(number))?;
        // What was prepared and never written takes no room.
        let end = content.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        file.write_all_at(&content[..end], 0)?;
        file.set_len(content.len() as u64)
    }

    /// Makes the copy of a segment durable with its first `used` bytes and nothing behind them.
    pub(crate) fn finish_copy(&self, number: u32, (size, used): (u64, u64)) -> io::Result<()> {
        let file = self.open_segment(number, true)?;
        file.set_len(used)?;
        file.set_len(size)?;
        file.sync_all()
    }

    /// Opens a segment, under the name that it has: it may just get another, or not have it yet.
    pub(crate) fn open_segment(&self, number: u32, write: bool) -> io::Result<SegmentFile> {
        let named =
            |number| open(&self.segment_path(number), OpenOptions::new().read(true).write(write));
        let other = match number {
            0..ASIDE => ASIDE + number,
            ASIDE..STREAM_FILES => number - ASIDE,
            _ => return named(number),
        };
        named(number).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => named(other).map_err(|_| error),
            _ => Err(error),
        })
    }

    /// Gives a segment its name out of the journal, and then cuts off what it does not hold: no
    /// segment of the journal is shorter than it was made.
    pub(crate) fn put_aside(&self, number: u32, size: u64) -> io::Result<()> {
        let path = self.segment_path(ASIDE + number);
        std::fs::rename(self.segment_path(number), &path)?;
        self.sync()?;
        open(&path, OpenOptions::new().write(true))?.set_len(size)
    }

    /// Writes to a stream file and makes that durable, with the file's name if it is new.
    pub(crate) fn append(&self, number: u32, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        // Should another process host by now, this one must not have taken its file.
        options.read(true).write(true).create_new(offset == 0);
        let file = open(&self.segment_path(number), &mut options)?;
        file.write_all_at(bytes, offset)?;
        file.sync_data()?;
        if offset == 0 {
            self.sync()?;
        }
        Ok(())
    }

    /// Begins to make a segment.
    pub(crate) fn begin_segment(&self, number: u32, size: u64) -> io::Result<Filling> {
        let path = self.segment_path(number);
        // Of a process that has lost its lock file and does not know it yet the name is another.
        let temporary = path.with_extension(format!("{number:08}.{}.tmp", std::process::id()));
        let file = make(&temporary)?;
        Ok(Filling { file, temporary, path, size, filled: 0, zeros: Vec::new() })
    }

    /// Makes the segment with which a host begins; on a full disk out of what was kept for that.
    ///
    /// # Errors
    ///
    /// `NO_SPACE`, or `IO` with the system's words.
    pub(crate) fn make_first(
        &self,
        (number, size, content): (u32, u64, &Bytes),
    ) -> Result<(), Error> {
        let made = self.make_whole(number, size, content).or_else(|error| {
            let _ = self.drop_temporaries();
            if !is_full(&error) {
                return Err(error);
            }
            match self.make_from_reserve(number, size, content) {
                Err(missing) if missing.kind() == io::ErrorKind::NotFound => Err(error),
                made => made,
            }
        });
        made.map_err(|error| {
            if is_full(&error) {
                let path = self.segment_text(number);
                return Error::new(Kind::NoSpace, format!("no room on the disk for {path}"));
            }
            self.failed_at(&segment_name(number), &error)
        })
    }

    fn make_whole(&self, number: u32, size: u64, content: &Bytes) -> io::Result<()> {
        let mut filling = self.begin_segment(number, size)?;
        while !filling.fill()? {}
        filling.file.write_all_at(content, 0)?;
        filling.finish(self)
    }

    fn make_from_reserve(&self, number: u32, size: u64, content: &Bytes) -> io::Result<()> {
        let reserve = self.path().join(RESERVE);
        let file = open(&reserve, OpenOptions::new().write(true))?;
        if file.metadata()?.len() < size.max(content.len() as u64) {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        file.write_all_at(content, 0)?;
        file.sync_all()?;
        std::fs::rename(&reserve, self.segment_path(number))?;
        self.sync()
    }

    /// Sees to it that there is room for the next host's first segment, if that can be had.
    pub(crate) fn keep_reserve(&self) -> io::Result<()> {
        let path = self.path().join(RESERVE);
        if std::fs::metadata(&path).is_ok_and(|found| found.len() == RESERVE_SIZE + SPARE_SIZE) {
            return Ok(());
        }
        let temporary = path.with_extension("tmp");
        let file = make(&temporary)?;
        let (size, filled) = (RESERVE_SIZE + SPARE_SIZE, 0);
        let mut filling = Filling { file, temporary, path, size, filled, zeros: Vec::new() };
        loop {
            match filling.fill() {
                Ok(false) => {}
                Ok(true) => return filling.finish(self),
                Err(error) => {
                    filling.give_up();
                    return Err(error);
                }
            }
        }
    }

    /// Gives up a part of the reserve; true if there was any left of that.
    pub(super) fn give_spare(&self) -> bool {
        let reserve = open(&self.path().join(RESERVE), OpenOptions::new().write(true));
        reserve.is_ok_and(|file| {
            let is_whole = file.metadata().is_ok_and(|found| found.len() > RESERVE_SIZE);
            is_whole && file.set_len(RESERVE_SIZE).is_ok()
        })
    }

    /// True unless the file system says that it has fewer free bytes. A quota may allow less.
    pub(crate) fn has_room(&self, size: u64) -> bool {
        let free = rustix::fs::fstatvfs(self);
        free.map_or(true, |found| found.f_bavail * found.f_frsize >= size)
    }

    /// Removes a segment; that it is gone already is fine.
    pub(crate) fn remove_segment(&self, number: u32) -> io::Result<()> {
        match std::fs::remove_file(self.segment_path(number)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes what hosts have left half made.
    pub(crate) fn drop_temporaries(&self) -> io::Result<()> {
        for entry in std::fs::read_dir(self.path())? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let is_ours = [PREFIX, RESERVE, CHECKPOINT].iter().any(|own| name.starts_with(own));
            if is_ours && name.ends_with(".tmp") {
                std::fs::remove_file(&path)?;
            }
        }
        Ok(())
    }
}

impl Filling {
    /// Has the file system give room that reads as zeros, if it can: then nothing is left to fill.
    pub(crate) fn reserve(&mut self) -> io::Result<()> {
        if system::reserve(&self.file, self.size)? {
            self.filled = self.size;
        }
        Ok(())
    }

    /// Writes some more zeros; true when that was the last.
    pub(crate) fn fill(&mut self) -> io::Result<bool> {
        let left = self.size - self.filled;
        let part = left.min(CHUNK_SIZE as u64) as usize;
        if self.zeros.len() < part {
            // Nothing writes to them, so the system has one page of zeros for all of them.
            self.zeros = vec![0; part];
        }
        (&*self.file).write_all(&self.zeros[..part])?;
        self.filled += part as u64;
        Ok(self.filled == self.size)
    }

    /// The file is durable, then has its name.
    pub(crate) fn finish(self, directory: &Directory) -> io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.temporary, &self.path)?;
        directory.sync()
    }

    /// Removes what was made so far.
    pub(crate) fn give_up(self) {
        let _ = std::fs::remove_file(&self.temporary);
    }

    /// The segment's size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }
}

fn make(path: &Path) -> io::Result<SegmentFile> {
    open(path, OpenOptions::new().write(true).create(true).truncate(true))
}

/// Reads the frame of a record; fewer bytes than it has if the file is too short.
pub(crate) fn read_frame(file: &SegmentFile, place: Place) -> io::Result<Bytes> {
    let mut frame = BytesMut::zeroed(format::frame_size(place.size as usize));
    let mut at = 0;
    while at < frame.len() {
        match file.read_at(&mut frame[at..], u64::from(place.offset) * 8 + at as u64) {
            Ok(0) => break,
            Ok(count) => at += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    frame.truncate(at);
    Ok(frame.freeze())
}

/// True if there was no room.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT))
}
