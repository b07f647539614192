//! Runs Telpher's pure core, several clients and a hub, under a seeded scheduler with virtual time.
//!
//! ```text
//! plan      what a seed stands for          agenda   what happens when
//! world     clients, hub and time           link     bytes under way, cut anywhere
//! network   moves bytes, breaks connections faults   pauses, kills, changes the host
//! program   one client's program            workload what it does of its own accord
//! course    work, rest, probe, close, drain mutant   planted bugs, to see that it is noticed
//! model     what must be true               drain    takes what is left, at the end
//! trace     a hash over everything: the same seed gives the same one
//! ```
//!
//! A turn takes the next thing from the agenda, feeds it to one machine, and drains that machine:
//! bytes into links, events into the model and the program. Nothing here does input or output,
//! reads a clock or starts a thread.
#![forbid(unsafe_code)]

mod agenda;
mod course;
mod drain;
mod faults;
mod host;
mod link;
mod model;
mod mutant;
mod network;
mod plan;
mod program;
mod random;
mod trace;
mod workload;
mod world;

pub use mutant::Mutant;
pub use trace::Lines;
pub use world::{Options, Report, run};
