//! Streams and readers.
//!
//! Floor: sugar.

use std::iter::FusedIterator;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use telpher_proto::base::{
    Appended, Command, Error, Event, GroupInfo, Id, Kind, Message, Name, Pattern, Reading, Start,
    StreamInfo, StreamOptions, StreamRecord, Target, Timeout, What,
};

use super::{Pending, start_stream};
use crate::api::Hub;

/// A stream of a hub, by its name.
#[derive(Clone, Debug)]
pub struct Stream {
    hub: Hub,
    name: Name,
}

impl Stream {
    fn run<T: super::Ended>(&self, command: Command) -> Result<T, Error> {
        self.hub.pending(command, Timeout::Default)?.wait()
    }

    /// Makes the stream, or checks that it is as stated.
    ///
    /// # Errors
    ///
    /// `MISMATCH` naming the difference; `UNSUPPORTED` for a durability that the hub lacks.
    pub fn declare(&self, options: StreamOptions) -> Result<(), Error> {
        self.run(Command::DeclareStream { stream: self.name.clone(), options })
    }

    /// Appends a record, and waits until it is as safe as the stream promises. Records with the
    /// same key are in one partition, in order; those without a key go anywhere.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND`; `TOO_LARGE` if a partition never keeps as much; `NO_SPACE`; `FULL` if the disk
    /// was behind until the time was over: it was not appended.
    pub fn append(&self, message: impl Into<Message>) -> Result<Appended, Error> {
        self.start_append(message)?.wait()
    }

    /// The same; where it is is waited for later. What is appended while something is on its way
    /// goes with what follows, in one batch.
    ///
    /// # Errors
    ///
    /// Those of [`Hub::start`].
    pub fn start_append(&self, message: impl Into<Message>) -> Result<Pending<Appended>, Error> {
        self.start_append_at(message, None, None)
    }

    /// The same, to a stated partition, and with `expect` only if that is the offset that the
    /// partition's next record gets: else it ends as `CONFLICT`, and nothing was appended.
    ///
    /// # Errors
    ///
    /// Those of [`Hub::start`].
    pub fn start_append_at(
        &self,
        message: impl Into<Message>,
        partition: Option<u32>,
        expect: Option<u64>,
    ) -> Result<Pending<Appended>, Error> {
        let (stream, message) = (self.name.clone(), message.into());
        let command = Command::Append { stream, message, partition, expect };
        self.hub.pending(command, Timeout::Default)
    }

    /// Reads records, each partition in its order. Returns when the reader is live in the hub. With
    /// `follow`, what is appended from then on comes, too; else iterating ends where the stream
    /// ended at that moment.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND`; `OUT_OF_RANGE` for an offset that is not kept, with the range; `INVALID`.
    pub fn read(&self, reading: Reading) -> Result<Reader, Error> {
        let command = Command::Read { stream: self.name.clone(), reading: Box::new(reading) };
        let id = start_stream(&self.hub, command)?;
        let (end, skipped) = Default::default();
        Ok(Reader { hub: self.hub.clone(), id, end, skipped })
    }

    /// Reads records as a member of a group, which is made if it is new and then begins at `start`:
    /// the partitions are spread over the members, and each goes on where the group has committed.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND`; `FULL` if the stream has as many groups as it may.
    pub fn join(&self, group: &str, start: Start) -> Result<Reader, Error> {
        let group = Some(Name::parse(group)?);
        self.read(Reading { group, start, follow: true, ..Reading::default() })
    }

    /// The stream's reader groups, and how far each has come.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND`.
    pub fn groups(&self) -> Result<Vec<GroupInfo>, Error> {
        self.run(Command::Groups { stream: self.name.clone() })
    }

    /// Puts a group to another place, in one partition or in all of them. What its members have
    /// read before and commit later is refused as `LEASE_LOST`.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND`; `OUT_OF_RANGE` for an offset that is not kept; `INVALID`.
    pub fn reset_group(
        &self,
        group: &str,
        partition: Option<u32>,
        start: Start,
    ) -> Result<(), Error> {
        let (stream, group) = (self.name.clone(), Name::parse(group)?);
        self.run(Command::ResetGroup { stream, group, partition, start })
    }

    /// Removes a group with its places. Its readers end as `NOT_FOUND`.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND`.
    pub fn delete_group(&self, group: &str) -> Result<(), Error> {
        let (stream, group) = (self.name.clone(), Name::parse(group)?);
        self.run(Command::DeleteGroup { stream, group })
    }

    /// Binds a pattern of topics: from then on each message that is published to one that matches
    /// is appended to this stream, once, with its topic in the header `telpher.topic`, to the
    /// partition of its key, or without a key to any. Binding what is bound changes nothing.
    ///
    /// # Errors
    ///
    /// `INVALID` or `TOO_LARGE` for the pattern; `NOT_FOUND`; `FULL` at the limit of 256 for a
    /// stream, and of 10,000 for a hub.
    pub fn bind(&self, pattern: &str) -> Result<(), Error> {
        let (pattern, target) = (Pattern::parse(pattern)?, Target::Stream(self.name.clone()));
        self.run(Command::Bind { pattern, target })
    }

