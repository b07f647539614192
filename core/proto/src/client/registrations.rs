//! Consumers, services and subscribers of the program; they register again by themselves.
//!
//! Floor: client.

use std::collections::hash_map::Entry;

use super::Client;
use super::held::Handling;
use super::streams::Reader;
use crate::base::{
    Asked, Command, Error, Event, Id, Kind, Message, Name, Outcome, Published, Subscribing, Time,
    Untaken, What,
};
use crate::wire::{self, Frame, Recipient};

#[derive(Debug)]
pub(super) struct Registration {
    pub user: u64,
    pub role: Role,
    started: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Role {
    Service { name: Name, concurrency: u32, line_max: u32, instance_name: Option<Name> },
    Consumer { name: Name, prefetch: u32, ack_deadline_ms: u32 },
    Subscriber(Subscriber),
    Reader(Reader),
}

#[derive(Clone, Debug)]
pub(super) struct Subscriber {
    stated: Subscribing,
    /// The one topic that it wants, if there is but one: the hub does not name it.
    topic: Option<Name>,
}

/// A message for a subscriber of several topics says nothing of its own.
struct Unnamed;

impl Client {
    pub(super) fn register(&mut self, now: Time, id: Id, user: u64, command: Command) {
        let role = match command {
            Command::Serve { service, concurrency, line_max, instance_name } => {
                Role::Service { name: service, concurrency, line_max, instance_name }
            }
            Command::Consume { queue, prefetch, ack_deadline_ms } => {
                Role::Consumer { name: queue, prefetch, ack_deadline_ms }
            }
            Command::Subscribe { pattern, buffer, instance_name } => {
                let topic = Name::parse(pattern.as_str()).ok();
                let (held, received) = (Untaken::default(), 0);
                let stated = Subscribing { pattern, buffer, held, received, instance_name };
                Role::Subscriber(Subscriber { stated, topic })
            }
            Command::Read { stream, reading } => Role::Reader(Reader::new(stream, *reading)),
            _ => return,
        };
        self.write_registration(now, id, &role);
        self.registrations.insert(id, Registration { user, role, started: false });
    }

    fn write_registration(&mut self, now: Time, id: Id, role: &Role) {
        if !self.is_open() {
            return;
        }
        let frame = match role {
            Role::Service { name, concurrency, line_max, instance_name } => Frame::Serve {
                id,
                name: self.name_ref(now, name),
                concurrency: *concurrency,
                line_max: *line_max,
                instance_name: instance_name.clone(),
            },
            Role::Consumer { name, prefetch, ack_deadline_ms } => Frame::Consume {
                id,
                name: self.name_ref(now, name),
                prefetch: *prefetch,
                ack_deadline_ms: *ack_deadline_ms,
            },
            Role::Reader(reader) => Frame::Read {
                id,
                name: self.name_ref(now, &reader.name),
                reading: reader.reading.clone(),
                stream: reader.stream,
                held: reader.held(),
                cursors: reader.cursors.clone(),
            },
            Role::Subscriber(Subscriber { stated, .. }) => {
                Frame::Subscribe { id, subscribing: stated.clone() }
            }
        };
        self.push(now, &frame);
    }

    /// A new connection, or a new session: everything is registered again.
    pub(super) fn register_again(&mut self, now: Time) {
        for id in self.registered() {
            let Some(role) = self.role_mut(id).map(|role| role.clone()) else { continue };
            self.write_registration(now, id, &role);
        }
    }

