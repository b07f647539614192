//! Consumers and services of the program; they register again by themselves.
//!
//! Floor: client.

use super::Client;
use crate::base::{Command, Error, Event, Id, Kind, Name, Time, What};
use crate::wire::Frame;

#[derive(Debug)]
pub(super) struct Registration {
    pub user: u64,
    role: Role,
    started: bool,
}

#[derive(Clone, Debug)]
enum Role {
    Service { name: Name, concurrency: u32, line_max: u32 },
    Consumer { name: Name, prefetch: u32, ack_deadline_ms: u32 },
}

impl Client {
    pub(super) fn register(&mut self, now: Time, id: Id, user: u64, command: Command) {
        let role = match command {
            Command::Serve { service, concurrency, line_max } => {
                Role::Service { name: service, concurrency, line_max }
            }
            Command::Consume { queue, prefetch, ack_deadline_ms } => {
                Role::Consumer { name: queue, prefetch, ack_deadline_ms }
            }
            _ => return,
        };
        self.write_registration(now, id, &role);
        self.registrations.insert(id, Registration { user, role, started: false });
    }

    fn write_registration(&mut self, now: Time, id: Id, role: &Role) {
        if !self.is_open() {
            return;
        }
        let frame = match role {
            Role::Service { name, concurrency, line_max } => Frame::Serve {
                id,
                name: self.name_ref(now, name),
                concurrency: *concurrency,
                line_max: *line_max,
            },
            Role::Consumer { name, prefetch, ack_deadline_ms } => Frame::Consume {
                id,
                name: self.name_ref(now, name),
                prefetch: *prefetch,
                ack_deadline_ms: *ack_deadline_ms,
            },
        };
        self.push(now, &frame);
    }

    /// A new connection, or a new session: everything is registered again.
    pub(super) fn register_again(&mut self, now: Time) {
        let roles = self.registrations.iter().map(|(id, found)| (*id, found.role.clone()));
        let roles: Vec<(Id, Role)> = roles.collect();
        for (id, role) in roles {
            self.write_registration(now, id, &role);
        }
    }

    pub(super) fn credit(&mut self, now: Time, id: Id, wanted: u32) -> Result<(), Error> {
        match self.registrations.get_mut(&id).map(|registration| &mut registration.role) {
            Some(Role::Consumer { prefetch, .. }) => *prefetch = wanted,
            Some(Role::Service { .. }) => {
                let detail = "the id names a service; only a consumer has credit";
                return Err(Error::new(Kind::Invalid, detail));
            }
            None => {
                return Err(Error::new(Kind::Stale, "the id names no consumer (any more)"));
            }
        }
        self.push(now, &Frame::Credit { id, prefetch: wanted });
        Ok(())
    }

    /// The hub has registered it.
    pub(super) fn registration_started(&mut self, id: Id) {
        if let Some(registration) = self.registrations.get_mut(&id)
            && !std::mem::replace(&mut registration.started, true)
        {
            let user = registration.user;
            self.events.push_back(Event { id, user, what: What::Started });
        }
    }

    /// The hub has ended it. False if there is none with this id.
    pub(super) fn registration_failed(&mut self, id: Id, error: &Error) -> bool {
        let Some(registration) = self.registrations.remove(&id) else {
            return false;
        };
        self.done(id, registration.user, Err(error.clone()));
        true
    }
}
