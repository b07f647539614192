//! Commands about topics, as Python hands them over.
//!
//! Floor: `telpher`.

use pyo3::prelude::*;
use telpher::{Command, Name, Pattern, Target, TopicOptions, TopicOverflow, limits};

use crate::command::{Headers, Object, PyCommand, checked};
use crate::convert::{choice, instance_in, message_in, name_in, whole};
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

    /// Says how topics are, or checks that it is as stated.
    #[staticmethod]
    #[pyo3(signature = (pattern, overflow, line_max = None))]
    fn declare_topic(
        py: Python<'_>,
        pattern: &str,
        overflow: &str,
        line_max: Option<i128>,
    ) -> PyResult<PyCommand> {
        let overflow = choice(py, "overflow", overflow, &OVERFLOWS)?;
        let range = (1, limits::LINE_MAX.into());
        let line_max = line_max.map(|most| whole(py, "line_max", most, range)).transpose()?;
        let options = TopicOptions { overflow, line_max: line_max.unwrap_or(0) as u32 };
        checked(py, Command::DeclareTopic { pattern: pattern_in(py, pattern)?, options })
    }

    /// Removes a declaration of topics.
    #[staticmethod]
    fn delete_topic(py: Python<'_>, pattern: &str) -> PyResult<PyCommand> {
        checked(py, Command::DeleteTopic { pattern: pattern_in(py, pattern)? })
    }

    /// Asks for a declaration of topics.
    #[staticmethod]
    fn inspect_topic(py: Python<'_>, pattern: &str) -> PyResult<PyCommand> {
        checked(py, Command::InspectTopic { pattern: pattern_in(py, pattern)? })
    }

    /// Takes what is published to matching topics.
    #[staticmethod]
    #[pyo3(signature = (pattern, buffer, instance_name = None))]
    fn subscribe(
        py: Python<'_>,
        pattern: &str,
        buffer: i128,
        instance_name: Option<&str>,
    ) -> PyResult<PyCommand> {
        let pattern = pattern_in(py, pattern)?;
        let range = (1, limits::SUBSCRIPTION_BUFFER_MAX.into());
        let buffer = whole(py, "buffer", buffer, range)? as u32;
        let instance_name = instance_in(py, instance_name)?;
        checked(py, Command::Subscribe { pattern, buffer, instance_name })
    }
}

fn binding(
    py: Python<'_>,
    pattern: &str,
    (name, target): (&str, fn(Name) -> Target),
) -> PyResult<(Pattern, Target)> {
    Ok((pattern_in(py, pattern)?, target(name_in(py, name)?)))
}

fn pattern_in(py: Python<'_>, pattern: &str) -> PyResult<Pattern> {
    Pattern::parse(pattern).map_err(|error| raise(py, &error))
}

/// What happens while a subscriber is slow, by its name.
const OVERFLOWS: [(&str, TopicOverflow); 2] = [
    (TopicOverflow::Drop.name(), TopicOverflow::Drop),
    (TopicOverflow::Wait.name(), TopicOverflow::Wait),
];
