//! Topics and subscribers.
//!
//! Floor: sugar.

use std::sync::atomic::{AtomicU64, Ordering};

use telpher_proto::base::{
    Asked, Command, Error, Id, Kind, Message, Name, Pattern, Published, Reply, Timeout, What,
    limits,
};

use super::{Pending, next, start_stream};
use crate::api::{Done, Hub};

/// A topic of a hub, by its dotted name.
#[derive(Clone, Debug)]
pub struct Topic {
    pub(super) hub: Hub,
    pub(super) name: Name,
}

impl Topic {
    pub(super) fn new(hub: Hub, name: Name) -> Topic {
        Topic { hub, name }
    }

    /// Gives a message to whoever is subscribed in this moment, at most once, and stores it in
    /// every queue and stream to which the topic is bound ([`Queue::bind`](super::Queue::bind),
    /// [`Stream::bind`](super::Stream::bind)), in all or in none; waits until that is as safe as
    /// the safest of these says. A topic that is declared so ([`Topics::declare`](super::Topics))
    /// makes it wait in line, before all of that, until every subscriber that matches has room.
    ///
    /// # Errors
    ///
    /// `FULL` if one of these had no room in time, or as many wait in line as may; `EXPIRED` if a
    /// subscriber for whom it waited had no room in time; `NO_SPACE` on a full disk, `TOO_LARGE`,
    /// and `INVALID` without a key where such a stream needs one: nothing was stored, and nobody
    /// got it. `INDETERMINATE` if the hub changed its host meanwhile
    /// and the topic is not bound, `HOST_LOST` if the session is gone: it may have been published.
    pub fn publish(&self, message: impl Into<Message>) -> Result<(), Error> {
        self.start_publish(message)?.wait()
    }

    /// The same; whether it was done is waited for later.
    ///
    /// # Errors
    ///
    /// Those of [`Hub::start`].
    pub fn start_publish(&self, message: impl Into<Message>) -> Result<Pending<()>, Error> {
        let command = Command::Publish { topic: self.name.clone(), message: message.into() };
        self.hub.pending(command, Timeout::Default)
    }
}

/// A message of a topic.
#[derive(Clone, Debug)]
pub struct TopicMessage {
    /// Where it was published.
    pub topic: Name,
    /// Counts the messages of this subscriber, from 1.
    pub number: u64,
    /// Messages right before it that were lost, as the subscriber was too slow or its connection
    /// broke. What is published while the hub changes its host is not counted.
    pub lost: u64,
    /// The message.
    pub message: Message,
    /// Who is told of an answer, if somebody gathers them.
    asked: Option<(Hub, Asked)>,
}

impl TopicMessage {
    /// True if whoever published it gathers answers. It may be answered once, or not at all.
    pub fn wants_reply(&self) -> bool {
        self.asked.is_some()
    }

    /// Answers, if that is wanted.
    ///
    /// # Errors
    ///
    /// `INVALID` if nobody gathers answers; `STALE` if it was answered before, or nobody waits any
    /// more; `TOO_LARGE`; `CLOSED`.
    pub fn reply(&self, message: impl Into<Message>) -> Result<(), Error> {
        self.answer(Ok(message.into()))
    }

    /// Says that it can't be answered: whoever gathers gets `REMOTE` with this code and text.
    ///
    /// # Errors
    ///
    /// Those of [`TopicMessage::reply`].
    pub fn fail(&self, code: i32, text: &str) -> Result<(), Error> {
        self.answer(Err(Error::remote(code, text)))
    }

    /// True if nobody waits for an answer, or no longer.
    pub fn is_cancelled(&self) -> bool {
        let Some((hub, asked)) = &self.asked else { return true };
        hub.request_cancelled(asked.token).unwrap_or(true)
    }

    fn answer(&self, reply: Reply) -> Result<(), Error> {
        let Some((hub, asked)) = &self.asked else {
            return Err(Error::new(Kind::Invalid, "nobody gathers answers to this message"));
        };
        // It says at once whether somebody waits.
        hub.request_cancelled(asked.token)?;
        let command = Command::Reply { request: asked.token, reply };
        hub.start(command, Timeout::Default, Done::None).map(|_| ())
    }
}

