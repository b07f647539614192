//! What can be said on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, ArgGroup, Args, Parser};
use humantime::parse_duration;
use telpher::limits::{GATHER_ASKED_MAX, PEEK_MAX};
use telpher::{Name, Pattern};

use crate::arguments_streams::{
    self as streams, Append, DeclareStream, OneGroup, OneStream, Read, ResetGroup, Streams,
};
use crate::arguments_topics::{self as topics, DeclareTopic, OneTopic, Topics};

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
    /// List the queues of a hub
    #[command(after_help = QUEUES_EXAMPLES)]
    Queues(Queues),
    /// Show all figures and options of a queue
    #[command(after_help = INSPECT_EXAMPLES)]
    Inspect(OneQueue),
    /// Show messages that wait in a queue, without taking them
    #[command(after_help = PEEK_EXAMPLES)]
    Peek(Peek),
    /// Remove the messages of a queue that nobody holds, for good
    #[command(after_help = PURGE_EXAMPLES)]
    Purge(OneQueue),
    /// Publish a message to whoever is subscribed to a topic
    #[command(after_help = PUBLISH_EXAMPLES)]
    Publish(Publish),
    /// Print what is published to topics, as it comes
    #[command(after_help = SUBSCRIBE_EXAMPLES)]
    Subscribe(Subscribe),
    /// Bind a pattern of topics to a queue or a stream, which then gets what matches
    #[command(after_help = BIND_EXAMPLES)]
    Bind(Binding),
    /// End a binding; what it has brought to the queue or stream stays there
    #[command(after_help = UNBIND_EXAMPLES)]
    Unbind(Binding),
    /// List the declarations of topics of a hub, or show one of them
    #[command(after_help = topics::TOPICS_EXAMPLES)]
    Topics(Topics),
    /// Say whether publishers to topics wait for slow subscribers
    #[command(after_help = topics::DECLARE_EXAMPLES)]
    DeclareTopic(DeclareTopic),
    /// Remove a declaration of topics; who waits because of it goes on
    #[command(after_help = topics::DELETE_EXAMPLES)]
    DeleteTopic(OneTopic),
    /// Ask every instance of a service, or every subscriber of a topic, and print what they answer
    #[command(after_help = GATHER_EXAMPLES)]
    Gather(Gather),
    /// List the streams of a hub, or the partitions of one of them
    #[command(after_help = streams::STREAMS_EXAMPLES)]
    Streams(Streams),
    /// Make a stream, or check that it is as stated
    #[command(after_help = streams::DECLARE_EXAMPLES)]
    DeclareStream(DeclareStream),
    /// Remove a stream with all of its records, for good
    #[command(after_help = streams::DELETE_EXAMPLES)]
    DeleteStream(OneStream),
    /// Append a record to a stream, or each line of stdin as one
    #[command(after_help = streams::APPEND_EXAMPLES)]
    Append(Append),
    /// Print the records of a stream
    #[command(after_help = streams::READ_EXAMPLES)]
    Read(Read),
    /// List the reader groups of a hub, and how far each has come
    #[command(after_help = streams::GROUPS_EXAMPLES)]
    Groups(Streams),
    /// Put a reader group to another place
    #[command(after_help = streams::RESET_GROUP_EXAMPLES)]
    ResetGroup(ResetGroup),
    /// Remove a reader group with its places, for good
    #[command(after_help = streams::DELETE_GROUP_EXAMPLES)]
    DeleteGroup(OneGroup),
    /// Verify every checksum of a hub's directory, hosted or not
    #[command(after_help = CHECK_EXAMPLES)]
    Check(Check),
    /// Copy a hub while it goes on, and verify the copy
    #[command(after_help = BACKUP_EXAMPLES)]
    Backup(Backup),
}

const EXAMPLES: &str = "\
Examples:
  telpher serve --listen tcp://127.0.0.1:7420
      A hub in this process's memory, for programs that open tcp://127.0.0.1:7420.

  telpher serve ./data --listen unix:///run/app/hub.sock
      The hub of a directory. Programs that open ./data, and those that open the
      socket, meet in it. If another process hosts the directory, waits until that
      one ends.

  telpher serve --listen tcp://0.0.0.0:7420 --insecure
      As the first, for any machine that reaches this one. There is no authentication
      and no encryption yet: whoever connects may do everything.
