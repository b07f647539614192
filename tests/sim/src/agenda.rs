//! What is going to happen, and when. Of what happens at the same moment, chance chooses the next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use telpher_proto::base::{Id, Time};

use crate::random::Random;

/// One life of one program: a slot is taken again after its program has closed or died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Who {
    /// Which program.
    pub slot: usize,
    /// Which of its lives.
    pub life: u32,
}

/// Something that is going to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// A program does something of its own accord.
    Act(Who),
    /// A program settles a delivery.
    Settle(Who, u64),
    /// A handler answers a request.
    Answer(Who, u64),
    /// A program takes what has arrived for a reader or subscriber.
    Take(Who, Id),
    /// A ticket's last moment has passed.
    Overdue(Who, Id),
    /// A client's timer.
    ClientTimer(Who),
    /// The hub's timer.
    HubTimer,
    /// An attempt to connect succeeds or fails.
    Connect(Who),
    /// Bytes, or the end of them, reach the hub.
    Up(usize),
    /// Bytes, or the end of them, reach the client.
    Down(usize),
    /// A fault strikes.
    Fault(Fault),
    /// A paused program goes on.
    Continue(Who),
    /// The paused hub goes on.
    ContinueHub,
    /// Another host takes over.
    Takeover,
    /// The hub of this epoch learns that the process of a session has ended.
    ProcessEnded(u64, u64),
    /// What the hub of this epoch has written down goes to its disk.
    Flush(u64),
    /// The journal's thread of this epoch comes to the end of what it does.
    Journal(u64),
    /// So does the thread for files.
    Files(u64),
    /// The hub of this epoch hears of its disk.
    Mail(u64),
    /// The host of this epoch has had long enough to hand over.
    HandedOver(u64),
    /// There is room on the disk again.
    Room,
    /// A new program starts in a slot.
    Open(usize),
    /// The next part of the run begins.
    Next(Phase),
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A connection breaks.
    Break,
    /// A program is not driven for a while.
    Pause,
    /// The hub is not driven for a while.
    PauseHub,
    /// The host is killed; another takes over.
    HostKill,
    /// A program is killed.
    Kill,
    /// The machine loses its power: its programs die, and what was not synced.
    Power,
    /// The host ends by itself, and hands over.
    HandOver,
    /// The disk fails.
    DiskError,
    /// The disk is full for a while.
    DiskFull,
}

/// Every kind of fault.
pub const FAULTS: [Fault; 9] = [
    Fault::Break,
    Fault::Pause,
    Fault::PauseHub,
    Fault::HostKill,
    Fault::Kill,
    Fault::Power,
    Fault::HandOver,
    Fault::DiskError,
    Fault::DiskFull,
];

/// The parts of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Programs work, and faults strike.
    Work,
    /// No new work and no new faults; what is open ends.
    Rest,
    /// Each program tries whether the hub answers.
    Probe,
    /// Every program closes.
    Close,
    /// One more program takes what is left in each queue.
    Drain,
    /// The end.
    End,
}

/// The order of what is going to happen.
#[derive(Debug, Default)]
pub struct Agenda(BinaryHeap<Reverse<(Time, u64, Item)>>);

impl Agenda {
    /// `item` happens at `at`.
    pub fn add(&mut self, random: &mut Random, at: Time, item: Item) {
        self.0.push(Reverse((at, random.next(), item)));
    }

    /// Takes the next one.
    pub fn take(&mut self) -> Option<(Time, Item)> {
        self.0.pop().map(|Reverse((at, _, item))| (at, item))
    }
}
