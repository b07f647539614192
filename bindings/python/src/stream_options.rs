//! The options of a stream's `declare` and `read`.
//!
//! Floor: `telpher`.

use pyo3::prelude::*;
use pyo3::types::PyMapping;
use telpher::{Compression, Kind, Reading, Start, StreamOptions, limits};

use crate::convert::{bytes_in, choice, headers_in, name_in, span_ms_in, whole};
use crate::error::refuse;
use crate::stream_command::partition_in;
use crate::types::DURABILITIES;

/// The last second of the year 9999, in seconds since 1970.
const TIME_MAX_S: f64 = 253_402_300_799.0;

/// What `compression` may be.
const COMPRESSIONS: [(&str, Compression); 2] =
    [("lz4", Compression::Lz4), ("zstd", Compression::Zstd)];

/// The options of `declare` as Python gives them: a dictionary.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Declaring {
    partitions: i128,
    durability: Option<String>,
    age_max: Option<f64>,
    bytes_max: Option<i128>,
    records_max: Option<i128>,
    compact: bool,
    tombstone_age: Option<f64>,
    keep_unread: bool,
    compression: Option<String>,
}

impl Declaring {
    /// The options as the core takes them.
    pub fn checked(self, py: Python<'_>) -> PyResult<StreamOptions> {
        let durability = self.durability.as_deref();
        let compression = self.compression.as_deref();
        let partitions_range = (1, limits::PARTITIONS_MAX.into());
        let bound = |what, stated: Option<i128>, most| {
            stated.map_or(Ok(0), |stated| whole(py, what, stated, (1, most)))
        };
        Ok(StreamOptions {
            partitions: whole(py, "partitions", self.partitions, partitions_range)? as u32,
            durability: durability
                .map(|text| choice(py, "durability", text, &DURABILITIES))
                .transpose()?,
            age_max_ms: span_ms_in(py, "age_max", self.age_max, limits::TIMEOUT_MAX_MS)?,
            bytes_max: bound("bytes_max", self.bytes_max, limits::DISK_BYTES_MAX)?,
            records_max: bound("records_max", self.records_max, u64::MAX)?,
            compact: self.compact,
            tombstone_age_ms: span_ms_in(
                py,
                "tombstone_age",
                self.tombstone_age,
                limits::TIMEOUT_MAX_MS,
            )?,
            keep_unread: self.keep_unread,
            compression: compression
                .map(|text| choice(py, "compression", text, &COMPRESSIONS))
                .transpose()?,
        })
    }
}

/// The options of `read` as Python gives them: a dictionary.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Reads<'py> {
    start: Option<String>,
    offset: Option<i128>,
    time: Option<f64>,
    partition: Option<i128>,
    follow: bool,
    group: Option<String>,
    buffer: i128,
    key: Option<Bound<'py, PyAny>>,
    headers: Option<Bound<'py, PyMapping>>,
    max_processing: Option<f64>,
}

impl Reads<'_> {
    /// The options as the core takes them.
    pub fn checked(self, py: Python<'_>) -> PyResult<Reading> {
        let buffer_range = (1, limits::READ_BUFFER_MAX.into());
        Ok(Reading {
            partition: partition_in(py, self.partition)?,
            start: start_in(py, (self.start, self.offset, self.time))?,
            follow: self.follow,
            group: self.group.map(|group| name_in(py, &group)).transpose()?,
            buffer: whole(py, "buffer", self.buffer, buffer_range)? as u32,
            key: self.key.map(|key| bytes_in("key", &key)).transpose()?,
            headers: self.headers.as_ref().map(headers_in).transpose()?.unwrap_or_default(),
            max_processing_ms: span_ms_in(
                py,
                "max_processing",
                self.max_processing,
                limits::DELAY_MAX_MS,
            )?,
        })
    }
}

/// A start, an offset and a time, of which at most one is stated.
pub type Place = (Option<String>, Option<i128>, Option<f64>);

/// Where reading begins.
pub fn start_in(py: Python<'_>, place: Place) -> PyResult<Start> {
    let starts = [("beginning", Start::Beginning), ("end", Start::End)];
    match place {
        (None, None, None) => Ok(Start::Beginning),
        (Some(start), None, None) => choice(py, "start", &start, &starts),
        (None, Some(offset), None) => {
            Ok(Start::Offset(whole(py, "offset", offset, (0, u64::MAX))?))
        }
        (None, None, Some(time)) => time_in(py, time),
        _ => {
            let text = "reading begins at one place: start, offset and time exclude each other";
            Err(refuse(py, Kind::Invalid, text.to_owned()))
        }
    }
}

fn time_in(py: Python<'_>, seconds: f64) -> PyResult<Start> {
    if !(0.0..=TIME_MAX_S).contains(&seconds) {
        let text = format!("time is {seconds} s since 1970; allowed are 0 to {TIME_MAX_S}");
        return Err(refuse(py, Kind::Invalid, text));
    }
    // A time that a record has names its very millisecond, though seconds don't hold that exactly.
    let us = (seconds * 1e6).round() as u64;
    Ok(Start::Time(us.div_ceil(1000)))
}
