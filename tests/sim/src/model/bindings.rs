//! What was published is, once, in every queue to which its topic was bound for certain, and in
//! none to which it cannot have been bound.

use std::collections::{BTreeMap, BTreeSet};

use telpher_proto::base::message::TOPIC_HEADER;
use telpher_proto::base::{Command, Delivery, Error, Id, Name, Outcome, Target, Time};

use super::letters::without_headers;
use super::topics::{Publication, Topics, Way, is_match};
use super::{Moment, Start, Verdict, ensure, number};
use crate::agenda::Who;
use crate::plan::is_bound_queue;

/// A binding that is begun or ended.
#[derive(Debug)]
struct Change {
    pattern: String,
    queue: Name,
    binds: bool,
    started: Time,
    /// When its program heard the end, and whether it was done; `None`: nobody knows.
    ended: Option<(Time, bool)>,
}

impl Change {
    fn is_refused(&self) -> bool {
        matches!(self.ended, Some((_, false)))
    }

    fn is_about(&self, pattern: &str, queue: &Name) -> bool {
        self.pattern == pattern && self.queue == *queue
    }

    /// It may have taken effect after this moment.
    fn may_be_after(&self, moment: Time) -> bool {
        self.ended.is_none_or(|(at, _)| at > moment)
    }
}

#[derive(Debug, Default)]
pub struct Bindings {
    changes: BTreeMap<(Who, Id), Change>,
    /// Under which id each message lies in each queue.
    stored: BTreeMap<(Name, u64), u64>,
    tokens: BTreeSet<(Who, u64)>,
}

impl Bindings {
    pub(super) fn start(&mut self, start: &Start, command: &Command) {
        let (binds, pattern, target) = match command {
            Command::Bind { pattern, target } => (true, pattern, target),
            Command::Unbind { pattern, target } => (false, pattern, target),
            _ => return,
        };
        let (Target::Queue(queue), pattern) = (target.clone(), pattern.as_str().to_owned());
        let change = Change { pattern, queue, binds, started: start.now, ended: None };
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
        let number = number(&delivery.message.body).ok_or("nobody has published this")?;
        let published = topics.publication(number).ok_or("nobody has published this")?;
        let properties = delivery.message.properties.as_ref();
        let topic = properties.and_then(|properties| properties.headers.get(TOPIC_HEADER));
        let is_same = without_headers(&delivery.message) == published.message
            && topic == Some(published.topic.as_str().as_bytes());
        ensure(is_same, || format!("this is not what was published: {published:?}"))?;
        ensure(published.done != Some(false), || "it is said not to be published".into())?;
        ensure(published.way != Way::Gather, || "a gather is stored nowhere".into())?;
        ensure(self.may_be_bound(published, queue), || "its topic was not bound".into())?;
        let id = *self.stored.entry((queue.clone(), number)).or_insert(delivery.message_id);
        ensure(id == delivery.message_id, || format!("it is stored twice, first as {id:#x}"))
    }

    fn may_be_bound(&self, published: &Publication, queue: &Name) -> bool {
        self.changes.values().any(|bind| {
            let is_over = |unbind: &Change| {
                let done = matches!(unbind.ended, Some((at, true)) if at < published.started);
                !unbind.binds
                    && unbind.is_about(&bind.pattern, queue)
                    && done
                    && !bind.may_be_after(unbind.started)
            };
            bind.binds
                && !bind.is_refused()
                && bind.queue == *queue
                && is_match(&bind.pattern, &published.topic)
                && (published.done.is_none() || published.ended.is_none_or(|at| bind.started < at))
                && !self.changes.values().any(is_over)
        })
    }

    fn is_bound(&self, published: &Publication, ended: Time, queue: &Name) -> bool {
        self.changes.values().any(|bind| {
            let ends = |unbind: &Change| {
                !unbind.binds
                    && !unbind.is_refused()
                    && unbind.is_about(&bind.pattern, queue)
                    && unbind.started < ended
                    && unbind.may_be_after(bind.started)
            };
            bind.binds
                && bind.queue == *queue
                && is_match(&bind.pattern, &published.topic)
                && matches!(bind.ended, Some((at, true)) if at <= published.started)
                && !self.changes.values().any(ends)
        })
    }

    /// All that was left in these queues has been taken.
    pub(super) fn finish(&self, topics: &Topics) -> Verdict {
        let queues: BTreeSet<&Name> = self.changes.values().map(|change| &change.queue).collect();
        let stored = topics.publications().filter(|(_, published)| published.way != Way::Gather);
        for (number, published) in stored {
            let (Some(true), Some(ended)) = (published.done, published.ended) else { continue };
            for queue in queues.iter().filter(|queue| is_bound_queue(queue)) {
                let is_stored = self.stored.contains_key(&((*queue).clone(), *number));
                ensure(is_stored || !self.is_bound(published, ended, queue), || {
                    format!("message {number} was published and is not in {queue}: {published:?}")
                })?;
            }
        }
        Ok(())
    }
}
