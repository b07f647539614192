//! One program: a client, and what its user would know of it.

use telpher_proto::base::{
    Asked, Command, Delivery, Event, Id, Message, Notice, Outcome, Request, Time,
};
use telpher_proto::base::{Error, Kind, Untaken, Verdict, What};
use telpher_proto::client::{Client, Config};

use crate::agenda::{Item, Who};
use crate::drain::Drain;
use crate::world::World;

/// The clock of a program's machine against the world's.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    ahead_ns: u64,
}

impl Clock {
    /// A clock that is ahead by this much.
    pub fn ahead(ahead_ns: u64) -> Clock {
        Clock { ahead_ns }
    }

    /// What it shows.
    pub fn shows(self, world: Time) -> Time {
        Time::from_nanos(world.as_nanos() + self.ahead_ns)
    }

    /// The world's time when it shows this.
    pub fn world(self, shown: Time) -> Time {
        Time::from_nanos(shown.as_nanos().saturating_sub(self.ahead_ns))
    }
}

/// The ticket of opening.
pub const OPENING: Id = 1;

/// How far a program has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It works.
    Open,
    /// It has closed its handle.
    Closed,
    /// It was killed.
    Dead,
}

/// One program.
#[derive(Debug)]
pub struct Program {
    pub who: Who,
    pub local: bool,
    pub clock: Clock,
    pub state: State,
    pub next_id: Id,
    /// Open tickets, in the order of their start.
    pub tickets: Vec<Id>,
    pub consumers: Vec<Id>,
    pub services: Vec<Id>,
    pub subscribers: Vec<Id>,
    pub readers: Vec<Id>,
    /// Records that have arrived and are not taken yet.
    pub unread: Vec<(Id, Untaken)>,
    /// Messages of subscribers that have arrived and are not taken yet.
    pub untaken: Vec<(Id, Untaken)>,
    /// Deliveries and requests in hand.
    pub deliveries: Vec<u64>,
    pub requests: Vec<(u64, Message)>,
    /// The last delivery that was settled.
    pub settled: Option<u64>,
    /// Calls made while handling a request.
    pub nested: Vec<(u64, Id)>,
    pub paused_until: Option<Time>,
    pub connecting: bool,
    pub connection: Option<usize>,
    pub timer: Option<Time>,
    /// Timers in a row that fired without the time moving on.
    pub restless: u32,
    pub probe: Option<Id>,
    pub drain: Option<Drain>,
}

impl Program {
    /// A program that has started nothing yet.
    pub fn new(who: Who, local: bool, clock: Clock) -> Program {
        Program {
            who,
            local,
            clock,
            state: State::Open,
            next_id: OPENING,
            tickets: Vec::new(),
            consumers: Vec::new(),
            services: Vec::new(),
            subscribers: Vec::new(),
            readers: Vec::new(),
            unread: Vec::new(),
            untaken: Vec::new(),
            deliveries: Vec::new(),
            requests: Vec::new(),
            settled: None,
            nested: Vec::new(),
            paused_until: None,
            connecting: false,
            connection: None,
            timer: None,
            restless: 0,
            probe: None,
            drain: None,
        }
    }

    /// Forgets an id.
    pub fn forget(&mut self, id: Id) {
        let registered = [&mut self.consumers, &mut self.services, &mut self.subscribers];
        for ids in registered.into_iter().chain([&mut self.readers, &mut self.tickets]) {
            ids.retain(|other| *other != id);
        }
        self.untaken.retain(|(other, _)| *other != id);
        self.unread.retain(|(other, _)| *other != id);
    }

    /// Forgets an id that has ended.
    fn ended(&mut self, id: Id) {
        self.forget(id);
        self.nested.retain(|(_, call)| *call != id);
    }
}

/// A client for `program`.
pub fn client(seed: u64, clock: [u8; 16], now: Time) -> Client {
    let config = Config { seed, clock, backoff_ms: (2, 200), url: "sim://hub".into() };
    Client::new(config, now)
}

impl World {
    /// A program hears something; the model has heard it before.
    pub(crate) fn react(&mut self, slot: usize, event: Event) {
        if let What::Record(record) = &event.what {
            return self.record(slot, event.id, record);
        }
        if self.programs[slot].drain.is_some() {
            return self.drain_event(slot, event);
        }
        match event.what {
            What::Done(result) => self.react_end(slot, event.id, result),
            What::Delivery(delivery) => self.took(slot, &delivery),
            What::Request(request) => self.asked(slot, &request),
            What::Withdrawn { request } => self.withdrawn(slot, request),
            What::Notice(Notice::HubChanged { .. }) => self.start_again(slot),
            What::Published(published) => {
                self.published(slot, event.id, published.untaken());
                if let Some(Asked { token, deadline }) = published.asked {
                    let message = published.message;
                    self.asked(slot, &Request { token, deadline, message });
                }
            }
            What::Answer(answer) => {
                let now = self.programs[slot].clock.shows(self.now);
                let taken = Untaken { count: 1, bytes: answer.size() };
                self.clients[slot].taken(now, event.id, taken);
            }
            _ => {}
        }
    }

