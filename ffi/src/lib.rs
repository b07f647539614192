//! The C library: `include/telpher.h`, over the crate `telpher`.
//!
//! A function converts its arguments (`input`), finds its handle (`handle`), makes one call of the
//! Rust API, and stores what came (`hand_over`): it translates and decides nothing. The header is
//! generated from the items here, in the order of the modules below, so their documentation speaks
//! to readers of C.
//!
//! What never happens: a panic that crosses into C, a pointer that stands for a handle, output
//! written on failure, a lock held while code of the program runs.
//!
//! Floor: imports the crate `telpher` only.
#![allow(non_camel_case_types, reason = "C's own style, as the names appear in the header")]
#![allow(clippy::missing_safety_doc, reason = "one contract holds for all: see cbindgen.toml")]

pub mod constants;
pub mod types;
pub mod types_streams;

mod status;

mod hub;

mod event;

mod service;

mod pointed;
mod queue;

mod batch;

mod topic;

mod topics;

mod gather;
mod group;
mod hand_over;
mod handle;
mod input;
mod output;
mod output_streams;
mod start;
mod stream;
mod table;
