//! A batch is done whole or not at all.

use std::collections::BTreeMap;

use telpher_proto::base::{Durability, Id};

use super::body::Body;
use super::{Verdict, ensure};
use crate::agenda::Who;

#[derive(Debug)]
pub(super) struct Batch {
    /// The messages that it sends.
    pub sends: Vec<u64>,
    /// The messages that it acknowledges.
    pub acknowledged: Vec<u64>,
    /// Deliveries that it settles, and whether each was live.
    pub settled: Vec<(u64, bool)>,
    /// How safe it is as a whole.
    pub level: Durability,
    /// The era in which it was started.
    pub era: u64,
    /// Its program has heard how it ended.
    pub is_known: bool,
}

#[derive(Debug, Default)]
pub(super) struct Batches(pub BTreeMap<(Who, Id), Batch>);

impl Batches {
    /// Of batches whose end nobody knows, all was done or nothing: `era` says which era it is for a
    /// durability.
    pub fn finish(&self, bodies: &BTreeMap<u64, Body>, era: impl Fn(Durability) -> u64) -> Verdict {
        let open = self.0.values().filter(|batch| !batch.is_known && era(batch.level) == batch.era);
        for batch in open {
            let seen = |number: &&u64| bodies[number].stored.is_some();
            let count = batch.sends.iter().filter(seen).count();
            ensure(count == 0 || count == batch.sends.len(), || {
                let sends = &batch.sends;
                format!("of the messages {sends:?} of one batch, {count} were stored")
            })?;
            let left = batch.acknowledged.iter().find(|number| bodies[number].drained);
            ensure(count == 0 || left.is_none(), || {
                format!("the sends of a batch took effect; its acknowledgement did not: {left:?}")
            })?;
        }
        Ok(())
    }
}
