//! What a subscriber hears was published to a topic that it wants, once, in each publisher's order,
//! and without a hole that it is not told of.

use std::collections::{BTreeMap, BTreeSet};

use telpher_proto::base::{
    Command, Error, Event, GatherTo, Id, Message, Name, Notice, Outcome, Published,
};
use telpher_proto::base::{Time, What};

use super::{Moment, Start, Verdict, ensure, number};
use crate::agenda::Who;

#[derive(Debug)]
struct Publication {
    by: Who,
    topic: Name,
    message: Message,
    started: Time,
    /// Told to be done, or told not to be.
    done: Option<bool>,
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
}

#[derive(Debug, Default)]
pub struct Topics {
    publications: BTreeMap<u64, Publication>,
    tickets: BTreeMap<(Who, Id), u64>,
    subscriptions: BTreeMap<(Who, Id), Subscription>,
}

impl Topics {
    pub(super) fn start(&mut self, start: &Start, command: &Command) {
        match command {
            Command::Publish { topic, message }
            | Command::Gather { to: GatherTo::Topic(topic), message, .. } => {
                let number = number(&message.body).expect("programs number what they say");
                self.tickets.insert((start.who, start.id), number);
                let publication = Publication {
                    by: start.who,
                    topic: topic.clone(),
                    message: message.clone(),
                    started: start.now,
                    done: None,
                };
                self.publications.insert(number, publication);
            }
            Command::Subscribe { pattern, .. } => {
                let subscription = Subscription {
                    pattern: pattern.as_str().to_owned(),
                    number: 0,
                    lost: 0,
                    heard: BTreeSet::new(),
                    since: None,
                };
                self.subscriptions.insert((start.who, start.id), subscription);
            }
            _ => {}
        }
    }

    pub(super) fn end(&mut self, at: Moment, id: Id, result: &Result<Outcome, Error>) -> Verdict {
        self.subscriptions.remove(&(at.who, id));
        let Some(number) = self.tickets.remove(&(at.who, id)) else { return Ok(()) };
        let Some(publication) = self.publications.get_mut(&number) else { return Ok(()) };
        publication.done = match result {
            Ok(_) => Some(true),
            Err(error) if !error.maybe_executed() => Some(false),
            Err(_) => None,
        };
        let heard = self.subscriptions.values().any(|s| s.heard.contains(&number));
        ensure(publication.done != Some(false) || !heard, || {
            format!("message {number} has been heard, and is said not to be published")
        })
    }

    /// Something for a subscriber.
    pub(super) fn take(&mut self, at: Moment, event: &Event) -> Verdict {
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
                subscription.lost += last - first + 1;
                subscription.number = *last;
                Ok(())
            }
            What::Published(published) => {
                let next = subscription.number + 1;
                ensure(published.number == next, || format!("{next} is the next"))?;
                subscription.number = next;
                hear(subscription, &self.publications, published)
            }
            _ => Err("this does not come for a subscriber".into()),
        }
    }

    pub(super) fn notice(&mut self, at: Moment, notice: &Notice) {
        if let Notice::HubChanged { .. } = notice {
            let own = self.subscriptions.range_mut((at.who, 0)..=(at.who, Id::MAX));
            own.for_each(|(_, subscription)| subscription.since = None);
        }
    }

    /// A program is gone, or lets go of one of its ids.
    pub(super) fn detach(&mut self, who: Who, id: Option<Id>) {
        self.subscriptions.retain(|(of, own), _| *of != who || id.is_some_and(|id| id != *own));
    }
}

fn hear(
    subscription: &mut Subscription,
    publications: &BTreeMap<u64, Publication>,
    published: &Published,
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
    let by_same = |other: &&u64| publications[*other].by == publication.by;
    let later = subscription.heard.range(number + 1..).find(by_same);
    ensure(later.is_none(), || format!("{later:?} of the same publisher came before it"))?;
    let Some(since) = subscription.since else { return Ok(()) };
    // What its publisher was told is done, and who came before it, must have come, or be lost.
    let missed = publications.range(..number).filter(|(other, earlier)| {
        let topic: Vec<&str> = earlier.topic.as_str().split('.').collect();
        earlier.by == publication.by
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

fn matches(pattern: &[&str], topic: &[&str]) -> bool {
    match (pattern.first(), topic.first()) {
        (None, None) => true,
        (Some(&"**"), None) => matches(&pattern[1..], topic),
        (Some(&"**"), Some(_)) => matches(&pattern[1..], topic) || matches(pattern, &topic[1..]),
        (Some(of), Some(is)) => (*of == "*" || of == is) && matches(&pattern[1..], &topic[1..]),
        _ => false,
    }
}
