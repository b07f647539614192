//! Reader groups: an assignment of a partition is one member's, goes on where somebody has
//! committed, and never behind what was confirmed to be committed; and who has lost it commits
//! nothing any more.

use std::collections::{BTreeMap, BTreeSet};

use telpher_proto::base::{Durability, Error, Id, Name, Outcome, StreamRecord, Time};

use super::{Context, Verdict, ensure};
use crate::agenda::Who;

/// What is known of one partition of a group.
#[derive(Debug, Default)]
struct Place {
    /// Offsets that somebody has begun to commit: the next ones to be read.
    begun: BTreeSet<u64>,
    /// Those that were confirmed: era, generation, offset.
    confirmed: Vec<(u64, u64, u64)>,
    /// Who was seen to read under an assignment, and when first: by era of what processes survive.
    assigned: BTreeMap<(u64, u64), (Who, Id, Time)>,
}

/// A commit that has not ended.
#[derive(Debug)]
struct Commit {
    group: (Name, Name),
    partition: u32,
    generation: u64,
    next: u64,
    started: Time,
}

/// What is known of a stream and its records.
pub(super) struct Kept {
    /// What of it is lost.
    pub era: u64,
    /// Nothing of it is ever removed.
    pub is_whole: bool,
    /// Records that later ones have replaced need not come.
    pub is_compact: bool,
}

#[derive(Debug, Default)]
pub(super) struct Groups {
    places: BTreeMap<(Name, Name, u32), Place>,
    /// Where each assignment has got to, by member.
    reached: BTreeMap<(Who, Id, u32, u64), u64>,
    commits: BTreeMap<(Who, Id), Commit>,
}

impl Groups {
    /// A record for a member.
    pub fn read(
        &mut self,
        context: &Context,
        id: Id,
        (stream, group): (&Name, &Name),
        (record, kept): (&StreamRecord, &Kept),
    ) -> Verdict {
        let StreamRecord { partition, offset, generation, .. } = *record;
        let who = context.at.who;
        ensure(generation > 0, || "a member reads under an assignment".into())?;
        let place = self.places.entry((stream.clone(), group.clone(), partition)).or_default();
        // An assignment is told when it is written: a power cut may take it.
        let host_era = context.eras.era(Durability::Os, context.sessions.epoch(who));
        let own = (who, id, context.at.now);
        let (other, of, _) = *place.assigned.entry((host_era, generation)).or_insert(own);
        ensure((other, of) == (who, id), || {
            format!("generation {generation} of partition {partition} is reader {of} of {other:?}")
        })?;
        let reached = self.reached.insert((who, id, partition, generation), offset + 1);
        let may_skip = kept.is_compact || !kept.is_whole;
        if let Some(next) = reached {
            let is_next = offset == next || (may_skip && offset > next);
            return ensure(is_next, || format!("offset {next} is the next"));
        }
        let before =
            place.confirmed.iter().filter(|(era, of, _)| *era == kept.era && *of < generation);
        let least = before.map(|(_, _, next)| *next).max().unwrap_or(0);
        ensure(offset >= least, || format!("offset {least} was committed"))?;
        let is_there = offset == 0 || place.begun.contains(&offset);
        ensure(is_there || may_skip, || {
            format!("nobody has committed that {offset} is next: {:?}", place.begun)
        })
    }

    pub fn begin_commit(
        &mut self,
        (who, id): (Who, Id),
        (stream, group): (Name, Name),
        (partition, generation, next): (u32, u64, u64),
        started: Time,
    ) {
        let place = self.places.entry((stream.clone(), group.clone(), partition)).or_default();
        place.begun.insert(next);
        let commit = Commit { group: (stream, group), partition, generation, next, started };
        self.commits.insert((who, id), commit);
    }

    pub fn end_commit(
        &mut self,
        context: &Context,
        id: Id,
        era: u64,
        result: &Result<Outcome, Error>,
    ) -> Verdict {
        let commit = self.commits.remove(&(context.at.who, id)).ok_or("nobody commits this")?;
        let Commit { group: (stream, group), partition, generation, next, started } = commit;
        if result.is_err() {
            return Ok(());
        }
        let place = self.places.entry((stream, group, partition)).or_default();
        place.confirmed.push((era, generation, next));
        let host_era = context.eras.era(Durability::Os, context.sessions.epoch(context.at.who));
        let mut later = place.assigned.range((host_era, generation + 1)..(host_era + 1, 0));
        let fenced = later.find(|(_, (.., since))| *since < started);
        ensure(fenced.is_none(), || {
            format!("it was begun under generation {generation}, after {fenced:?} was seen")
        })
    }

    /// Of which stream a commit is.
    pub fn stream_of(&self, who: Who, id: Id) -> Option<&Name> {
        self.commits.get(&(who, id)).map(|commit| &commit.group.0)
    }
}
