//! How hosts end, and how the next one takes over: step by step, each of which may be its last.

use bytes::Bytes;
use telpher_proto::base::{Error, Kind};
use telpher_proto::hub::{Beginning, Hub};
use telpher_proto::journal::Source;

use crate::agenda::Item;
use crate::history;
use crate::host::program;
use crate::model::HostEnd;
use crate::mutant::Mutant;
use crate::program::State;
use crate::storage::{Doom, End};
use crate::world::World;

/// Operations of a recovery, more or less.
const RECOVERY_OPERATIONS: u64 = 12;

impl World {
    /// Another host takes over, if it gets that far.
    pub(crate) fn take_over(&mut self) {
        if self.host.hub.is_some() {
            return;
        }
        if !self.plan.directory {
            self.raise_epoch();
            let config = self.config();
            self.host.hub = Some(Hub::new(config, self.now));
            self.model.host_begins(self.host.epoch);
            return self.after_hub();
        }
        if self.working() && self.random.chance(self.plan.disk.broken_recoveries) {
            let operations = self.random.below(RECOVERY_OPERATIONS);
            let end = self.random.pick(&[End::Kill, End::Power, End::Error]).expect("three");
            self.host.doom = Some(Doom { operations, end, is_picky: false });
        }
        match self.recover() {
            Ok(beginning) => self.host_hub(beginning),
            Err(end) => self.broken_off(end),
        }
    }

    fn raise_epoch(&mut self) {
        let forgetful = self.mischief.is(Mutant::ForgetfulHost) && self.host.epoch > 0;
        self.host.epoch += u64::from(!forgetful);
        self.trace.note(self.now, format_args!("a host takes over, epoch {}", self.host.epoch));
    }

    /// An attempt to take over has come to nothing; there will be another.
    fn broken_off(&mut self, end: End) {
        self.host.attempts += 1;
        let depth = self.host.attempts.min(5);
        let more = if self.host.attempts > 5 { " or more" } else { "" };
        let what = format!("recovery broken off, {depth}{more} in a row");
        *self.counts.entry(what).or_default() += 1;
        if end == End::Power {
            self.machine_stops();
        }
        self.later(50_000, Item::Takeover);
    }

    /// What a host does before it serves.
    fn recover(&mut self) -> Result<Beginning, End> {
        self.before("the raising of the epoch")?;
        self.host.epoch = self.disk.note.epoch;
        self.raise_epoch();
        self.disk.note.epoch = self.host.epoch;
        self.after_operation("the raising of the epoch")?;
        self.mischief_with_history();
        let beginning = self.read_journal()?;
        self.make_first(&beginning)?;
        for obsolete in &beginning.obsolete {
            self.remove(*obsolete, "the removal of an obsolete segment")?;
        }
        self.before("the noting of the first segment")?;
        self.disk.note.served = self.host.epoch;
        self.disk.note.segment = beginning.segment.0;
        self.disk.sync_names();
        if let Err(end) = self.after_operation("the noting of the first segment") {
            // Whoever comes next can't know that nobody was served.
            self.model.host_ended(self.now, HostEnd::Killed);
            return Err(end);
        }
        Ok(beginning)
    }

    /// A planted bug of recovery leaves another past.
    fn mischief_with_history(&mut self) {
        let (files, _) = self.disk.files();
        let disk = &self.disk;
        let mut read = |number| Ok(Bytes::copy_from_slice(disk.read(number).unwrap_or_default()));
        let epoch = self.host.epoch;
        if let Some(content) = history::changed(&mut self.mischief, epoch, &files, &mut read) {
            self.disk.replace(1, &content);
        }
    }

    fn read_journal(&mut self) -> Result<Beginning, End> {
        let (files, stream_files) = self.disk.files();
        self.trace.note(self.now, format_args!("found {files:?} {stream_files:?}"));
        if files.last().map_or(0, |last| last.number) < self.disk.note.segment {
            self.model.complain(format!("segment {} is gone", self.disk.note.segment));
        }
        let config = self.config();
        for _ in &files {
            self.before("the reading of a segment")?;
        }
        let disk = &self.disk;
        let cut = self.mischief.is(Mutant::TailDropped);
        let newest = files.last().map(|last| last.number);
        let mut read = |number| match disk.read(number) {
            Some(bytes) if cut && Some(number) == newest => Ok(without_tail(bytes)),
            Some(bytes) => Ok(Bytes::copy_from_slice(bytes)),
            None => Err(Error::new(Kind::Io, "there is no such segment")),
        };
        let path = |number| format!("journal.{number:08}");
        let checkpoint = disk.checkpoint.clone().map(Bytes::from);
        let source = Source { files: &files, checkpoint, read: &mut read };
        match Hub::recover(config, self.now, (source, &stream_files), &path) {
            Ok(beginning) => {
                let (number, obsolete) = (beginning.segment.0, &beginning.obsolete);
                self.trace.note(self.now, format_args!("begins {number}, without {obsolete:?}"));
                Ok(beginning)
            }
            Err(error) => {
                self.model.complain(format!("the hub can't be recovered: {error}"));
                Err(End::Error)
            }
        }
    }

