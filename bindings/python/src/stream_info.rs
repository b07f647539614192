//! What a stream tells, as plain read-only objects.
//!
//! Floor: `telpher`.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::types::{described, durability};

/// Where a confirmed record is.
#[pyclass(frozen, get_all, eq, module = "telpher")]
#[derive(PartialEq)]
pub struct Appended {
    /// The part of the stream that it is in.
    pub partition: u32,
    /// Counts the records of the partition, from 0.
    pub offset: u64,
    /// How safe it is now: "memory", "os" or "disk".
    pub durability: &'static str,
}
described!(Appended { partition, offset, durability });

impl From<telpher::Appended> for Appended {
    fn from(appended: telpher::Appended) -> Appended {
        let telpher::Appended { partition, offset, durability: reached } = appended;
        Appended { partition, offset, durability: durability(reached) }
    }
}

/// A partition's figures.
#[pyclass(frozen, get_all, eq, module = "telpher")]
#[derive(Clone, PartialEq)]
pub struct PartitionInfo {
    /// The offset of the oldest record that is kept; that of the next one if none is.
    pub first: u64,
    /// The offset that the next record gets.
    pub next: u64,
    /// Bytes of what is kept.
    pub bytes: u64,
}
described!(PartitionInfo { first, next, bytes });

/// A stream's figures and options.
#[pyclass(frozen, eq, module = "telpher")]
#[derive(PartialEq)]
pub struct StreamInfo {
    partitions: Vec<PartitionInfo>,
    /// How safe a confirmed record is: "memory", "os" or "disk".
    #[pyo3(get)]
    pub durability: &'static str,
    /// Age in seconds from which records are removed; None: never for their age.
    #[pyo3(get)]
    pub age_max: Option<f64>,
    /// Bytes of one partition from which on its oldest records are removed.
    #[pyo3(get)]
    pub bytes_max: u64,
    /// Records of one partition from which on its oldest are removed; None: any number.
    #[pyo3(get)]
    pub records_max: Option<u64>,
    /// Of each key the latest record is kept.
    #[pyo3(get)]
    pub compact: bool,
    /// With `compact`: age in seconds from which tombstones are removed; None without it.
    #[pyo3(get)]
    pub tombstone_age: Option<f64>,
    /// What a reader group has not committed stays.
    #[pyo3(get)]
    pub keep_unread: bool,
    /// How programs pack their records: "lz4" or "zstd"; None: not at all.
    #[pyo3(get)]
    pub compression: Option<&'static str>,
    bindings: Vec<String>,
}
described!(StreamInfo {
    partitions,
    durability,
    age_max,
    bytes_max,
    records_max,
    compact,
    tombstone_age,
    keep_unread,
    compression,
    bindings
});

#[pymethods]
impl StreamInfo {
    /// Each partition's figures.
    #[getter]
    fn partitions<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.partitions.iter().cloned())
    }

    /// Patterns of topics that are bound to it, in order.
    #[getter]
    fn bindings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.bindings)
    }
}

impl From<telpher::StreamInfo> for StreamInfo {
    fn from(info: telpher::StreamInfo) -> StreamInfo {
        let telpher::StreamInfo { options, partitions, bindings } = info;
        let each = partitions.into_iter().map(|partition| {
            let telpher::PartitionInfo { first, next, bytes } = partition;
            PartitionInfo { first, next, bytes }
        });
        let seconds = |ms: u64| (ms != 0).then(|| ms as f64 / 1000.0);
        StreamInfo {
            partitions: each.collect(),
            durability: options.durability.map_or("memory", durability),
            age_max: seconds(options.age_max_ms),
            bytes_max: options.bytes_max,
            records_max: (options.records_max != 0).then_some(options.records_max),
            compact: options.compact,
            tombstone_age: seconds(options.tombstone_age_ms),
            keep_unread: options.keep_unread,
            compression: options.compression.map(telpher::Compression::name),
            bindings: bindings.iter().map(ToString::to_string).collect(),
        }
    }
}
