//! Services and their requests.
//!
//! Floor: sugar.

use std::time::Duration;

use telpher_proto::base::{
    Command, Error, Id, Kind, Message, Name, Reply, Request, Timeout, What, limits,
};

use super::{next, start_stream};
use crate::api::{Done, Hub};

/// How a name is served.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Requests handled at once, 1 to 65,536.
    pub concurrency: u32,
    /// Requests that may wait while all instances are busy, 0 to 1,048,576.
    pub line_max: u32,
    /// What this instance calls itself, to whoever gathers answers ([`Answer`], [`Missing`]): which
    /// machine it is on, for example. Nothing keeps two from stating the same name; their numbers
    /// tell them apart.
    ///
    /// [`Answer`]: telpher_proto::base::Answer
    /// [`Missing`]: telpher_proto::base::Missing
    pub instance_name: Option<Name>,
}

impl Default for ServeOptions {
    /// One request at once, 1,024 in line, no name.
    fn default() -> ServeOptions {
        let (concurrency, line_max) = (limits::CONCURRENCY_DEFAULT, limits::LINE_DEFAULT);
        ServeOptions { concurrency, line_max, instance_name: None }
    }
}

/// A name that is served. Iterating waits for the next request; several threads may do so on the
/// same service. Dropping it ends the service.
#[derive(Debug)]
pub struct Service {
    hub: Hub,
    id: Id,
}

impl Service {
    pub(super) fn start(hub: &Hub, service: Name, how: ServeOptions) -> Result<Service, Error> {
        let ServeOptions { concurrency, line_max, instance_name } = how;
        let command = Command::Serve { service, concurrency, line_max, instance_name };
        Ok(Service { hub: hub.clone(), id: start_stream(hub, command)? })
    }

    /// The next request; `None` if none came in time, or the service or its handle was closed.
    ///
    /// # Errors
    ///
    /// Why the service ended.
    pub fn receive(&self, timeout: impl Into<Timeout>) -> Result<Option<ServiceRequest>, Error> {
        let what = next(&self.hub, self.id, timeout.into(), |what| match what {
            What::Request(request) => Some(request),
            _ => None,
        })?;
        Ok(what.map(|request| ServiceRequest {
            hub: self.hub.clone(),
            request,
            is_answered: false,
        }))
    }
}

impl Iterator for &Service {
    type Item = Result<ServiceRequest, Error>;

    fn next(&mut self) -> Option<Result<ServiceRequest, Error>> {
        self.receive(Timeout::Never).transpose()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.hub.forget(self.id);
    }
}

/// A request to be answered, at once or later, from any thread. Dropping it lets it go: its caller
/// gets `ABANDONED`.
#[derive(Debug)]
pub struct ServiceRequest {
    hub: Hub,
    request: Request,
    is_answered: bool,
}

impl ServiceRequest {
    /// The request.
    pub fn message(&self) -> &Message {
        &self.request.message
    }

    /// What is left of its time; `None` if it has no deadline.
    pub fn remaining(&self) -> Option<Duration> {
        self.hub.request_remaining(self.request.token).ok().flatten()
    }

    /// True if its caller no longer waits.
    pub fn is_cancelled(&self) -> bool {
        self.hub.request_cancelled(self.request.token).unwrap_or(true)
    }

    /// Answers.
    ///
    /// # Errors
    ///
    /// `TOO_LARGE`; `CLOSED`.
    pub fn reply(mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.answer(Ok(message.into()))
    }

    /// Says that the handler failed: its caller gets `REMOTE` with this code and text.
    ///
    /// # Errors
    ///
    /// `CLOSED`.
    pub fn fail(mut self, code: i32, text: &str) -> Result<(), Error> {
        self.answer(Err(Error::remote(code, text)))
    }

    fn answer(&mut self, reply: Reply) -> Result<(), Error> {
        let command = Command::Reply { request: self.request.token, reply };
        self.hub.start(command, Timeout::Default, Done::None)?;
        self.is_answered = true;
        Ok(())
    }
}

impl Drop for ServiceRequest {
    fn drop(&mut self) {
        if !self.is_answered {
            let abandoned = Error::new(Kind::Abandoned, "the handler let go of the request");
            // It can only fail if the handle is closed, and then the hub ends the request.
            let _ = self.answer(Err(abandoned));
        }
    }
}
