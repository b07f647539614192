//! Gathers, as Python hands them over.
//!
//! Floor: `telpher`.

use pyo3::prelude::*;
use telpher::{Command, GatherTo, limits};

use crate::command::{Headers, Object, PyCommand, checked};
use crate::convert::{message_in, name_in, whole};

#[pymethods]
impl PyCommand {
    /// Asks every instance of a service.
    #[staticmethod]
    #[pyo3(signature = (service, body, count, key = None, headers = None))]
    fn gather(
        py: Python<'_>,
        service: &str,
        body: Object<'_, '_>,
        count: i128,
        key: Option<Object<'_, '_>>,
        headers: Headers<'_, '_>,
    ) -> PyResult<PyCommand> {
        let to = GatherTo::Service(name_in(py, service)?);
        let message = message_in(body, key, headers, 0)?;
        checked(py, Command::Gather { to, message, count: count_in(py, count)? })
    }

    /// Asks every subscriber of a topic.
    #[staticmethod]
    #[pyo3(signature = (topic, body, count, key = None, headers = None))]
    fn gather_topic(
        py: Python<'_>,
        topic: &str,
        body: Object<'_, '_>,
        count: i128,
        key: Option<Object<'_, '_>>,
        headers: Headers<'_, '_>,
    ) -> PyResult<PyCommand> {
        let to = GatherTo::Topic(name_in(py, topic)?);
        let message = message_in(body, key, headers, 0)?;
        checked(py, Command::Gather { to, message, count: count_in(py, count)? })
    }
}

fn count_in(py: Python<'_>, count: i128) -> PyResult<u32> {
    let most = limits::GATHER_ASKED_MAX as u64;
    Ok(whole(py, "count", count, (0, most))? as u32)
}
