//! The reactor of one handle.
//!
//! A turn: take in what the program wants, let the machines act, write, hand over what has come of
//! it; if that was nothing, sleep until there is news or time has come, read, and again. Work that
//! is left at the end of a turn keeps the next one from sleeping.
//!
//! Never: a wait in a turn that had something to hand over; more than one write per batch; a timer
//! system call inside our own waits.
//!
//! Floor: handle, host, link, poller.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use foldhash::HashSet;
use slab::Slab;
use telpher_proto::base::{Event, Id, Published, Time, What};
use telpher_proto::client::Client;

use super::dispatch::{Connection, Target};
use super::hand_over::Outgoing;
use super::inbox::{Submission, Ticket};
use super::{Shared, closed, thread_mark};
use crate::clock;
use crate::host::Core;
use crate::link::ring::Bell;
use crate::link::{Farewell, Read};
use crate::poller::{Alarm, Poller, Readiness, Source};

/// Rounds of acting and writing in one turn.
const ROUNDS_MAX: usize = 64;

/// Turns in a row that may do without a look at the epoll set, because there was work at hand.
const UNWATCHED_MAX: u32 = 16;

/// Events that wait to be polled from which on a poll takes these before more is read: so they are
/// still at hand, and what is not read slows the hub. A program that polls little by little is not
/// kept from its completions for longer than it takes to take them.
const EVENTS_AHEAD: usize = 512;

/// Set in what the machine carries for a ticket whose end nobody looks at, beside its size.
pub(super) const UNSEEN: u64 = 1 << 63;

/// How long a turn may sleep.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sleep {
    /// Not at all.
    No,
    /// Until this moment, or without bound.
    Until(Option<Time>),
}

/// What turns a handle's machines.
pub(crate) struct Driver {
    pub(super) shared: Arc<Shared>,
    pub(super) poller: Poller,
    pub(super) client: Client,
    pub(super) target: Target,
    pub(super) connection: Connection,
    /// The hub itself, if it is hosted inline.
    pub(super) core: Option<Core>,
    /// What each open id stands for; the machine carries the key. Of what nobody looks at there is
    /// nothing but its size, which the machine carries instead.
    pub(super) tickets: Slab<Ticket>,
    pub(super) outgoing: Outgoing,
    /// The handle has reached its hub at least once.
    pub(super) was_connected: bool,
    pub(super) is_closing: bool,
    /// The machine wants a connection, or has one.
    pub(super) wants_link: bool,
    /// It is turned by a poll, which takes what it hands over.
    pub(super) is_polled: bool,
    submissions: Vec<Submission>,
    readiness: Vec<Readiness>,
    scratch: BytesMut,
    unwatched: u32,
}

/// The bell of a handle's ring: it only has to wake the driver.
pub(super) struct DriverBell(pub(super) Arc<Alarm>);

impl Bell for DriverBell {
    fn ring(&self, _key: usize) {
        self.0.ring();
    }
}

/// What a driver is made of.
pub(super) struct Parts {
    pub(super) shared: Arc<Shared>,
    pub(super) poller: Poller,
    pub(super) client: Client,
    pub(super) target: Target,
    pub(super) core: Option<Core>,
    pub(super) outgoing: Outgoing,
}

impl Driver {
    pub(super) fn new(parts: Parts) -> Driver {
        let Parts { shared, poller, client, target, core, outgoing } = parts;
        Driver {
            shared,
            poller,
            client,
            target,
            connection: Connection::None,
            core,
            tickets: Slab::new(),
            outgoing,
            was_connected: false,
            is_closing: false,
            wants_link: false,
            is_polled: false,
            submissions: Vec::new(),
            readiness: Vec::new(),
            scratch: BytesMut::new(),
            unwatched: 0,
        }
    }

    /// One turn; returns whether the driver has ended.
    ///
    /// # Errors
    ///
    /// `Interrupted` if a signal ended the sleep; any other error is the epoll set's.
    pub(crate) fn turn(&mut self, sleep: Sleep) -> io::Result<bool> {
        self.shared.driving.store(thread_mark(), Ordering::SeqCst);
        // Nobody sleeps from here on: what is left for this thread by itself needs no wake-up.
        self.poller.alarm().disarm();
        let now = clock::now();
        let handed_over = self.act(now);
        if self.has_ended() {
            return Ok(true);
        }
        if handed_over && matches!(sleep, Sleep::Until(_)) && self.unwatched < UNWATCHED_MAX {
            self.unwatched += 1;
            return Ok(false);
        }
        self.unwatched = 0;
        let until = match sleep {
            _ if handed_over => Some(now),
            Sleep::No => Some(now),
            Sleep::Until(limit) => self.sleep_limit(now, limit),
        };
        self.poller.wait(until, now, &mut self.readiness)?;
        let now = clock::now();
        self.take_readiness(now);
        self.act(now);
        Ok(self.has_ended())
    }

