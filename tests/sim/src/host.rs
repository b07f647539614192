//! The process that hosts the hub, and the hub in it.

use std::collections::BTreeMap;

use telpher_proto::base::Time;
use telpher_proto::base::record::{Position, Process};
use telpher_proto::hub::{Config, Hub, Peer, SessionId};

use crate::agenda::{Item, Who};
use crate::program::State;
use crate::storage::{Doom, Threads};
use crate::world::World;

/// The wall clock at the beginning of a run, in ms since 1970.
const WALL_MS: i64 = 1_700_000_000_000;

/// A host and its hub.
#[derive(Default)]
pub(crate) struct Host {
    /// None between the end of one host and the start of the next.
    pub hub: Option<Hub>,
    pub epoch: u64,
    pub paused: bool,
    /// Which connection each port belongs to.
    pub ports: BTreeMap<usize, usize>,
    /// Sessions of local programs whose connections broke.
    pub lingering: Vec<(SessionId, Who)>,
    pub threads: Threads,
    /// It ends by itself as soon as this position is durable.
    pub closing: Option<Position>,
    /// It ends early.
    pub doom: Option<Doom>,
    /// Attempts to take over that were broken off since a host last served.
    pub attempts: u64,
    /// How often the machine was started anew.
    pub boots: u64,
    /// What the wall clock shows, against the time of the run, in ms.
    pub wall_ms: i64,
    timer: Option<Time>,
    restless: u32,
    flushing: bool,
}

impl Host {
    /// Nobody hosts yet.
    pub fn new() -> Host {
        Host { wall_ms: WALL_MS, ..Host::default() }
    }

    /// It is gone, with all that it knew.
    pub fn clear(&mut self) {
        let Host { epoch, attempts, boots, wall_ms, .. } = *self;
        *self = Host { epoch, attempts, boots, wall_ms, ..Host::default() };
    }

    /// What stands for the machine's boot: programs with the same one share its clock.
    pub fn boot(&self) -> [u8; 16] {
        [0x10 + (self.boots % 0x80) as u8; 16]
    }
}

/// The process of a program.
pub(crate) fn process(who: Who) -> Process {
    Process { pid: who.slot as u32 + 100, started: u64::from(who.life) }
}

/// Whose process this is.
pub(crate) fn program(process: Process) -> Who {
    Who { slot: process.pid as usize - 100, life: process.started as u32 }
}

impl World {
    /// What a hub that begins now is told.
    pub(crate) fn config(&mut self) -> Config {
        let now_ms = (self.now.as_nanos() / 1_000_000) as i64;
        Config {
            hub_id: [7; 16],
            journal_id: [7; 16],
            epoch: self.host.epoch,
            served: self.disk.note.served,
            clock: self.host.boot(),
            session_grace_ms: self.plan.grace_ms,
            time_ms: (self.host.wall_ms + now_ms).max(1) as u64,
            seed: self.random.next(),
            sizes: self.plan.disk.sizes,
        }
    }

    /// Who is at the other end of a program's connections.
    pub(crate) fn peer(&self, slot: usize) -> Peer {
        let program = &self.programs[slot];
        if program.local { Peer::Local(Some(process(program.who))) } else { Peer::Remote }
    }

    /// Sets the hub's timer, and lets what it has written down go to the disk: at once, or together
    /// with what comes next.
    pub(crate) fn after_hub(&mut self) {
        if self.host.closing.is_some() {
            return;
        }
        if self.host.hub.is_some() && self.plan.directory && !self.host.flushing {
            if self.random.chance(60) {
                self.flush();
            } else {
                self.host.flushing = true;
                self.later(300, Item::Flush(self.host.epoch));
            }
        }
        let Some(hub) = &self.host.hub else { return };
        let next = hub.poll_timeout().map(|at| at.max(self.now));
        if next != self.host.timer {
            self.host.timer = next;
            if let Some(at) = next {
                self.agenda.add(&mut self.random, at, Item::HubTimer);
            }
        }
    }

    /// The end of a turn of the hub.
    pub(crate) fn flush(&mut self) {
        self.host.flushing = false;
        if let Some(hub) = &mut self.host.hub {
            hub.flush(self.now);
            self.drain_disk();
        }
    }

    /// Something that the host of an epoch does or hears.
    pub(crate) fn host_item(&mut self, item: Item) {
        let (Item::Flush(epoch)
        | Item::Journal(epoch)
        | Item::Files(epoch)
        | Item::Mail(epoch)
        | Item::HandedOver(epoch)) = item
        else {
            return;
        };
        if self.host.epoch != epoch || self.host.hub.is_none() {
            return;
        }
        match item {
            Item::Flush(_) if self.host.paused => self.later(10_000, item),
            Item::Flush(_) => {
                self.flush();
                self.after_hub();
            }
            Item::Journal(_) => self.journal_turn(),
            Item::Files(_) => self.files_turn(),
            // A paused hub takes its mail when it goes on.
            Item::Mail(_) if self.host.paused => {}
            Item::Mail(_) => self.take_mail(),
            _ => self.host_killed(),
        }
    }

    pub(crate) fn hub_timer(&mut self) {
        let closing = self.host.closing.is_some();
        if self.host.timer != Some(self.now) || self.host.paused || closing {
            return;
        }
        self.hub_timeout();
        let restless = self.host.timer == Some(self.now);
        self.host.restless = if restless { self.host.restless + 1 } else { 0 };
        if self.host.restless > 1_000 {
            self.model.complain("a timer of the hub fires for ever".into());
        }
    }

    /// Lets the hub look at its timers.
    pub(crate) fn hub_timeout(&mut self) {
        self.host.timer = None;
        if let Some(hub) = &mut self.host.hub {
            hub.handle_timeout(self.now);
            self.drain_hub();
        }
    }

    /// The process of a program is over: the hub learns of it for each session that lingers.
    pub(crate) fn process_over(&mut self, who: Who) {
        let (over, lingering) =
            std::mem::take(&mut self.host.lingering).into_iter().partition(|(_, of)| *of == who);
        self.host.lingering = lingering;
        let over: Vec<(SessionId, Who)> = over;
        for (session, _) in over {
            let item = Item::ProcessEnded(self.host.epoch, session.0);
            self.later(50_000, item);
        }
    }

    /// A session of a local program lingers until its process is over.
    pub(crate) fn linger(&mut self, session: SessionId, who: Who) {
        self.host.lingering.push((session, who));
        let program = &self.programs[who.slot];
        if program.who != who || program.state != State::Open {
            self.process_over(who);
        }
    }

    pub(crate) fn process_ended(&mut self, epoch: u64, session: u64) {
        if self.host.epoch != epoch || self.host.closing.is_some() {
            return;
        }
        if self.host.paused {
            return self.later(10_000, Item::ProcessEnded(epoch, session));
        }
        self.model.local_end_learned();
        if let Some(hub) = &mut self.host.hub {
            hub.handle_process_ended(self.now, SessionId(session));
            self.drain_hub();
        }
    }
}
