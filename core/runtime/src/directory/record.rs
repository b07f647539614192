//! What a directory remembers of its hub: its id and its journal's, how many hosts it has had, and
//! with which segment of the journal the last one began. So it is noticed if that is missing.
//!
//! Floor: directory.

use telpher_proto::base::{Error, Kind};

use super::Directory;
use crate::clock;

const NAME: &str = "HUB";

/// The content of `HUB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) hub_id: [u8; 16],
    /// What the journal's checksums begin with; a copy of a hub keeps it, and is another hub.
    pub(crate) journal_id: [u8; 16],
    pub(crate) epoch: u64,
    /// The last host that got so far as to serve, 0 if none has; and its first segment.
    pub(crate) served: u64,
    pub(crate) segment: u32,
}

impl Directory {
    /// Counts one more host, durably: no two ever have the same epoch. Only for who has the lock.
    ///
    /// # Errors
    ///
    /// `IO` if the file can't be written; `CORRUPT` if it is damaged, or missing beside a journal.
    /// Then everything is left as it is.
    pub(crate) fn raise_epoch(&self) -> Result<Record, Error> {
        let record = match self.record()? {
            None => {
                let (hub_id, journal_id) = (clock::random(), clock::random());
                Record { hub_id, journal_id, epoch: 1, served: 0, segment: 0 }
            }
            Some(known) => Record { epoch: known.epoch + 1, ..known },
        };
        self.note(record)?;
        Ok(record)
    }

    /// Writes the record down, durably.
    ///
    /// # Errors
    ///
    /// `IO` with the system's words.
    pub(crate) fn note(&self, record: Record) -> Result<(), Error> {
        self.replace(NAME, record.text().as_bytes())
    }

    /// The record as it stands; `None` if the directory has had no host.
    ///
    /// # Errors
    ///
    /// `CORRUPT` if it is damaged, or missing beside a journal.
    pub(crate) fn record(&self) -> Result<Option<Record>, Error> {
        let Some(text) = self.read(NAME)? else {
            // Without its id nothing of the journal could be read: it would look empty.
            if self.segments()?.is_empty() {
                return Ok(None);
            }
            let path = self.path().join(NAME);
            return Err(Error::new(Kind::Corrupt, format!("{} is missing", path.display())));
        };
        let damaged = || {
            let path = self.path().join(NAME);
            Error::new(Kind::Corrupt, format!("{} is damaged at offset 0", path.display()))
        };
        Record::parse(&text).ok_or_else(damaged).map(Some)
    }
}

impl Record {
    fn text(self) -> String {
        let Record { hub_id, journal_id, epoch, served, segment } = self;
        let [hub, journal] = [hub_id, journal_id].map(u128::from_be_bytes);
        let text = format!(
            "hub {hub:032x}\njournal {journal:032x}\nepoch {epoch}\nserved {served}\n\
             segment {segment}\n"
        );
        format!("{text}check {:08x}\n", crc32c::crc32c(text.as_bytes()))
    }

    fn parse(text: &[u8]) -> Option<Record> {
        let text = std::str::from_utf8(text).ok()?;
        let mut lines = text.lines();
        let mut field = |name| lines.next()?.strip_prefix(name);
        let id = |text| Some(u128::from_str_radix(text, 16).ok()?.to_be_bytes());
        let hub_id = id(field("hub ")?)?;
        let journal_id = id(field("journal ")?)?;
        let epoch = field("epoch ")?.parse().ok()?;
        let served = field("served ")?.parse().ok()?;
        let segment = field("segment ")?.parse().ok()?;
        let record = Record { hub_id, journal_id, epoch, served, segment };
        (record.text() == text && epoch < u64::MAX).then_some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_a_cut_one_is_not() {
        let (hub_id, journal_id) = ([0xa5; 16], [0x5a; 16]);
        let record = Record { hub_id, journal_id, epoch: 42, served: 41, segment: 7 };
        let text = record.text();
        assert_eq!(Record::parse(text.as_bytes()), Some(record));
        for cut in 0..text.len() {
            assert_eq!(Record::parse(&text.as_bytes()[..cut]), None, "cut at {cut}");
        }
    }
}
