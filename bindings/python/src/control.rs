//! The rest of a handle: steering what is under way, asking after it, closing.
//!
//! Floor: `telpher`.

use pyo3::prelude::*;
use telpher::Id;

use crate::convert::timeout_in;
use crate::core::Core;
use crate::error::raise;
use crate::types::Stats;

#[pymethods]
impl Core {
    /// Sends what has been started and takes in what has arrived, without waiting.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.hub.flush()).map_err(|error| raise(py, &error))
    }

    /// The descriptor that is readable whenever poll has something to do.
    fn fileno(&self, py: Python<'_>) -> PyResult<i32> {
        self.hub.fd().map_err(|error| raise(py, &error))
    }

    /// Asks for a ticket's end.
    fn cancel(&self, py: Python<'_>, id: Id) -> PyResult<()> {
        self.hub.cancel(id).map_err(|error| raise(py, &error))
    }

    /// Lets go of a ticket; stops a consumer, service, subscriber or reader.
    fn detach(&self, py: Python<'_>, id: Id) -> PyResult<()> {
        self.hub.detach(id).map_err(|error| raise(py, &error))
    }

    /// Gives deliveries back untouched, without waiting.
    fn release(&self, deliveries: Vec<u64>) {
        deliveries.into_iter().for_each(|delivery| self.give_back(delivery));
    }

    /// True if the caller of this request no longer waits.
    fn request_cancelled(&self, py: Python<'_>, request: u64) -> PyResult<bool> {
        self.hub.request_cancelled(request).map_err(|error| raise(py, &error))
    }

    /// Seconds that are left of the request's time; None if it has no deadline.
    fn request_remaining(&self, py: Python<'_>, request: u64) -> PyResult<Option<f64>> {
        let left = self.hub.request_remaining(request).map_err(|error| raise(py, &error))?;
        Ok(left.map(|left| left.as_secs_f64()))
    }

    /// Says goodbye; every open ticket ends as CLOSED.
    fn close(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<()> {
        let timeout = timeout_in(py, timeout)?;
        py.detach(|| self.hub.close(timeout)).map_err(|error| raise(py, &error))
    }

    /// The handle's counters.
    fn stats(&self) -> Stats {
        self.hub.stats().into()
    }

    /// What the hub can do, by name.
    fn capabilities(&self) -> Vec<&'static str> {
        self.hub.capabilities().to_vec()
    }

    /// True in a process that was forked from the one that opened the handle.
    fn forked(&self) -> bool {
        self.hub.forked()
    }
}
