//! Taking what has ended or arrived, on behalf of a thread that gives the interpreter up meanwhile.
//!
//! Floor: `telpher`.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyList;
use telpher::{Event, Id, Timeout, What};

use crate::convert::timeout_in;
use crate::core::Core;
use crate::event::event_out;
use crate::until::Until;

#[pymethods]
impl Core {
    /// Blocks for the next events of a consumer, service, subscriber or reader: one, and what else
    /// is there already, until that are as many events and bytes as `bounds` says. They are added to
    /// `events`, which lasts also when Ctrl-C comes as this returns.
    fn next(
        &self,
        py: Python<'_>,
        id: Id,
        events: &Bound<'_, PyAny>,
        bounds: (usize, u64),
        timeout: Option<f64>,
    ) -> PyResult<()> {
        let ((capacity, bytes_max), until) = (bounds, Until::new(timeout_in(py, timeout)?));
        let taken = self.patiently(py, until, |hub, left| {
            let first = hub.wait(id, left)?;
            let (mut bytes, mut is_over) = (size(&first), is_end(&first));
            let mut taken = vec![first];
            while taken.len() < capacity && bytes < bytes_max && !is_over {
                let Ok(event) = hub.wait(id, Timeout::After(Duration::ZERO)) else { break };
                bytes += size(&event);
                is_over = is_end(&event);
                taken.push(event);
            }
            Ok(taken)
        })?;
        for event in taken {
            events.call_method1("append", (event_out(py, event, self.zero_copy)?,))?;
        }
        Ok(())
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
            Ok(events)
        })?;
        self.list(py, events)
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
