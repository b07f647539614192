//! A copy of a hub, made while that goes on.
//!
//! ```text
//! TARGET/incomplete/  <- each segment, as it is scanned; the last one only as far as it is whole
//!                     <- a hub's record of its own; everything synced, then scanned once more
//! TARGET/             <- the files, VERSION last
//! ```
//! Until the end the target holds something that no hub's directory does, so nobody can take what
//! is there for a hub.
//!
//! Floor: directory.

use std::cell::RefCell;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use telpher_proto::base::{Error, Kind};

use super::scan::{Failure, Found, patiently};
use super::{Report, check};
use crate::clock;
use crate::directory::{Directory, Record, is_full};

/// Where a copy lies until it is whole.
const INCOMPLETE: &str = "incomplete";

/// Copies the hub of the directory `from`, hosted or not, to `to`, which is made, or is empty.
///
/// The copy holds everything that was confirmed before this function was called; what is confirmed
/// meanwhile may be in it. It is another hub: programs of the first one never take it for theirs,
/// and nothing in it is held by them. Queues in memory are as in a hub whose host was killed,
/// unless nobody hosts it. The report is about the copy, every checksum of which was verified.
///
/// # Errors
///
/// Nothing is left behind then. Those of [`super::host`]; `REFUSED` if `to` is not empty, or lies
/// in `from`, or there is nothing to be copied; `CORRUPT` naming file and offset; `NO_SPACE`.
pub fn backup(from: &Path, to: &Path) -> Result<Report, Error> {
    let source = Directory::look(from)?;
    let target = Target::make(to, &source)?;
    let made = copy(&source, &target).and_then(|report| {
        target.publish(&report).map_err(|error| target.failed(&error))?;
        Ok(report)
    });
    if made.is_err() {
        target.remove();
    }
    made
}

fn copy(source: &Directory, target: &Target) -> Result<Report, Error> {
    let incomplete = target.path.join(INCOMPLETE);
    let attempt = || {
        target.begin().map_err(|error| target.failed(&error))?;
        let copy = Directory::found(&incomplete)?;
        let put = |number, content: &Bytes| {
            copy.put_segment(number, content).map_err(|error| target.failed(&error))
        };
        let found = Found::scan_with(source, &mut { put })?;
        for (file, _) in &found.stream_files {
            put(file.number, &source.read_segment(file.number)?)?;
        }
        finish(source, target, &copy, &found)?;
        Ok(found.recovered.last)
    };
    let last = patiently(attempt).map_err(|failure| failure.into_error(source))?;
    let report = check(&incomplete)?;
    match &report.damage {
        None if report.last == last => Ok(report),
        None => {
            let path = target.path.display();
            let detail = format!("the copy in {path} came out cut short; it was removed");
            Err(Error::new(Kind::Corrupt, detail))
        }
        Some(damage) => {
            let at = format!("{} at offset {}: {}", damage.file, damage.offset, damage.what);
            let path = target.path.display();
            let detail = format!("the copy in {path} came out damaged, in {at}; it was removed");
            Err(Error::new(Kind::Corrupt, detail))
        }
    }
}

/// Everything was copied: keeps what counts, and says whose it is.
fn finish(
    source: &Directory,
    target: &Target,
    copy: &Directory,
    found: &Found,
) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::Other(target.failed(&error));
    let kept = &found.recovered.extents;
    let Some(&(last, _)) = kept.last() else {
        let path = source.path().display();
        let detail = format!("{path} has had no host: there is nothing to be copied");
        return Err(Error::new(Kind::Refused, detail).into());
    };
    for file in copy.segments()? {
        let (number, size) = (file.number, file.size);
        match kept.iter().find(|(kept, _)| *kept == number) {
            // The last one may say that it goes on in this one, though nothing is in it yet.
            None if number == last + 1 => copy.finish_copy(number, (size, 0)),
            None => copy.remove_segment(number),
            // Only the last one is still being written.
            Some((_, used)) if number == last => copy.finish_copy(number, (size, *used)),
            Some(_) => copy.finish_copy(number, (size, size)),
        }
        .map_err(failed)?;
    }
    for (file, used) in &found.stream_files {
        copy.finish_copy(file.number, (*used, *used)).map_err(failed)?;
    }
    // A host that began meanwhile may have written some of it.
    let (epoch, served) =
        source.record()?.map_or((found.epoch, found.epoch), |record| (record.epoch, record.served));
    let segment = found.segment.min(last);
    let (hub_id, journal_id) = (clock::random(), found.journal_id);
    copy.note(Record { hub_id, journal_id, epoch, served, segment })?;
    copy.sync().map_err(failed)
}

/// Where the copy comes to lie.
struct Target {
    path: PathBuf,
    /// It did not exist before.
    is_made: bool,
    /// Files that have got their place in it.
    published: RefCell<Vec<String>>,
}

