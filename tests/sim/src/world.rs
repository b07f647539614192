//! Clients, a hub and time: takes the next thing from the agenda until the run is over.

use telpher_proto::base::{Command, Event, Id, Time, What};
use telpher_proto::client::Client;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::agenda::{Agenda, Item, Phase, Who};
use crate::disk::Disk;
use crate::host::Host;
use crate::link::Connection;
use crate::model::{Model, Start, verdict_wait};
use crate::mutant::{HIDDEN, Mischief, Mutant};
use crate::plan::Plan;
use crate::program::{Program, State};
use crate::random::Random;
use crate::trace::{Lines, Trace};

/// More than any run needs: a run that takes more never comes to rest.
const STEPS_MAX: u64 = 3_000_000;

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Which run.
    pub seed: u64,
    /// A planted bug.
    pub mutant: Option<Mutant>,
    /// What becomes of the trace's lines.
    pub lines: Lines,
}

/// How a run went.
#[derive(Clone, Debug)]
pub struct Report {
    /// Which run.
    pub seed: u64,
    /// Over everything that happened.
    pub hash: u64,
    /// Things taken from the agenda.
    pub steps: u64,
    /// How long the run lasted in its own time.
    pub lasted: Duration,
    /// What was wrong, if anything was.
    pub failure: Option<String>,
    /// The last lines of the trace, if they were kept.
    pub lines: Vec<String>,
    /// How often each kind of thing happened.
    pub counts: BTreeMap<String, u64>,
}

/// Everything that a run consists of.
pub(crate) struct World {
    pub plan: Plan,
    pub random: Random,
    pub now: Time,
    pub agenda: Agenda,
    pub trace: Trace,
    pub model: Model,
    pub host: Host,
    pub disk: Disk,
    pub programs: Vec<Program>,
    pub clients: Vec<Client>,
    pub connections: Vec<Connection>,
    pub mischief: Mischief,
    pub phase: Phase,
    /// Messages and requests made so far.
    pub numbers: u64,
    /// How often what happened, besides what the model counts.
    pub counts: BTreeMap<String, u64>,
    /// Tickets cancelled and programs closed since the last time their client was drained.
    pub cancelled: Vec<(Who, Id)>,
    pub closed: Vec<Who>,
}

/// Runs one seed from its beginning to its end.
pub fn run(options: Options) -> Report {
    let mut world = World::new(options);
    let begun = world.now;
    let mut steps = 0;
    world.begin();
    while world.model.violation().is_none() && world.phase != Phase::End {
        let Some((at, item)) = world.agenda.take() else { break };
        world.now = at;
        steps += 1;
        world.step(item);
        if steps > STEPS_MAX {
            world.model.complain(format!("the run has not come to rest after {steps} steps"));
        }
    }
    if world.model.violation().is_none() {
        world.model.finish();
    }
    Report {
        seed: options.seed,
        hash: world.trace.hash(),
        steps,
        lasted: world.now.since(begun),
        failure: world.model.violation().map(|what| format!("step {steps}: {what}")),
        counts: world.model.counts().iter().chain(&world.counts).map(own).collect(),
        lines: world.trace.into_lines(),
    }
}

fn own((what, count): (&String, &u64)) -> (String, u64) {
    (what.clone(), *count)
}

impl World {
    fn new(options: Options) -> World {
        let mut random = Random::new(options.seed);
        let mut plan = Plan::new(&mut random);
        let mut mischief = Mischief::new(options.mutant, options.seed);
        mischief.prepare(&mut plan);
        let now = Time::from_nanos(1_000_000_000_000);
        let model = Model::new(&plan);
        World {
            plan,
            random,
            now,
            agenda: Agenda::default(),
            trace: Trace::new(options.lines),
            model,
            host: Host::new(),
            disk: Disk::new(),
            programs: Vec::new(),
            clients: Vec::new(),
            connections: Vec::new(),
            mischief,
            phase: Phase::Work,
            numbers: 0,
            counts: BTreeMap::new(),
            cancelled: Vec::new(),
            closed: Vec::new(),
        }
    }

