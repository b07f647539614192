//! Which host each program has reached, and whom the hub may have given up.
//!
//! A program whose connection broke long ago may have lost its session without knowing: what it
//! says it holds then counts for nothing until it hears `Resumed` or `HubChanged`.

use std::collections::BTreeMap;
use std::time::Duration;

use telpher_proto::base::{HubInfo, Notice, Time};

use super::{Verdict, ensure};
use crate::agenda::Who;

#[derive(Debug, Default)]
struct Session {
    local: bool,
    epoch: u64,
    reached: bool,
    connected: bool,
    lost: Option<(Time, Option<Duration>)>,
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

    pub fn opened(&mut self, who: Who, info: &HubInfo) -> Verdict {
        let session = self.of(who);
        ensure(!session.reached, || "it was open before".into())?;
        ensure(info.memory_only && info.session_id != 0, || "this is another hub".into())?;
        *session = Session { reached: true, connected: true, epoch: info.epoch, ..*session };
        session.lost = None;
        Ok(())
    }

    pub fn notice(&mut self, who: Who, notice: &Notice) -> Verdict {
        let session = self.of(who);
        match notice {
            Notice::Disconnected { .. } => session.connected = false,
            Notice::Resumed => {
                session.connected = true;
                session.lost = None;
            }
            Notice::HubChanged { epoch, memory_lost } => {
                let known = session.epoch;
                ensure(*epoch >= known, || format!("the epoch was {known} before"))?;
                ensure(*memory_lost == (*epoch > known), || {
                    format!("a host forgets its memory with a new epoch only; it was {known}")
                })?;
                *session = Session { connected: true, epoch: *epoch, ..*session };
                session.lost = None;
            }
        }
        Ok(())
    }

    /// The hub has learned that a connection is gone; `current` if it is the newest one of `who`.
    pub fn hub_lost(&mut self, now: Time, who: Who, current: bool, grace: Option<Duration>) {
        let session = self.of(who);
        if current || !session.connected {
            session.lost = Some((now, grace));
        }
    }
}
