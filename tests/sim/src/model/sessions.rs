//! Which host each program has reached, and whom the hub may have given up.
//!
//! A program whose connection broke long ago may have lost its session without knowing: what it
//! says it holds then counts for nothing until it hears `Resumed` or `HubChanged`.

use std::collections::BTreeMap;
use std::time::Duration;

use telpher_proto::base::{HubInfo, Notice, Time};

use super::{Moment, Verdict, ensure};
use crate::agenda::Who;

#[derive(Debug, Default)]
struct Session {
    local: bool,
    epoch: u64,
    reached: bool,
    connected: bool,
    lost: Option<(Time, Option<Duration>)>,
}

impl Session {
    /// The program has heard that it is connected; that may be over by now.
    fn connect(&mut self, at: Moment) {
        self.connected = true;
        if at.linked {
            self.lost = None;
        }
    }
}

#[derive(Debug, Default)]
pub struct Sessions(BTreeMap<Who, Session>);

impl Sessions {
    pub fn open(&mut self, who: Who, local: bool) {
        self.0.insert(who, Session { local, ..Session::default() });
    }

    fn of(&mut self, who: Who) -> &mut Session {
        self.0.entry(who).or_default()
    }

    /// The host that `who` knows of.
    pub fn epoch(&self, who: Who) -> u64 {
        self.0.get(&who).map_or(0, |session| session.epoch)
    }

    /// True if `who` runs on the hub's machine.
    pub fn local(&self, who: Who) -> bool {
        self.0.get(&who).is_some_and(|session| session.local)
    }

    /// True if the hub may have ended this session.
    pub fn doubtful(&self, now: Time, who: Who) -> bool {
        let Some((since, Some(grace))) = self.0.get(&who).and_then(|session| session.lost) else {
            return false;
        };
        since.plus(grace) <= now
    }

    /// True if, as far as can be seen, the hub is connected with `who`.
    pub fn steady(&self, who: Who) -> bool {
        self.0.get(&who).is_some_and(|session| session.connected && session.lost.is_none())
    }

    pub fn opened(&mut self, at: Moment, info: &HubInfo, directory: bool) -> Verdict {
        let session = self.of(at.who);
        ensure(!session.reached, || "it was open before".into())?;
        let fits = info.memory_only != directory && info.session_id != 0;
        ensure(fits, || "this is another hub".into())?;
        session.reached = true;
        session.epoch = info.epoch;
        session.connect(at);
        Ok(())
    }

    pub fn notice(&mut self, at: Moment, notice: &Notice) -> Verdict {
        let session = self.of(at.who);
        match notice {
            Notice::Disconnected { .. } => session.connected = false,
            Notice::Resumed => session.connect(at),
            Notice::HubChanged { epoch, .. } => {
                let known = session.epoch;
                ensure(*epoch >= known, || format!("the epoch was {known} before"))?;
                session.epoch = *epoch;
                session.connect(at);
            }
        }
        Ok(())
    }

    /// The hub has learned that a connection is gone; `current` if it is the newest one of `who`.
    pub fn hub_lost(&mut self, now: Time, who: Who, current: bool, grace: Option<Duration>) {
        let session = self.of(who);
        // A connection in between may have resumed the session or not: nobody has heard of it.
        if current || !session.connected {
            session.lost.get_or_insert((now, grace));
        }
    }
}