    /// Everything that is registered, in the order in which it was started.
    pub(super) fn registered(&self) -> Vec<Id> {
        let mut ids: Vec<Id> = self.registrations.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    pub(super) fn credit(&mut self, now: Time, id: Id, wanted: u32) -> Result<(), Error> {
        match self.registrations.get_mut(&id).map(|registration| &mut registration.role) {
            Some(Role::Consumer { prefetch, .. }) => *prefetch = wanted,
            Some(Role::Service { .. } | Role::Subscriber(_) | Role::Reader(_)) => {
                let detail = "the id names no consumer; only a consumer has credit";
                return Err(Error::new(Kind::Invalid, detail));
            }
            None => {
                return Err(Error::new(Kind::Stale, "the id names no consumer (any more)"));
            }
        }
        self.push(now, &Frame::Credit { id, prefetch: wanted });
        Ok(())
    }

    /// A message for subscribers. Whoever of them is not there (any more) declines to answer it.
    pub(super) fn handle_published(&mut self, now: Time, published: wire::Published) {
        let wire::Published { topic, mut message, deadline, to } = published;
        let last = to.len() - 1;
        for at in 0..=last {
            let recipient = to.get(at);
            let is_last = at == last;
            let own = if is_last { std::mem::take(&mut message) } else { message.clone() };
            let is_taken = match self.subscriber_gets(recipient, (topic.as_ref(), deadline), own) {
                Ok(is_taken) => is_taken,
                Err(Unnamed) => {
                    return self.drop_link(now, "the hub published something and named no topic");
                }
            };
            if let (false, Some(token)) = (is_taken, recipient.token) {
                self.decline_published(now, recipient.id, token);
            }
        }
    }

    /// What was published before it and has not come never does. False if nobody gets it.
    fn subscriber_gets(
        &mut self,
        Recipient { id, number, token }: Recipient,
        (topic, deadline): (Option<&Name>, Option<Time>),
        message: Message,
    ) -> Result<bool, Unnamed> {
        let Some(registration) = self.registrations.get_mut(&id) else { return Ok(false) };
        let Role::Subscriber(subscriber) = &mut registration.role else { return Ok(false) };
        let topic = topic.or(subscriber.topic.as_ref()).ok_or(Unnamed)?.clone();
        // It has come before.
        if number <= subscriber.stated.received {
            return Ok(false);
        }
        let asked = token.map(|token| Asked { token, deadline });
        if let Some(asked) = asked {
            let handling = Handling { service: id, withdrawn: false, is_published: true };
            self.requests.insert(asked.token, handling);
        }
        let published = Published { topic, number, message, asked };
        let (first, last) = (subscriber.stated.received + 1, number - 1);
        subscriber.stated.received = number;
        subscriber.stated.held.add(published.untaken());
        let user = registration.user;
        if first <= last {
            self.events.push_back(Event { id, user, what: What::Gap { first, last } });
        }
        self.events.push_back(Event { id, user, what: What::Published(published) });
        Ok(true)
    }

    /// A message that may be answered came for nobody.
    pub(super) fn decline_published(&mut self, now: Time, id: Id, request: u64) {
        if let Entry::Vacant(free) = self.requests.entry(request) {
            free.insert(Handling { service: id, withdrawn: false, is_published: true });
            let error = Error::new(Kind::Busy, "not run: the subscriber has stopped");
            self.answer_own(now, request, error);
        }
    }

    pub(super) fn role_mut(&mut self, id: Id) -> Option<&mut Role> {
        self.registrations.get_mut(&id).map(|registration| &mut registration.role)
    }

    /// The program has taken messages of a subscriber, or records of a reader.
    pub fn taken(&mut self, now: Time, id: Id, taken: Untaken) {
        if self.answers_taken(id, taken.bytes) {
            return self.push(now, &Frame::Taken { id, taken });
        }
        let subscriber = match self.role_mut(id) {
            Some(Role::Subscriber(subscriber)) => subscriber,
            Some(Role::Reader(_)) => return self.taken_records(now, id, taken.count),
            _ => return,
        };
        subscriber.stated.held.remove(taken);
        self.push(now, &Frame::Taken { id, taken });
    }

    /// The hub has registered it.
    pub(super) fn registration_started(&mut self, id: Id) {
        if let Some(registration) = self.registrations.get_mut(&id)
            && !std::mem::replace(&mut registration.started, true)
        {
            let user = registration.user;
            self.events.push_back(Event { id, user, what: What::Started });
        }
    }

    /// It has come to its end.
    pub(super) fn registration_finished(&mut self, id: Id) {
        if let Some(registration) = self.registrations.remove(&id) {
            self.done(id, registration.user, Ok(Outcome::Empty));
        }
    }

    /// The hub has ended it. False if there is none with this id.
    pub(super) fn registration_failed(&mut self, id: Id, error: &Error) -> bool {
        let Some(registration) = self.registrations.remove(&id) else {
            return false;
        };
        self.done(id, registration.user, Err(error.clone()));
        true
    }
}
