//! What can be said on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, ArgGroup, Args, Parser};
use humantime::parse_duration;

/// The command line.
#[derive(Parser)]
#[command(name = "telpher", version, about = "Messaging as a library: the hub as a program")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Subcommand,
    /// Log each connection too
    #[arg(short, long, global = true, action = ArgAction::SetTrue)]
    pub verbose: bool,
}

/// What the command can do.
#[derive(clap::Subcommand)]
pub enum Subcommand {
    /// Serve a hub to other programs, until SIGTERM or SIGINT
    #[command(after_help = EXAMPLES)]
    Serve(Serve),
}

const EXAMPLES: &str = "\
Examples:
  telpher serve --listen tcp://127.0.0.1:7420
      A hub in this process's memory, for programs that open tcp://127.0.0.1:7420.

  telpher serve ./data --listen unix:///run/app/hub.sock
      The hub of a directory. Programs that open ./data, and those that open the socket,
      meet in it. If another process hosts the directory, waits until that one ends.

  telpher serve --listen tcp://0.0.0.0:7420 --insecure
      As the first, for any machine that reaches this one. There is no authentication
      and no encryption yet: whoever connects may do everything.
";

/// How to serve.
#[derive(Args)]
#[command(group = place())]
pub struct Serve {
    /// The hub's directory; without one the hub is in memory only
    #[arg(value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// Where to listen: tcp://HOST:PORT or unix:///PATH; one or several
    #[arg(long, value_name = "URL", num_args = 1.., value_parser = address)]
    pub listen: Vec<String>,
    /// Allow listening beyond loopback, where anybody may connect
    #[arg(long)]
    pub insecure: bool,
    /// How long a remote session lasts after its connection broke, such as 5s or 500ms
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_duration)]
    pub session_grace: Duration,
}

/// Where the hub is to be met: a directory, addresses, or both.
fn place() -> ArgGroup {
    ArgGroup::new("place").args(["directory", "listen"]).required(true).multiple(true)
}

/// An address to listen at: refuses what can be seen to be wrong without trying it.
fn address(text: &str) -> Result<String, String> {
    if let Some(path) = text.strip_prefix("unix://") {
        return match path.strip_prefix('/') {
            Some(rest) if !rest.is_empty() => Ok(text.to_owned()),
            _ => Err("after unix:// comes an absolute path, as in unix:///run/app/hub.sock".into()),
        };
    }
    let Some(place) = text.strip_prefix("tcp://") else {
        let text = "an address is like tcp://127.0.0.1:7420 or unix:///run/app/hub.sock; \
            a directory comes before --listen";
        return Err(text.into());
    };
    match place.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>())) {
        Some((_, Ok(0))) => Err("port 0 names no port; choose one from 1 to 65535".into()),
        Some((host, Ok(_))) if !host.is_empty() => Ok(text.to_owned()),
        _ => Err("after tcp:// come a host and a port, as in tcp://127.0.0.1:7420".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_be_right_is_refused_with_an_example() {
        for bad in ["", "7420", "http://x:1", "tcp://x", "tcp://x:99999", "tcp://:1", "unix://x"] {
            assert!(address(bad).unwrap_err().contains("://"), "{bad}");
        }
        assert!(address("tcp://127.0.0.1:0").unwrap_err().contains("port 0"));
    }

    #[test]
    fn every_kind_of_address_is_taken() {
        for good in ["tcp://127.0.0.1:1", "tcp://[::1]:7420", "tcp://host:65535", "unix:///a b"] {
            assert_eq!(address(good).as_deref(), Ok(good));
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }
}
