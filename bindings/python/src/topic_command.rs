//! Commands about topics, as Python hands them over.
//!
//! Floor: `telpher`.

use pyo3::prelude::*;
use telpher::{Command, Name, Pattern, Target, limits};

use crate::command::{Headers, Object, PyCommand, checked};
use crate::convert::{message_in, name_in, whole};
use crate::error::raise;

#[pymethods]
impl PyCommand {
    /// Gives a message to whoever is subscribed, and stores it where its topic is bound.
    #[staticmethod]
    #[pyo3(signature = (topic, body, key = None, headers = None, priority = 0))]
    fn publish(
        py: Python<'_>,
        topic: &str,
        body: Object<'_, '_>,
        key: Option<Object<'_, '_>>,
        headers: Headers<'_, '_>,
        priority: i128,
    ) -> PyResult<PyCommand> {
        let message = message_in(body, key, headers, priority)?;
        checked(py, Command::Publish { topic: name_in(py, topic)?, message })
    }

    /// Binds a pattern of topics to a queue.
    #[staticmethod]
    fn bind(py: Python<'_>, pattern: &str, queue: &str) -> PyResult<PyCommand> {
        let (pattern, target) = binding(py, pattern, (queue, Target::Queue))?;
        checked(py, Command::Bind { pattern, target })
    }

    /// Ends a binding.
    #[staticmethod]
    fn unbind(py: Python<'_>, pattern: &str, queue: &str) -> PyResult<PyCommand> {
        let (pattern, target) = binding(py, pattern, (queue, Target::Queue))?;
        checked(py, Command::Unbind { pattern, target })
    }

    /// Binds a pattern of topics to a stream.
    #[staticmethod]
    fn bind_stream(py: Python<'_>, pattern: &str, stream: &str) -> PyResult<PyCommand> {
        let (pattern, target) = binding(py, pattern, (stream, Target::Stream))?;
        checked(py, Command::Bind { pattern, target })
    }

    /// Ends a binding to a stream.
    #[staticmethod]
    fn unbind_stream(py: Python<'_>, pattern: &str, stream: &str) -> PyResult<PyCommand> {
        let (pattern, target) = binding(py, pattern, (stream, Target::Stream))?;
        checked(py, Command::Unbind { pattern, target })
    }

    /// Takes what is published to matching topics.
    #[staticmethod]
    fn subscribe(py: Python<'_>, pattern: &str, buffer: i128) -> PyResult<PyCommand> {
        let pattern = Pattern::parse(pattern).map_err(|error| raise(py, &error))?;
        let range = (1, limits::SUBSCRIPTION_BUFFER_MAX.into());
        let buffer = whole(py, "buffer", buffer, range)? as u32;
        checked(py, Command::Subscribe { pattern, buffer })
    }
}

fn binding(
    py: Python<'_>,
    pattern: &str,
    (name, target): (&str, fn(Name) -> Target),
) -> PyResult<(Pattern, Target)> {
    let pattern = Pattern::parse(pattern).map_err(|error| raise(py, &error))?;
    Ok((pattern, target(name_in(py, name)?)))
}
