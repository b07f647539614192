//! The program's side of a hub: tickets, what is unconfirmed, what is held, and the connection.
//!
//! A command's own verb wants something (`start`, `cancel`, ...); `handle_*` tells of what
//! happened; `poll_link`, `poll_event`, `poll_timeout` and `outbox` say what is to be done. Drain
//! them after every input.
//!
//! ```text
//!            +--- Connect ---+                    +-- Welcome --+
//!   waiting -+               +-> connecting ------+ greeting    +-> open
//!      ^                             |                 |             |
//!      +------ pause with jitter ----+-----------------+-------------+
//! ```
//!
//! Invariants:
//! - A ticket is in `pending` exactly until its one `Done` event is among the events.
//! - A change keeps its sequence for ever; newest minus oldest unconfirmed stays below the window.
//! - What was started while there is no connection is written when there is one, in order.
//!
//! Floor: imports `base` and `wire`.

mod answers;
mod frames;
mod gathers;
mod held;
mod incoming;
mod link;
mod names;
mod pending;
mod registrations;
mod streams;
mod tickets;

use std::collections::{BTreeSet, HashMap, VecDeque};

use bytes::BytesMut;
use foldhash::fast::RandomState;

use crate::base::random::Backoff;
use crate::base::rising::Rising;
use crate::base::timers::Timers;
use crate::base::{
    Command, Error, Event, HubInfo, Id, Kind, Notice, Outcome, Published, Time, What,
};
use crate::wire::{Clock, Frame, Inbox, Outbox};

pub use link::Link;

type Map<K, V> = HashMap<K, V, RandomState>;

/// What a client is told at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// For jitter.
    pub seed: u64,
    /// The machine's boot id; peers with the same one share a monotonic clock.
    pub clock: [u8; 16],
    /// First and longest pause between attempts to connect, in ms.
    pub backoff_ms: (u64, u64),
    /// How the hub is called in texts.
    pub url: String,
}

/// What a deadline is for.
#[derive(Debug)]
enum Due {
    Ticket(Id),
    Answer(Id),
    Open,
    Connect,
    Greeting,
}

/// The program's side of a hub.
#[derive(Debug)]
pub struct Client {
    config: Config,
    link: link::State,
    backoff: Backoff,
    inbox: Inbox,
    outbox: Outbox,
    clock_shared: bool,
    names: names::Names,
    /// The hub last reached, and the session there.
    hub: Option<HubInfo>,
    token: [u8; 16],
    opening: Option<link::Opening>,
    pending: pending::PendingMap,
    /// Tickets that are no changes, and changes without a sequence, in the order to be written.
    unwritten: BTreeSet<Id>,
    /// Changes that have not ended, by sequence.
    changes: Rising<Id>,
    sequence: u64,
    answers: answers::Answers,
    appends: streams::Appends,
    held: held::HeldMap,
    /// Requests to be answered.
    requests: Map<u64, held::Handling>,
    registrations: Map<Id, registrations::Registration>,
    /// Counted frames that have arrived, and how many of these the hub was told of.
    received: u64,
    received_told: u64,
    /// Bytes of replies among those that it was not told of.
    received_bytes: usize,
    /// Numbers of changes that the client makes itself.
    own_ticket: u64,
    timers: Timers<Due>,
    links: VecDeque<Link>,
    events: VecDeque<Event>,
}

impl Client {
    /// A client that has reached nothing yet.
    pub fn new(config: Config, _now: Time) -> Client {
        Client {
            link: link::State::Idle,
            backoff: Backoff::new(config.backoff_ms, config.seed),
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            clock_shared: false,
            names: names::Names::default(),
            hub: None,
            token: [0; 16],
            opening: None,
            pending: pending::PendingMap::default(),
            unwritten: BTreeSet::new(),
            changes: Rising::default(),
            sequence: 0,
            answers: answers::Answers::default(),
            appends: streams::Appends::default(),
            held: held::HeldMap::default(),
            requests: Map::default(),
            registrations: Map::default(),
            received: 0,
            received_told: 0,
            received_bytes: 0,
            own_ticket: pending::OWN_TICKET_FIRST,
            timers: Timers::default(),
            links: VecDeque::new(),
            events: VecDeque::new(),
            config,
        }
    }

    /// Starts an operation under an id that was never used before.
    pub fn start(
        &mut self,
        now: Time,
        id: Id,
        user: u64,
        command: Command,
        deadline: Option<Time>,
    ) {
        if matches!(self.link, link::State::Closed) {
            let error = Error::new(Kind::Closed, "the handle is closed").executed(false);
            return self.done(id, user, Err(error));
        }
        let checked = match &command {
            Command::Settle { .. } | Command::Batch { .. } => self.begin_settle(&command),
            Command::Extend { delivery, .. } => self.held.is_open(*delivery, self.hub),
            _ => Ok(()),
        };
        if let Err(error) = checked {
            return self.done(id, user, Err(error));
        }
        match command {
            Command::Reply { request, reply } => {
                self.answer(now, (id, user), (request, reply), deadline);
            }
            Command::Serve { .. }
            | Command::Consume { .. }
            | Command::Subscribe { .. }
            | Command::Read { .. } => {
                self.register(now, id, user, command);
            }
            Command::Credit { consumer, prefetch } => {
                let done = self.credit(now, consumer, prefetch).map(|()| Outcome::Empty);
                self.done(id, user, done);
            }
            _ => self.add_ticket(now, (id, user), command, deadline),
        }
    }

