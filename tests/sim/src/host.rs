//! The process that hosts the hub, and the hub in it.

use std::collections::BTreeMap;

use telpher_proto::base::Time;
use telpher_proto::hub::{Config, Hub, SessionId};

use crate::agenda::{Item, Who};
use crate::plan::Plan;
use crate::program::State;
use crate::world::World;

/// A host and its hub.
pub(crate) struct Host {
    /// None between the end of one host and the start of the next.
    pub hub: Option<Hub>,
    pub epoch: u64,
    pub paused: bool,
    /// Which connection each port belongs to.
    pub ports: BTreeMap<usize, usize>,
    /// Sessions of local programs whose connections broke.
    pub lingering: Vec<(SessionId, Who)>,
    timer: Option<Time>,
    restless: u32,
    log: u64,
}

impl Host {
    /// The first host.
    pub fn new(plan: &Plan, now: Time) -> Host {
        Host {
            hub: Some(hub(plan, 1, now)),
            epoch: 1,
            paused: false,
            ports: BTreeMap::new(),
            lingering: Vec::new(),
            timer: None,
            restless: 0,
            log: 0,
        }
    }

    /// It is gone, with all that it knew.
    pub fn clear(&mut self) {
        self.hub = None;
        self.paused = false;
        self.ports.clear();
        self.lingering.clear();
        self.timer = None;
        self.log = 0;
    }
}

fn hub(plan: &Plan, epoch: u64, now: Time) -> Hub {
    let config = Config {
        hub_id: [7; 16],
        epoch,
        clock: [1; 16],
        session_grace_ms: plan.grace_ms,
        directory: plan.directory,
        log_delayed: plan.log_ms > 0,
    };
    Hub::new(config, now)
}

impl World {
    /// A host starts; `epoch` is higher than that of the last one, unless a bug is planted.
    pub(crate) fn begin_hosting(&mut self, epoch: u64) {
        self.host.epoch = epoch;
        self.host.hub = Some(hub(&self.plan, epoch, self.now));
        self.after_hub();
    }

    /// Sets the hub's timer, and lets the log reach what it is to reach.
    pub(crate) fn after_hub(&mut self) {
        let Some(hub) = &self.host.hub else { return };
        let next = hub.poll_timeout().map(|at| at.max(self.now));
        let wanted = hub.log_wanted();
        if next != self.host.timer {
            self.host.timer = next;
            if let Some(at) = next {
                self.agenda.add(&mut self.random, at, Item::HubTimer);
            }
        }
        if self.plan.log_ms > 0 && wanted > self.host.log {
            self.host.log = wanted;
            let item = Item::Log(self.host.epoch, wanted);
            self.later(self.plan.log_ms * 1_000, item);
        }
    }

    pub(crate) fn hub_timer(&mut self) {
        if self.host.timer != Some(self.now) || self.host.paused {
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

    pub(crate) fn log_reached(&mut self, epoch: u64, position: u64) {
        if self.host.epoch != epoch {
            return;
        }
        if self.host.paused {
            return self.later(10_000, Item::Log(epoch, position));
        }
        if let Some(hub) = &mut self.host.hub {
            hub.handle_log(self.now, position);
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
        if self.host.epoch != epoch {
            return;
        }
        if self.host.paused {
            return self.later(10_000, Item::ProcessEnded(epoch, session));
        }
        if let Some(hub) = &mut self.host.hub {
            hub.handle_process_ended(self.now, SessionId(session));
            self.drain_hub();
        }
    }
}
