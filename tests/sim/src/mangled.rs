//! Verdicts and batches of records, mangled as planted bugs do it.

use bytes::Bytes;
use telpher_proto::base::Verdict;
use telpher_proto::base::batch::{self, BatchHeader};
use telpher_proto::base::record::{Record, Settled};
use telpher_proto::base::repacked::{Repacked, packed_records};

/// Puts the records of one batch in the place of another.
pub fn replace(records: &[u8], batch: &mut Bytes, place: (u64, u32)) {
    if let Some(other) = replaced(records, batch, place) {
        *batch = other;
    }
}

/// Takes its last record out of a batch that was packed anew.
pub fn drop_last(batch: &mut Bytes, place: (u64, u32)) {
    if let Some(other) = without_last(batch, place) {
        *batch = other;
    }
}

fn replaced(records: &[u8], at: &[u8], place: (u64, u32)) -> Option<Bytes> {
    let (header, other) = (BatchHeader::read(at)?, BatchHeader::read(records)?);
    let is_alike = header.span == other.span;
    is_alike.then(|| batch::stamp(records, place, header.base, header.time_ms))?
}

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