    /// Ends a binding; what was appended because of it stays.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND` if there is no such stream, or the pattern is not bound to it.
    pub fn unbind(&self, pattern: &str) -> Result<(), Error> {
        let (pattern, target) = (Pattern::parse(pattern)?, Target::Stream(self.name.clone()));
        self.run(Command::Unbind { pattern, target })
    }

    /// The stream's figures.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND`.
    pub fn inspect(&self) -> Result<StreamInfo, Error> {
        self.run(Command::InspectStream { stream: self.name.clone() })
    }

    /// Removes the stream with everything in it.
    ///
    /// # Errors
    ///
    /// `NOT_FOUND`.
    pub fn delete(&self) -> Result<(), Error> {
        self.run(Command::DeleteStream { stream: self.name.clone() })
    }
}

/// Records of a stream, as they come. Several threads may receive from the same reader. It goes on
/// by itself when the connection breaks or another host takes over, and no record comes twice.
///
/// ```no_run
/// # fn main() -> Result<(), telpher::Error> {
/// # let hub = telpher::open("mem://example")?;
/// let reader = hub.stream("log")?.read(telpher::Reading::default())?;
/// for record in &reader {
///     println!("{:?}", record?.message.body);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Reader {
    hub: Hub,
    id: Id,
    /// How it has ended, as whoever heard that has noted it.
    end: OnceLock<Result<(), Error>>,
    skipped: AtomicU64,
}

impl Reader {
    /// The next record; `None` at the end of what was to be read, which a reader that follows, and
    /// a member of a group, never comes to. What it has ended with is said again each time.
    ///
    /// # Errors
    ///
    /// `PENDING` if none came in time: one may still come. Otherwise why reading ended:
    /// `OUT_OF_RANGE` if the stream's limits have taken what was to be read next; `NOT_FOUND` if
    /// the stream or the group was deleted; `LEASE_LOST` for a member that committed nothing for as
    /// long as it had stated; `CORRUPT`; `CLOSED` if the handle was closed: there may be more.
    pub fn receive(&self, timeout: impl Into<Timeout>) -> Result<Option<StreamRecord>, Error> {
        let timeout = timeout.into();
        loop {
            match self.hub.wait(self.id, timeout) {
                Ok(Event { what: What::Record(record), .. }) => return Ok(Some(record)),
                Ok(Event { what: What::Skipped { first, last, .. }, .. }) => {
                    self.skipped.fetch_add(last - first + 1, Ordering::Relaxed);
                }
                Ok(Event { what: What::Done(result), .. }) => {
                    return self.ended(self.end.get_or_init(|| result.map(|_| ())));
                }
                Ok(_) => {}
                // Another thread has taken the end, and is about to note it.
                Err(error) if error.kind() == Kind::Stale => return self.ended(self.end.wait()),
                Err(error) => return Err(error),
            }
        }
    }

    fn ended(&self, end: &Result<(), Error>) -> Result<Option<StreamRecord>, Error> {
        end.clone().map(|()| None)
    }

    /// The records to come, one after the other, to the end or the first error; each call of `next`
    /// waits.
    pub fn iter(&self) -> Records<'_> {
        Records { reader: self, is_over: false }
    }

    /// How many records the stream's limits have removed before the reader's group had read them,
    /// of what has come so far; they are passed over.
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    /// Says that the reader's group has done its work up to this record, all before it in its
    /// partition included, and waits until that is as safe as the stream promises. A place never
    /// goes back.
    ///
    /// # Errors
    ///
    /// `LEASE_LOST` if another member has the partition by now, or the group was reset: nothing has
    /// changed. `NO_SPACE` if the disk is full to the last: nothing has changed, and it may be
    /// committed again. `INVALID` for a reader without a group.
    pub fn commit(&self, record: &StreamRecord) -> Result<(), Error> {
        let StreamRecord { partition, offset, generation, .. } = *record;
        let (reader, next) = (self.id, offset + 1);
        let command = Command::Commit { reader, partition, generation, next };
        self.hub.pending(command, Timeout::Default)?.wait()
    }
}

impl<'a> IntoIterator for &'a Reader {
    type Item = Result<StreamRecord, Error>;
    type IntoIter = Records<'a>;

    fn into_iter(self) -> Records<'a> {
        self.iter()
    }
}

/// What a [`Reader`] gets, as an iterator.
#[derive(Debug)]
pub struct Records<'a> {
    reader: &'a Reader,
    is_over: bool,
}

impl Iterator for Records<'_> {
    type Item = Result<StreamRecord, Error>;

    fn next(&mut self) -> Option<Result<StreamRecord, Error>> {
        if self.is_over {
            return None;
        }
        let next = self.reader.receive(Timeout::Never).transpose();
        self.is_over = !matches!(next, Some(Ok(_)));
        next
    }
}

impl FusedIterator for Records<'_> {}

impl Drop for Reader {
    fn drop(&mut self) {
        self.hub.forget(self.id);
    }
}

impl Hub {
    /// A stream of this hub. It is made by [`Stream::declare`].
    ///
    /// # Errors
    ///
    /// `INVALID` or `TOO_LARGE` for the name.
    pub fn stream(&self, name: &str) -> Result<Stream, Error> {
        Ok(Stream { hub: self.clone(), name: Name::parse(name)? })
    }
}
