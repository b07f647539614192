//! What can be seen of a past that nobody hosts: queues, their messages, and declared topics.
//!
//! Floor: broker.

use super::bodies::{message_in, peeked};
use super::past::{Past, PastEntry, PastQueue};
use super::queues::{Entry, QueueView};
use crate::base::record::{Place, QueueState, Record};
use crate::base::{Name, Pattern, Peeked, QueueInfo, TopicInfo, TopicOptions};

/// One message of a queue that nobody hosts.
#[derive(Debug)]
pub struct PastMessage {
    entry: Entry,
}

impl PastMessage {
    /// Where its record is to be read; `None` if it is known as a whole.
    pub fn place(&self) -> Option<Place> {
        self.entry.message.is_none().then_some(self.entry.place)
    }

    /// Bytes of body, key and headers.
    pub fn size(&self) -> u64 {
        self.entry.size()
    }

    /// The message as it would be handed out, with what the record at its place says; `None` if
    /// that is no record of it.
    pub fn into_peeked(mut self, record: Option<&Record>) -> Option<Peeked> {
        if let Some(record) = record {
            self.entry.message = message_in(record, self.entry.message_id);
        }
        peeked(&self.entry)
    }
}

impl Past {
    /// True if the last host has ended by itself.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Every queue and its figures, by name.
    pub fn queues(&self) -> Vec<(Name, QueueInfo)> {
        let known = self.queues.values().filter_map(|queue| Some((queue, queue.state.as_ref()?)));
        let mut all: Vec<_> = known.map(|(queue, state)| self.figures(queue, state)).collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all
    }

    fn figures(&self, queue: &PastQueue, state: &QueueState) -> (Name, QueueInfo) {
        let mut info = QueueView::of(state);
        info.bindings = queue.bindings.iter().cloned().collect();
        if !queue.is_memory() || self.is_closed {
            for found in queue.entries.values() {
                info.bytes += found.entry.size();
                match found.holder {
                    Some(_) => info.held += 1,
                    None if found.entry.is_lost() => info.damaged += 1,
                    None => info.ready += 1,
                }
            }
        }
        (state.name.clone(), info)
    }

    /// The messages of a queue that wait, in the order in which they would be handed out; `None` if
    /// there is no such queue.
    pub fn into_messages(self, name: &Name) -> Option<Vec<PastMessage>> {
        let is_closed = self.is_closed;
        let is_it = |queue: &PastQueue| queue.state.as_ref().is_some_and(|s| s.name == *name);
        let queue = self.queues.into_values().find(is_it)?;
        if queue.is_memory() && !is_closed {
            return Some(Vec::new());
        }
        let is_waiting = |found: &PastEntry| found.holder.is_none() && !found.entry.is_lost();
        let waiting = queue.entries.into_values().filter(is_waiting);
        let mut waiting: Vec<Entry> = waiting.map(|found| found.entry).collect();
        waiting.sort_by_key(|entry| (!entry.suspect, u8::MAX - entry.priority, entry.sequence));
        Some(waiting.into_iter().map(|entry| PastMessage { entry }).collect())
    }

    /// Every declaration of topics, by pattern.
    pub fn topics(&self) -> Vec<(Pattern, TopicInfo)> {
        let info = |options: &TopicOptions| {
            let TopicOptions { overflow, line_max } = *options;
            TopicInfo { overflow, line_max, waiting: 0 }
        };
        self.topics.iter().map(|(pattern, options)| (pattern.clone(), info(options))).collect()
    }
}
