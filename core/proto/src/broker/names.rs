//! Names, each with a small number while somebody refers to it.
//!
//! Floor: broker.

use slab::Slab;

use super::Map;
use crate::base::limits::NAMES_PER_HUB_MAX;
use crate::base::{Error, Kind, Name};

/// A name that a connection has open. Valid until released as often as it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameId(usize);

#[derive(Debug)]
struct Entry {
    name: Name,
    references: usize,
    service: Option<usize>,
    queue: Option<usize>,
    stream: Option<usize>,
}

#[derive(Debug, Default)]
pub(super) struct Names {
    entries: Slab<Entry>,
    by_name: Map<Name, usize>,
}

impl Names {
    pub fn open(&mut self, name: &Name) -> Result<NameId, Error> {
        if let Some(key) = self.by_name.get(name) {
            self.entries[*key].references += 1;
            return Ok(NameId(*key));
        }
        // Connections may have names open that stand for nothing yet: twice the bound suffices.
        if self.entries.len() >= 2 * NAMES_PER_HUB_MAX {
            let detail = format!("the hub knows {} names, its limit", self.entries.len());
            return Err(Error::new(Kind::Full, detail));
        }
        let entry =
            Entry { name: name.clone(), references: 1, service: None, queue: None, stream: None };
        let key = self.entries.insert(entry);
        self.by_name.insert(name.clone(), key);
        Ok(NameId(key))
    }

    /// One more refers to the name; `release` ends that.
    pub fn keep(&mut self, id: NameId) {
        self.entries[id.0].references += 1;
    }

    pub fn find(&self, name: &Name) -> Option<NameId> {
        self.by_name.get(name).copied().map(NameId)
    }

    pub fn release(&mut self, id: NameId) {
        self.entries[id.0].references -= 1;
        self.forget_unused(id);
    }

    pub fn name(&self, id: NameId) -> &Name {
        &self.entries[id.0].name
    }

    pub fn service(&self, id: NameId) -> Option<usize> {
        self.entries[id.0].service
    }

    pub fn queue(&self, id: NameId) -> Option<usize> {
        self.entries[id.0].queue
    }

    pub fn stream(&self, id: NameId) -> Option<usize> {
        self.entries[id.0].stream
    }

    pub fn set_stream(&mut self, id: NameId, stream: Option<usize>) {
        self.entries[id.0].stream = stream;
        self.forget_unused(id);
    }

    pub fn set_service(&mut self, id: NameId, service: Option<usize>) {
        self.entries[id.0].service = service;
        self.forget_unused(id);
    }

    pub fn set_queue(&mut self, id: NameId, queue: Option<usize>) {
        self.entries[id.0].queue = queue;
        self.forget_unused(id);
    }

    fn forget_unused(&mut self, id: NameId) {
        let entry = &self.entries[id.0];
        let is_named = entry.service.or(entry.queue).or(entry.stream).is_some();
        if entry.references == 0 && !is_named {
            let entry = self.entries.remove(id.0);
            self.by_name.remove(&entry.name);
        }
    }
}

impl super::Broker {
    /// Gives a name its number.
    ///
    /// # Errors
    ///
    /// `FULL` if the hub knows as many names as it may.
    pub fn open_name(&mut self, name: &Name) -> Result<NameId, Error> {
        self.names.open(name)
    }

    /// The connection has closed the name.
    pub fn release_name(&mut self, id: NameId) {
        self.names.release(id);
    }
}
