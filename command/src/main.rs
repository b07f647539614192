//! The command `telpher`: a hub around which other programs and machines meet.
//!
//! It stands on the public Rust API as any program does, and decides nothing about messages: it
//! reads its arguments, opens the hub, says what happens to it on stderr, and ends when it is told
//! to. Exit codes: 0 ended as told, 1 failed, 2 wrong usage.
//!
//! Floor: names the crate `telpher` only.
#![forbid(unsafe_code)]

mod arguments;
mod log;
mod serve;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Subcommand};

fn main() -> ExitCode {
    let Arguments { command, verbose } = Arguments::parse();
    log::begin(verbose);
    let Subcommand::Serve(options) = command;
    match serve::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("telpher: {text}");
            ExitCode::FAILURE
        }
    }
}
