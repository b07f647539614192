//! Another past: what a planted bug of recovery would make of a journal.
//!
//! The records that recovery finds are read, changed, and written as one segment that recovery then
//! finds instead.

use bytes::Bytes;
use telpher_proto::base::Error;
use telpher_proto::base::limits::Sizes;
use telpher_proto::base::record::Record;
use telpher_proto::journal::{self, Config, File, Journal, Recovered, Source};

use crate::mutant::Mischief;

/// The content of segment 1, in place of all that there is; `None` if no such bug is planted.
pub fn changed(
    mischief: &mut Mischief,
    epoch: u64,
    files: &[File],
    read: &mut dyn FnMut(u32) -> Result<Bytes, Error>,
) -> Option<Vec<u8>> {
    if !mischief.changes_history() || files.is_empty() {
        return None;
    }
    let journal_id = [7; 16];
    let mut records = Vec::new();
    let mut sink = |record, _| {
        records.push(record);
        Ok(())
    };
    let source = Source { files, checkpoint: None, read };
    let found = journal::recover(journal_id, source, &mut sink).ok()?;
    records.extend(found.tail.into_iter().map(|(_, record, _)| record));
    let sizes = Sizes { group_max: usize::MAX, ..Sizes::default() };
    let config = Config { journal_id, epoch: epoch - 1, sizes };
    let mut journal = Journal::new(config, Recovered::default(), 0);
    let kept = |record: &Record| !matches!(record, Record::Freed { .. });
    let mut position = 0;
    for record in records.into_iter().filter(kept) {
        if let Some(record) = mischief.record(record) {
            position += 1;
            journal.append(position, &record, false);
        }
    }
    let (_, size, content) = journal.take_beginning();
    let mut content = content.to_vec();
    content.resize(size as usize, 0);
    Some(content)
}
