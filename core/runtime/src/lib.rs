//! Telpher: messaging as a library.
pub mod api;
pub use api::*;
pub use telpher_proto::base::*;
pub use telpher_proto::base::limits;
pub use bytes::Bytes;
