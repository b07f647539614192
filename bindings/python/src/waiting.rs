//! Starting and waiting, on behalf of a thread that gives the interpreter up meanwhile.
//!
//! Floor: `telpher`.

use pyo3::prelude::*;
use pyo3::types::PyList;
use telpher::{Done, Error, Event, Hub, Id, Kind, Outcome, Timeout, What};

use crate::command::PyCommand;
use crate::core::Core;
use crate::error::raise;
use crate::event::event_out;
use crate::until::Until;

impl Core {
    /// Repeats `attempt` with the time that is left, each time a signal has ended it.
    pub fn patiently<T: Send>(
        &self,
        py: Python<'_>,
        until: Until,
        attempt: impl Fn(&Hub, Timeout) -> Result<T, Error> + Sync,
    ) -> PyResult<T> {
        loop {
            match py.detach(|| attempt(&self.hub, until.left())) {
                Err(error) if error.kind() == Kind::Interrupted => py.check_signals()?,
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
            match py.detach(|| self.hub.wait(0, until.left())) {
                Err(error) if error.kind() == Kind::Interrupted => py.check_signals()?,
                Err(error) if error.kind() == Kind::Pending => return Err(raise(py, &full)),
                ready => drop(ready.map_err(|error| raise(py, &error))?),
            }
        }
    }

    /// Waits for the first event of `id`; if Python breaks the wait off, the operation is too.
    fn first(&self, py: Python<'_>, id: Id) -> PyResult<Event> {
        let never = Until::new(Timeout::Never);
        self.patiently(py, never, |hub, left| hub.wait(id, left)).inspect_err(|_| {
            // Both fail if the ticket has ended meanwhile, which is all the same then.
            let _ = self.hub.cancel(id);
            let _ = self.hub.detach(id);
        })
    }

    /// The events as a list of tuples.
    pub fn list<'py>(&self, py: Python<'py>, events: Vec<Event>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for event in events {
            list.append(event_out(py, event, self.zero_copy)?)?;
        }
        Ok(list)
    }

    /// Waits for the outcome of `id`; an empty one for a consumer or service that is live now.
    pub fn outcome(&self, py: Python<'_>, id: Id) -> PyResult<Outcome> {
        match self.first(py, id)?.what {
            What::Done(outcome) => outcome.map_err(|error| raise(py, &error)),
            _ => Ok(Outcome::Empty),
        }
    }
}
