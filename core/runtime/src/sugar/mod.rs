//! The short way for blocking Rust code: functions named after what they do, on top of
//! [`Hub::start`] and [`Hub::wait`].
//!
//! ```no_run
//! # fn main() -> Result<(), telpher::Error> {
//! let hub = telpher::open("mem://example")?;
//! let jobs = hub.queue("jobs")?;
//! jobs.declare(telpher::QueueOptions::default())?;
//! jobs.send("hello")?;
//! let job = jobs.receive(std::time::Duration::from_secs(1))?;
//! assert_eq!(&job.message().body[..], b"hello");
//! job.acknowledge()?;
//! # Ok(())
//! # }
//! ```
//! Where as much is in flight as may be, these functions wait for room.
//!
//! Floor: api.

mod gather;
mod queue;
mod service;
mod stream;
mod topic;
mod topics;

use std::marker::PhantomData;

use telpher_proto::base::{
    Command, Error, Event, Id, Kind, Message, Name, Outcome, Receipt, Timeout, What,
};

pub use gather::Gather;
pub use queue::{Consumer, Job, Queue};
pub use service::{ServeOptions, Service, ServiceRequest};
pub use stream::{Reader, Records, Stream};
pub use topic::{SubscribeOptions, Subscriber, Topic, TopicMessage};
pub use topics::Topics;

use crate::api::{Done, Hub, OpenOptions};

/// Opens a hub with every default, and waits until it is reached.
///
/// # Errors
///
/// Those of [`Hub::open`] and its ticket; `NO_HOST` if the hub was not reached within 30 s.
pub fn open(url: &str) -> Result<Hub, Error> {
    open_with(url, OpenOptions::default())
}

/// Opens a hub, and waits until it is reached.
///
/// # Errors
///
/// Those of [`Hub::open`] and its ticket; `NO_HOST` if the hub was not reached in time.
pub fn open_with(url: &str, options: OpenOptions) -> Result<Hub, Error> {
    let (hub, id) = Hub::open(url, options, Done::Wait, Done::None)?;
    outcome(hub.wait(id, Timeout::Never)?)?;
    Ok(hub)
}

impl Hub {
    /// Asks a service and waits for its reply.
    ///
    /// # Errors
    ///
    /// `NO_SERVICE`, `BUSY` and `EXPIRED`: the handler did not run. `REMOTE`: it failed, with its
    /// code and text. `TIMED_OUT`, `ABANDONED`, `HOST_LOST`: see [`Error::maybe_executed`].
    pub fn call(
        &self,
        service: &str,
        message: impl Into<Message>,
        timeout: impl Into<Timeout>,
    ) -> Result<Message, Error> {
        self.start_call(service, message, timeout)?.wait()
    }

    /// Asks a service; the reply is waited for later.
    ///
    /// # Errors
    ///
    /// Those of [`Hub::start`].
    pub fn start_call(
        &self,
        service: &str,
        message: impl Into<Message>,
        timeout: impl Into<Timeout>,
    ) -> Result<Pending<Message>, Error> {
        let command = Command::Call { service: Name::parse(service)?, message: message.into() };
        self.pending(command, timeout.into())
    }

    /// A queue of this hub, which may or may not exist.
    ///
    /// # Errors
    ///
    /// `INVALID` or `TOO_LARGE` for the name.
    pub fn queue(&self, name: &str) -> Result<Queue, Error> {
        Ok(Queue::new(self.clone(), Name::parse(name)?))
    }

    /// Serves a name, `concurrency` requests at once, until the service is dropped. Returns when it
    /// is live in the hub.
    ///
    /// # Errors
    ///
    /// `INVALID` for a value; why the hub refused; `CLOSED`.
    pub fn serve(&self, service: &str, concurrency: u32) -> Result<Service, Error> {
        self.serve_with(service, ServeOptions { concurrency, ..ServeOptions::default() })
    }

    /// The same with every option: one is what the instance calls itself.
    ///
    /// # Errors
    ///
    /// Those of [`Hub::serve`].
    pub fn serve_with(&self, service: &str, options: ServeOptions) -> Result<Service, Error> {
        Service::start(self, Name::parse(service)?, options)
    }

    /// Starts an operation; waits for room first if there is none.
    fn start_patiently(&self, command: Command, timeout: Timeout) -> Result<Id, Error> {
        loop {
            match self.start(command.clone(), timeout, Done::Wait) {
                Err(error) if error.kind() == Kind::Full => self.wait(0, timeout)?,
                other => return other,
            };
        }
    }

    fn pending<T: Ended>(&self, command: Command, timeout: Timeout) -> Result<Pending<T>, Error> {
        let id = self.start_patiently(command, timeout)?;
        Ok(Pending { hub: self.clone(), id, is_redeemed: false, what: PhantomData })
    }

