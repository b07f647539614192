//! What the program has taken of what its subscribers got: told to the hub in large steps, so that
//! it sends more.
//!
//! Floor: sync.

use foldhash::HashMap;
use telpher_proto::base::{Event, Id, What};

use crate::sync::Mutex;

/// How far one subscriber is.
struct Progress {
    /// Messages of which the hub is told at once: half of what may be on its way.
    step: u32,
    /// Those that it was not told of yet.
    untold: u32,
}

/// The subscribers of one handle.
#[derive(Default)]
pub(crate) struct Taken(Mutex<HashMap<Id, Progress>>);

impl Taken {
    pub(crate) fn insert(&self, id: Id, buffer: u32) {
        let step = buffer.div_ceil(2).max(1);
        self.0.lock().insert(id, Progress { step, untold: 0 });
    }

    pub(crate) fn remove(&self, id: Id) {
        self.0.lock().remove(&id);
    }

    /// Notes what the program takes; `tell` gets what the hub is to be told of.
    pub(crate) fn note(&self, events: &[Event], mut tell: impl FnMut(Id, u32)) {
        let mut published = events.iter().filter(|event| matches!(event.what, What::Published(_)));
        let Some(first) = published.next() else { return };
        let mut all = self.0.lock();
        for event in std::iter::once(first).chain(published) {
            let Some(progress) = all.get_mut(&event.id) else { continue };
            progress.untold += 1;
            if progress.untold >= progress.step {
                tell(event.id, std::mem::take(&mut progress.untold));
            }
        }
    }
}
