//! Who turns a handle's reactor, and how that ends.
//!
//! Floor: handle/{mod,driver}.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use telpher_proto::base::limits;
use telpher_proto::base::{Error, Kind, Time};

use super::Shared;
use super::driver::{Driver, Sleep};
use crate::clock;
use crate::host::Host;

/// How a guarded turn went.
pub(crate) enum Turned {
    GoOn,
    Interrupted,
    /// The driver has ended.
    Ended,
}

impl Driver {
    /// A turn that no panic leaves.
    pub(crate) fn turn_guarded(&mut self, sleep: Sleep) -> Turned {
        match catch_unwind(AssertUnwindSafe(|| self.turn(sleep))) {
            Ok(Ok(false)) => Turned::GoOn,
            Ok(Ok(true)) => Turned::Ended,
            Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => Turned::Interrupted,
            Ok(Err(error)) => {
                self.poison(&Error::new(Kind::Io, format!("can't wait for events: {error}")));
                Turned::Ended
            }
            Err(_) => {
                let detail = "a fault in Telpher itself was caught; the handle is of no more use";
                self.poison(&Error::new(Kind::Internal, detail));
                Turned::Ended
            }
        }
    }

    fn poison(&mut self, error: &Error) {
        tracing::error!(%error, "a handle has failed");
        // The first reason stays.
        let _ = self.shared.fault.set(error.clone());
        self.fail_all(error);
    }

    /// Ends the driver: its connection, and the host if this handle was the last to hold it.
    pub(crate) fn end(mut self, deadline: Time) {
        let shared = Arc::clone(&self.shared);
        let host = self.target.take_host();
        // A panic in a destructor must not keep those who wait for the end.
        let ended = catch_unwind(AssertUnwindSafe(|| {
            if let Some(core) = &mut self.core {
                core.turn(&self.poller, clock::now());
                core.stop("the hub was closed");
            }
            drop(self);
            if let Some(host) = host {
                Host::release(host, Some(deadline));
            }
        }));
        if ended.is_err() {
            tracing::error!("a fault in Telpher itself was caught while a handle was closed");
        }
        shared.finish();
    }
}

/// The body of a handle's own thread.
pub(crate) fn run(mut driver: Driver) {
    while !matches!(driver.turn_guarded(Sleep::Until(None)), Turned::Ended) {}
    driver.end(clock::now().plus_ms(limits::HOST_END_MS));
}

impl Shared {
    /// Turns the reactor, which this thread holds in `slot`; ends it if that is due.
    pub(crate) fn turn(&self, slot: &mut Option<Driver>, sleep: Sleep) -> Turned {
        let Some(driver) = slot.as_mut() else { return Turned::Ended };
        let turned = driver.turn_guarded(sleep);
        if matches!(turned, Turned::Ended)
            && let Some(driver) = slot.take()
        {
            driver.end(clock::now().plus_ms(limits::HOST_END_MS));
        }
        turned
    }

    /// Gives the reactor back to whoever comes next.
    pub(crate) fn leave(&self, slot: &mut Option<Driver>) {
        if let Some(driver) = slot.as_mut()
            && let Err(error) = driver.leave()
        {
            tracing::error!(%error, "can't set the timer of a handle");
        }
    }

    /// Wakes one of the threads that would drive if nobody else did.
    pub(crate) fn pass_lease(&self) {
        let follower = self.outcomes.lock().take_follower();
        if let Some(parker) = follower {
            parker.unpark();
        }
    }
}
