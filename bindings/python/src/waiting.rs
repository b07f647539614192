//! Starting and waiting, on behalf of a thread that gives the interpreter up meanwhile.
//!
//! Floor: `telpher`.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyList;
use telpher::{Command, Done, Error, Event, Hub, Id, Kind, Outcome, Timeout, Verdict, What};

use crate::command::PyCommand;
use crate::core::Core;
use crate::error::raise;
use crate::event::event_out;
use crate::until::Until;

/// How long the end of a cancelled operation may take: it needs only the handle's own thread.
const BREAK_OFF_TIME: Duration = Duration::from_secs(1);

impl Core {
    /// Repeats `attempt` until its time is over, each time a signal may have come.
    pub fn patiently<T: Send>(
        &self,
        py: Python<'_>,
        until: Until,
        attempt: impl Fn(&Hub, Timeout) -> Result<T, Error> + Sync,
    ) -> PyResult<T> {
        loop {
            match py.detach(|| attempt(&self.hub, until.slice())) {
                Err(error) if error.kind() == Kind::Interrupted => py.check_signals()?,
                Err(error) if error.kind() == Kind::Pending && !until.is_over() => {
                    py.check_signals()?;
                }
                ended => return ended.map_err(|error| raise(py, &error)),
            }
        }
    }

    /// Starts `command`; while the handle is `FULL`, waits for readiness if it may.
    pub fn submit(
        &self,
        py: Python<'_>,
        command: &PyCommand,
        until: Until,
        may_wait: bool,
        done: impl Fn() -> Done,
    ) -> PyResult<Id> {
        loop {
            let full = match self.hub.start(command.0.clone(), until.left(), done()) {
                Err(error) if error.kind() == Kind::Full && may_wait => error,
                started => return started.map_err(|error| raise(py, &error)),
            };
            if until.is_over() {
                return Err(raise(py, &full));
            }
            match py.detach(|| self.hub.wait(0, until.slice())) {
                Err(error) if error.kind() == Kind::Interrupted => py.check_signals()?,
                Err(error) if error.kind() == Kind::Pending && !until.is_over() => {
                    py.check_signals()?;
                }
                Err(error) if error.kind() == Kind::Pending => return Err(raise(py, &full)),
                ready => drop(ready.map_err(|error| raise(py, &error))?),
            }
        }
    }

    /// Waits for the end of a ticket; if Python breaks the wait off, the operation is too.
    fn end(&self, py: Python<'_>, id: Id) -> PyResult<Event> {
        let never = Until::new(Timeout::Never);
        self.patiently(py, never, |hub, left| hub.wait(id, left)).inspect_err(|_| {
            py.detach(|| self.break_off(id));
        })
    }

    /// Cancels a ticket. A message that it got nevertheless goes back, as nobody has it now.
    fn break_off(&self, id: Id) {
        // Each fails if the ticket has ended meanwhile, or the handle, which is all the same then.
        let _ = self.hub.cancel(id);
        match self.hub.wait(id, Timeout::After(BREAK_OFF_TIME)).map(|event| event.what) {
            Ok(What::Done(Ok(Outcome::Delivery(delivery)))) => self.give_back(delivery.token),
            Ok(_) => {}
            Err(_) => drop(self.hub.detach(id)),
        }
    }

    /// Gives a message back untouched.
    pub fn give_back(&self, delivery: u64) {
        let command =
            Command::Settle { delivery, verdict: Verdict::Release, reason: String::new() };
        // It fails if the delivery is void, and then the message is back already.
        let _ = self.hub.start(command, Timeout::Default, Done::None);
    }

    /// The events as a list of tuples.
    pub fn list<'py>(&self, py: Python<'py>, events: Vec<Event>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for event in events {
            list.append(event_out(py, event, self.zero_copy)?)?;
        }
        Ok(list)
    }

    /// Waits for the outcome of a ticket.
    pub fn outcome(&self, py: Python<'_>, id: Id) -> PyResult<Outcome> {
        match self.end(py, id)?.what {
            What::Done(outcome) => outcome.map_err(|error| raise(py, &error)),
            _ => Ok(Outcome::Empty),
        }
    }

    /// Waits until a consumer, service, subscriber or reader is live.
    pub fn live(&self, py: Python<'_>, id: Id) -> PyResult<()> {
        let never = Until::new(Timeout::Never);
        let first = self.patiently(py, never, |hub, left| hub.wait(id, left));
        match first?.what {
            What::Done(Err(error)) => Err(raise(py, &error)),
            _ => Ok(()),
        }
    }
}