/// How messages are subscribed to.
#[derive(Clone, Debug)]
pub struct SubscribeOptions {
    /// Messages on their way to the program, 1 to 65,536; as many more wait in the hub.
    pub buffer: u32,
    /// What this subscriber calls itself, to whoever gathers its answers. Nothing keeps two from
    /// stating the same name; their numbers tell them apart.
    pub instance_name: Option<Name>,
}

impl Default for SubscribeOptions {
    /// 1,024 messages, no name.
    fn default() -> SubscribeOptions {
        let buffer = limits::SUBSCRIPTION_BUFFER_DEFAULT;
        SubscribeOptions { buffer, instance_name: None }
    }
}

/// Messages of matching topics, as they come. Iterating waits for the next; several threads may do
/// so on the same subscriber. Dropping it ends the subscription.
#[derive(Debug)]
pub struct Subscriber {
    hub: Hub,
    id: Id,
    /// Messages lost before the next one.
    lost: AtomicU64,
}

impl Subscriber {
    pub(super) fn start(
        hub: &Hub,
        pattern: Pattern,
        how: SubscribeOptions,
    ) -> Result<Subscriber, Error> {
        let SubscribeOptions { buffer, instance_name } = how;
        let id = start_stream(hub, Command::Subscribe { pattern, buffer, instance_name })?;
        Ok(Subscriber { hub: hub.clone(), id, lost: AtomicU64::new(0) })
    }

    /// The next message; `None` if none came in time, or the subscriber or its handle was closed.
    ///
    /// # Errors
    ///
    /// Why the subscription ended.
    pub fn receive(&self, timeout: impl Into<Timeout>) -> Result<Option<TopicMessage>, Error> {
        let next = next(&self.hub, self.id, timeout.into(), |what| match what {
            What::Published(published) => Some(published),
            What::Gap { first, last } => {
                self.lost.fetch_add(last - first + 1, Ordering::Relaxed);
                None
            }
            _ => None,
        })?;
        Ok(next.map(|Published { topic, number, message, asked }| {
            let lost = self.lost.swap(0, Ordering::Relaxed);
            let asked = asked.map(|asked| (self.hub.clone(), asked));
            TopicMessage { topic, number, lost, message, asked }
        }))
    }
}

impl Iterator for &Subscriber {
    type Item = Result<TopicMessage, Error>;

    fn next(&mut self) -> Option<Result<TopicMessage, Error>> {
        self.receive(Timeout::Never).transpose()
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.hub.forget(self.id);
    }
}

impl Hub {
    /// A topic of this hub. It need not be made.
    ///
    /// # Errors
    ///
    /// `INVALID` or `TOO_LARGE` for the name.
    pub fn topic(&self, name: &str) -> Result<Topic, Error> {
        let name = Name::parse(name)?;
        telpher_proto::base::pattern::check_topic(&name)?;
        Ok(Topic::new(self.clone(), name))
    }

    /// Takes what is published to topics that match `pattern` from now on: `*` stands for one
    /// segment, `**` for any number. Returns when it is live in the hub. Up to 1,024 messages are
    /// on their way and as many wait in the hub; a slower program loses the oldest, or makes
    /// publishers wait where the topic is declared so ([`Topics::declare`](super::Topics)).
    ///
    /// # Errors
    ///
    /// `INVALID` or `TOO_LARGE` for the pattern; `CLOSED`.
    pub fn subscribe(&self, pattern: &str) -> Result<Subscriber, Error> {
        self.subscribe_with(pattern, SubscribeOptions::default())
    }

    /// The same with every option: another bound on messages, or what the subscriber calls itself.
    ///
    /// # Errors
    ///
    /// Those of [`Hub::subscribe`].
    pub fn subscribe_with(
        &self,
        pattern: &str,
        options: SubscribeOptions,
    ) -> Result<Subscriber, Error> {
        Subscriber::start(self, Pattern::parse(pattern)?, options)
    }
}
