//! The command `telpher`: a hub around which other programs and machines meet, and a look into it.
//!
//! It stands on the public Rust API as any program does, and decides nothing about messages: it
//! reads its arguments, opens the hub or looks at its directory, and says what is there. What it
//! was asked for goes to stdout, everything else to stderr. Exit codes: 0 ended as told, 1 failed
//! or damaged, 2 wrong usage.
//!
//! Floor: names the crate `telpher` only.
#![forbid(unsafe_code)]

mod append;
mod arguments;
mod arguments_streams;
mod arguments_topics;
mod check;
mod declared;
mod gathers;
mod groups;
mod hub;
mod log;
mod member;
mod message;
mod peek;
mod queues;
mod read;
mod serve;
mod streams;
mod text;
mod topics;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Subcommand};

/// What is said, and whether all is well.
type Said = Result<(String, bool), String>;

fn main() -> ExitCode {
    let Arguments { command, verbose } = Arguments::parse();
    log::begin(verbose, matches!(command, Subcommand::Serve(_)));
    match run(&command) {
        Ok((text, is_well)) => {
            // Whoever reads no further has seen enough.
            let _ = std::io::stdout().write_all(text.as_bytes());
            if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(text) => {
            eprintln!("telpher: {text}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Subcommand) -> Said {
    match command {
        Subcommand::Serve(options) => serve::run(options).map(|()| (String::new(), true)),
        Subcommand::Queues(options) => queues::list(options),
        Subcommand::Inspect(options) => queues::inspect(options),
        Subcommand::Peek(options) => peek::run(options),
        Subcommand::Purge(options) => queues::purge(options),
        Subcommand::Publish(options) => topics::publish(options),
        Subcommand::Subscribe(options) => topics::subscribe(options),
        Subcommand::Bind(options) => topics::bind(options),
        Subcommand::Unbind(options) => topics::unbind(options),
        Subcommand::Topics(options) => declared::list(options),
        Subcommand::DeclareTopic(options) => declared::declare(options),
        Subcommand::DeleteTopic(options) => declared::delete(options),
        Subcommand::Gather(options) => gathers::run(options),
        Subcommand::Streams(options) => streams::list(options),
        Subcommand::DeclareStream(options) => streams::declare(options),
        Subcommand::DeleteStream(options) => streams::delete(options),
        Subcommand::Append(options) => append::run(options),
        Subcommand::Read(options) => read::run(options),
        Subcommand::Groups(options) => groups::list(options),
        Subcommand::ResetGroup(options) => groups::reset(options),
        Subcommand::DeleteGroup(options) => groups::delete(options),
        Subcommand::Check(options) => check::check(options),
        Subcommand::Backup(options) => check::backup(options),
    }
}