";

const QUEUES_EXAMPLES: &str = "\
Examples:
  telpher queues ./data
      Of the process that hosts the directory; with none, what its journal says.
      Looking never makes this process the host, and changes nothing.

  telpher queues tcp://127.0.0.1:7420 --json
      Of a hub that is served there, for a program to read.
";

const INSPECT_EXAMPLES: &str = "\
Examples:
  telpher inspect ./data jobs
  telpher inspect tcp://127.0.0.1:7420 jobs --json
";

const PEEK_EXAMPLES: &str = "\
Examples:
  telpher peek ./data jobs
      The next 10 messages, each body cut to one line.

  telpher peek ./data jobs.dead --count 100
      Dead letters: where they come from, why they died, each failed attempt.

  telpher peek ./data jobs --count 1 --json
      All of the next message. A body that is no text is given as hex digits.
";

const PURGE_EXAMPLES: &str = "\
Examples:
  telpher purge ./data jobs
      Messages that consumers hold stay. The hub must be hosted by a program, or
      by telpher serve.
";

const PUBLISH_EXAMPLES: &str = "\
Examples:
  telpher publish ./data orders.eu.new '{\"id\": 7}'
      To every program that is subscribed to orders.eu.new, orders.*.new, orders.**
      or the like in this moment. The hub must be hosted by a program, or by
      telpher serve.

  date | telpher publish tcp://127.0.0.1:7420 clock --header source=cron
      Without a body on the command line it is read from stdin.
";

const SUBSCRIBE_EXAMPLES: &str = "\
Examples:
  telpher subscribe ./data 'orders.**'
      Each message on a line, until Ctrl-C: * stands for one segment of a topic, **
      for any number of them.

  telpher subscribe tcp://127.0.0.1:7420 clock --count 1 --json
      The next message, with all of its properties, as a line of JSON.
";

const BIND_EXAMPLES: &str = "\
Examples:
  telpher bind ./data 'orders.**' audit
      From now on what is published to topics below orders is kept in the queue
      audit, too, whoever is there. The hub must be hosted by a program, or by
      telpher serve. telpher inspect shows what is bound to a queue.

  telpher bind ./data 'orders.**' log --stream
      The same, appended to the stream log. telpher streams shows what is bound
      to a stream.
";

const UNBIND_EXAMPLES: &str = "\
Examples:
  telpher unbind ./data 'orders.**' audit
  telpher unbind ./data 'orders.**' log --stream
";

const GATHER_EXAMPLES: &str = "\
Examples:
  telpher gather ./data prices tea --timeout 2s
      Each answer on a line, behind the name that its instance states, or else its
      number. Who has not answered in time is told on stderr, and the exit code is
      1 if anybody has not, or has failed.

  telpher gather tcp://127.0.0.1:7420 prices tea --count 3
      The first three.

  telpher gather ./data who.is.there '?' --topic --json
      Of those who are subscribed to the topic and answer, as lines of JSON: with
      the number also where there is a name, as two may state the same.
";

const CHECK_EXAMPLES: &str = "\
Examples:
  telpher check ./data
      Ends with 0 if all is sound; with 1 if not, and says what is damaged.
      A torn tail is no damage: it was never confirmed, and is passed over.
";

const BACKUP_EXAMPLES: &str = "\
Examples:
  telpher backup ./data /backups/monday
      The target is made, or is empty. What was confirmed before is in the copy.
      It is another hub: open it, or move it to where the first one was.
";

/// Which hub.
#[derive(Args)]
pub struct Queues {
    /// The hub: its directory, tcp://HOST:PORT or unix:///PATH
    #[arg(value_name = "DIR|URL")]
    pub hub: String,
    /// For programs: everything, as JSON
    #[arg(long)]
    pub json: bool,
}

/// Which queue of which hub.
#[derive(Args)]
pub struct OneQueue {
    /// The hub: its directory, tcp://HOST:PORT or unix:///PATH
    #[arg(value_name = "DIR|URL")]
    pub hub: String,
    /// The queue
    #[arg(value_parser = queue)]
    pub queue: Name,
    /// For programs: everything, as JSON
    #[arg(long)]
    pub json: bool,
}

