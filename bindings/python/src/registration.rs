//! A consumer, service, subscriber or reader, for as long as somebody has it.
//!
//! Floor: `telpher`.

use pyo3::prelude::*;
use telpher::{Hub, Id};

/// Stops its consumer, service, subscriber or reader when it is dropped. So none goes on taking
/// messages that nobody knows of, because Ctrl-C came between its start and the line that keeps it.
#[pyclass(frozen, module = "telpher._telpher")]
pub struct Registration {
    pub(crate) hub: Hub,
    /// What its events are asked for with.
    #[pyo3(get)]
    pub(crate) id: Id,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.hub.forget(self.id);
    }
}
