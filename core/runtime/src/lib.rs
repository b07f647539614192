//! Telpher: messaging as a library.
pub mod api;
pub use api::*;
pub use bytes::Bytes;
pub use telpher_proto::base::limits;
pub use telpher_proto::base::*;
