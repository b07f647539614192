//! Reading a whole journal, and doing so again if a host was faster.
//!
//! Floor: directory.

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use telpher_proto::base::record::{KeptBatch, Record};
use telpher_proto::base::{Error, Kind};
use telpher_proto::broker::Past;
use telpher_proto::journal::{self, Fault, Recovered, Source, Trouble, format};

use super::{Damage, Report, Segment};
use crate::directory::{Directory, SegmentFile, read_frame, segment_name};

/// Looks at most at one directory, however busy its host is.
const LOOKS_MAX: usize = 8;

/// Why nothing was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Something is damaged or missing.
    Damaged(Damage),
    Other(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Other(error)
    }
}

impl Failure {
    /// As an error that names the file with its directory.
    pub(super) fn into_error(self, directory: &Directory) -> Error {
        match self {
            Failure::Other(error) => error,
            Failure::Damaged(Damage { file, offset, what }) => {
                let path = directory.path().join(file);
                let detail = format!("{} is damaged at offset {offset}: {what}", path.display());
                Error::new(Kind::Corrupt, detail)
            }
        }
    }
}

/// Tries again until it goes well, or fails twice in the same way: a host that frees a segment, or
/// writes while it is read, does not do that.
pub(super) fn patiently<T>(mut attempt: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
    let mut previous = None;
    for _ in 1..LOOKS_MAX {
        match attempt() {
            Err(failure) if previous.as_ref() != Some(&failure) => previous = Some(failure),
            other => return other,
        }
    }
    attempt()
}

/// What a directory holds.
pub(super) struct Found {
    pub(super) hub_id: [u8; 16],
    pub(super) journal_id: [u8; 16],
    pub(super) epoch: u64,
    /// The first segment of the last host.
    pub(super) segment: u32,
    pub(super) past: Past,
    pub(super) recovered: Recovered,
    /// Stream files of which something is needed, each with the byte behind that.
    pub(super) stream_files: Vec<(journal::File, u64)>,
    files: Vec<journal::File>,
    records: u64,
}

impl Found {
    /// Reads everything.
    pub(super) fn scan(directory: &Directory) -> Result<Found, Failure> {
        Found::scan_with(directory, &mut |_, _| Ok(()))
    }

    /// The same; each segment's content is shown to `look` as it is read.
    pub(super) fn scan_with(
        directory: &Directory,
        look: &mut dyn FnMut(u32, &Bytes) -> Result<(), Error>,
    ) -> Result<Found, Failure> {
        let record = directory.record().map_err(|error| record_failure(directory, &error))?;
        let files = directory.segments()?;
        let Some(record) = record else { return Ok(nothing()) };
        if files.last().map_or(0, |last| last.number) < record.segment {
            return Err(missing(segment_name(record.segment)));
        }
        let (mut past, mut records) = (Past::new(record.served), 0);
        let mut sink = |record, place| {
            records += 1;
            past.apply(record, place);
            Ok(())
        };
        let mut has_begun = true;
        let mut read = |number| {
            let content = directory.read_segment(number)?;
            has_begun &= number != record.segment
                || journal::has_begun(&record.journal_id, number, &content);
            look(number, &content)?;
            Ok(content)
        };
        // Without a checkpoint: everything is read.
        let source = Source { files: &files, checkpoint: None, read: &mut read };
        let mut recovered =
            journal::recover(record.journal_id, source, &mut sink).map_err(trouble)?;
        if !has_begun {
            return Err(damaged(segment_name(record.segment), "it does not begin as it did"));
        }
        if recovered.epoch > record.epoch {
            return Err(damaged("HUB".to_owned(), "it counts fewer hosts than there have been"));
        }
        for (_, record, place) in std::mem::take(&mut recovered.tail) {
            records += 1;
            past.apply(record, place);
        }
        let stream_files = needed_stream_files(directory, &files, &past)?;
        let (hub_id, journal_id, epoch) = (record.hub_id, record.journal_id, record.epoch);
        let segment = record.segment;
        Ok(Found {
            hub_id,
            journal_id,
            epoch,
            segment,
            past,
            recovered,
            stream_files,
            files,
            records,
        })
    }

    /// Reads what is needed of stream files.
    pub(super) fn check_stream_files(&self, directory: &Directory) -> Result<(), Failure> {
        let mut batches: Vec<_> = self.past.filed().collect();
        batches.sort_unstable_by_key(|(.., at)| at.place);
        let mut open: Option<(u32, SegmentFile)> = None;
        for (stream, partition, at) in batches {
            let number = at.place.segment;
            let failed = |error: io::Error| {
                let path = directory.segment_text(number);
                Failure::Other(Error::new(Kind::Io, format!("can't read {path}: {error}")))
            };
            let file = match open.take() {
                Some((of, file)) if of == number => file,
                _ => directory.open_segment(number, false).map_err(failed)?,
            };
            let frame = read_frame(&file, at.place).map_err(failed)?;
            open = Some((number, file));
            let what = match journal::read_frame(&self.journal_id, at.place, &frame) {
                Ok(record) if has_batch(&record, (stream, partition), at) => continue,
                Ok(_) => "what lies there is another batch",
                Err(unreadable) => unreadable.what,
            };
            let (file, offset) = (segment_name(number), u64::from(at.place.offset) * 8);
            return Err(Failure::Damaged(Damage { file, offset, what: what.to_owned() }));
        }
        Ok(())
    }

