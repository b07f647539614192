//! Requests that the program has been handed and has not answered yet.
//!
//! Floor: imports nothing of the runtime.

use foldhash::HashMap;
use telpher_proto::base::{Error, Kind, Time};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    pub(crate) deadline: Option<Time>,
    /// Its caller no longer waits.
    pub(crate) is_withdrawn: bool,
    /// It came with a message of a topic: it need not be answered, so its withdrawal ends it.
    is_published: bool,
}

/// The open requests of one handle, by token.
#[derive(Default)]
pub(crate) struct Requests {
    open: HashMap<u64, Open>,
}

impl Requests {
    pub(crate) fn insert(&mut self, token: u64, deadline: Option<Time>, is_published: bool) {
        self.open.insert(token, Open { deadline, is_withdrawn: false, is_published });
    }

    pub(crate) fn withdraw(&mut self, token: u64) {
        let Some(open) = self.open.get_mut(&token) else { return };
        open.is_withdrawn = true;
        if open.is_published {
            self.open.remove(&token);
        }
    }

    pub(crate) fn remove(&mut self, token: u64) {
        self.open.remove(&token);
    }

    pub(crate) fn get(&self, token: u64) -> Result<Open, Error> {
        self.open.get(&token).copied().ok_or_else(|| {
            Error::new(Kind::Stale, format!("the request {token} was answered, or never was"))
        })
    }

    pub(crate) fn clear(&mut self) {
        self.open.clear();
    }
}
