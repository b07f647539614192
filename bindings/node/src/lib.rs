//! The private batch addon under Telpher's Node package; `lib/` makes promises of it.
//!
//! A turn: JavaScript writes operations as fixed records into a typed array and hands them over
//! with one `submit` per tick. When the handle's descriptor becomes readable, libuv calls the one
//! JavaScript function given at `open`, which takes a batch of events back with `poll`. Nothing
//! else crosses the boundary, and no call of JavaScript happens inside `submit` or `poll`.
//!
//! Never: a borrow held while JavaScript runs; a panic or an uncaught exception that leaves here;
//! a symbol of libuv that is linked (other runtimes lack them).
//!
//! Floor: imports `telpher` (the public Rust API), napi and libc.
#![cfg_attr(test, allow(dead_code, reason = "a test build registers nothing with Node"))]

mod body;
mod bounds;
mod fault;
mod groups;
mod inbox;
mod incoming;
mod layout;
mod native;
mod opening;
mod outgoing;
mod parts;
mod shared;
mod streams;
mod teardown;
mod thread;
mod uv;