    /// `item` happens within `within_us` from now.
    pub fn later(&mut self, within_us: u64, item: Item) {
        let span = Duration::from_micros(self.random.between(1, within_us));
        self.agenda.add(&mut self.random, self.now.plus(span), item);
    }

    /// `item` happens after `ms`.
    pub fn after(&mut self, ms: u64, item: Item) {
        self.agenda.add(&mut self.random, self.now.plus_ms(ms), item);
    }

    /// True while new work is begun and new faults strike.
    pub fn working(&self) -> bool {
        self.phase == Phase::Work
    }

    /// Bytes that nobody can guess.
    pub fn token(&mut self) -> [u8; 16] {
        let mut token = [0; 16];
        token[..8].copy_from_slice(&self.random.next().to_le_bytes());
        token[8..].copy_from_slice(&self.random.next().to_le_bytes());
        token
    }

    /// The slot of a program that is open and driven; puts `item` off if it is paused.
    fn ready(&mut self, who: Who, item: Item) -> Option<usize> {
        let program = &self.programs[who.slot];
        if program.who != who || program.state == State::Dead {
            return None;
        }
        if let Some(until) = program.paused_until {
            let at = until.plus(Duration::from_micros(1));
            self.agenda.add(&mut self.random, at, item);
            return None;
        }
        Some(who.slot)
    }

    fn step(&mut self, item: Item) {
        self.trace.note(self.now, format_args!("{item:?}"));
        match item {
            Item::Act(who) | Item::Settle(who, _) | Item::Answer(who, _) | Item::Take(who, _) => {
                if let Some(slot) = self.ready(who, item)
                    && self.programs[slot].state == State::Open
                {
                    self.turn(slot, item);
                }
            }
            Item::Overdue(who, id) => {
                if self.ready(who, item).is_some() {
                    self.model.overdue(self.now, who, id);
                }
            }
            Item::ClientTimer(who) => self.client_timer(who),
            Item::HubTimer => self.hub_timer(),
            Item::Connect(who) => {
                if let Some(slot) = self.ready(who, item) {
                    self.connect(slot);
                }
            }
            Item::Up(connection) => self.arrive_up(connection),
            Item::Down(connection) => self.arrive_down(connection),
            Item::Fault(fault) => self.strike(fault),
            Item::Continue(who) => self.go_on(who),
            Item::ContinueHub => self.hub_goes_on(),
            Item::Takeover => self.take_over(),
            Item::ProcessEnded(epoch, session) => self.process_ended(epoch, session),
            Item::Flush(_)
            | Item::Journal(_)
            | Item::Files(_)
            | Item::Mail(_)
            | Item::HandedOver(_) => self.host_item(item),
            Item::Room => (self.disk.is_full, self.disk.is_tight) = (false, false),
            Item::Open(slot) => {
                if self.working() {
                    self.open(slot);
                }
            }
            Item::Next(phase) => self.next_phase(phase),
        }
    }

    fn turn(&mut self, slot: usize, item: Item) {
        match item {
            Item::Settle(_, token) => self.settle_held(slot, token),
            Item::Answer(_, token) => self.answer(slot, token),
            Item::Take(_, id) => self.take(slot, id),
            _ if self.working() => {
                self.act(slot);
                self.later(2 * self.plan.act_us, item);
            }
            _ => {}
        }
        self.drive(slot);
    }

    /// A new ticket; its end is looked for just after its last moment.
    pub fn ticket(&mut self, slot: usize, timeout_ms: Option<u64>) -> Start {
        let program = &mut self.programs[slot];
        let (who, id) = (program.who, program.next_id);
        program.next_id += 1;
        let deadline = timeout_ms.map(|ms| self.now.plus_ms(ms));
        if let Some(at) = deadline {
            let wait = verdict_wait(at.since(self.now)) + Duration::from_micros(1);
            self.agenda.add(&mut self.random, at.plus(wait), Item::Overdue(who, id));
        }
        Start { who, id, user: id * 7 + slot as u64, now: self.now, deadline }
    }

