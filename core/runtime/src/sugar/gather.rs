//! Gathers.
//!
//! Floor: sugar.

use telpher_proto::base::{
    Answer, Command, Error, GatherTo, Gathered, Id, Message, Name, Outcome, Timeout, What,
};

use super::{Topic, unexpected};
use crate::api::Hub;

/// Answers of many to one request, as they come. Iterating waits for the next, and ends with the
/// last one: [`Gather::result`] says who did not answer. Dropping it cancels what is still open.
#[derive(Debug)]
pub struct Gather {
    hub: Hub,
    id: Id,
    end: Option<Result<Gathered, Error>>,
}

impl Gather {
    pub(super) fn start(
        hub: &Hub,
        (to, message, count): (GatherTo, Message, u32),
        timeout: Timeout,
    ) -> Result<Gather, Error> {
        let id = hub.start_patiently(Command::Gather { to, message, count }, timeout)?;
        Ok(Gather { hub: hub.clone(), id, end: None })
    }

    /// Passes over the answers that are still to come, and says who answered and who did not.
    ///
    /// # Errors
    ///
    /// Why the gather failed: those of [`Hub::gather`].
    pub fn result(mut self) -> Result<Gathered, Error> {
        while self.step().is_some() {}
        self.end.clone().unwrap_or_else(|| Ok(Gathered::default()))
    }

    /// Asks for its end: it still ends once, and the result may win.
    ///
    /// # Errors
    ///
    /// `STALE` if it has ended.
    pub fn cancel(&self) -> Result<(), Error> {
        self.hub.cancel(self.id)
    }

    fn step(&mut self) -> Option<Answer> {
        if self.end.is_some() {
            return None;
        }
        let end = match self.hub.wait(self.id, Timeout::Never).map(|event| event.what) {
            Ok(What::Answer(answer)) => return Some(answer),
            Ok(What::Done(Ok(Outcome::Gathered(gathered)))) => Ok(gathered),
            Ok(What::Done(Ok(other))) => Err(unexpected(&other)),
            Ok(What::Done(Err(error))) | Err(error) => Err(error),
            Ok(other) => Err(super::strange(&other)),
        };
        self.end = Some(end);
        None
    }
}

impl Iterator for Gather {
    type Item = Result<Answer, Error>;

    fn next(&mut self) -> Option<Result<Answer, Error>> {
        if self.end.is_some() {
            return None;
        }
        match self.step() {
            Some(answer) => Some(Ok(answer)),
            None => self.end.clone().and_then(Result::err).map(Err),
        }
    }
}

impl Drop for Gather {
    fn drop(&mut self) {
        if self.end.is_none() {
            self.hub.forget(self.id);
        }
    }
}

impl Hub {
    /// Asks every instance of a service that is there now, up to 4,096, and takes their answers as
    /// they come, until all have answered or the time is over. An instance that is busy is asked
    /// when it has room, within that time.
    ///
    /// # Errors
    ///
    /// Those of [`Hub::start`]. The gather itself fails with `NO_SERVICE`, `BUSY`, `TOO_LARGE` and
    /// `EXPIRED`: nobody was asked; and with `HOST_LOST`, `HOST_UNRESPONSIVE`, `CANCELLED` and
    /// `CLOSED`: see [`Error::maybe_executed`].
    pub fn gather(
        &self,
        service: &str,
        message: impl Into<Message>,
        timeout: impl Into<Timeout>,
    ) -> Result<Gather, Error> {
        self.gather_some(service, message, 0, timeout)
    }

    /// The same, ended as soon as `count` have answered, failures not counted; 0: all.
    ///
    /// # Errors
    ///
    /// Those of [`Hub::gather`].
    pub fn gather_some(
        &self,
        service: &str,
        message: impl Into<Message>,
        count: u32,
        timeout: impl Into<Timeout>,
    ) -> Result<Gather, Error> {
        let to = GatherTo::Service(Name::parse(service)?);
        Gather::start(self, (to, message.into(), count), timeout.into())
    }
}

impl Topic {
    /// Publishes a message and takes the answers of those who are subscribed in this moment, as
    /// they come, until all have answered or the time is over. Without a subscriber it is empty.
    ///
    /// # Errors
    ///
    /// Those of [`Hub::gather`], without `NO_SERVICE`.
    pub fn gather(
        &self,
        message: impl Into<Message>,
        timeout: impl Into<Timeout>,
    ) -> Result<Gather, Error> {
        self.gather_some(message, 0, timeout)
    }

    /// The same, ended as soon as `count` have answered, failures not counted; 0: all.
    ///
    /// # Errors
    ///
    /// Those of [`Topic::gather`].
    pub fn gather_some(
        &self,
        message: impl Into<Message>,
        count: u32,
        timeout: impl Into<Timeout>,
    ) -> Result<Gather, Error> {
        let to = GatherTo::Topic(self.name.clone());
        Gather::start(&self.hub, (to, message.into(), count), timeout.into())
    }
}
