//! Arguments on their way in, bodies on their way out. Everything that has a limit is refused with
//! the limit and the value.
//!
//! Floor: `telpher`.

use std::time::Duration;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyMapping, PyMemoryView, PyString};
use telpher::{Bytes, Headers, HeadersBuilder, Kind, Message, Name, Timeout, limits};

use crate::error::{raise, refuse};
use crate::payload::Payload;

/// Smaller bodies are copied: that is cheaper than sharing them. In bytes.
const SHARE_SIZE_MIN: usize = 1024;

/// Takes a bytes-like object; the bytes of a larger `bytes` are shared, not copied.
pub fn bytes_in(what: &str, object: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    if let Ok(bytes) = object.cast::<PyBytes>() {
        let size = bytes.as_bytes().len();
        return Ok(match size {
            0..SHARE_SIZE_MIN => Bytes::copy_from_slice(bytes.as_bytes()),
            _ => Bytes::from_owner(PyBackedBytes::from(bytes.clone())),
        });
    }
    let class = object.get_type().name()?;
    if object.is_instance_of::<PyString>() {
        let text = format!("the {what} is a str; encode it, for example with .encode()");
        return Err(PyTypeError::new_err(text));
    }
    let Ok(view) = PyMemoryView::from(object) else {
        let text = format!("the {what} must be bytes, bytearray or memoryview, not {class}");
        return Err(PyTypeError::new_err(text));
    };
    let bytes = view.call_method0("tobytes")?.cast_into::<PyBytes>()?;
    Ok(Bytes::from_owner(PyBackedBytes::from(bytes)))
}

/// Hands out a body: as `bytes`, or a larger one as a memoryview if `zero_copy`.
pub fn body_out(py: Python<'_>, body: Bytes, zero_copy: bool) -> PyResult<Bound<'_, PyAny>> {
    if zero_copy && body.len() >= SHARE_SIZE_MIN {
        let payload = Bound::new(py, Payload(body))?;
        return Ok(PyMemoryView::from(&payload)?.into_any());
    }
    Ok(PyBytes::new(py, &body).into_any())
}

/// A message of a body and, if there are any, its properties.
pub fn message_in(
    body: &Bound<'_, PyAny>,
    key: Option<&Bound<'_, PyAny>>,
    headers: Option<&Bound<'_, PyMapping>>,
    priority: i128,
) -> PyResult<Message> {
    let mut message = Message::new(bytes_in("body", body)?);
    if let Some(key) = key {
        let key = bytes_in("key", key)?;
        if !key.is_empty() {
            message.properties_mut().key = key;
        }
    }
    if let Some(headers) = headers {
        message.properties_mut().headers = headers_in(headers)?;
    }
    if priority != 0 {
        message.properties_mut().priority = whole(body.py(), "priority", priority, (0, 255))? as u8;
    }
    Ok(message)
}

/// Headers of names and values.
pub fn headers_in(headers: &Bound<'_, PyMapping>) -> PyResult<Headers> {
    let mut builder = HeadersBuilder::default();
    for item in headers.items()?.iter() {
        let (name, value): (String, Bound<'_, PyAny>) = item.extract()?;
        let value = bytes_in("value of a header", &value)?;
        builder.push(&name, &value).map_err(|error| raise(headers.py(), &error))?;
    }
    Ok(builder.build())
}

/// Checks a name.
pub fn name_in(py: Python<'_>, name: &str) -> PyResult<Name> {
    Name::parse(name).map_err(|error| raise(py, &error))
}

/// What an instance or subscriber calls itself.
pub fn instance_in(py: Python<'_>, name: Option<&str>) -> PyResult<Option<Name>> {
    name.map(Name::parse_instance).transpose().map_err(|error| raise(py, &error))
}

/// Checks that a whole number lies within both bounds.
pub fn whole(py: Python<'_>, what: &str, value: i128, (least, most): (u64, u64)) -> PyResult<u64> {
    match u64::try_from(value) {
        Ok(value) if (least..=most).contains(&value) => Ok(value),
        _ => {
            let text = format!("{what} is {value}; allowed are {least} to {most}");
            Err(refuse(py, Kind::Invalid, text))
        }
    }
}

/// Seconds as a span: `None` is the default, infinity no bound.
pub fn timeout_in(py: Python<'_>, seconds: Option<f64>) -> PyResult<Timeout> {
    let most = limits::TIMEOUT_MAX_MS as f64 / 1000.0;
    match seconds {
        None => Ok(Timeout::Default),
        Some(f64::INFINITY) => Ok(Timeout::Never),
        Some(seconds) if (0.0..=most).contains(&seconds) => {
            Ok(Timeout::After(Duration::from_secs_f64(seconds)))
        }
        Some(seconds) => {
            let text = format!("timeout is {seconds} s; allowed are 0 to {most} and math.inf");
            Err(refuse(py, Kind::Invalid, text))
        }
    }
}

/// Seconds as whole ms, from 1 to `most_ms`; `None` is 0, which stands for the default.
pub fn span_ms_in(py: Python<'_>, what: &str, seconds: Option<f64>, most_ms: u64) -> PyResult<u64> {
    let (least, most) = (0.001, most_ms as f64 / 1000.0);
    match seconds {
        None => Ok(0),
        Some(seconds) if (least..=most).contains(&seconds) => Ok((seconds * 1000.0).round() as u64),
        Some(seconds) => {
            let text = format!("{what} is {seconds} s; allowed are {least} to {most} and None");
            Err(refuse(py, Kind::Invalid, text))
        }
    }
}

/// The choice that `text` names.
pub fn choice<T: Copy>(
    py: Python<'_>,
    what: &str,
    text: &str,
    choices: &[(&str, T)],
) -> PyResult<T> {
    if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == text) {
        return Ok(*choice);
    }
    let names: Vec<_> = choices.iter().map(|(name, _)| format!("{name:?}")).collect();
    let text = format!("{what} is {text:?}; allowed are {}", names.join(", "));
    Err(refuse(py, Kind::Invalid, text))
}
