//! Events, on their way to Python: each a tuple `(user, tag, value)`, many to a list.
//!
//! Floor: `telpher`.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};
use telpher::{
    Answer, Delivery, Event, Gathered, Message, Name, Outcome, Published, Request, StreamRecord,
    What,
};

use crate::convert::body_out;
use crate::error::instance;
use crate::group_info::GroupInfo;
use crate::stream_info::{Appended, StreamInfo};
use crate::topic_info::TopicInfo;
use crate::types::{HubInfo, Notice, Receipt, durability};

/// What an event is; the same numbers stand in `telpher/_events.py`.
#[repr(u8)]
enum Tag {
    Done,
    Failed,
    Started,
    Delivery,
    Request,
    Withdrawn,
    Notice,
    Ready,
    Published,
    Gap,
    Answer,
    Record,
    Skipped,
}

/// The event as `(user, tag, value)`.
pub fn event_out(py: Python<'_>, event: Event, zero_copy: bool) -> PyResult<Bound<'_, PyTuple>> {
    let (tag, value) = match event.what {
        What::Done(Ok(outcome)) => (Tag::Done, outcome_out(py, outcome, zero_copy)?),
        What::Done(Err(error)) => (Tag::Failed, instance(py, &error)?),
        What::Started => (Tag::Started, py.None().into_bound(py)),
        What::Delivery(delivery) => (Tag::Delivery, delivery_out(py, delivery, zero_copy)?),
        What::Request(request) => (Tag::Request, request_out(py, request, zero_copy)?),
        What::Withdrawn { request } => (Tag::Withdrawn, request.into_pyobject(py)?.into_any()),
        What::Notice(notice) => (Tag::Notice, notice_out(py, notice)?),
        What::Ready => (Tag::Ready, py.None().into_bound(py)),
        What::Published(published) => (Tag::Published, published_out(py, published, zero_copy)?),
        What::Record(record) => (Tag::Record, record_out(py, record, zero_copy)?),
        What::Skipped { partition, first, last } => {
            (Tag::Skipped, (partition, first, last).into_pyobject(py)?.into_any())
        }
        What::Gap { first, last } => (Tag::Gap, (first, last).into_pyobject(py)?.into_any()),
        What::Answer(answer) => (Tag::Answer, answer_out(py, answer, zero_copy)?),
    };
    (event.user, tag as u8, value).into_pyobject(py)
}

/// What an operation ended with.
pub fn outcome_out(
    py: Python<'_>,
    outcome: Outcome,
    zero_copy: bool,
) -> PyResult<Bound<'_, PyAny>> {
    Ok(match outcome {
        Outcome::Empty => py.None().into_bound(py),
        Outcome::Opened(info) => {
            let hub_id = info.hub_id.iter().map(|byte| format!("{byte:02x}")).collect();
            let telpher::HubInfo { epoch, session_id, memory_only, .. } = info;
            Bound::new(py, HubInfo { hub_id, epoch, session_id, memory_only })?.into_any()
        }
        Outcome::Reply(message) => body_out(py, message.body, zero_copy)?,
        Outcome::Receipt(receipt) => receipt_out(py, receipt)?,
        Outcome::Delivery(delivery) => delivery_out(py, delivery, zero_copy)?,
        Outcome::Count(count) => count.into_pyobject(py)?.into_any(),
        Outcome::Queue(info) => {
            Bound::new(py, crate::queue_info::QueueInfo::from(*info))?.into_any()
        }
        Outcome::Receipts(receipts) => {
            let receipts = receipts.into_iter().map(|receipt| receipt_out(py, receipt));
            PyList::new(py, receipts.collect::<PyResult<Vec<_>>>()?)?.into_any()
        }
        Outcome::Appended(appended) => Bound::new(py, Appended::from(appended))?.into_any(),
        Outcome::Stream(info) => Bound::new(py, StreamInfo::from(*info))?.into_any(),
        Outcome::Gathered(gathered) => gathered_out(py, gathered)?,
        Outcome::Groups(groups) => {
            PyList::new(py, groups.into_iter().map(GroupInfo::from))?.into_any()
        }
        Outcome::Topic(info) => Bound::new(py, TopicInfo::from(info))?.into_any(),
        // No command that Python can make ends so.
        Outcome::Peeked(_) | Outcome::Queues(_) | Outcome::Streams(_) | Outcome::Topics(_) => {
            py.None().into_bound(py)
        }
    })
}

