//! What a subscriber hears was published to a topic that it wants, once, in each publisher's order,
//! and without a hole that it is not told of.

use std::collections::{BTreeMap, BTreeSet};

use telpher_proto::base::{
    Command, Error, Event, GatherTo, Id, Message, Name, Notice, Outcome, Part, Published,
};
use telpher_proto::base::{Time, What};

use super::declared::{Declared, Past};
use super::{Moment, Start, Verdict, ensure, number};
use crate::agenda::Who;
use crate::plan::{TIGHT, waits};

/// How a message is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Alone,
    InBatch,
    /// To ask whoever is subscribed; it is stored nowhere.
    Gather,
}

#[derive(Debug)]
pub(super) struct Publication {
    by: Who,
    pub topic: Name,
    pub message: Message,
    pub started: Time,
    /// Told to be done, or told not to be.
    pub done: Option<bool>,
    pub ended: Option<Time>,
    /// Others of its publisher may overtake it: it may have waited for room, or for its batch, or
    /// have been refused and tried anew over another connection.
    is_loose: bool,
    /// How it was published.
    pub way: Way,
    /// The host that its publisher knew.
    epoch: u64,
}

#[derive(Debug)]
struct Subscription {
    pattern: String,
    /// The number of the last message, or of the last that was lost.
    number: u64,
    lost: u64,
    heard: BTreeSet<u64>,
    /// Since when it is live in the same session of the same hub.
    since: Option<Time>,
    past: Past,
}

#[derive(Debug, Default)]
pub struct Topics {
    publications: BTreeMap<u64, Publication>,
    tickets: BTreeMap<(Who, Id), Vec<u64>>,
    subscriptions: BTreeMap<(Who, Id), Subscription>,
    declared: Declared,
    /// One topic may wait where another one does not.
    is_apart: bool,
}

impl Topics {
    pub(super) fn new(is_on_disk: bool, declares: bool) -> Topics {
        let (is_apart, declared) = (is_on_disk || declares, Declared::new(is_on_disk));
        Topics { is_apart, declared, ..Topics::default() }
    }

    pub(super) fn start(&mut self, start: &Start, command: &Command, epoch: u64) {
        self.declared.start(start, command);
        match command {
            Command::Publish { topic, message } => {
                let is_loose = topic.as_str() == TIGHT;
                self.publish(start, (topic, message), (is_loose, Way::Alone), epoch);
            }
            Command::Batch { parts } => {
                for part in parts {
                    if let Part::Publish { topic, message } = part {
                        self.publish(start, (topic, message), (true, Way::InBatch), epoch);
                    }
                }
            }
            Command::Gather { to: GatherTo::Topic(topic), message, .. } => {
                self.publish(start, (topic, message), (false, Way::Gather), epoch);
            }
            Command::Subscribe { pattern, .. } => {
                let subscription = Subscription {
                    pattern: pattern.as_str().to_owned(),
                    number: 0,
                    lost: 0,
                    heard: BTreeSet::new(),
                    since: None,
                    past: Past { started: start.now, is_broken: false, changed: None },
                };
                self.subscriptions.insert((start.who, start.id), subscription);
            }
            _ => {}
        }
    }

    fn publish(
        &mut self,
        start: &Start,
        (topic, message): (&Name, &Message),
        (is_loose, way): (bool, Way),
        epoch: u64,
    ) {
        let number = number(&message.body).expect("programs number what they say");
        self.tickets.entry((start.who, start.id)).or_default().push(number);
        let publication = Publication {
            by: start.who,
            topic: topic.clone(),
            message: message.clone(),
            started: start.now,
            done: None,
            ended: None,
            is_loose,
            way,
            epoch,
        };
        self.publications.insert(number, publication);
    }

    pub(super) fn publication(&self, number: u64) -> Option<&Publication> {
        self.publications.get(&number)
    }

    pub(super) fn publications(&self) -> impl Iterator<Item = (&u64, &Publication)> {
        self.publications.iter()
    }

    pub(super) fn end(
        &mut self,
        at: Moment,
        id: Id,
        result: &Result<Outcome, Error>,
        epoch: u64,
    ) -> Verdict {
        self.subscriptions.remove(&(at.who, id));
        self.declared.end(at, id, result, epoch);
        let numbers = self.tickets.remove(&(at.who, id)).unwrap_or_default();
        numbers.into_iter().try_for_each(|number| self.end_one(at, number, result, epoch))
    }

    fn end_one(
        &mut self,
        at: Moment,
        number: u64,
        result: &Result<Outcome, Error>,
        epoch: u64,
    ) -> Verdict {
        let Some(publication) = self.publications.get_mut(&number) else { return Ok(()) };
        publication.ended = Some(at.now);
        publication.done = match result {
            Ok(_) => Some(true),
            // A batch may have been done by a host that took all of it along but what was heard.
            Err(_) if publication.way == Way::InBatch && publication.epoch != epoch => None,
            Err(error) if !error.maybe_executed() => Some(false),
            Err(_) => None,
        };
        let heard = self.subscriptions.values().any(|s| s.heard.contains(&number));
        ensure(publication.done != Some(false) || !heard, || {
            format!("message {number} has been heard, and is said not to be published")
        })
    }

