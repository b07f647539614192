//! What the program has taken of what its subscribers, readers and gathers got: told to the hub in
//! large steps, so that it sends more.
//!
//! Floor: sync.

use foldhash::HashMap;
use telpher_proto::base::{Event, Id, Untaken, What, limits};

use crate::sync::Mutex;

/// Bytes of which the hub is told at once.
const BYTES_STEP: u64 = limits::SUBSCRIPTION_BYTES_MAX / 2;

/// The part of a reader's buffer that may be free without the hub being told.
const READER_STEP: u32 = 4;

/// When what is handed over counts as taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// When the handle hands it over.
    Handle,
    /// When the program says so.
    Program,
}

/// How far one subscriber or reader is.
struct Progress {
    pace: Pace,
    /// Messages of which the hub is told at once: half of what may be on its way.
    step: u32,
    /// Bytes of which it is told at once.
    bytes_step: u64,
    /// Those that it was not told of yet.
    untold: Untaken,
}

impl Progress {
    /// What the hub is to be told of, if that is enough.
    fn add(&mut self, taken: Untaken) -> Option<Untaken> {
        let Progress { step, bytes_step, untold, .. } = self;
        untold.add(taken);
        let is_enough = untold.count >= *step || untold.bytes >= *bytes_step;
        is_enough.then(|| std::mem::take(untold))
    }
}

/// The subscribers and readers of one handle.
#[derive(Default)]
pub(crate) struct Taken(Mutex<HashMap<Id, Progress>>);

impl Taken {
    pub(crate) fn insert(&self, id: Id, buffer: u32, pace: Pace) {
        let step = buffer.div_ceil(2);
        let untold = Untaken::default();
        self.0.lock().insert(id, Progress { pace, step, bytes_step: BYTES_STEP, untold });
    }

    pub(crate) fn insert_reader(&self, id: Id, buffer: u32, pace: Pace) {
        let buffer = if buffer == 0 { limits::READ_BUFFER_DEFAULT } else { buffer };
        let (step, bytes_step) = (u32::MAX, u64::from(buffer / READER_STEP).max(1));
        let untold = Untaken::default();
        self.0.lock().insert(id, Progress { pace, step, bytes_step, untold });
    }

    pub(crate) fn remove(&self, id: Id) {
        self.0.lock().remove(&id);
    }

    /// Notes what the program takes; `tell` gets what the hub is to be told of.
    pub(crate) fn note(&self, events: &[Event], mut tell: impl FnMut(Id, Untaken)) {
        let mut published = events.iter().filter_map(|event| match &event.what {
            What::Published(published) => Some((event.id, published.untaken())),
            What::Record(record) => Some((event.id, record.untaken())),
            What::Answer(answer) => Some((event.id, Untaken { count: 1, bytes: answer.size() })),
            _ => None,
        });
        let Some(first) = published.next() else { return };
        let mut all = self.0.lock();
        for (id, taken) in std::iter::once(first).chain(published) {
            let progress = all.get_mut(&id).filter(|progress| progress.pace == Pace::Handle);
            if let Some(told) = progress.and_then(|progress| progress.add(taken)) {
                tell(id, told);
            }
        }
    }

    /// Notes what the program says that it has taken; what the hub is to be told of.
    pub(crate) fn note_paced(&self, id: Id, taken: Untaken) -> Option<Untaken> {
        let mut all = self.0.lock();
        let progress = all.get_mut(&id).filter(|progress| progress.pace == Pace::Program)?;
        progress.add(taken)
    }
}
