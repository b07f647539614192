//! A hub handle, as the package's two faces use it: the blocking one with a background thread, the
//! asyncio one turned by its event loop.
//!
//! Each function that may wait or turn the reactor gives the interpreter up meanwhile. A signal
//! ends a wait: Python's handlers run, and if they raise nothing the wait goes on.
//!
//! Floor: `telpher`.

use pyo3::prelude::*;
use telpher::{Done, Event, Hub, Id, OpenOptions, Timeout, What};

use crate::command::PyCommand;
use crate::convert::timeout_in;
use crate::error::{log_unseen, raise};
use crate::event::outcome_out;
use crate::open::Opening;
use crate::registration::Registration;
use crate::until::Until;

/// A handle to a hub, for the package's own use.
#[pyclass(frozen, module = "telpher._telpher")]
pub struct Core {
    pub(crate) hub: Hub,
    pub(crate) zero_copy: bool,
    opening: Id,
}

#[pymethods]
impl Core {
    /// Starts to open a hub; with `user`, an event loop turns the handle and the outcome comes as
    /// an event with that number. Notices come as events with the number 0, if `noted`.
    #[new]
    fn new(
        py: Python<'_>,
        url: &str,
        options: Opening,
        user: Option<u64>,
        noted: bool,
    ) -> PyResult<Core> {
        let zero_copy = options.zero_copy;
        let options: OpenOptions = options.checked(py, user.is_some())?;
        let done = user.map_or(Done::Wait, Done::Event);
        let notices = if noted { Done::Event(0) } else { Done::None };
        let opened = py.detach(|| Hub::open(url, options, done, notices));
        let (hub, opening) = opened.map_err(|error| raise(py, &error))?;
        Ok(Core { hub, zero_copy, opening })
    }

    /// Blocks until the hub is open.
    fn opened<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        outcome_out(py, self.outcome(py, self.opening)?, self.zero_copy)
    }

    /// Starts an operation and blocks for its outcome.
    fn run<'py>(
        &self,
        py: Python<'py>,
        command: &PyCommand,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let until = Until::new(timeout_in(py, timeout)?);
        let id = self.submit(py, command, until, true, || Done::Wait)?;
        outcome_out(py, self.outcome(py, id)?, self.zero_copy)
    }

    /// Starts a consumer, service, subscriber or reader and blocks until it is live.
    fn register(
        &self,
        py: Python<'_>,
        command: &PyCommand,
        timeout: Option<f64>,
    ) -> PyResult<Registration> {
        let until = Until::new(timeout_in(py, timeout)?);
        let id = self.submit(py, command, until, true, || Done::Wait)?;
        let registration = Registration { hub: self.hub.clone(), id };
        self.live(py, id).map(|()| registration)
    }

    /// Starts a gather, whose events come from next.
    fn gather(
        &self,
        py: Python<'_>,
        command: &PyCommand,
        timeout: Option<f64>,
    ) -> PyResult<Registration> {
        let until = Until::new(timeout_in(py, timeout)?);
        let id = self.submit(py, command, until, true, || Done::Wait)?;
        Ok(Registration { hub: self.hub.clone(), id })
    }

    /// Starts a reader whose events are asked for with next, the first of them that it is live.
    fn begin(
        &self,
        py: Python<'_>,
        command: &PyCommand,
        timeout: Option<f64>,
    ) -> PyResult<Registration> {
        let until = Until::new(timeout_in(py, timeout)?);
        let id = self.submit(py, command, until, false, || Done::Wait)?;
        Ok(Registration { hub: self.hub.clone(), id })
    }

    /// Starts an operation whose events come from poll, with the number `user`.
    fn start(
        &self,
        py: Python<'_>,
        command: &PyCommand,
        timeout: Option<f64>,
        user: u64,
        may_wait: bool,
    ) -> PyResult<Id> {
        let until = Until::new(timeout_in(py, timeout)?);
        self.submit(py, command, until, may_wait, || Done::Event(user))
    }

    /// Starts an operation that nobody waits for; its failure is logged.
    fn fire(&self, py: Python<'_>, command: &PyCommand, may_wait: bool) -> PyResult<()> {
        let log = || Done::Callback(Box::new(log_failure));
        self.submit(py, command, Until::new(Timeout::Default), may_wait, log).map(drop)
    }
}

fn log_failure(event: Event) {
    if let What::Done(Err(error)) = event.what {
        log_unseen(&error);
    }
}
