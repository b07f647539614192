//! Verdicts, batches of records and ends of gathers, mangled as planted bugs do it.

use bytes::Bytes;
use telpher_proto::base::batch::{self, BatchHeader};
use telpher_proto::base::record::{Record, Settled};
use telpher_proto::base::repacked::{Repacked, packed_records};
use telpher_proto::base::{Error, Event, Kind, Outcome, Verdict, What};
use telpher_proto::wire::{FrameKind, HEADER_SIZE};

use crate::mutant::Mutant;

/// The records of one batch in the place of another.
fn replaced(records: &[u8], at: &[u8], place: (u64, u32)) -> Option<Bytes> {
    let (header, other) = (BatchHeader::read(at)?, BatchHeader::read(records)?);
    let is_alike = header.span == other.span;
    is_alike.then(|| batch::stamp(records, place, header.base, header.time_ms))?
}

/// A batch that was packed anew, without its last record.
fn without_last(batch: &[u8], place: (u64, u32)) -> Option<Bytes> {
    let header = BatchHeader::read(batch)?;
    if header.count == header.span {
        return None;
    }
    let mut repacked = Repacked::new(header.base);
    let kept = header.count.checked_sub(1)? as usize;
    let plain = batch::plain(&Bytes::copy_from_slice(batch))?;
    packed_records(&plain).take(kept).for_each(|record| repacked.push(&record));
    repacked.end(header);
    repacked.build(place, None)
}

/// What a gather brings, as a bug of gathers has it.
pub fn gather_event(event: Event, (mutant, seldom): (Mutant, bool)) -> Vec<Event> {
    let mut event = event;
    match (mutant, &mut event.what) {
        (Mutant::AnswerLost, What::Answer(_)) if seldom => Vec::new(),
        (Mutant::AnswerTwice, What::Answer(_)) if seldom => vec![event.clone(), event],
        (Mutant::AnswerNameless, What::Answer(answer)) => {
            answer.instance_name = None;
            vec![event]
        }
        (_, What::Done(Ok(Outcome::Gathered(gathered)))) => {
            for missing in &mut gathered.missing {
                match mutant {
                    Mutant::MissingDenied => missing.error = Error::new(Kind::Expired, ""),
                    Mutant::MissingNameless => missing.instance_name = None,
                    _ => {}
                }
            }
            vec![event]
        }
        _ => vec![event],
    }
}

/// Nobody is known to have changed this.
pub fn unmark(record: &mut Record) {
    match record {
        Record::Sent { change, .. }
        | Record::Batch { change, .. }
        | Record::Published { change, .. } => *change = None,
        Record::Session(state) => state.marks.clear(),
        _ => {}
    }
}

/// A failed attempt counts for nothing.
pub fn forget(settled: &mut Settled) {
    if settled.verdict == Verdict::Requeue && settled.dead.is_none() {
        settled.verdict = Verdict::Release;
    }
}

/// A record about a stream as a new host finds it; `None` if it does not. `before` is the batch of
/// records that came before.
pub fn stream_record(
    before: &mut Bytes,
    mut record: Record,
    mutant: Mutant,
    often: bool,
) -> Option<Record> {
    match (mutant, &mut record) {
        (Mutant::AppendedLost, Record::Appended { change: Some(_), .. }) if often => {
            return None;
        }
        (Mutant::AppendMarksLost, Record::Appended { change, .. }) => *change = None,
        (Mutant::TrimmedMore, Record::Trimmed { first, .. }) => *first += 1,
        (Mutant::LatestCompacted, Record::Appended { change: None, stream, partition, batch }) => {
            if let Some(other) = without_last(batch, (*stream, *partition)) {
                *batch = other;
            }
        }
        (Mutant::PlacesLost, Record::Placed { change: Some(_), .. }) => return None,
        (Mutant::PlacesAhead, Record::Placed { change: Some(_), placed }) => {
            placed.state.next += 1;
        }
        (Mutant::AssignmentsLost, Record::Placed { change: None, .. }) => return None,
        (Mutant::HandedOverLost, Record::Appended { change: None, .. }) => return None,
        (Mutant::OffsetReused, Record::Appended { batch, stream, partition, .. }) => {
            let before = std::mem::replace(before, batch.clone());
            if let Some(other) = replaced(&before, batch, (*stream, *partition)) {
                *batch = other;
            }
        }
        _ => {}
    }
    Some(record)
}

/// Frames of a hub, whole: what confirms several changes confirms the next one, too.
pub fn confirm_one_more(mut frames: &mut [u8]) {
    while let Some(size) = frames.first_chunk() {
        let size = u32::from_le_bytes(*size) as usize;
        let (frame, rest) = frames.split_at_mut(size);
        if frame[4] == FrameKind::Confirmed as u8 && frame[HEADER_SIZE] > 1 {
            frame[HEADER_SIZE] = frame[HEADER_SIZE].saturating_add(1);
        }
        frames = rest;
    }
}