    /// Something for a subscriber.
    pub(super) fn take(&mut self, at: Moment, event: &Event, epoch: u64) -> Verdict {
        let Some(subscription) = self.subscriptions.get_mut(&(at.who, event.id)) else {
            return Err("nobody subscribed under this id".into());
        };
        match &event.what {
            What::Started => {
                subscription.since = Some(at.now);
                Ok(())
            }
            What::Gap { first, last } => {
                let next = subscription.number + 1;
                ensure(*first == next && last >= first, || format!("{next} is the next"))?;
                if !may_be_passed_over(&self.publications, subscription, epoch) {
                    self.declared.gap(&subscription.pattern, subscription.past, epoch)?;
                }
                subscription.past.is_broken = false;
                subscription.lost += last - first + 1;
                subscription.number = *last;
                Ok(())
            }
            What::Published(published) => {
                let next = subscription.number + 1;
                ensure(published.number == next, || format!("{next} is the next"))?;
                subscription.number = next;
                subscription.past.is_broken = false;
                hear(subscription, &self.publications, published, self.is_apart)
            }
            _ => Err("this does not come for a subscriber".into()),
        }
    }

    pub(super) fn notice(&mut self, at: Moment, notice: &Notice) {
        if !matches!(notice, Notice::Disconnected { .. }) {
            let open = self.publications.values_mut();
            let open = open.filter(|one| one.by == at.who && one.ended.is_none());
            open.for_each(|publication| publication.is_loose = true);
        }
        let own = self.subscriptions.range_mut((at.who, 0)..=(at.who, Id::MAX));
        for (_, subscription) in own {
            match notice {
                Notice::HubChanged { .. } => {
                    subscription.since = None;
                    subscription.past.changed = Some(at.now);
                }
                Notice::Disconnected { .. } => subscription.past.is_broken = true,
                Notice::Resumed => {}
            }
        }
    }

    /// A program is gone, or lets go of one of its ids.
    pub(super) fn detach(&mut self, who: Who, id: Option<Id>) {
        self.subscriptions.retain(|(of, own), _| *of != who || id.is_some_and(|id| id != *own));
    }
}

/// A batch may have been done by another host than the one that it was sent to first: then each
/// subscriber is told that it has missed what it published.
fn may_be_passed_over(
    publications: &BTreeMap<u64, Publication>,
    subscription: &Subscription,
    epoch: u64,
) -> bool {
    let changed = subscription.past.changed.unwrap_or(subscription.past.started);
    publications.values().any(|one| {
        one.way == Way::InBatch
            && one.epoch < epoch
            && (one.done.is_none() || one.ended > Some(changed))
            && is_match(&subscription.pattern, &one.topic)
    })
}

fn hear(
    subscription: &mut Subscription,
    publications: &BTreeMap<u64, Publication>,
    published: &Published,
    is_apart: bool,
) -> Verdict {
    let number = number(&published.message.body).ok_or("nobody has published this")?;
    let publication = publications.get(&number).ok_or("nobody has published this")?;
    let is_same = publication.message == published.message && publication.topic == published.topic;
    ensure(is_same, || format!("this is not what was published: {publication:?}"))?;
    ensure(publication.done != Some(false), || "it is said not to be published".into())?;
    let pattern: Vec<&str> = subscription.pattern.split('.').collect();
    let topic: Vec<&str> = published.topic.as_str().split('.').collect();
    ensure(matches(&pattern, &topic), || format!("it is subscribed to {}", subscription.pattern))?;
    ensure(subscription.heard.insert(number), || "it has come before".into())?;
    // One topic may wait for room where it is bound, or for a subscriber, and another or a gather
    // not.
    let is_apart = is_apart || waits(publication.topic.as_str());
    let is_in_line = |other: &Publication| {
        let is_gather = |one: &Publication| one.way == Way::Gather;
        let is_alike =
            other.topic == publication.topic && is_gather(other) == is_gather(publication);
        let is_apart = is_apart || waits(other.topic.as_str());
        other.by == publication.by && (!is_apart || is_alike)
    };
    let by_same = |other: &&u64| {
        let other = &publications[*other];
        is_in_line(other) && !other.is_loose && !publication.is_loose
    };
    let later = subscription.heard.range(number + 1..).find(by_same);
    ensure(later.is_none(), || format!("{later:?} of the same publisher came before it"))?;
    let Some(since) = subscription.since else { return Ok(()) };
    // What its publisher was told is done, and who came before it, must have come, or be lost.
    let missed = publications.range(..number).filter(|(other, earlier)| {
        let topic: Vec<&str> = earlier.topic.as_str().split('.').collect();
        is_in_line(earlier)
            && !earlier.is_loose
            && earlier.started > since
            && earlier.done == Some(true)
            && matches(&pattern, &topic)
            && !subscription.heard.contains(other)
    });
    let missed = missed.count() as u64;
    ensure(missed <= subscription.lost, || {
        format!(
            "{missed} before it were published and have not come; {} are lost",
            subscription.lost
        )
    })
}

pub(super) fn is_match(pattern: &str, topic: &Name) -> bool {
    let pattern: Vec<&str> = pattern.split('.').collect();
    let topic: Vec<&str> = topic.as_str().split('.').collect();
    matches(&pattern, &topic)
}

pub(super) fn matches(pattern: &[&str], topic: &[&str]) -> bool {
    match (pattern.first(), topic.first()) {
        (None, None) => true,
        (Some(&"**"), None) => matches(&pattern[1..], topic),
        (Some(&"**"), Some(_)) => matches(&pattern[1..], topic) || matches(pattern, &topic[1..]),
        (Some(of), Some(is)) => (*of == "*" || of == is) && matches(&pattern[1..], &topic[1..]),
        _ => false,
    }
}
