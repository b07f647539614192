//! Which hosts there were, how each ended, and what survived that.

use std::collections::BTreeMap;

use telpher_proto::base::{Durability, Time};

use super::{Verdict, ensure};

/// How a host ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostEnd {
    /// It was killed, or has given up: what it had in memory is gone.
    Killed,
    /// It was killed while it handed over: what it had in memory may be gone.
    HandingOver,
    /// The machine lost its power: what was not synced may be gone.
    Power,
    /// It has handed over everything.
    Clean,
}

/// How often something was lost until a host began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Losses {
    memory: u64,
    power: u64,
}

#[derive(Debug, Default)]
pub struct Eras {
    hosts: BTreeMap<u64, Losses>,
    now: Losses,
    /// Hosts that took their memory with them, and when.
    lost: Vec<(u64, Time)>,
    /// Hosts whose disk has failed, and when.
    failed: BTreeMap<u64, Time>,
    /// The wall clock was set.
    pub clock_jumped: bool,
}

impl Eras {
    /// A host begins, with an epoch that nobody had before.
    pub fn begin(&mut self, epoch: u64) -> Verdict {
        let before = self.current();
        self.hosts.insert(epoch, self.now);
        ensure(epoch > before, || format!("a host has epoch {epoch} after {before}"))
    }

    /// The epoch of the newest host.
    pub fn current(&self) -> u64 {
        self.hosts.last_key_value().map_or(0, |(epoch, _)| *epoch)
    }

    /// Hosts so far.
    pub fn count(&self) -> usize {
        self.hosts.len()
    }

    pub fn ended(&mut self, now: Time, end: HostEnd) {
        self.now.memory += u64::from(end != HostEnd::Clean);
        if end == HostEnd::Killed {
            self.lost.push((self.current(), now));
        }
    }

    pub fn power_cut(&mut self) {
        self.now.memory += 1;
        self.now.power += 1;
    }

    pub fn failed(&mut self, now: Time, epoch: u64) {
        self.failed.entry(epoch).or_insert(now);
    }

    /// True if the disk of this host failed before `started`.
    pub fn failed_before(&self, epoch: u64, started: Time) -> bool {
        self.failed.get(&epoch).is_some_and(|at| *at < started)
    }

    fn losses(&self, epoch: u64) -> Losses {
        self.hosts.get(&epoch).copied().unwrap_or_default()
    }

    /// Counts what a durability has not survived until the host of `epoch` began: what a host said
    /// holds for the later ones with the same number.
    pub fn era(&self, durability: Durability, epoch: u64) -> u64 {
        let Losses { memory, power } = self.losses(epoch);
        match durability {
            Durability::Memory => memory,
            Durability::Os => power,
            Durability::Disk => 0,
        }
    }

    /// The same for now.
    pub fn era_now(&self, durability: Durability) -> u64 {
        match durability {
            Durability::Memory => self.now.memory,
            Durability::Os => self.now.power,
            Durability::Disk => 0,
        }
    }

    /// What the host of `epoch` says of who holds what may be no longer so.
    pub fn is_stale(&self, durability: Durability, epoch: u64) -> bool {
        let then = self.losses(epoch);
        let memory = durability == Durability::Memory && then.memory != self.now.memory;
        then.power != self.now.power || memory
    }

    /// The machine has lost its power between these two hosts.
    pub fn power_between(&self, before: u64, after: u64) -> bool {
        self.losses(before).power != self.losses(after).power
    }

    /// What was in memory after `since` was lost between these two hosts.
    pub fn memory_lost_since(&self, before: u64, after: u64, since: Time) -> bool {
        self.lost.iter().any(|(epoch, at)| (before..after).contains(epoch) && *at > since)
    }

    /// What was in memory was certainly lost between these two hosts.
    pub fn memory_lost_between(&self, before: u64, after: u64) -> bool {
        self.lost.iter().any(|(epoch, _)| (before..after).contains(epoch))
    }

    /// What was in memory may have been lost between these two hosts.
    pub fn memory_between(&self, before: u64, after: u64) -> bool {
        self.losses(before).memory != self.losses(after).memory
    }
}
