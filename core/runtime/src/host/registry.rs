//! The hubs that this process hosts, by what they are opened as.
//!
//! Floor: host.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use telpher_proto::base::Error;

use super::Host;
use crate::descriptors::PerProcess;
use crate::sync::Mutex;

/// What a hub is known by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// The name after `mem://`.
    Memory(String),
    /// Device and inode of its directory.
    Directory((u64, u64)),
}

type Hosts = HashMap<Key, Weak<Host>>;

static HOSTS: PerProcess<Mutex<Hosts>> = PerProcess::new();

fn living(hosts: &Hosts, key: &Key) -> Option<Arc<Host>> {
    hosts.get(key)?.upgrade().filter(|host| !host.has_ended())
}

fn put(hosts: &mut Hosts, key: Key, host: &Arc<Host>) {
    hosts.retain(|_, host| host.strong_count() > 0);
    hosts.insert(key, Arc::downgrade(host));
}

/// The host known by `key`, if this process has it.
pub(crate) fn find(key: &Key) -> Option<Arc<Host>> {
    living(&HOSTS.get().lock(), key)
}

/// The host known by `key`; started if there is none.
pub(crate) fn find_or_start(
    key: Key,
    start: impl FnOnce() -> Result<Arc<Host>, Error>,
) -> Result<Arc<Host>, Error> {
    let mut hosts = HOSTS.get().lock();
    if let Some(host) = living(&hosts, &key) {
        return Ok(host);
    }
    let host = start()?;
    put(&mut hosts, key, &host);
    Ok(host)
}

/// Makes `host` known by `key`; false if another is.
pub(crate) fn insert(key: Key, host: &Arc<Host>) -> bool {
    let mut hosts = HOSTS.get().lock();
    if living(&hosts, &key).is_some() {
        return false;
    }
    put(&mut hosts, key, host);
    true
}
