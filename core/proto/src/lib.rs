//! Telpher's core as pure state machines.
//!
//! Nothing here does input or output: no socket, file, clock, thread or random source. A machine
//! takes the time, some bytes or a command, and returns what is to be done. The runtime feeds them
//! from mio, the simulator from a seed.
//!
//! Floors (`<-` points at what may be imported; a test holds it):
//!
//! ```text
//! base <- wire <- client      the program's side
//! base <- wire <- port        the hub's side of one connection
//! base <- broker              services, queues, sessions, producer marks
//! base <- journal             records as frames in segments, and what they say after a crash
//! base <- election            who hosts a directory
//! port, broker, journal <- hub   joins them
//! ```
#![forbid(unsafe_code)]

pub mod base;
pub mod broker;
pub mod client;
pub mod election;
pub mod hub;
pub mod journal;
pub mod port;
pub mod wire;