    /// To be called when control goes back to a loop of the program's: what is left over and the
    /// next deadline will make the epoll set readable.
    pub(crate) fn leave(&mut self) -> io::Result<()> {
        self.poller.alarm().arm();
        if !self.shared.is_watched.load(Ordering::SeqCst) {
            return Ok(());
        }
        if self.has_work() || self.shared.events.lock().len() > 0 {
            self.poller.alarm().force();
            return Ok(());
        }
        let deadline = self.deadline();
        self.poller.arm_timer(deadline, clock::now())
    }

    fn has_ended(&self) -> bool {
        self.is_closing && self.outgoing.is_empty()
    }

    /// Arms the alarm, then looks once more for work before a sleep is allowed.
    fn sleep_limit(&self, now: Time, limit: Option<Time>) -> Option<Time> {
        self.poller.alarm().arm();
        if self.has_work() {
            return Some(now);
        }
        [limit, self.deadline()].into_iter().flatten().min()
    }

    fn has_work(&self) -> bool {
        self.shared.inbox.has_some()
            || self.connection.is_ready()
            || self.core.as_ref().is_some_and(Core::has_work)
    }

    fn deadline(&self) -> Option<Time> {
        let core = self.core.as_ref().and_then(Core::deadline);
        let own = [self.client.poll_timeout(), core, self.target_deadline()];
        own.into_iter().flatten().min()
    }

    fn take_readiness(&mut self, now: Time) {
        let mut readiness = std::mem::take(&mut self.readiness);
        for ready in readiness.drain(..) {
            match ready.source {
                Source::Alarm | Source::Timer => {}
                Source::Link => self.handle_link_ready(now, &ready),
                _ => {
                    if let Some(core) = &mut self.core {
                        core.handle_ready(now, &ready);
                    }
                }
            }
        }
        self.readiness = readiness;
    }

    /// Lets everything act that can without waiting; returns whether something was handed over.
    ///
    /// What has arrived goes before what is overdue: while the program was busy elsewhere a verdict
    /// may have come in time.
    fn act(&mut self, now: Time) -> bool {
        let mut handed_over = self.exchange(now);
        if self.is_due(now) {
            let is_polled = std::mem::take(&mut self.is_polled);
            if let Connection::Made(link) = &mut self.connection {
                link.look_again();
            }
            handed_over |= self.exchange(now);
            self.take_timeouts(now);
            handed_over |= self.exchange(now);
            self.is_polled = is_polled;
        }
        handed_over
    }

    fn is_ahead(&self) -> bool {
        self.is_polled && self.shared.events.lock().len() >= EVENTS_AHEAD
    }

    fn exchange(&mut self, now: Time) -> bool {
        let mut handed_over = false;
        for _ in 0..ROUNDS_MAX {
            self.take_submissions(now);
            let mut worked = !self.is_ahead() && self.read(now);
            self.follow_link(now);
            worked |= self.write(now);
            if let Some(core) = &mut self.core {
                worked |= core.turn(&self.poller, now);
            }
            handed_over |= self.hand_over();
            if !worked && !self.shared.inbox.has_some() {
                break;
            }
        }
        handed_over
    }

    fn take_submissions(&mut self, now: Time) {
        let mut submissions = std::mem::take(&mut self.submissions);
        self.shared.inbox.take(&mut submissions);
        for submission in submissions.drain(..) {
            match submission {
                Submission::Start { ticket, command, deadline } => {
                    let id = ticket.id;
                    let user = match ticket.unseen() {
                        Some(size) => UNSEEN | size as u64,
                        None => self.tickets.insert(ticket) as u64,
                    };
                    self.client.start(now, id, user, command, deadline);
                }
                Submission::Open { ticket, deadline } => {
                    let id = ticket.id;
                    let key = self.tickets.insert(ticket) as u64;
                    self.client.open(now, id, key, deadline);
                }
                Submission::Cancel(id) => self.client.cancel(now, id),
                Submission::Detach(id) => self.detach(now, id),
                Submission::Taken(id, taken) => self.client.taken(now, id, taken),
                Submission::Ready => self.outgoing.push_ready(),
                Submission::Close => self.close(now),
            }
        }
        self.submissions = submissions;
        while self.client.flush(now) {
            self.write(now);
        }
    }