    /// Makes the segment with which the host begins; on a full disk out of what was kept for that.
    fn make_first(&mut self, beginning: &Beginning) -> Result<(), End> {
        let (number, size, content) = &beginning.segment;
        self.before("the making of the first segment")?;
        if self.disk.is_full && !std::mem::take(&mut self.disk.has_reserve) {
            *self.counts.entry("recovery without room".into()).or_default() += 1;
            return Err(End::Error);
        }
        let is_synced = !self.mischief.is(Mutant::TailNotSynced);
        let inode = self.disk.make(*size, content, is_synced);
        self.disk.put(*number, inode);
        self.after_operation("the naming of the first segment")?;
        self.disk.sync_names();
        self.after_operation("the making of the first segment")
    }

    fn host_hub(&mut self, beginning: Beginning) {
        self.host.doom = None;
        self.host.attempts = 0;
        self.host.hub = Some(beginning.hub);
        *self.counts.entry("recovered".into()).or_default() += 1;
        self.trace.note(self.now, format_args!("epoch {} is served", self.host.epoch));
        self.model.host_begins(self.host.epoch);
        for (session, process) in beginning.watched {
            self.linger(session, program(process));
        }
        self.drain_hub();
    }

    /// The host ends early.
    pub(crate) fn end_host(&mut self, end: End) {
        match end {
            End::Kill => self.host_killed(),
            End::Power => self.power_goes(),
            End::Error => self.disk_fails(),
        }
    }

    /// The host is killed, and perhaps it was one of the programs.
    pub(crate) fn host_killed(&mut self) {
        self.host_ends(HostEnd::Killed);
        if self.working() && self.random.chance(40) {
            let local = |slot: &usize| {
                let program = &self.programs[*slot];
                program.local && program.state == State::Open
            };
            let slots: Vec<usize> = (0..self.plan.programs).filter(local).collect();
            if let Some(slot) = self.random.pick(&slots) {
                self.kill(slot);
            }
        }
    }

    /// The host has heard that its disk failed, and gives the directory up.
    pub(crate) fn host_gives_up(&mut self) {
        self.host_ends(HostEnd::Killed);
    }

    /// The host ends by itself: it writes down what it has in memory only.
    pub(crate) fn hand_over(&mut self) {
        if self.host.paused || self.host.closing.is_some() {
            return;
        }
        let Some(hub) = &mut self.host.hub else { return };
        self.trace.note(self.now, format_args!("the host begins to hand over"));
        self.host.closing = hub.close_down(self.now);
        self.drain_disk();
        self.after(5_000, Item::HandedOver(self.host.epoch));
    }

    /// Everything is handed over.
    pub(crate) fn handed_over(&mut self) {
        self.host_ends(HostEnd::Clean);
    }

    /// The machine loses its power, and with it the host.
    pub(crate) fn power_goes(&mut self) {
        self.machine_stops();
        if self.host.hub.is_some() {
            self.host_ends(HostEnd::Power);
        }
    }

    /// What happens to the machine at a power cut, whoever hosts then.
    fn machine_stops(&mut self) {
        self.trace.note(self.now, format_args!("the power is cut"));
        *self.counts.entry("power cut".into()).or_default() += 1;
        self.disk.cut_power(&mut self.random);
        for slot in 0..self.programs.len() {
            let program = &self.programs[slot];
            if program.local && program.state != State::Dead {
                self.kill(slot);
            }
        }
        self.host.lingering.clear();
        self.host.boots += 1;
        self.model.power_cut();
    }

    /// Every connection breaks, and what was in memory is gone.
    fn host_ends(&mut self, end: HostEnd) {
        let end = match end {
            HostEnd::Killed if self.host.closing.is_some() => HostEnd::HandingOver,
            end => end,
        };
        self.trace.note(self.now, format_args!("the host has ended: {end:?}"));
        *self.counts.entry(format!("host ended: {end:?}")).or_default() += 1;
        for index in std::mem::take(&mut self.host.ports).into_values() {
            let connection = &mut self.connections[index];
            connection.hub_open = false;
            connection.up.discard();
            connection.down.cut(&mut self.random);
            let who = connection.who;
            self.schedule(index);
            self.model.host_lost(self.now, who, self.plan.grace_ms);
        }
        self.model.host_ended(self.now, end);
        self.host.clear();
        self.jump();
        self.later(300_000, Item::Takeover);
    }

    /// Somebody sets the wall clock.
    fn jump(&mut self) {
        if self.random.chance(15) {
            let ms = self.random.pick(&[1_000, 60_000, 315_360_000_000]).expect("three");
            let ms = if self.random.chance(50) { -ms } else { ms };
            self.host.wall_ms += ms;
            self.trace.note(self.now, format_args!("the wall clock jumps by {ms} ms"));
            self.model.clock_jumped();
        }
    }
}

/// A segment whose last part is gone.
fn without_tail(bytes: &[u8]) -> Bytes {
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let mut content = bytes.to_vec();
    content[used.saturating_sub(3_000)..].fill(0);
    Bytes::from(content)
}
