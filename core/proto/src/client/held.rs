//! Deliveries and requests that the program holds.
//!
//! Floor: client.

use super::Map;
use crate::base::{Error, HubInfo, Id, Kind};

/// A request that the program is to answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handling {
    /// The service that it came for.
    pub service: Id,
    /// The program was told that nobody waits for it any more.
    pub withdrawn: bool,
    /// It came with a message of a topic, and need not be answered.
    pub is_published: bool,
}

/// Tokens of deliveries held, and whether a verdict on each has been given.
#[derive(Debug, Default)]
pub(super) struct HeldMap(Map<u64, bool>);

impl HeldMap {
    /// A delivery has come. False if the program has it already.
    pub fn insert(&mut self, token: u64) -> bool {
        if self.0.contains_key(&token) {
            return false;
        }
        self.0.insert(token, false);
        true
    }

    /// The program gives a verdict.
    pub fn begin_settle(&mut self, token: u64, hub: Option<HubInfo>) -> Result<(), Error> {
        match self.0.get_mut(&token) {
            Some(settling @ false) => {
                *settling = true;
                Ok(())
            }
            Some(true) => Err(settled_before()),
            None => Err(not_held(token, hub, "delivery")),
        }
    }

    /// The program holds the delivery and has given no verdict on it.
    pub fn is_open(&self, token: u64, hub: Option<HubInfo>) -> Result<(), Error> {
        match self.0.get(&token) {
            Some(false) => Ok(()),
            Some(true) => Err(settled_before()),
            None => Err(not_held(token, hub, "delivery")),
        }
    }

    /// The verdict has been taken, or refused.
    pub fn remove(&mut self, token: u64) {
        self.0.remove(&token);
    }

    /// The verdict was never given to the hub.
    pub fn undo_settle(&mut self, token: u64) {
        if let Some(settling) = self.0.get_mut(&token) {
            *settling = false;
        }
    }

    /// All that is held, in order.
    pub fn tokens(&self) -> Vec<u64> {
        let mut tokens: Vec<u64> = self.0.keys().copied().collect();
        tokens.sort_unstable();
        tokens
    }

    /// Nothing is held any more.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

fn settled_before() -> Error {
    Error::new(Kind::Stale, "the delivery has been settled before")
}

/// Why a token names nothing: it was used before, or another host gave it out.
pub(super) fn not_held(token: u64, hub: Option<HubInfo>, what: &str) -> Error {
    let series = token >> 48;
    match hub {
        Some(hub) if hub.epoch & 0x7fff != series => {
            let detail = format!("the {what} was void when the hub changed its host or session");
            Error::new(Kind::LeaseLost, detail)
        }
        _ => Error::new(Kind::Stale, format!("no {what} of this handle has the token {token:#x}")),
    }
}
