//! Commands, as Python hands them over; here those of calls. Each is checked when it is made.
//!
//! Floor: `telpher`.

use pyo3::prelude::*;
use pyo3::types::PyMapping;
use telpher::{Command, Error, Kind, Message, limits};

use crate::convert::{bytes_in, instance_in, message_in, name_in, whole};
use crate::error::raise;

/// One operation, to be started by a Core.
#[pyclass(frozen, generic, name = "Command", module = "telpher._telpher")]
pub struct PyCommand(pub Command);

/// An argument of any kind.
pub type Object<'a, 'py> = &'a Bound<'py, PyAny>;
/// Names and values.
pub type Headers<'a, 'py> = Option<&'a Bound<'py, PyMapping>>;

/// The command, if every value in it lies within its limit.
pub fn checked(py: Python<'_>, command: Command) -> PyResult<PyCommand> {
    command.check().map_err(|error| raise(py, &error))?;
    Ok(PyCommand(command))
}

#[pymethods]
impl PyCommand {
    /// Asks a service.
    #[staticmethod]
    #[pyo3(signature = (service, body, key = None, headers = None))]
    fn call(
        py: Python<'_>,
        service: &str,
        body: Object<'_, '_>,
        key: Option<Object<'_, '_>>,
        headers: Headers<'_, '_>,
    ) -> PyResult<PyCommand> {
        let message = message_in(body, key, headers, 0)?;
        checked(py, Command::Call { service: name_in(py, service)?, message })
    }

    /// Serves a name.
    #[staticmethod]
    #[pyo3(signature = (service, concurrency, line_max = None, instance_name = None))]
    fn serve(
        py: Python<'_>,
        service: &str,
        concurrency: i128,
        line_max: Option<i128>,
        instance_name: Option<&str>,
    ) -> PyResult<PyCommand> {
        let concurrency_range = (1, limits::CONCURRENCY_MAX.into());
        let concurrency = whole(py, "concurrency", concurrency, concurrency_range)? as u32;
        let line_max = line_max.unwrap_or(limits::LINE_DEFAULT.into());
        let line_max = whole(py, "line_max", line_max, (0, limits::LINE_MAX.into()))? as u32;
        let (service, instance_name) = (name_in(py, service)?, instance_in(py, instance_name)?);
        checked(py, Command::Serve { service, concurrency, line_max, instance_name })
    }

    /// Answers a request.
    #[staticmethod]
    fn reply(py: Python<'_>, request: u64, body: Object<'_, '_>) -> PyResult<PyCommand> {
        let reply = Ok(Message::new(bytes_in("reply", body)?));
        checked(py, Command::Reply { request, reply })
    }

    /// Answers a request with a failure.
    #[staticmethod]
    fn fail(py: Python<'_>, request: u64, code: i32, text: &str) -> PyResult<PyCommand> {
        checked(py, Command::Reply { request, reply: Err(Error::remote(code, text)) })
    }

    /// Lets go of a request.
    #[staticmethod]
    fn abandon(py: Python<'_>, request: u64, text: &str) -> PyResult<PyCommand> {
        let reply = Err(Error::new(Kind::Abandoned, text));
        checked(py, Command::Reply { request, reply })
    }

    /// Requests that a service handles at once; 0 for every other command.
    #[getter]
    fn concurrency(&self) -> u32 {
        match self.0 {
            Command::Serve { concurrency, .. } => concurrency,
            _ => 0,
        }
    }
}
