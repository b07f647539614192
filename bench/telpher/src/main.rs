//! Telpher's sides of the bench, each a small program on the public Rust API.
//!
//! A server says `ready` once it is live in the hub; a client ends with one line of JSON. The first
//! error ends the program with a sentence and a failure: a bench that goes on would lie.
#![forbid(unsafe_code)]

mod call;
mod queue;
mod report;

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use telpher::{Done, Drive, Error, Hub, Kind, OpenOptions, Timeout};

#[derive(Parser)]
#[command(about = "Telpher's sides of the bench")]
struct Arguments {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Serve `bench.echo`, until killed
    Serve { url: String, place: Place },
    /// Call it for a time, with a number of calls in flight
    Call { url: String, place: Place, seconds: f64, window: u64 },
    /// Send a number of messages, with a number of them unconfirmed
    Produce { url: String, count: u64, window: u64 },
    /// Take a number of messages, holding up to a number of them
    Consume { url: String, count: u64, window: u32 },
}

/// Who turns the handle's reactor, and where the hub is.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Place {
    /// The hub is hosted here, on this thread
    Inline,
    /// The hub is hosted here, on its background thread
    Host,
    /// The hub is elsewhere; this thread turns the reactor
    Caller,
    /// The hub is elsewhere; a background thread turns the reactor
    Library,
}

/// Opens a hub and waits until it is open.
fn open(url: &str, place: Place) -> Result<Hub, Error> {
    let mut options = OpenOptions::default();
    options.drive = match place {
        Place::Inline => Drive::Inline,
        Place::Caller => Drive::Caller,
        Place::Host | Place::Library => Drive::Library,
    };
    let mut place_url = url;
    if place == Place::Host {
        options.listen = vec![url.to_owned()];
        place_url = "mem://bench";
    }
    let (hub, opened) = Hub::open(place_url, options, Done::Wait, Done::None)?;
    report::ended(hub.wait(opened, Timeout::Default)?)?;
    Ok(hub)
}

fn run(role: Role) -> Result<(), Error> {
    match role {
        Role::Serve { url, place } => match place {
            Place::Host => call::serve_in_callbacks(&open(&url, place)?),
            _ => call::serve_by_polling(&open(&url, place)?),
        },
        Role::Call { url, place, seconds, window } => {
            let hub = open(&url, place)?;
            match window {
                0 => Err(Error::new(Kind::Invalid, "window is 0; the least is 1")),
                1 => call::call_one_by_one(&hub, seconds),
                _ => call::call_many(&hub, seconds, window),
            }
        }
        Role::Produce { url, count, window } => {
            queue::produce(&open(&url, Place::Caller)?, count, window)
        }
        Role::Consume { url, count, window } => {
            queue::consume(&open(&url, Place::Caller)?, count, window)
        }
    }
}

fn main() -> ExitCode {
    match run(Arguments::parse().role) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("telpher-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
