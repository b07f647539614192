//! What was published is, once, in every queue and stream to which its topic was bound for certain,
//! and in none to which it cannot have been bound.

use std::collections::{BTreeMap, BTreeSet};

use telpher_proto::base::message::TOPIC_HEADER;
use telpher_proto::base::{
    Command, Delivery, Error, Event, Id, Message, Name, Outcome, StreamRecord, Target, Time, What,
};

use super::letters::without_headers;
use super::topics::{Publication, Topics, Way, is_match};
use super::{Model, Moment, Start, Verdict, ensure, number};
use crate::agenda::Who;

/// A binding that is begun or ended.
#[derive(Debug)]
struct Change {
    pattern: String,
    /// The queue or stream.
    to: Name,
    binds: bool,
    started: Time,
    /// When its program heard the end, and whether it was done; `None`: nobody knows.
    ended: Option<(Time, bool)>,
}

impl Change {
    fn is_refused(&self) -> bool {
        matches!(self.ended, Some((_, false)))
    }

    fn is_about(&self, pattern: &str, to: &Name) -> bool {
        self.pattern == pattern && self.to == *to
    }

    /// It may have taken effect after this moment.
    fn may_be_after(&self, moment: Time) -> bool {
        self.ended.is_none_or(|(at, _)| at > moment)
    }
}

#[derive(Debug, Default)]
pub struct Bindings {
    changes: BTreeMap<(Who, Id), Change>,
    /// Under which id each message lies in each queue, and at which place in each stream.
    stored: BTreeMap<(Name, u64), u64>,
    /// The next offset of each partition that a reader gets.
    next: BTreeMap<(Who, Id, u32), u64>,
    tokens: BTreeSet<(Who, u64)>,
}

impl Bindings {
    pub(super) fn start(&mut self, start: &Start, command: &Command) {
        let (binds, pattern, target) = match command {
            Command::Bind { pattern, target } => (true, pattern, target),
            Command::Unbind { pattern, target } => (false, pattern, target),
            _ => return,
        };
        let (Target::Queue(to) | Target::Stream(to)) = target.clone();
        let pattern = pattern.as_str().to_owned();
        let change = Change { pattern, to, binds, started: start.now, ended: None };
        self.changes.insert((start.who, start.id), change);
    }

    pub(super) fn end(&mut self, at: Moment, id: Id, result: &Result<Outcome, Error>) {
        let Some(change) = self.changes.get_mut(&(at.who, id)) else { return };
        change.ended = match result {
            Ok(_) => Some((at.now, true)),
            Err(error) if !error.maybe_executed() => Some((at.now, false)),
            Err(_) => None,
        };
    }

    /// True if this is a delivery of a queue that is only bound.
    pub(super) fn knows(&self, who: Who, token: u64) -> bool {
        self.tokens.contains(&(who, token))
    }

    /// A message of a queue that is only bound.
    pub(super) fn take(
        &mut self,
        at: Moment,
        queue: &Name,
        delivery: &Delivery,
        topics: &Topics,
    ) -> Verdict {
        self.tokens.insert((at.who, delivery.token));
        self.find(queue, &delivery.message, delivery.message_id, topics)
    }

    /// A record of a stream that only bindings append to.
    fn read(
        &mut self,
        (who, id): (Who, Id),
        stream: &Name,
        record: &StreamRecord,
        topics: &Topics,
    ) -> Verdict {
        let place = u64::from(record.partition) << 48 | record.offset;
        self.find(stream, &record.message, place, topics)?;
        let next = self.next.entry((who, id, record.partition)).or_default();
        ensure(record.offset == *next, || format!("offset {next} is the next"))?;
        *next += 1;
        Ok(())
    }

    /// A message is where its topic was bound, under an id that it keeps.
    fn find(&mut self, to: &Name, message: &Message, id: u64, topics: &Topics) -> Verdict {
        let number = number(&message.body).ok_or("nobody has published this")?;
        let published = topics.publication(number).ok_or("nobody has published this")?;
        let properties = message.properties.as_ref();
        let topic = properties.and_then(|properties| properties.headers.get(TOPIC_HEADER));
        let is_same = without_headers(message) == published.message
            && topic == Some(published.topic.as_str().as_bytes());
        ensure(is_same, || format!("this is not what was published: {published:?}"))?;
        ensure(published.done != Some(false), || "it is said not to be published".into())?;
        ensure(published.way != Way::Gather, || "a gather is stored nowhere".into())?;
        ensure(self.may_be_bound(published, to), || "its topic was not bound".into())?;
        let first = *self.stored.entry((to.clone(), number)).or_insert(id);
        ensure(first == id, || format!("it is stored twice, first as {first:#x}"))
    }

    fn may_be_bound(&self, published: &Publication, to: &Name) -> bool {
        self.changes.values().any(|bind| {
            let is_over = |unbind: &Change| {
                let done = matches!(unbind.ended, Some((at, true)) if at < published.started);
                !unbind.binds
                    && unbind.is_about(&bind.pattern, to)
                    && done
                    && !bind.may_be_after(unbind.started)
            };
            bind.binds
                && !bind.is_refused()
                && bind.to == *to
                && is_match(&bind.pattern, &published.topic)
                && (published.done.is_none() || published.ended.is_none_or(|at| bind.started < at))
                && !self.changes.values().any(is_over)
        })
    }

    fn is_bound(&self, published: &Publication, ended: Time, to: &Name) -> bool {
        self.changes.values().any(|bind| {
            let ends = |unbind: &Change| {
                !unbind.binds
                    && !unbind.is_refused()
                    && unbind.is_about(&bind.pattern, to)
                    && unbind.started < ended
                    && unbind.may_be_after(bind.started)
            };
            bind.binds
                && bind.to == *to
                && is_match(&bind.pattern, &published.topic)
                && matches!(bind.ended, Some((at, true)) if at <= published.started)
                && !self.changes.values().any(ends)
        })
    }

    /// All that was left in these queues has been taken, and all of these streams read.
    pub(super) fn finish(&self, topics: &Topics) -> Verdict {
        let all: BTreeSet<&Name> = self.changes.values().map(|change| &change.to).collect();
        let stored = topics.publications().filter(|(_, published)| published.way != Way::Gather);
        for (number, published) in stored {
            let (Some(true), Some(ended)) = (published.done, published.ended) else { continue };
            for to in &all {
                let is_stored = self.stored.contains_key(&((*to).clone(), *number));
                ensure(is_stored || !self.is_bound(published, ended, to), || {
                    format!("message {number} was published and is not in {to}: {published:?}")
                })?;
            }
        }
        Ok(())
    }
}

impl Model {
    pub(super) fn received(
        &mut self,
        at: Moment,
        queue: &Name,
        result: &Result<Outcome, Error>,
    ) -> Verdict {
        let Ok(Outcome::Delivery(delivery)) = result else { return Ok(()) };
        *self.counts.entry("delivery of what is bound".into()).or_default() += 1;
        self.bindings.take(at, queue, delivery, &self.topics)
    }

    pub(super) fn read_bound(&mut self, at: Moment, stream: &Name, event: &Event) -> Verdict {
        let What::Record(record) = &event.what else { return Ok(()) };
        *self.counts.entry("record of what is bound".into()).or_default() += 1;
        self.bindings.read((at.who, event.id), stream, record, &self.topics)
    }
}
