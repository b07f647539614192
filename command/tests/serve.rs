//! `telpher serve` as a user meets it: the real program, its log, its exit code.

mod support;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use support::*;
use telpher::{Command as Wanted, Done, Hub, Name, Outcome, Timeout, What};

/// Sends a message to a queue through one handle, and takes it out through another.
fn exchange(sender: &Hub, receiver: &Hub) {
    let queue = Name::parse("letters").unwrap();
    let options = telpher::QueueOptions {
        durability: Some(telpher::Durability::Memory),
        ..Default::default()
    };
    let run = |hub: &Hub, command| {
        let id = hub.start(command, Timeout::After(PATIENCE), Done::Wait).unwrap();
        match ended(hub, id).what {
            What::Done(Ok(outcome)) => outcome,
            what => panic!("{what:?}"),
        }
    };
    run(sender, Wanted::Declare { queue: queue.clone(), options });
    run(sender, Wanted::Send { queue: queue.clone(), message: "hello".into() });
    let Outcome::Delivery(delivery) = run(receiver, Wanted::Receive { queue }) else {
        panic!("a receive ends with a delivery");
    };
    assert_eq!(&delivery.message.body[..], b"hello");
}

#[test]
fn the_help_shows_how_to_serve_and_the_version_is_told() {
    let help = output(&["serve", "--help"]);
    assert!(help.status.success());
    for part in ["Examples:", "--listen tcp://127.0.0.1:7420", "--insecure", "--session-grace"] {
        assert!(text(&help.stdout).contains(part), "{part}");
    }
    let version = output(&["--version"]);
    assert_eq!(text(&version.stdout), format!("telpher {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_would_be_right() {
    for (arguments, part) in [
        (&["serve"][..], "--listen"),
        (&["serve", "--listen", "7420"], "tcp://127.0.0.1:7420"),
        (&["serve", "--listen", "tcp://127.0.0.1:0"], "port 0"),
        (&["serve", "--listen", "tcp://127.0.0.1:7420", "--session-grace", "soon"], "soon"),
        (&["surf"], "surf"),
        (&[], "serve"),
    ] {
        let output = output(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = text(&output.stderr);
        assert!(said.contains(part), "{arguments:?}: {said}");
    }
}

#[test]
fn listening_beyond_loopback_is_refused_in_one_line_that_names_the_way_out() {
    let output = output(&["serve", "--listen", "tcp://0.0.0.0:7421"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("0.0.0.0") && said.contains("--insecure"), "{said}");
}

#[test]
fn an_address_in_use_is_named_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", taken.local_addr().unwrap());
    let output = output(&["serve", "--listen", &address]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains(&address["tcp://".len()..]), "{said}");
}

#[test]
fn what_is_no_directory_is_refused_in_one_line() {
    let output = output(&["serve", "tcp://127.0.0.1:7420"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("--listen"), "{said}");
}

#[test]
fn programs_meet_in_a_hub_in_memory_and_sigterm_ends_it_cleanly() {
    let directory = tempfile::tempdir().unwrap();
    let socket = format!("unix://{}", directory.path().join("hub.sock").display());
    let address = free_address();
    let mut server = Server::start(&["--listen", &address, "--listen", &socket]);
    let first = server.says("ready: hub");
    assert!(first.contains("INFO") && first.contains("epoch"), "time, level, message: {first}");
    server.says(&format!("listening on {address}"));
    server.says(&format!("listening on {socket}"));
    exchange(&open(&address), &open(&socket));
    assert_eq!(server.signal(Signal::TERM).code(), Some(0));
    server.says("ended");
}

#[test]
fn programs_on_the_directory_and_on_the_address_meet_and_sigint_ends_it_cleanly() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data").display().to_string();
    let address = free_address();
    let mut server = Server::start(&[&data, "--listen", &address]);
    server.says(&format!("listening on {address}"));
    exchange(&open(&format!("file://{data}")), &open(&address));
    assert_eq!(server.signal(Signal::INT).code(), Some(0));
}

#[test]
fn a_second_server_of_a_directory_says_that_it_waits_and_takes_over_when_the_first_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().display().to_string();
    let mut first = Server::start(&[&data]);
    first.says("ready: hub");
    let mut second = Server::start(&[&data]);
    second.says(&format!("process {} hosts {data}", first.child.id()));
    first.signal(Signal::KILL);
    second.says("ready: hub");
    assert_eq!(second.signal(Signal::TERM).code(), Some(0));
}

#[test]
fn a_server_that_waits_for_its_turn_ends_at_once_when_told_to() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().display().to_string();
    let mut first = Server::start(&[&data]);
    first.says("ready: hub");
    let mut second = Server::start(&[&data]);
    second.says("waiting to take its place");
    let begun = Instant::now();
    assert_eq!(second.signal(Signal::TERM).code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
