//! What the program has taken of what its subscribers and gathers got: told to the hub in large
//! steps, so that it sends more.
//!
//! Floor: sync.

use foldhash::HashMap;
use telpher_proto::base::{Event, Id, Untaken, What, limits};

use crate::sync::Mutex;

/// Bytes of which the hub is told at once.
const BYTES_STEP: u64 = limits::SUBSCRIPTION_BYTES_MAX / 2;

/// How far one subscriber is.
struct Progress {
    /// Messages of which the hub is told at once: half of what may be on its way.
    step: u32,
    /// Those that it was not told of yet.
    untold: Untaken,
}

/// The subscribers of one handle.
#[derive(Default)]
pub(crate) struct Taken(Mutex<HashMap<Id, Progress>>);

impl Taken {
    pub(crate) fn insert(&self, id: Id, buffer: u32) {
        let step = buffer.div_ceil(2);
        self.0.lock().insert(id, Progress { step, untold: Untaken::default() });
    }

    pub(crate) fn remove(&self, id: Id) {
        self.0.lock().remove(&id);
    }

    /// Notes what the program takes; `tell` gets what the hub is to be told of.
    pub(crate) fn note(&self, events: &[Event], mut tell: impl FnMut(Id, Untaken)) {
        let mut published = events.iter().filter_map(|event| match &event.what {
            What::Published(published) => Some((event.id, published.untaken())),
            What::Answer(answer) => Some((event.id, Untaken { count: 1, bytes: answer.size() })),
            _ => None,
        });
        let Some(first) = published.next() else { return };
        let mut all = self.0.lock();
        for (id, taken) in std::iter::once(first).chain(published) {
            let Some(progress) = all.get_mut(&id) else { continue };
            let Progress { step, untold } = progress;
            untold.add(taken);
            if untold.count >= *step || untold.bytes >= BYTES_STEP {
                tell(id, std::mem::take(untold));
            }
        }
    }
}