    fn detach(&mut self, now: Time, id: Id) {
        // First, so that nothing is given back only to come here again.
        self.client.detach(now, id);
        self.give_back_unseen(now, Some(id));
        let found = self.tickets.iter().find(|(_, ticket)| ticket.id == id);
        let Some((key, _)) = found.filter(|(_, ticket)| !ticket.is_stream) else { return };
        let ticket = self.tickets.remove(key);
        self.shared.release(ticket.counted);
    }

    /// What has arrived for a consumer, service or subscriber, or for all, and was not taken by the
    /// program, goes to others.
    fn give_back_unseen(&mut self, now: Time, id: Option<Id>) {
        let mut unseen = Vec::new();
        self.outgoing.take_unseen(id, &mut unseen);
        self.shared.outcomes.lock().take_unseen(id, &mut unseen);
        self.shared.events.lock().take_unseen(id, &mut unseen);
        if self.is_closing {
            self.cut_short(&unseen);
        }
        for event in unseen {
            match &event.what {
                What::Request(request) => self.shared.requests.lock().remove(request.token),
                What::Published(Published { asked: Some(asked), .. }) => {
                    self.shared.requests.lock().remove(asked.token);
                }
                _ => {}
            }
            self.client.give_back(now, &event.what);
        }
    }

    /// A reader at the end of its stream whose last records never reach the program has ended with
    /// the handle instead.
    fn cut_short(&mut self, unseen: &[Event]) {
        let readers = unseen.iter().filter(|event| matches!(event.what, What::Record(_)));
        let readers: HashSet<Id> = readers.map(|event| event.id).collect();
        let cut = |event: &mut Event| {
            if matches!(event.what, What::Done(Ok(_))) && readers.contains(&event.id) {
                event.what = What::Done(Err(closed()));
            }
        };
        self.outgoing.ends().for_each(cut);
        self.shared.outcomes.lock().ends().for_each(cut);
        self.shared.events.lock().ends().for_each(cut);
    }

    pub(super) fn close(&mut self, now: Time) {
        if self.is_closing {
            return;
        }
        // What has ended so far ends as it did, and what has arrived can still go to others.
        if let Connection::Made(link) = &mut self.connection {
            link.look_again();
        }
        for _ in 0..ROUNDS_MAX {
            if !self.read(now) {
                break;
            }
        }
        self.route_all();
        self.is_closing = true;
        let streams = self.tickets.iter().filter(|(_, ticket)| ticket.is_registration());
        let streams: Vec<Id> = streams.map(|(_, ticket)| ticket.id).collect();
        for id in streams {
            self.client.detach(now, id);
        }
        self.give_back_unseen(now, None);
        self.client.close(now);
    }

    fn is_due(&self, now: Time) -> bool {
        let own = [self.client.poll_timeout(), self.target_deadline()];
        own.into_iter().flatten().any(|at| at <= now)
    }

    fn take_timeouts(&mut self, now: Time) {
        if self.client.poll_timeout().is_some_and(|at| at <= now) {
            self.client.handle_timeout(now);
        }
        self.take_target_timeouts(now);
    }

    fn read(&mut self, now: Time) -> bool {
        let Connection::Made(link) = &mut self.connection else { return false };
        if !link.is_readable() {
            return false;
        }
        match link.read(self.client.inbox(), &mut self.scratch) {
            Ok(Read::Some) => {
                self.client.handle_received(now);
                if let Some(hub) = self.client.hub() {
                    self.shared.keeps_queues.store(!hub.memory_only, Ordering::SeqCst);
                }
                if let Connection::Made(link) = &self.connection {
                    link.tidy(self.client.inbox());
                }
                true
            }
            Ok(Read::Nothing) => false,
            Ok(Read::Closed) => {
                let farewell = link.farewell();
                self.disconnected(now, farewell, "the hub closed the connection");
                true
            }
            Err(error) => {
                self.disconnected(now, None, &error.to_string());
                true
            }
        }
    }

    fn write(&mut self, now: Time) -> bool {
        let Connection::Made(link) = &mut self.connection else { return false };
        match link.write(&self.poller, Source::Link, self.client.outbox()) {
            Ok(wrote) => wrote,
            // What the hub has sent before, perhaps why it closed, is read first.
            Err(_) if link.is_readable() => true,
            Err(error) => {
                let farewell = link.farewell();
                self.disconnected(now, farewell, &error.to_string());
                true
            }
        }
    }

    fn disconnected(&mut self, now: Time, farewell: Option<Farewell>, otherwise: &str) {
        self.connection = Connection::None;
        match farewell {
            // Nothing is lost by saying so at once; a handle that was open before waits for better.
            Some(Farewell::Failed(error)) if self.client.is_opening() => self.give_up(&error),
            Some(farewell) => self.client.handle_disconnected(now, farewell.text()),
            None => self.client.handle_disconnected(now, otherwise),
        }
    }
}