impl Target {
    fn make(path: &Path, source: &Directory) -> Result<Target, Error> {
        let mut target =
            Target { path: path.to_owned(), is_made: false, published: RefCell::default() };
        match fs::DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => target.is_made = true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(target.failed(&error)),
        }
        target.path = fs::canonicalize(path).map_err(|error| target.failed(&error))?;
        let found = fs::read_dir(&target.path).map(|mut entries| entries.next().is_some());
        let refused = match found.map_err(|error| target.failed(&error)) {
            Ok(true) => "it exists, and is not empty",
            Ok(false) if target.path.starts_with(source.path()) => "it lies in the hub itself",
            Ok(false) => return Ok(target),
            Err(error) => return Err(error),
        };
        if target.is_made {
            let _ = fs::remove_dir(&target.path);
        }
        let detail = format!("a backup to {} is refused: {refused}", target.path.display());
        Err(Error::new(Kind::Refused, detail))
    }

    fn failed(&self, error: &io::Error) -> Error {
        let path = self.path.display();
        match is_full(error) {
            true => Error::new(Kind::NoSpace, format!("no room on the disk for {path}")),
            false => Error::new(Kind::Io, format!("can't write to {path}: {error}")),
        }
    }

    /// An empty place for the copy.
    fn begin(&self) -> io::Result<()> {
        let incomplete = self.path.join(INCOMPLETE);
        match fs::remove_dir_all(&incomplete) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::DirBuilder::new().mode(0o700).create(incomplete)
    }

    /// The copy is whole: it becomes what the target is.
    fn publish(&self, report: &Report) -> io::Result<()> {
        let incomplete = self.path.join(INCOMPLETE);
        let put = |name: &str| {
            self.published.borrow_mut().push(name.to_owned());
            fs::rename(incomplete.join(name), self.path.join(name))
        };
        fs::set_permissions(&self.path, fs::Permissions::from_mode(0o700))?;
        for segment in report.segments.iter().chain(&report.stream_files) {
            put(&segment.file)?;
        }
        put("HUB")?;
        sync(&self.path)?;
        put("VERSION")?;
        fs::remove_dir(incomplete)?;
        sync(&self.path)?;
        self.path.parent().map_or(Ok(()), sync)
    }

    /// Removes what was made, as far as that goes.
    fn remove(&self) {
        let _ = fs::remove_dir_all(self.path.join(INCOMPLETE));
        for name in &*self.published.borrow() {
            let _ = fs::remove_file(self.path.join(name));
        }
        if self.is_made {
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// Makes a directory's entries durable.
fn sync(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use telpher_proto::base::record::Record as Written;
    use telpher_proto::base::{Time, limits::Sizes};
    use telpher_proto::journal::{Config, Effect, Journal, Recovered};

    use super::*;

    /// A directory whose last segment has ended, and nothing is in the next one yet.
    fn between_two_segments(path: &Path) {
        let (hub_id, epoch, now) = ([3; 16], 1, Time::from_nanos(1));
        let sizes = Sizes { segment: (16_384, 16_384), ..Sizes::default() };
        let config = Config { journal_id: hub_id, epoch, sizes };
        let mut journal = Journal::new(config, Recovered::default(), 0);
        let opened = Written::Opened { hub: hub_id, epoch, boot: [0; 16], time_ms: 1, lost: 0 };
        journal.append(1, &opened, true);
        let (_, size, mut content) = journal.take_beginning();
        let directory = Directory::found(path).unwrap();
        for position in 2.. {
            journal.append(position, &opened, false);
            journal.seal(now);
            journal.handle_prepared(now, Some(16_384));
            if journal.needs_roll() {
                break;
            }
        }
        journal.roll(now);
        let mut first = content.split_off(0).to_vec();
        first.resize(size as usize, 0);
        while let Some(effect) = journal.poll_effect() {
            if let Effect::Write { segment: 1, offset, bytes, .. } = effect {
                first[offset as usize..][..bytes.len()].copy_from_slice(&bytes);
            }
        }
        for (number, content) in [(1, first), (2, vec![0; 16_384])] {
            fs::File::create(path.join(crate::directory::segment_name(number)))
                .and_then(|file| file.write_all_at(&content, 0))
                .unwrap();
        }
        let record = Record { hub_id, journal_id: hub_id, epoch, served: 1, segment: 1 };
        directory.note(record).unwrap();
    }

    #[test]
    fn a_copy_that_is_made_between_two_segments_is_whole() {
        let name = format!("telpher-between-{}", std::process::id());
        let scratch = std::env::temp_dir().join(name);
        let (from, to) = (scratch.join("hub"), scratch.join("copy"));
        fs::create_dir_all(&from).unwrap();
        between_two_segments(&from);
        assert_eq!(check(&from).unwrap().damage, None);
        assert_eq!(backup(&from, &to).unwrap().damage, None);
        assert_eq!(check(&to).unwrap().damage, None);
        fs::remove_dir_all(scratch).unwrap();
    }
}