    /// Lets go of an id whose owner is dropped.
    fn let_go(&self, id: Id) {
        // It may have ended, or the handle may be closed: then there is nothing to let go of.
        let _ = self.detach(id);
    }
}

/// An operation under way, whose outcome is a `T`. Dropping it does not cancel the operation; its
/// outcome goes nowhere.
#[derive(Debug)]
pub struct Pending<T> {
    hub: Hub,
    id: Id,
    is_redeemed: bool,
    what: PhantomData<T>,
}

impl<T: Ended> Pending<T> {
    /// Waits for the outcome, which comes no later than the operation's time limit.
    ///
    /// # Errors
    ///
    /// How the operation failed, or why waiting did.
    pub fn wait(mut self) -> Result<T, Error> {
        let event = self.hub.wait(self.id, Timeout::Never)?;
        self.is_redeemed = true;
        T::from_outcome(&self.hub, outcome(event)?)
    }

    /// Asks for the end of the operation; it still ends once, and the result may win.
    ///
    /// # Errors
    ///
    /// `STALE` if it has ended.
    pub fn cancel(&self) -> Result<(), Error> {
        self.hub.cancel(self.id)
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        if !self.is_redeemed {
            self.hub.let_go(self.id);
        }
    }
}

/// What an outcome is read as.
pub trait Ended: Sized + sealed::Sealed {
    #[doc(hidden)]
    fn from_outcome(hub: &Hub, outcome: Outcome) -> Result<Self, Error>;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! ended {
    ($($type:ty: $pattern:pat => $value:expr;)+) => {$(
        impl sealed::Sealed for $type {}
        impl Ended for $type {
            fn from_outcome(_: &Hub, outcome: Outcome) -> Result<$type, Error> {
                match outcome { $pattern => Ok($value), other => Err(unexpected(&other)) }
            }
        }
    )+};
}

ended! {
    (): Outcome::Empty | Outcome::Count(_) => ();
    u64: Outcome::Count(count) => count;
    Message: Outcome::Reply(message) => message;
    Receipt: Outcome::Receipt(receipt) => receipt;
    telpher_proto::base::Appended: Outcome::Appended(appended) => appended;
    Vec<telpher_proto::base::GroupInfo>: Outcome::Groups(groups) => groups;
    telpher_proto::base::StreamInfo: Outcome::Stream(info) => *info;
    telpher_proto::base::QueueInfo: Outcome::Queue(info) => *info;
    telpher_proto::base::TopicInfo: Outcome::Topic(info) => info;
}

impl sealed::Sealed for Job {}
impl Ended for Job {
    fn from_outcome(hub: &Hub, outcome: Outcome) -> Result<Job, Error> {
        match outcome {
            Outcome::Delivery(delivery) => Ok(Job::new(hub.clone(), delivery)),
            other => Err(unexpected(&other)),
        }
    }
}

fn unexpected(outcome: &Outcome) -> Error {
    Error::new(Kind::Internal, format!("an operation ended with {outcome:?}"))
}

fn outcome(event: Event) -> Result<Outcome, Error> {
    match event.what {
        What::Done(result) => result,
        other => Err(strange(&other)),
    }
}

fn strange(what: &What) -> Error {
    Error::new(Kind::Internal, format!("a ticket brought {what:?}"))
}

/// Starts a consumer, service or subscriber, and waits until it is live.
fn start_stream(hub: &Hub, command: Command) -> Result<Id, Error> {
    let id = hub.start(command, Timeout::Default, Done::Wait)?;
    match hub.wait(id, Timeout::Default) {
        Ok(Event { what: What::Started, .. }) => Ok(id),
        Ok(event) => Err(outcome(event).err().unwrap_or_else(ended_early)),
        Err(error) => {
            hub.forget(id);
            Err(error)
        }
    }
}

fn ended_early() -> Error {
    Error::new(Kind::Closed, "it ended before it was live")
}

/// The next thing that `pick` wants of a consumer, service or subscriber; `None` if none came in
/// time, or it has ended in peace.
fn next<T>(
    hub: &Hub,
    id: Id,
    timeout: Timeout,
    pick: impl Fn(What) -> Option<T>,
) -> Result<Option<T>, Error> {
    loop {
        match hub.wait(id, timeout) {
            Ok(Event { what: What::Done(result), .. }) => {
                return result.map(|_| None).or_else(|error| in_peace(error));
            }
            Ok(event) => {
                if let Some(picked) = pick(event.what) {
                    return Ok(Some(picked));
                }
            }
            Err(error) => return in_peace(error),
        }
    }
}

fn in_peace<T>(error: Error) -> Result<Option<T>, Error> {
    match error.kind() {
        Kind::Pending | Kind::Closed | Kind::Stale => Ok(None),
        _ => Err(error),
    }
}
