//! What a member of a reader group is handed: what it wants, each record behind the one before it,
//! and of what is between them nothing that it or the group should have got.

use bytes::Bytes;
use telpher_proto::base::{Durability, Error, Id, Outcome, StreamRecord};

use super::groups::Next;
use super::readers::Reader;
use super::streams::{Append, Log, Slot, State, Streams, key_of};
use super::{Context, Verdict, ensure};

impl Streams {
    pub(super) fn read_as_member(
        &mut self,
        context: &Context,
        id: Id,
        record: &StreamRecord,
    ) -> Verdict {
        let reader = self.readers.get(&(context.at.who, id)).ok_or("nobody reads under this id")?;
        let group = reader.group().ok_or("it is no member of a group")?;
        let stream = reader.stream.clone();
        let era = self.era(context, &stream);
        let number = self.got(&stream, &record.message)?;
        ensure(reader.wants(&record.message), || "it wants another key".into())?;
        let next = self.groups.next(context, id, (&stream, &group), record);
        let may_pass = next.iter().any(|next| self.may_pass(reader, era, record, next));
        self.groups.read(context, id, (&stream, &group), (record, era), (&next, may_pass))?;
        self.place(era, number, (record.partition, record.offset), Some(record.time_ms))
    }

    /// What is between `next` and a record need not come to this member: it is not kept, a later
    /// record has replaced it, or it was passed over, by this member or by those before it.
    fn may_pass(&self, reader: &Reader, era: u64, record: &StreamRecord, next: &Next) -> bool {
        let plan = self.plan(&reader.stream);
        let is_kept = !plan.is_limited() && plan.durability() != Durability::Memory;
        if record.offset <= next.from || !is_kept {
            return record.offset >= next.from;
        }
        let keys = match (next.is_same, reader.group()) {
            (false, Some(group)) => self.groups.wanted(&reader.stream, &group),
            _ => vec![reader.key()],
        };
        if !plan.options.compact && keys.iter().all(Option::is_none) {
            return false;
        }
        let Some(log) = self.logs.get(&(reader.stream.clone(), record.partition)) else {
            return true;
        };
        let mut between = log.slots.range(next.from..record.offset);
        between.all(|(at, slot)| {
            let message = &self.appends[&slot.number].message;
            let is_passed =
                |wanted: &Option<&Bytes>| wanted.is_some_and(|key| *key != key_of(message));
            slot.era != era
                || keys.iter().any(is_passed)
                || (plan.options.compact
                    && self.may_be_replaced(log, (record.partition, *at), slot))
        })
    }

    /// A later record of the partition has the same key, or may have it.
    fn may_be_replaced(&self, log: &Log, (partition, at): (u32, u64), slot: &Slot) -> bool {
        let replaced = &self.appends[&slot.number];
        let key = key_of(&replaced.message);
        let has_it = |append: &Append| key_of(&append.message) == key;
        let is_open = |append: &Append| {
            append.stream == replaced.stream
                && append.partition.is_none_or(|stated| stated == partition)
                && matches!(append.state, State::Open | State::Unknown)
        };
        let mut later = log.slots.range(at + 1..);
        later.any(|(_, slot)| has_it(&self.appends[&slot.number]))
            || self.appends.values().any(|append| is_open(append) && has_it(append))
    }

    pub(super) fn commit_ended(
        &mut self,
        context: &Context,
        id: Id,
        result: &Result<Outcome, Error>,
    ) -> Verdict {
        let Some(stream) = self.groups.stream_of(context.at.who, id).cloned() else {
            return Ok(());
        };
        let era = self.era(context, &stream);
        self.groups.end_commit(context, id, era, result)
    }
}