fn receipt_out(py: Python<'_>, receipt: telpher::Receipt) -> PyResult<Bound<'_, PyAny>> {
    let telpher::Receipt { message_id, durability: reached } = receipt;
    Ok(Bound::new(py, Receipt { message_id, durability: durability(reached) })?.into_any())
}

/// The notice as an object.
pub fn notice_out(py: Python<'_>, notice: telpher::Notice) -> PyResult<Bound<'_, PyAny>> {
    let nothing = |kind| Notice { kind, reason: String::new(), epoch: 0, memory_lost: false };
    let notice = match notice {
        telpher::Notice::Disconnected { reason } => Notice { reason, ..nothing("DISCONNECTED") },
        telpher::Notice::Resumed => nothing("RESUMED"),
        telpher::Notice::HubChanged { epoch, memory_lost } => {
            Notice { epoch, memory_lost, ..nothing("HUB_CHANGED") }
        }
    };
    Ok(Bound::new(py, notice)?.into_any())
}

/// `(token, message_id, failures, redelivered, body, key, headers, priority)`
fn delivery_out(py: Python<'_>, delivery: Delivery, zero_copy: bool) -> PyResult<Bound<'_, PyAny>> {
    let priority = delivery.message.priority();
    let (body, key, headers) = message_out(py, delivery.message, zero_copy)?;
    let Delivery { token, message_id, failures, redelivered, .. } = delivery;
    let fields = (token, message_id, failures, redelivered, body, key, headers, priority);
    Ok(fields.into_pyobject(py)?.into_any())
}

/// `(instance, body, key, headers, error, instance_name)`; of a failed one the body is None, of
/// others the error; the name is None if it has stated none
fn answer_out(py: Python<'_>, answer: Answer, zero_copy: bool) -> PyResult<Bound<'_, PyAny>> {
    let nothing = (PyBytes::new(py, b""), PyDict::new(py));
    let (body, (key, headers), error) = match answer.reply {
        Ok(message) => {
            let (body, key, headers) = message_out(py, message, zero_copy)?;
            (body, (key, headers), py.None().into_bound(py))
        }
        Err(error) => (py.None().into_bound(py), nothing, instance(py, &error)?),
    };
    let name = answer.instance_name.as_ref().map(Name::as_str);
    Ok((answer.instance, body, key, headers, error, name).into_pyobject(py)?.into_any())
}

/// `(answered, failed, [(instance, error, instance_name), ...])`
fn gathered_out(py: Python<'_>, gathered: Gathered) -> PyResult<Bound<'_, PyAny>> {
    let missing = PyList::empty(py);
    for one in gathered.missing {
        let name = one.instance_name.as_ref().map(Name::as_str);
        missing.append((one.instance, instance(py, &one.error)?, name))?;
    }
    Ok((gathered.answered, gathered.failed, missing).into_pyobject(py)?.into_any())
}

/// `(topic, number, body, key, headers, priority, token)`; the token is 0 if no answer is gathered
fn published_out(
    py: Python<'_>,
    published: Published,
    zero_copy: bool,
) -> PyResult<Bound<'_, PyAny>> {
    let Published { topic, number, message, asked } = published;
    let token = asked.map_or(0, |asked| asked.token);
    let priority = message.priority();
    let (body, key, headers) = message_out(py, message, zero_copy)?;
    Ok((topic.as_str(), number, body, key, headers, priority, token).into_pyobject(py)?.into_any())
}

/// `(partition, offset, time, body, key, headers, generation)`; the time is in seconds of
/// `time.time()`
fn record_out(py: Python<'_>, record: StreamRecord, zero_copy: bool) -> PyResult<Bound<'_, PyAny>> {
    let StreamRecord { partition, offset, time_ms, generation, message } = record;
    let (body, key, headers) = message_out(py, message, zero_copy)?;
    let time = time_ms as f64 / 1000.0;
    let fields = (partition, offset, time, body, key, headers, generation);
    Ok(fields.into_pyobject(py)?.into_any())
}

/// `(token, deadline, body, key, headers)`; the deadline is in seconds of `time.monotonic()`
fn request_out(py: Python<'_>, request: Request, zero_copy: bool) -> PyResult<Bound<'_, PyAny>> {
    let (body, key, headers) = message_out(py, request.message, zero_copy)?;
    let deadline = request.deadline.map(|deadline| deadline.as_nanos() as f64 / 1e9);
    Ok((request.token, deadline, body, key, headers).into_pyobject(py)?.into_any())
}

type Parts<'py> = (Bound<'py, PyAny>, Bound<'py, PyBytes>, Bound<'py, PyDict>);

fn message_out(py: Python<'_>, message: Message, zero_copy: bool) -> PyResult<Parts<'_>> {
    let headers = PyDict::new(py);
    let mut key = PyBytes::new(py, b"");
    if let Some(properties) = &message.properties {
        key = PyBytes::new(py, &properties.key);
        for (name, value) in properties.headers.iter() {
            // As in the other languages, the first value of a name wins.
            if !headers.contains(name)? {
                headers.set_item(name, PyBytes::new(py, value))?;
            }
        }
    }
    Ok((body_out(py, message.body, zero_copy)?, key, headers))
}
