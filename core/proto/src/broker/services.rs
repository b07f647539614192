//! Services: names that are served, and the line of calls that wait for an instance.
//!
//! Floor: broker.

use std::collections::VecDeque;

use super::{Broker, NameId};
use crate::base::{Error, Kind, Name, limits};

/// An instance of a service, as a program registers it.
#[derive(Clone, Debug)]
pub struct Instance {
    /// The program's number for it.
    pub id: u64,
    /// Requests handled at once.
    pub concurrency: u32,
    /// Requests that may wait.
    pub line_max: u32,
    /// What it calls itself.
    pub instance_name: Option<Name>,
}

impl Instance {
    pub(super) fn check(&self) -> Result<(), Error> {
        for (what, value, least, most) in [
            ("concurrency", self.concurrency, 1, limits::CONCURRENCY_MAX),
            ("line_max", self.line_max, 0, limits::LINE_MAX),
        ] {
            if !(least..=most).contains(&value) {
                let detail = format!("{what} is {value}; allowed are {least} to {most}");
                return Err(Error::new(Kind::Invalid, detail));
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
pub(super) struct Service {
    name: Name,
    name_id: NameId,
    /// Its registrations, in the order in which they came.
    pub instances: Vec<usize>,
    /// Instances that can take more, least recently used first.
    pub ready: VecDeque<usize>,
    /// Calls that wait; those that have ended since are passed over.
    pub line: VecDeque<u64>,
    pub waiting: usize,
    /// Calls that refer to the service.
    pub calls: usize,
    pub line_max: usize,
}

impl Broker {
    pub(super) fn service_of(&mut self, name: NameId) -> usize {
        if let Some(key) = self.names.service(name) {
            return key;
        }
        let key = self.services.insert(Service {
            name: self.names.name(name).clone(),
            name_id: name,
            instances: Vec::new(),
            ready: VecDeque::new(),
            line: VecDeque::new(),
            waiting: 0,
            calls: 0,
            line_max: limits::LINE_DEFAULT as usize,
        });
        self.names.set_service(name, Some(key));
        key
    }

    /// A call that referred to the service has ended.
    pub(super) fn left_service(&mut self, key: usize) {
        self.services[key].calls -= 1;
        self.forget_unused_service(key);
    }

    pub(super) fn instance_left(&mut self, key: usize, registration: usize) {
        let service = &mut self.services[key];
        service.ready.retain(|ready| *ready != registration);
        service.instances.retain(|instance| *instance != registration);
        if service.instances.is_empty() && !self.recovering {
            self.refuse_line(key);
        }
    }

    /// The grace time after a change of host is over: who has not come back is not there.
    pub(super) fn recovered(&mut self) {
        self.recovering = false;
        let unserved = self.services.iter().filter(|(_, service)| service.instances.is_empty());
        let unserved: Vec<usize> = unserved.map(|(key, _)| key).collect();
        unserved.into_iter().for_each(|key| self.refuse_line(key));
        self.ask_those_that_wait();
        self.spread_all();
    }

    /// Nobody serves the name: what waits in line is refused.
    pub(super) fn refuse_line(&mut self, key: usize) {
        // One more reference, so that the last refusal does not take the service away.
        self.services[key].calls += 1;
        let detail = format!("no instance serves {:?} any more", self.services[key].name);
        for token in std::mem::take(&mut self.services[key].line) {
            self.drop_waiting(token, Some(Error::new(Kind::NoService, detail.clone())));
        }
        self.left_service(key);
    }

    pub(super) fn forget_unused_service(&mut self, key: usize) {
        let service = &self.services[key];
        if service.instances.is_empty() && service.calls == 0 {
            let service = self.services.remove(key);
            self.names.set_service(service.name_id, None);
        }
    }
}
