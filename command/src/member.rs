//! `telpher read --group`: what a member of a reader group does beside printing.
//!
//! Records are printed, then written, then committed: who is killed between these prints some of
//! them again the next time, and leaves none out. Unless it follows, a member ends when its group
//! has come to where the stream ended when it began; what other members have of that it waits for.

use std::collections::BTreeMap;
use std::time::Duration;

use telpher::{
    Command, Done, Error, Event, Hub, Id, Kind, Name, Outcome, StreamInfo, StreamRecord, Timeout,
    What,
};

use crate::arguments_streams::Read;
use crate::groups::of_stream;
use crate::hub::{PATIENCE, ask, unexpected};

/// Records that are printed before they are committed, if there are always more of them.
const UNCOMMITTED_MAX: u64 = 1_000;

/// Commits that may be on their way: below what a handle allows.
const IN_FLIGHT: usize = 256;

/// How often it is looked whether other members have done the rest, and after how many looks it is
/// said that they have not.
const LOOK_AGAIN: Timeout = Timeout::After(Duration::from_millis(50));
const LOOKS: u64 = 20;

/// A member of a reader group.
pub struct Member<'a> {
    hub: &'a Hub,
    stream: &'a Name,
    group: &'a Name,
    /// What is printed and not committed: of each partition its generation and next offset.
    printed: BTreeMap<u32, (u64, u64)>,
    uncommitted: u64,
    /// The partitions in which the group is not at its end yet, and that; `None` if it follows.
    ends: Option<BTreeMap<u32, u64>>,
}

impl<'a> Member<'a> {
    /// What has to be known before it reads; `None` without a group.
    pub fn prepare(hub: &'a Hub, options: &'a Read) -> Result<Option<Member<'a>>, Error> {
        let Some(group) = &options.group else { return Ok(None) };
        let stream = &options.of.stream;
        let info = inspect(hub, stream)?;
        let ends = (0..).zip(info.partitions.iter().map(|partition| partition.next));
        let ends = (!options.follow).then(|| ends.collect());
        let is_old = of_stream(hub, stream)?.iter().any(|found| found.name == *group);
        if is_old && options.from.is_some() {
            eprintln!(
                "telpher: the group {group} is not new, so it goes on where it was and not at \
                 --from; telpher reset-group puts it elsewhere"
            );
        }
        let (printed, uncommitted) = (BTreeMap::new(), 0);
        Ok(Some(Member { hub, stream, group, printed, uncommitted, ends }))
    }

    /// Nothing is left to be read.
    pub fn is_at_end(&self) -> bool {
        self.ends.as_ref().is_some_and(BTreeMap::is_empty)
    }

    /// Whether it was there when reading began.
    pub fn wants(&self, record: &StreamRecord) -> bool {
        self.ends.as_ref().is_none_or(|ends| ends.contains_key(&record.partition))
    }

    /// A record is printed. True if it is time to commit.
    pub fn note(&mut self, record: &StreamRecord) -> bool {
        let StreamRecord { partition, generation, offset, .. } = *record;
        self.printed.insert(partition, (generation, offset + 1));
        self.uncommitted += 1;
        if let Some(ends) = &mut self.ends {
            ends.retain(|number, end| *number != partition || *end > offset + 1);
        }
        self.uncommitted >= UNCOMMITTED_MAX
    }

    /// Commits what was printed.
    pub fn commit(&mut self, reader: Id) -> Result<(), Error> {
        let printed: Vec<_> = std::mem::take(&mut self.printed).into_iter().collect();
        self.uncommitted = 0;
        for some in printed.chunks(IN_FLIGHT) {
            let start = |(partition, (generation, next)): &(u32, (u64, u64))| {
                let (partition, generation, next) = (*partition, *generation, *next);
                let command = Command::Commit { reader, partition, generation, next };
                Ok((partition, self.hub.start(command, PATIENCE, Done::Wait)?))
            };
            let started: Vec<_> = some.iter().map(start).collect::<Result<_, Error>>()?;
            for (partition, id) in started {
                self.committed(partition, self.hub.wait(id, Timeout::Never)?.what)?;
            }
        }
        Ok(())
    }

    fn committed(&self, partition: u32, what: What) -> Result<(), Error> {
        match what {
            What::Done(Err(error)) if error.kind() == Kind::LeaseLost => {
                eprintln!(
                    "telpher: partition {partition} was given away, or its group put elsewhere: \
                     the last of what was printed of it may be printed again"
                );
                Ok(())
            }
            What::Done(ended) => ended.map(drop),
            other => Err(unexpected(&format!("{other:?}"))),
        }
    }

    /// Waits for what comes next; `None` if the group is at its end.
    pub fn wait(&mut self, reader: Id) -> Result<Option<Event>, Error> {
        let patience = if self.ends.is_some() { LOOK_AGAIN } else { Timeout::Never };
        for looks in 0_u64.. {
            self.look()?;
            if self.is_at_end() {
                break;
            }
            if looks == LOOKS {
                eprintln!(
                    "telpher: waiting for other members of {}, which have read what they have not \
                     committed",
                    self.group
                );
            }
            match self.hub.wait(reader, patience) {
                Err(error) if error.kind() == Kind::Pending => {}
                waited => return waited.map(Some),
            }
        }
        Ok(None)
    }

    /// Looks how far the group has come.
    fn look(&mut self) -> Result<(), Error> {
        let Some(mut ends) = self.ends.take() else { return Ok(()) };
        let groups = of_stream(self.hub, self.stream)?;
        if let Some(group) = groups.iter().find(|group| group.name == *self.group) {
            for (number, place) in (0..).zip(&group.places) {
                if ends.get(&number).is_some_and(|end| place.next >= *end) {
                    ends.remove(&number);
                }
            }
        }
        self.ends = Some(ends);
        Ok(())
    }
}

fn inspect(hub: &Hub, stream: &Name) -> Result<StreamInfo, Error> {
    match ask(hub, Command::InspectStream { stream: stream.clone() })? {
        Outcome::Stream(info) => Ok(*info),
        other => Err(unexpected(&format!("{other:?}"))),
    }
}
