//! Looking at a hub's directory from outside: without becoming its host, and without changing it.
//!
//! [`check`] and [`backup`] work beside a live host, too. [`queues`], [`topics`], [`streams`],
//! [`groups`] and [`peek`] show what the journal says, so they are for a directory that nobody
//! hosts ([`host`] tells); with a host, its own answers are newer.
//!
//! ```text
//! list segments -> read each once, oldest first -> again, if a host did something meanwhile
//! ```
//! A file that is being written may be seen half written. So trouble counts only if it is found in
//! the same place twice: what is missing there was durable before the first look ended.
//!
//! Floor: directory.

mod backup;
mod scan;

use std::path::Path;

use telpher_proto::base::record::{Place, Record};
use telpher_proto::base::{Error, GroupInfo, Kind, Name, Peeked, QueueInfo, StreamInfo, limits};
use telpher_proto::base::{Pattern, TopicInfo};
use telpher_proto::broker::PastMessage;
use telpher_proto::journal;

pub use backup::backup;

use crate::directory::{Directory, read_frame};
use scan::{Failure, Found, patiently};

/// What was found in a directory.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Report {
    /// The hub; zeros if it has never had a host.
    pub hub_id: [u8; 16],
    /// How many hosts it has had.
    pub epoch: u64,
    /// The process that hosts it now; 0 if that has not said its number yet.
    pub host: Option<u32>,
    /// The journal's files, oldest first.
    pub segments: Vec<Segment>,
    /// The segments that were put aside, and the stream files, of which something is needed.
    pub stream_files: Vec<Segment>,
    /// Records that were read.
    pub records: u64,
    /// The last record's position: how many there were in the hub's life.
    pub last: u64,
    /// The last position that the journal says was durable.
    pub durable: u64,
    /// Where the journal ends, if something lies behind its end that was never confirmed.
    pub torn: Option<Damage>,
    /// Queues.
    pub queues: u64,
    /// Messages in them, waiting and held.
    pub messages: u64,
    /// Bytes of their bodies, keys and headers.
    pub bytes: u64,
    /// Streams.
    pub streams: u64,
    /// Offsets from the oldest record that is kept to the newest, of all partitions together.
    pub stream_records: u64,
    /// Bytes of what streams keep.
    pub stream_bytes: u64,
    /// What queues and streams in memory held was written down when the last host ended.
    pub is_closed: bool,
    /// The first damage, if there is any. Records, queues, messages and streams are unknown then.
    pub damage: Option<Damage>,
}

/// A file of the journal, one that was put aside, or a stream file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its name in the directory.
    pub file: String,
    /// Bytes.
    pub size: u64,
    /// Bytes up to the end of what counts; 0 if nothing in it does.
    pub used: u64,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file's name in the directory.
    pub file: String,
    /// Bytes from its beginning.
    pub offset: u64,
    /// What is wrong there.
    pub what: String,
}

/// The process that hosts a directory: its number, 0 if it has not said that yet; `None` if nobody
/// does.
///
/// # Errors
///
/// `IO` if there is no such directory, `REFUSED` if it is not a hub's, `UNSUPPORTED` for an unknown
/// version.
pub fn host(path: &Path) -> Result<Option<u32>, Error> {
    host_of(&Directory::look(path)?)
}

fn host_of(directory: &Directory) -> Result<Option<u32>, Error> {
    let is_hosted = directory.is_hosted()?;
    Ok(is_hosted.then(|| directory.signature().unwrap_or_default()))
}

/// Verifies every checksum of a directory, and that its journal can be gone on from. Damage is no
/// error: the report says where it is.
///
/// # Errors
///
/// Those of [`host`]; `IO` for what can't be read.
pub fn check(path: &Path) -> Result<Report, Error> {
    let directory = Directory::look(path)?;
    let mut report = Report { host: host_of(&directory)?, ..Report::default() };
    let look = || {
        let found = Found::scan(&directory)?;
        found.check_stream_files(&directory)?;
        Ok(found)
    };
    match patiently(look) {
        Ok(found) => found.describe(&mut report),
        Err(Failure::Damaged(damage)) => {
            report.damage = Some(damage);
            scan::describe_files(&directory, &mut report);
        }
        Err(Failure::Other(error)) => return Err(error),
    }
    Ok(report)
}