    /// Notes the verdicts that a command gives; of a batch all or none.
    fn begin_settle(&mut self, command: &Command) -> Result<(), Error> {
        let deliveries: Vec<u64> = tickets::settled_by(command).collect();
        for (at, delivery) in deliveries.iter().enumerate() {
            if let Err(error) = self.held.begin_settle(*delivery, self.hub) {
                deliveries[..at].iter().for_each(|before| self.held.undo_settle(*before));
                return Err(tickets::of_part(command, *delivery, error));
            }
        }
        Ok(())
    }

    /// Lets go of a consumer, service or subscriber: it ends at once. What it was handed stays
    /// held; what is still on its way goes back. A gather is cancelled; another ticket is not
    /// touched.
    pub fn detach(&mut self, now: Time, id: Id) {
        if self.is_gather(id) {
            return self.cancel(now, id);
        }
        if let Some(registration) = self.registrations.remove(&id) {
            self.push(now, &Frame::Stop { id });
            self.done(id, registration.user, Ok(Outcome::Empty));
        }
    }

    /// Gives back something that was handed over for the program but never reached it: a message
    /// returns to its queue as if untouched, a request goes to another instance.
    pub fn give_back(&mut self, now: Time, what: &What) {
        match what {
            What::Delivery(delivery) => self.release_own(now, delivery.token),
            What::Request(request) if self.requests.contains_key(&request.token) => {
                let error = Error::new(Kind::Busy, "not run: the instance has stopped");
                self.answer_own(now, request.token, error);
            }
            What::Published(Published { asked: Some(asked), .. })
                if self.requests.contains_key(&asked.token) =>
            {
                let error = Error::new(Kind::Busy, "not run: the subscriber has stopped");
                self.answer_own(now, asked.token, error);
            }
            _ => {}
        }
    }

    /// Says goodbye; every open ticket, consumer and service ends as `CLOSED`.
    pub fn close(&mut self, now: Time) {
        if matches!(self.link, link::State::Closed) {
            return;
        }
        self.push(now, &Frame::Goodbye);
        self.end_everything(&Error::new(Kind::Closed, "the handle was closed"));
        self.links.push_back(Link::Disconnect);
    }

    /// The hub cannot be reached, for good: everything ends with this error.
    pub fn fail(&mut self, error: &Error) {
        self.end_everything(error);
    }

    /// Where received bytes are appended; `handle_received` after it.
    pub fn inbox(&mut self) -> &mut BytesMut {
        self.inbox.buffer()
    }

    /// Bytes to be written.
    pub fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// The next thing the program is to hear.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// What is to be done with the link.
    pub fn poll_link(&mut self) -> Option<Link> {
        self.links.pop_front()
    }

    /// When `handle_timeout` wants to be called.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    /// Deadlines may have come.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some(due) = self.timers.pop(now) {
            match due {
                Due::Ticket(id) => self.ticket_due(now, id),
                Due::Answer(id) => self.answer_due(id),
                Due::Open => self.open_due(),
                Due::Connect => self.connect_due(),
                Due::Greeting => self.greeting_due(now),
            }
        }
    }

    /// True once the hub has been reached and as long as the connection lasts.
    pub fn is_open(&self) -> bool {
        matches!(self.link, link::State::Open)
    }

    /// The hub that was last reached.
    pub fn hub(&self) -> Option<HubInfo> {
        self.hub
    }

    /// True until the hub has been reached for the first time.
    pub fn is_opening(&self) -> bool {
        self.opening.is_some()
    }

    fn clock(&self, now: Time) -> Clock {
        Clock { shared: self.clock_shared, now }
    }

    /// Writes a frame if there is a connection.
    fn push(&mut self, now: Time, frame: &Frame) {
        if self.is_open() {
            self.tell_received(now);
            self.outbox.push(frame, self.clock(now));
        }
    }

    fn done(&mut self, id: Id, user: u64, result: Result<Outcome, Error>) {
        // What the client started itself interests nobody.
        if id < pending::OWN_TICKET_FIRST {
            self.events.push_back(Event { id, user, what: What::Done(result) });
        }
    }

    fn notice(&mut self, notice: Notice) {
        self.events.push_back(Event { id: 0, user: 0, what: What::Notice(notice) });
    }
}