/// Which messages.
#[derive(Args)]
pub struct Peek {
    /// Of which queue.
    #[command(flatten)]
    pub of: OneQueue,
    /// How many messages at most
    #[arg(long, value_name = "N", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(PEEK_MAX)))]
    pub count: u32,
}

/// What to publish.
#[derive(Args)]
pub struct Publish {
    /// The hub: its directory, tcp://HOST:PORT or unix:///PATH
    #[arg(value_name = "DIR|URL")]
    pub hub: String,
    /// The topic: a name of dotted segments, such as orders.eu.new
    #[arg(value_parser = topic)]
    pub topic: Name,
    /// The body; without one it is read from stdin
    pub body: Option<String>,
    /// The message's key
    #[arg(long)]
    pub key: Option<String>,
    /// A header; one or several
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = header)]
    pub headers: Vec<(String, String)>,
}

/// What to ask.
#[derive(Args)]
pub struct Gather {
    /// The hub: its directory, tcp://HOST:PORT or unix:///PATH
    #[arg(value_name = "DIR|URL")]
    pub hub: String,
    /// The service, or with --topic the topic
    #[arg(value_parser = queue)]
    pub name: Name,
    /// The body; without one it is read from stdin
    pub body: Option<String>,
    /// The name is a topic's: ask those who are subscribed
    #[arg(long)]
    pub topic: bool,
    /// End after so many answers, failures not counted; 0: all
    #[arg(long, value_name = "N", default_value_t = 0)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=GATHER_ASKED_MAX as i64))]
    pub count: u32,
    /// How long to wait for answers, such as 2s or 500ms
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_duration)]
    pub timeout: Duration,
    /// The message's key
    #[arg(long)]
    pub key: Option<String>,
    /// A header; one or several
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = header)]
    pub headers: Vec<(String, String)>,
    /// For programs: everything, a line of JSON for each answer
    #[arg(long)]
    pub json: bool,
}

/// What to print.
#[derive(Args)]
pub struct Subscribe {
    /// The hub: its directory, tcp://HOST:PORT or unix:///PATH
    #[arg(value_name = "DIR|URL")]
    pub hub: String,
    /// Which topics: a name in which * is one segment and ** any number of them
    #[arg(value_parser = pattern)]
    pub pattern: Pattern,
    /// End after so many messages
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// Its name, to whoever gathers; it answers nothing
    #[arg(long, value_name = "NAME", value_parser = queue)]
    pub instance_name: Option<Name>,
    /// For programs: a line of JSON for each message
    #[arg(long)]
    pub json: bool,
}

/// What is bound to what.
#[derive(Args)]
pub struct Binding {
    /// The hub: its directory, tcp://HOST:PORT or unix:///PATH
    #[arg(value_name = "DIR|URL")]
    pub hub: String,
    /// Which topics: a name in which * is one segment and ** any number of them
    #[arg(value_parser = pattern)]
    pub pattern: Pattern,
    /// The queue, or the stream
    #[arg(value_parser = queue)]
    pub name: Name,
    /// NAME is a stream
    #[arg(long)]
    pub stream: bool,
}

/// What to check.
#[derive(Args)]
pub struct Check {
    /// The hub's directory
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// For programs: everything, as JSON
    #[arg(long)]
    pub json: bool,
}

/// What to copy.
#[derive(Args)]
pub struct Backup {
    /// The hub's directory
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Where the copy goes: a directory that does not exist, or is empty
    #[arg(value_name = "TARGET")]
    pub target: PathBuf,
    /// For programs: everything, as JSON
    #[arg(long)]
    pub json: bool,
}

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

fn queue(text: &str) -> Result<Name, String> {
    Name::parse(text).map_err(|error| error.detail().to_owned())
}

fn topic(text: &str) -> Result<Name, String> {
    let name = queue(text)?;
    telpher::pattern::check_topic(&name).map_err(|error| error.detail().to_owned())?;
    Ok(name)
}

pub fn pattern(text: &str) -> Result<Pattern, String> {
    Pattern::parse(text).map_err(|error| error.detail().to_owned())
}

pub fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a header is like NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
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
