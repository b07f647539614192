//! Reader groups: an assignment of a partition is one member's, goes on where somebody has
//! committed, and never behind what was confirmed to be committed; and who has lost it commits
//! nothing any more.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
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

/// What a member may be handed next.
pub(super) struct Next {
    /// That, or something behind it.
    pub from: u64,
    /// It was handed what is before by the same assignment.
    pub is_same: bool,
}

#[derive(Debug, Default)]
pub(super) struct Groups {
    places: BTreeMap<(Name, Name, u32), Place>,
    /// Where each assignment has got to, by member, partition and era of what processes survive.
    reached: BTreeMap<(Who, Id, u32, (u64, u64)), u64>,
    commits: BTreeMap<(Who, Id), Commit>,
    /// The keys that members of a group have stated, or that one has stated none.
    wanted: BTreeMap<(Name, Name), BTreeSet<Option<Bytes>>>,
}

impl Groups {
    /// A member is to join.
    pub fn join(&mut self, stream: Name, group: Name, key: Option<Bytes>) {
        self.wanted.entry((stream, group)).or_default().insert(key);
    }

    /// What members have stated so far.
    pub fn wanted(&self, stream: &Name, group: &Name) -> Vec<Option<&Bytes>> {
        let keys = self.wanted.get(&(stream.clone(), group.clone()));
        keys.into_iter().flatten().map(Option::as_ref).collect()
    }

    /// Where this member has come to; or else where somebody has committed, right before a record.
    /// Of what a power cut may have taken it may be either.
    pub fn next(
        &self,
        context: &Context,
        id: Id,
        (stream, group): (&Name, &Name),
        record: &StreamRecord,
    ) -> Vec<Next> {
        let StreamRecord { partition, offset, generation, .. } = *record;
        let reached = |era| self.reached.get(&(context.at.who, id, partition, (era, generation)));
        let same = |from: &u64| Next { from: *from, is_same: true };
        let era = host_era(context);
        if let Some(from) = reached(era) {
            return vec![same(from)];
        }
        let place = self.places.get(&(stream.clone(), group.clone(), partition));
        let begun = place.and_then(|place| place.begun.range(..=offset).next_back());
        let anew = Next { from: begun.copied().unwrap_or(0), is_same: false };
        (0..era).rev().find_map(reached).map(same).into_iter().chain([anew]).collect()
    }

    /// A record for a member. `may_pass` tells whether what is between `next` and it need not come.
    pub fn read(
        &mut self,
        context: &Context,
        id: Id,
        (stream, group): (&Name, &Name),
        (record, era): (&StreamRecord, u64),
        (next, may_pass): (&[Next], bool),
    ) -> Verdict {
        let StreamRecord { partition, offset, generation, .. } = *record;
        let who = context.at.who;
        ensure(generation > 0, || "a member reads under an assignment".into())?;
        let place = self.places.entry((stream.clone(), group.clone(), partition)).or_default();
        let assignment = (host_era(context), generation);
        let own = (who, id, context.at.now);
        let (other, of, _) = *place.assigned.entry(assignment).or_insert(own);
        ensure((other, of) == (who, id), || {
            format!("generation {generation} of partition {partition} is reader {of} of {other:?}")
        })?;
        self.reached.insert((who, id, partition, assignment), offset + 1);
        if let [Next { from, is_same: true }] = next {
            return ensure(may_pass, || format!("offset {from} is the next"));
        }
        let before = place.confirmed.iter().filter(|(of, by, _)| *of == era && *by < generation);
        let least = before.map(|(_, _, next)| *next).max().unwrap_or(0);
        ensure(offset >= least, || format!("offset {least} was committed"))?;
        ensure(may_pass, || {
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
        let host = host_era(context);
        let mut later = place.assigned.range((host, generation + 1)..(host + 1, 0));
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

/// An assignment is told when it is written: a power cut may take it.
fn host_era(context: &Context) -> u64 {
    context.eras.era(Durability::Os, context.sessions.epoch(context.at.who))
}
