//! A declaration of topics, as a plain read-only object.
//!
//! Floor: `telpher`.

use pyo3::prelude::*;

use crate::types::described;

/// A declaration of topics, and what waits because of it.
#[pyclass(frozen, get_all, eq, module = "telpher")]
#[derive(PartialEq)]
pub struct TopicInfo {
    /// What happens while a subscriber is slow: "drop" or "wait".
    pub overflow: &'static str,
    /// Publishes that may wait in line; 0 if none ever does.
    pub line_max: u32,
    /// Publishes that wait in line now.
    pub waiting: u64,
}
described!(TopicInfo { overflow, line_max, waiting });

impl From<telpher::TopicInfo> for TopicInfo {
    fn from(info: telpher::TopicInfo) -> TopicInfo {
        let telpher::TopicInfo { overflow, line_max, waiting } = info;
        TopicInfo { overflow: overflow.name(), line_max, waiting }
    }
}
