//! What a directory remembers of its hub: its id, and how many hosts it has had.
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
    pub(crate) epoch: u64,
}

impl Directory {
    /// Counts one more host, durably: no two ever have the same epoch. Only for who has the lock.
    ///
    /// # Errors
    ///
    /// `IO` if the file can't be written, or is damaged; then it is left as it is.
    pub(crate) fn raise_epoch(&self) -> Result<Record, Error> {
        let record = match self.read(NAME)? {
            None => Record { hub_id: clock::random(), epoch: 1 },
            Some(text) => {
                let known = Record::parse(&text).ok_or_else(|| {
                    let path = self.path().join(NAME);
                    Error::new(Kind::Io, format!("{} is damaged", path.display()))
                })?;
                Record { epoch: known.epoch + 1, ..known }
            }
        };
        self.replace(NAME, record.text().as_bytes())?;
        Ok(record)
    }
}

impl Record {
    fn text(self) -> String {
        format!("hub {:032x}\nepoch {}\n", u128::from_be_bytes(self.hub_id), self.epoch)
    }

    fn parse(text: &[u8]) -> Option<Record> {
        let text = std::str::from_utf8(text).ok()?;
        let (hub, epoch) = text.strip_suffix('\n')?.split_once('\n')?;
        let hub_id = u128::from_str_radix(hub.strip_prefix("hub ")?, 16).ok()?.to_be_bytes();
        let epoch = epoch.strip_prefix("epoch ")?.parse().ok()?;
        let record = Record { hub_id, epoch };
        (record.text() == text && epoch < u64::MAX).then_some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_a_cut_one_is_not() {
        let record = Record { hub_id: [0xa5; 16], epoch: 42 };
        let text = record.text();
        assert_eq!(Record::parse(text.as_bytes()), Some(record));
        for cut in 0..text.len() {
            assert_eq!(Record::parse(&text.as_bytes()[..cut]), None, "cut at {cut}");
        }
    }
}