/// The queues of a directory that nobody hosts, by name, with their figures. What queues in memory
/// held counts only if the last host has ended by itself.
///
/// # Errors
///
/// Those of [`host`]; `CORRUPT` naming file and offset.
pub fn queues(path: &Path) -> Result<Vec<(Name, QueueInfo)>, Error> {
    let directory = Directory::look(path)?;
    let found = patiently(|| Found::scan(&directory)).map_err(|f| f.into_error(&directory))?;
    Ok(found.past.queues())
}

/// The declarations of topics of a directory that nobody hosts, by pattern.
///
/// # Errors
///
/// Those of [`queues`].
pub fn topics(path: &Path) -> Result<Vec<(Pattern, TopicInfo)>, Error> {
    let directory = Directory::look(path)?;
    let found = patiently(|| Found::scan(&directory)).map_err(|f| f.into_error(&directory))?;
    Ok(found.past.topics())
}

/// The streams of a directory that nobody hosts, by name, with their figures. What streams in
/// memory held counts only if the last host has ended by itself.
///
/// # Errors
///
/// Those of [`queues`].
pub fn streams(path: &Path) -> Result<Vec<(Name, StreamInfo)>, Error> {
    let directory = Directory::look(path)?;
    let found = patiently(|| Found::scan(&directory)).map_err(|f| f.into_error(&directory))?;
    Ok(found.past.streams())
}

/// The streams of a directory that nobody hosts, by name, with their reader groups and how far each
/// has come. Nobody is a member of them.
///
/// # Errors
///
/// Those of [`queues`].
pub fn groups(path: &Path) -> Result<Vec<(Name, Vec<GroupInfo>)>, Error> {
    let directory = Directory::look(path)?;
    let found = patiently(|| Found::scan(&directory)).map_err(|f| f.into_error(&directory))?;
    Ok(found.past.groups())
}

/// Messages of a queue that wait, in the order in which they would be handed out: at most `count`,
/// and at most 1 MiB beyond the first.
///
/// # Errors
///
/// `NOT_FOUND`; those of [`queues`].
pub fn peek(path: &Path, queue: &Name, count: u32) -> Result<Vec<Peeked>, Error> {
    let directory = Directory::look(path)?;
    let look = || {
        let found = Found::scan(&directory)?;
        let journal_id = found.journal_id;
        let Some(messages) = found.past.into_messages(queue) else {
            let detail = format!("there is no queue {queue:?}");
            return Err(Failure::Other(Error::new(Kind::NotFound, detail)));
        };
        let mut left = limits::PEEK_SIZE_MAX as u64;
        let shown = messages.into_iter().take(count as usize).enumerate().take_while(|(at, m)| {
            let fits = m.size() <= left || *at == 0;
            left = left.saturating_sub(m.size());
            fits
        });
        shown.map(|(_, message)| read(&directory, journal_id, message)).collect()
    };
    patiently(look).map_err(|failure| failure.into_error(&directory))
}

/// The message, with its body from the journal.
fn read(
    directory: &Directory,
    journal_id: [u8; 16],
    message: PastMessage,
) -> Result<Peeked, Failure> {
    let Some(place) = message.place() else {
        return message.into_peeked(None).ok_or_else(|| unreadable(Place::default()));
    };
    let record = record_at(directory, journal_id, place)?;
    message.into_peeked(Some(&record)).ok_or_else(|| unreadable(place))
}

fn record_at(directory: &Directory, journal_id: [u8; 16], place: Place) -> Result<Record, Failure> {
    let failed = |error: std::io::Error| {
        let path = directory.segment_text(place.segment);
        Failure::Other(Error::new(Kind::Io, format!("can't read {path}: {error}")))
    };
    let file = directory.open_segment(place.segment, false).map_err(failed)?;
    let frame = read_frame(&file, place).map_err(failed)?;
    journal::read_frame(&journal_id, place, &frame).map_err(|_| unreadable(place))
}

fn unreadable(place: Place) -> Failure {
    let (segment, offset) = (place.segment, u64::from(place.offset) * 8);
    let what = "a message can't be read".to_owned();
    Failure::Damaged(Damage { file: crate::directory::segment_name(segment), offset, what })
}
