//! Runs Telpher's pure core, several clients and a hub, under a seeded scheduler with virtual time.
//!
//! ```text
//! plan      what a seed stands for          agenda   what happens when
//! world     clients, hub and time           link     bytes under way, cut anywhere
//! network   moves bytes, breaks connections faults   pauses, kills, power cuts, a failing disk
//! host      the hub's process               storage  what it does for the journal, in time
//! disk      files, and what survives of them recovery how hosts end, and the next takes over
//! program   one client's program            workload, streams   what it does of its own accord
//! course    work, rest, probe, close, drain drain    takes what is left, at the end
//! model     what must be true               mutant   planted bugs, to see that they are noticed
//! trace     a hash over everything          history  the past that some of these bugs make up
//! ```
//!
//! A turn takes the next thing from the agenda, feeds it to one machine, and drains that machine:
//! bytes into links, events into the model and the program. Nothing here does input or output,
//! reads a clock or starts a thread.
#![forbid(unsafe_code)]

mod agenda;
mod course;
mod disk;
mod drain;
mod faults;
mod history;
mod host;
mod link;
mod mangled;
mod model;
mod mutant;
mod network;
mod plan;
mod program;
mod random;
mod recovery;
mod storage;
mod streams;
mod trace;
mod workload;
mod world;

pub use mutant::Mutant;
pub use trace::Lines;
pub use world::{Options, Report, run};
