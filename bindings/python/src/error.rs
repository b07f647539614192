//! Errors, on their way to Python: each [`Kind`] has a class of its own in `telpher.errors`, which
//! is made from [`table`].
//!
//! Floor: `telpher`.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use telpher::{Error, Executed, Kind};

/// Every kind: its name, number, whether the operation may have taken effect, and its meaning.
pub fn table() -> Vec<(&'static str, u32, Option<bool>, &'static str)> {
    let executed = |kind: Kind| match kind.executed() {
        Executed::Never => Some(false),
        Executed::Maybe => Some(true),
        Executed::Depends => None,
    };
    let row = |kind: &Kind| (kind.name(), *kind as u32, executed(*kind), kind.meaning());
    Kind::ALL.iter().map(row).collect()
}

/// The exception for `error`.
pub fn raise(py: Python<'_>, error: &Error) -> PyErr {
    match instance(py, error) {
        Ok(exception) => PyErr::from_value(exception),
        Err(failure) => failure,
    }
}

/// The exception for a new error of `kind`.
pub fn refuse(py: Python<'_>, kind: Kind, detail: String) -> PyErr {
    raise(py, &Error::new(kind, detail))
}

/// The exception for `error`, as an object.
pub fn instance<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let fields = (error.kind() as u32, error.detail(), error.code(), error.maybe_executed());
    MAKE.import(py, "telpher.errors", "_from_core")?.call1(fields)
}

/// Logs a failure that nobody waits for. For the driver's thread: takes the interpreter only here,
/// and lets it be when it is already leaving.
pub fn log_unseen(error: &Error) {
    static LOG: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    Python::try_attach(|py| {
        let logged = instance(py, error)
            .and_then(|error| LOG.import(py, "telpher.errors", "_log_unseen")?.call1((error,)));
        if let Err(failure) = logged {
            failure.write_unraisable(py, None);
        }
    });
}