    pub(super) fn describe(self, report: &mut Report) {
        report.hub_id = self.hub_id;
        report.epoch = self.epoch;
        report.records = self.records;
        report.last = self.recovered.last;
        report.durable = self.recovered.durable;
        report.torn = self.recovered.torn.map(place_of);
        let used = |number| {
            let mut extents = self.recovered.extents.iter();
            extents.find(|(segment, _)| *segment == number).map_or(0, |(_, used)| *used)
        };
        let segment = |file: &journal::File| Segment {
            file: segment_name(file.number),
            size: file.size,
            used: used(file.number),
        };
        report.segments = self.files.iter().map(segment).collect();
        let stream_file = |(file, used): &(journal::File, u64)| Segment {
            file: segment_name(file.number),
            size: file.size,
            used: *used,
        };
        report.stream_files = self.stream_files.iter().map(stream_file).collect();
        let queues = self.past.queues();
        report.queues = queues.len() as u64;
        report.messages = queues.iter().map(|(_, info)| info.ready + info.held).sum();
        report.bytes = queues.iter().map(|(_, info)| info.bytes).sum();
        let streams = self.past.streams();
        let partitions = || streams.iter().flat_map(|(_, info)| &info.partitions);
        report.streams = streams.len() as u64;
        report.stream_records =
            partitions().map(|partition| partition.next - partition.first).sum();
        report.stream_bytes = partitions().map(|partition| partition.bytes).sum();
        report.is_closed = self.past.is_closed();
    }
}

/// What can be said of a directory that is damaged.
pub(super) fn describe_files(directory: &Directory, report: &mut Report) {
    if let Ok(Some(record)) = directory.record() {
        (report.hub_id, report.epoch) = (record.hub_id, record.epoch);
    }
    let files = directory.segments().unwrap_or_default();
    let stream_files = directory.stream_files().unwrap_or_default();
    let segment =
        |file: journal::File| Segment { file: segment_name(file.number), size: file.size, used: 0 };
    report.segments = files.into_iter().map(segment).collect();
    report.stream_files = stream_files.into_iter().map(segment).collect();
}

/// A directory that has had no host.
fn nothing() -> Found {
    Found {
        hub_id: [0; 16],
        journal_id: [0; 16],
        epoch: 0,
        segment: 0,
        past: Past::default(),
        recovered: Recovered::default(),
        stream_files: Vec::new(),
        files: Vec::new(),
        records: 0,
    }
}

/// The stream files of which something is needed, each with the byte behind that.
fn needed_stream_files(
    directory: &Directory,
    segments: &[journal::File],
    past: &Past,
) -> Result<Vec<(journal::File, u64)>, Failure> {
    let mut found = directory.stream_files()?;
    let filed = || past.filed().map(|(.., at)| at.place);
    found.extend(journal::not_renamed(filed(), segments, &found));
    journal::check_lengths(filed(), found.iter()).map_err(trouble)?;
    let mut ends = BTreeMap::new();
    for (.., at) in past.filed() {
        let end = ends.entry(at.place.segment).or_insert(0);
        *end = (*end).max(format::end_of(at.place));
    }
    let needed = found.into_iter().filter_map(|file| Some((file, *ends.get(&file.number)?)));
    Ok(needed.collect())
}

fn has_batch(record: &Record, (stream, partition): (u64, u32), at: KeptBatch) -> bool {
    record.batches().any(|(of, part, batch)| (of, part) == (stream, partition) && at.is_of(batch))
}

fn missing(file: String) -> Failure {
    damaged(file, "it is missing")
}

fn damaged(file: String, what: &str) -> Failure {
    Failure::Damaged(Damage { file, offset: 0, what: what.to_owned() })
}

fn record_failure(directory: &Directory, error: &Error) -> Failure {
    match directory.path().join("HUB").exists() {
        _ if error.kind() != Kind::Corrupt => Failure::Other(error.clone()),
        true => damaged("HUB".to_owned(), "its checksum is wrong"),
        false => missing("HUB".to_owned()),
    }
}

fn trouble(trouble: Trouble) -> Failure {
    match trouble {
        Trouble::Failed(error) => Failure::Other(error),
        Trouble::Missing(segment) => missing(segment_name(segment)),
        Trouble::Damaged(fault) => Failure::Damaged(place_of(fault)),
    }
}

fn place_of(fault: Fault) -> Damage {
    Damage { file: segment_name(fault.segment), offset: fault.offset, what: fault.text() }
}
