//! Taking what has ended or arrived, on behalf of a thread that gives the interpreter up meanwhile.
//!
//! Floor: `telpher`.

use pyo3::prelude::*;
use pyo3::types::PyList;
use telpher::{Error, Event, Hub, Id, Kind, What};

use crate::convert::timeout_in;
use crate::core::Core;
use crate::error::raise;
use crate::event::event_out;
use crate::until::Until;

#[pymethods]
impl Core {
    /// Blocks for the next events of a consumer, service, subscriber or reader: one, and what else
    /// is there already, until that are as many events and bytes as `bounds` says. They are added
    /// to `events`, which lasts also when Ctrl-C comes as this returns.
    fn next(
        &self,
        py: Python<'_>,
        id: Id,
        events: &Bound<'_, PyAny>,
        bounds: (usize, u64),
        timeout: Option<f64>,
    ) -> PyResult<()> {
        let until = Until::new(timeout_in(py, timeout)?);
        let taken = self.patiently(py, until, |hub, left| {
            let mut taken = vec![hub.wait(id, left)?];
            take_more(hub, id, &mut taken, bounds);
            Ok(taken)
        })?;
        self.append_to(py, events, taken)
    }

    /// As next, without waiting, and without turning the reactor.
    fn take(
        &self,
        py: Python<'_>,
        id: Id,
        events: &Bound<'_, PyAny>,
        bounds: (usize, u64),
    ) -> PyResult<()> {
        let first = self.hub.take(id).map_err(|error| raise(py, &error))?;
        let mut taken: Vec<Event> = first.into_iter().collect();
        if !taken.is_empty() {
            take_more(&self.hub, id, &mut taken, bounds);
        }
        self.append_to(py, events, taken)
    }

    /// Takes what has ended or arrived; blocks for the first.
    fn poll<'py>(
        &self,
        py: Python<'py>,
        capacity: usize,
        timeout: f64,
    ) -> PyResult<Bound<'py, PyList>> {
        let until = Until::new(timeout_in(py, Some(timeout))?);
        let events = self.patiently(py, until, |hub, left| {
            let mut events = Vec::new();
            hub.poll(&mut events, capacity, left)?;
            if events.is_empty() && !until.is_over() {
                return Err(Error::new(Kind::Pending, "nothing has come yet"));
            }
            Ok(events)
        })?;
        self.list(py, events)
    }
}

impl Core {
    fn append_to(
        &self,
        py: Python<'_>,
        events: &Bound<'_, PyAny>,
        taken: Vec<Event>,
    ) -> PyResult<()> {
        for event in taken {
            events.call_method1("append", (event_out(py, event, self.zero_copy)?,))?;
        }
        Ok(())
    }
}

/// Adds what else has arrived, until that are as many events and bytes as `bounds` says.
fn take_more(hub: &Hub, id: Id, taken: &mut Vec<Event>, (count_max, bytes_max): (usize, u64)) {
    let mut bytes: u64 = taken.iter().map(size).sum();
    while taken.len() < count_max && bytes < bytes_max && !taken.last().is_some_and(is_end) {
        // Why nothing more can be taken is said when it is asked for the next time.
        let Ok(Some(event)) = hub.take(id) else { break };
        bytes += size(&event);
        taken.push(event);
    }
}

fn is_end(event: &Event) -> bool {
    matches!(event.what, What::Done(_))
}

/// Bytes of which the hub sends as many again, once they are taken.
fn size(event: &Event) -> u64 {
    match &event.what {
        What::Published(published) => published.untaken().bytes,
        What::Record(record) => record.untaken().bytes,
        _ => 0,
    }
}