    /// Takes what has arrived for subscribers, now or with the next of it.
    fn published(&mut self, slot: usize, id: Id, published: Untaken) {
        self.programs[slot].untaken.push((id, published));
        if self.random.chance(70) {
            self.take_published(slot);
        } else {
            let item = Item::Take(self.programs[slot].who, id);
            self.later(400_000, item);
        }
    }

    /// Takes what has arrived for subscribers.
    pub(crate) fn take_published(&mut self, slot: usize) {
        let now = self.programs[slot].clock.shows(self.now);
        for (id, taken) in std::mem::take(&mut self.programs[slot].untaken) {
            self.clients[slot].taken(now, id, taken);
        }
    }

    fn react_end(&mut self, slot: usize, id: Id, result: Result<Outcome, Error>) {
        let program = &mut self.programs[slot];
        program.ended(id);
        if program.probe == Some(id) {
            let answered = match &result {
                Ok(_) => true,
                Err(error) => error.kind() == Kind::NotFound,
            };
            if answered {
                program.probe = None;
            }
        }
        match result {
            Ok(Outcome::Delivery(delivery)) => self.took(slot, &delivery),
            Err(_) if id == OPENING => self.give_up(slot),
            _ => {}
        }
    }

    /// Another host, or a new session: queues may have to be declared, and what is held may mean
    /// nothing any more.
    fn start_again(&mut self, slot: usize) {
        if self.random.chance(20) {
            self.programs[slot].deliveries.clear();
        }
        self.declare_all(slot);
    }

    fn took(&mut self, slot: usize, delivery: &Delivery) {
        let token = delivery.token;
        self.programs[slot].deliveries.push(token);
        match self.random.below(10) {
            0 => {}
            1 | 2 => self.settle(slot, token),
            _ => {
                let item = Item::Settle(self.programs[slot].who, token);
                self.later(200_000, item);
            }
        }
    }

    /// Settles a delivery if it is still in hand.
    pub(crate) fn settle_held(&mut self, slot: usize, token: u64) {
        if self.programs[slot].deliveries.contains(&token) {
            self.settle(slot, token);
        }
    }

    /// Settles a delivery, once or, seldom, twice.
    pub(crate) fn settle(&mut self, slot: usize, token: u64) {
        let program = &mut self.programs[slot];
        program.deliveries.retain(|other| *other != token);
        program.settled = Some(token);
        let times = if self.random.chance(5) { 2 } else { 1 };
        for _ in 0..times {
            let place = self.random.weighted(&[60, 15, 15, 10]);
            let verdict =
                [Verdict::Acknowledge, Verdict::Reject, Verdict::Requeue, Verdict::Release][place];
            let deadline = self.deadline();
            let reason = self.reason();
            self.start(slot, Command::Settle { delivery: token, verdict, reason }, deadline);
        }
    }

    /// Why a message is not done.
    pub(crate) fn reason(&mut self) -> String {
        if self.random.chance(50) { "the work\nwas too hard".into() } else { String::new() }
    }

    fn asked(&mut self, slot: usize, request: &Request) {
        let who = self.programs[slot].who;
        self.programs[slot].requests.push((request.token, request.message.clone()));
        match self.random.below(20) {
            0 => {}
            1..=4 => self.answer(slot, request.token),
            5 | 6 => {
                let call = self.call(slot);
                self.programs[slot].nested.push((request.token, call));
                self.later(400_000, Item::Answer(who, request.token));
            }
            _ => self.later(150_000, Item::Answer(who, request.token)),
        }
    }

    /// Answers a request, fails, or lets go of it.
    pub(crate) fn answer(&mut self, slot: usize, token: u64) {
        let program = &mut self.programs[slot];
        let Some(place) = program.requests.iter().position(|(other, _)| *other == token) else {
            return;
        };
        let (_, message) = program.requests.remove(place);
        let number = crate::model::number(&message.body).unwrap_or(0);
        let reply = match self.random.below(10) {
            0 => Err(Error::new(Kind::Abandoned, "the handler let go")),
            1 | 2 => Err(Error::remote(number as i32, format!("{number} is too hard"))),
            _ => {
                let mut body = message.body.to_vec();
                body.extend_from_slice(b":answered");
                Ok(Message::new(body))
            }
        };
        let deadline = self.deadline();
        self.start(slot, Command::Reply { request: token, reply }, deadline);
    }

    /// The caller no longer waits: so neither does what was asked for its sake.
    fn withdrawn(&mut self, slot: usize, token: u64) {
        let nested = self.programs[slot].nested.iter().find(|(request, _)| *request == token);
        if let Some((_, call)) = nested.copied() {
            self.cancel(slot, call);
        }
        if self.random.chance(50) {
            self.answer(slot, token);
        }
    }
}
