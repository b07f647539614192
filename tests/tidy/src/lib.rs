//! Telpher's rules of style, as functions over the source tree.
//!
//! A [`Tree`] is every text file of the repository. Each rule is a function that takes the tree and
//! returns findings: a place, and what to do instead. `tests/tree.rs` runs every rule on the
//! repository itself; beside each rule stand its canaries, small trees in which it must find
//! something, so that a rule that has gone blind is noticed.
//!
//! Nothing here changes a file. `docs/style.md` gives the reasons.
#![forbid(unsafe_code)]

pub mod banned;
pub mod blank;
pub mod floors;
pub mod functions;
pub mod sizes;
pub mod tree;
pub mod unsafety;
pub mod unused;
pub mod words;

pub use tree::{File, Finding, Tree};