    /// A program starts an operation; its client is to be driven after it.
    pub fn start(&mut self, slot: usize, command: Command, timeout_ms: Option<u64>) -> Id {
        let start = self.ticket(slot, timeout_ms);
        let Start { who, id, .. } = start;
        self.programs[slot].tickets.push(id);
        self.trace.note(self.now, format_args!("{who:?} starts {id}: {command:?} {timeout_ms:?}"));
        self.model.started(&start, &command);
        let now = self.programs[slot].clock.shows(self.now);
        let deadline = start.deadline.map(|at| self.programs[slot].clock.shows(at));
        if let Some(command) = self.mischief.command(&start, command) {
            self.clients[slot].start(now, id, start.user, command, deadline);
        }
        self.start_hidden(slot);
        id
    }

    /// What a planted bug starts behind its program's back.
    fn start_hidden(&mut self, slot: usize) {
        let now = self.programs[slot].clock.shows(self.now);
        while let Some((id, command)) = self.mischief.hidden.pop() {
            self.clients[slot].start(now, id, 0, command, Some(now.plus_ms(5_000)));
        }
    }

    /// Drains a client, until nothing comes of it any more.
    pub fn drive(&mut self, slot: usize) {
        let mut rounds = 0;
        while self.flush_client(slot) | self.drain_links(slot) | self.drain_events(slot) {
            rounds += 1;
            if rounds > 10_000 {
                return self.model.complain(format!("program {slot} never comes to rest"));
            }
        }
        for (who, id) in std::mem::take(&mut self.cancelled) {
            self.model.cancelled(who, id);
        }
        for who in std::mem::take(&mut self.closed) {
            self.model.closed(who);
            self.programs[slot].connecting = false;
            if self.programs[slot].connection.is_some() {
                self.model.complain(format!("{who:?} has closed and keeps its connection"));
            }
        }
        self.set_client_timer(slot);
    }

    fn drain_links(&mut self, slot: usize) -> bool {
        let Some(link) = self.clients[slot].poll_link() else { return false };
        self.flush_client(slot);
        self.link(slot, link);
        true
    }

    fn drain_events(&mut self, slot: usize) -> bool {
        let made_up = self.mischief.made_up(slot);
        let Some(event) = made_up.or_else(|| self.clients[slot].poll_event()) else {
            return false;
        };
        if event.id < HIDDEN {
            for event in self.mischief.event(slot, event) {
                self.hear(slot, event);
            }
            self.start_hidden(slot);
        }
        true
    }

    /// A program hears something; times are in the world's clock from here on.
    fn hear(&mut self, slot: usize, mut event: Event) {
        let program = &self.programs[slot];
        if let What::Request(request) = &mut event.what {
            request.deadline = request.deadline.map(|at| program.clock.world(at));
        }
        let who = program.who;
        self.trace.note(self.now, format_args!("{who:?} hears {event:?}"));
        let linked = program.connection.is_some_and(|index| self.connections[index].hub_open);
        self.model.event(self.now, who, linked, &event);
        self.react(slot, event);
    }

    fn set_client_timer(&mut self, slot: usize) {
        let program = &mut self.programs[slot];
        let next = self.clients[slot].poll_timeout();
        let next = next.map(|at| program.clock.world(at).max(self.now));
        if next != program.timer {
            program.timer = next;
            if let Some(at) = next {
                self.agenda.add(&mut self.random, at, Item::ClientTimer(program.who));
            }
        }
    }

    fn client_timer(&mut self, who: Who) {
        if self.programs[who.slot].timer != Some(self.now) {
            return;
        }
        // A paused program looks at its timers when it goes on.
        if self.ready(who, Item::ClientTimer(who)).is_none() {
            return;
        }
        let program = &mut self.programs[who.slot];
        program.timer = None;
        let now = program.clock.shows(self.now);
        self.clients[who.slot].handle_timeout(now);
        self.drive(who.slot);
        let program = &mut self.programs[who.slot];
        program.restless = if program.timer == Some(self.now) { program.restless + 1 } else { 0 };
        if program.restless > 1_000 {
            self.model.complain(format!("a timer of {who:?} fires for ever"));
        }
    }
}
