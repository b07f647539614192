//! Why a journal can't be gone on from.
//!
//! Floor: imports `base`.

use crate::base::record::Position;
use crate::base::{Error, Kind};

/// A place at which the journal does not go on as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The segment.
    pub segment: u32,
    /// Bytes from its beginning.
    pub offset: u64,
    /// The first position that is missing; 0 in a stream file.
    pub expected: Position,
    /// What is wrong.
    pub what: &'static str,
}

impl Fault {
    /// What is wrong, and with which record.
    pub fn text(&self) -> String {
        match self.expected {
            0 => self.what.to_owned(),
            expected => format!("{} (record {expected})", self.what),
        }
    }
}

/// Why a journal can't be gone on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Something that was durable is damaged.
    Damaged(Fault),
    /// A segment that is needed is not there.
    Missing(u32),
    /// What `read` or `sink` has said.
    Failed(Error),
}

impl Trouble {
    /// As an error; `path` names a segment's file.
    pub fn into_error(self, path: &dyn Fn(u32) -> String) -> Error {
        let detail = match self {
            Trouble::Failed(error) => return error,
            Trouble::Missing(segment) => format!("{} is missing", path(segment)),
            Trouble::Damaged(fault) => {
                let (path, offset) = (path(fault.segment), fault.offset);
                format!("{path} is damaged at offset {offset}: {}", fault.text())
            }
        };
        Error::new(Kind::Corrupt, detail)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        Trouble::Failed(error)
    }
}
