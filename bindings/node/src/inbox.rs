//! Events that a background driver has handed over, until JavaScript takes them.
//!
//! What arrives here counts as taken, so that the hub sends more of it. Requests and jobs are
//! bounded all the same, as they are held; of published messages the newest are kept, for each
//! subscriber.
//!
//! The bell is rung once per batch: when something is put in while it is not rung already.
//! Once the bell is gone (its environment ends), events are still kept for the last `take`.
//!
//! Floor: telpher, napi.

use std::collections::{BTreeMap, VecDeque};
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use napi::sys;
use telpher::{Error, Event, Id, Kind, What, limits};

/// A thread-safe function; napi allows calling it from any thread until it is released.
pub(crate) struct Bell(pub(crate) sys::napi_threadsafe_function);

// SAFETY: what napi calls a thread-safe function may be called from any thread.
unsafe impl Send for Bell {}

/// What was published last, for one subscriber.
#[derive(Default)]
struct Newest {
    events: VecDeque<Event>,
    bytes: u64,
}

impl Newest {
    fn push(&mut self, event: Event, most: usize) {
        self.bytes += size(&event);
        self.events.push_back(event);
        let is_over = |newest: &Newest| {
            let count = newest.events.len();
            count > most || (count > 1 && newest.bytes > limits::SUBSCRIPTION_BYTES_MAX)
        };
        while is_over(self)
            && let Some(oldest) = self.events.pop_front()
        {
            self.bytes -= size(&oldest);
        }
    }
}

fn size(event: &Event) -> u64 {
    match &event.what {
        What::Published(published) => published.message.size() as u64,
        _ => 0,
    }
}

#[derive(Default)]
struct Inner {
    events: VecDeque<Event>,
    published: BTreeMap<Id, Newest>,
    /// Bytes of answers among the events.
    answer_bytes: u64,
    bell: Option<Bell>,
    rung: bool,
}

/// The inbox of one handle.
#[derive(Default)]
pub(crate) struct Inbox(Mutex<Inner>);

impl Inbox {
    /// An inbox that rings `bell`.
    pub(crate) fn new(bell: Bell) -> Inbox {
        Inbox(Mutex::new(Inner { bell: Some(bell), ..Inner::default() }))
    }

    /// Puts an event in, and rings if that was not done yet. Answers for which there is no room are
    /// lost, and say so.
    pub(crate) fn put(&self, mut event: Event) {
        let mut inner = self.lock();
        if let What::Answer(answer) = &mut event.what {
            let bytes = inner.answer_bytes + answer.size();
            if bytes > limits::GATHER_BYTES_MAX {
                let error = Error::new(Kind::Lost, "the program took the answers too slowly");
                answer.reply = Err(error.executed(true));
            } else {
                inner.answer_bytes = bytes;
            }
        }
        inner.events.push_back(event);
        ring(&mut inner);
    }

    /// The same for an event of a subscriber: beyond `most` messages, or 16 MiB, the oldest are
    /// lost.
    pub(crate) fn put_newest(&self, event: Event, most: usize) {
        match event.what {
            // The numbers that are missing say the same.
            What::Gap { .. } => return,
            What::Published(_) => {}
            _ => return self.put(event),
        }
        let mut inner = self.lock();
        inner.published.entry(event.id).or_default().push(event, most);
        ring(&mut inner);
    }

    /// Moves everything to `events`: what was published comes last.
    pub(crate) fn take(&self, events: &mut VecDeque<Event>) {
        let mut inner = self.lock();
        inner.rung = false;
        inner.answer_bytes = 0;
        events.append(&mut inner.events);
        for (_, mut waiting) in std::mem::take(&mut inner.published) {
            events.append(&mut waiting.events);
        }
    }

    /// Takes the bell away, so that nobody rings it any more.
    pub(crate) fn silence(&self) -> Option<Bell> {
        self.lock().bell.take()
    }

    /// A panic cannot happen while this lock is held, so what it guards is whole.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rings if that was not done since the last `take`.
fn ring(inner: &mut Inner) {
    if !std::mem::replace(&mut inner.rung, true)
        && let Some(Bell(function)) = inner.bell
    {
        let mode = sys::ThreadsafeFunctionCallMode::nonblocking;
        // SAFETY: the bell is there, so it was not released; the lock keeps it so.
        unsafe { sys::napi_call_threadsafe_function(function, ptr::null_mut(), mode) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use telpher::{Message, Name, Published};

    fn published(id: Id, number: u64) -> Event {
        let topic = Name::parse("topic").unwrap();
        let what =
            What::Published(Published { topic, number, message: Message::new(""), asked: None });
        Event { id, user: 0, what }
    }

    #[test]
    fn of_what_is_published_the_newest_are_kept_for_each_subscriber() {
        let inbox = Inbox::default();
        for number in 1..=5 {
            inbox.put_newest(published(1, number), 2);
            inbox.put_newest(Event { id: 1, user: 0, what: What::Gap { first: 1, last: 1 } }, 2);
        }
        inbox.put_newest(published(2, 1), 2);
        inbox.put_newest(Event { id: 2, user: 0, what: What::Started }, 2);
        let mut events = VecDeque::new();
        inbox.take(&mut events);
        let started = events.pop_front().unwrap();
        assert!(matches!(started.what, What::Started));
        let kept = events.iter().map(|event| match &event.what {
            What::Published(published) => (event.id, published.number),
            other => panic!("{other:?}"),
        });
        assert_eq!(kept.collect::<Vec<_>>(), [(1, 4), (1, 5), (2, 1)]);
        inbox.take(&mut events);
        assert_eq!(events.len(), 3);
    }
}
