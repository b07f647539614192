//! `telpher publish` and `subscribe` as a user meets them.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};

use rustix::process::Signal;
use serde_json::Value;
use support::*;

/// A running `telpher subscribe` that is live in the hub.
fn subscribe(arguments: &[&str]) -> Child {
    let mut command = telpher(&[&["subscribe"], arguments].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut said).unwrap();
    assert!(said.starts_with("telpher: subscribed to "), "{said}");
    child
}

fn served() -> (Server, String) {
    let address = free_address();
    let mut server = Server::start(&["--listen", &address]);
    server.says("ready: hub");
    (server, address)
}

fn refusal(arguments: &[&str]) -> String {
    let output = output(arguments);
    assert_ne!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout), "");
    text(&output.stderr)
}

#[test]
fn what_is_published_is_printed_a_line_each() {
    let (_server, hub) = served();
    let child = subscribe(&[&hub, "orders.**", "--count", "2"]);
    for (topic, body) in [("orders.eu.new", "one\ntwo"), ("others", "no"), ("orders", "last")] {
        let published = output(&["publish", &hub, topic, body]);
        assert!(published.status.success(), "{}", text(&published.stderr));
        assert_eq!(text(&published.stdout), "");
    }
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success());
    assert_eq!(text(&ended.stdout), "orders.eu.new  one\\ntwo\norders  last\n");
}

#[test]
fn a_body_comes_from_stdin_and_json_has_everything() {
    let (_server, hub) = served();
    let child = subscribe(&[&hub, "clock", "--count", "1", "--json"]);
    let mut publish = telpher(&["publish", &hub, "clock", "--key", "k", "--header", "source=cron"]);
    let mut publish = publish.stdin(Stdio::piped()).spawn().unwrap();
    publish.stdin.take().unwrap().write_all(b"\xff\x00").unwrap();
    assert!(publish.wait().unwrap().success());
    let ended = child.wait_with_output().unwrap();
    let message: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(message["topic"], "clock");
    assert_eq!((&message["number"], &message["lost"]), (&1.into(), &0.into()));
    assert_eq!((&message["key"], &message["body_hex"]), (&"k".into(), &"ff00".into()));
    assert_eq!(message["headers"][0]["name"], "source");
    assert_eq!(message["headers"][0]["value"], "cron");
}

#[test]
fn whoever_reads_no_further_or_presses_ctrl_c_ends_it() {
    let (mut server, hub) = served();
    let mut unread = subscribe(&[&hub, "**"]);
    drop(unread.stdout.take());
    let publish = |body: &str| assert!(output(&["publish", &hub, "a", body]).status.success());
    publish("x");
    assert!(unread.wait().unwrap().success());

    let mut stopped = subscribe(&[&hub, "**"]);
    rustix::process::kill_process(rustix::process::Pid::from_child(&stopped), Signal::INT).unwrap();
    assert!(!stopped.wait().unwrap().success());
    server.signal(Signal::TERM);
}

#[test]
fn wrong_names_and_a_hub_without_a_host_are_refused_with_what_to_do() {
    assert!(refusal(&["publish", "tcp://x:1", "a..b", "x"]).contains("empty segment"));
    assert!(refusal(&["subscribe", "tcp://x:1", "a.b*"]).contains("b*"));
    assert!(refusal(&["publish", "tcp://x:1", "a", "x", "--header", "y"]).contains("NAME=VALUE"));
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("data");
    let mut server = Server::start(&[data.to_str().unwrap()]);
    server.says("ready: hub");
    server.signal(Signal::TERM);
    for command in ["publish", "subscribe"] {
        let said = refusal(&[command, data.to_str().unwrap(), "a"]);
        assert!(said.contains("telpher serve") && said.contains(command), "{said}");
    }
}

#[test]
fn what_is_bound_gets_what_is_published_and_is_shown_with_and_without_a_host() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("data");
    let data = data.to_str().unwrap();
    let mut server = Server::start(&[data]);
    server.says("ready: hub");
    let hub = open(data);
    let queue = telpher::Name::parse("audit").unwrap();
    let options = telpher::QueueOptions::default();
    let declare = telpher::Command::Declare { queue, options };
    let id = hub.start(declare, telpher::Timeout::Default, telpher::Done::Wait).unwrap();
    ended(&hub, id);
    for pattern in ["orders.**", "*.eu", "orders.**"] {
        let bound = output(&["bind", data, pattern, "audit"]);
        assert!(bound.status.success(), "{}", text(&bound.stderr));
        assert_eq!(text(&bound.stdout), "");
    }
    assert!(output(&["unbind", data, "*.eu", "audit"]).status.success());
    assert!(output(&["publish", data, "orders.eu", "x"]).status.success());
    for (command, said) in [("unbind", "NOT_FOUND"), ("bind", "nowhere")] {
        let queue = if command == "bind" { "nowhere" } else { "audit" };
        let refused = refusal(&[command, data, "*.eu", queue]);
        assert!(refused.contains(said), "{refused}");
    }
    drop(hub);
    for is_hosted in [true, false] {
        if !is_hosted {
            // It waits for its end.
            server.signal(Signal::TERM);
        }
        let shown = text(&output(&["inspect", data, "audit"]).stdout);
        assert!(shown.contains("bound          to topics orders.**\n"), "{shown}");
        assert!(!shown.contains("*.eu"), "{shown}");
        let shown = output(&["inspect", data, "audit", "--json"]);
        let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
        assert_eq!(shown["bindings"], serde_json::json!(["orders.**"]));
        assert_eq!(shown["ready"], 1);
    }
    for command in ["bind", "unbind"] {
        let said = refusal(&[command, data, "a", "audit"]);
        assert!(said.contains("telpher serve") && said.contains(command), "{said}");
    }
}

#[test]
fn what_is_bound_to_a_stream_is_appended_to_it_and_shown_with_and_without_a_host() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("data");
    let data = data.to_str().unwrap();
    let mut server = Server::start(&[data]);
    server.says("ready: hub");
    assert!(output(&["declare-stream", data, "log"]).status.success());
    for pattern in ["orders.**", "*.eu"] {
        let bound = output(&["bind", data, pattern, "log", "--stream"]);
        assert!(bound.status.success(), "{}", text(&bound.stderr));
        assert_eq!(text(&bound.stdout), "");
    }
    assert!(output(&["unbind", data, "*.eu", "log", "--stream"]).status.success());
    assert!(output(&["publish", data, "orders.eu", "x"]).status.success());
    for (arguments, said) in [
        (&["bind", data, "a", "log"][..], "no queue is named"),
        (&["bind", data, "a", "nowhere", "--stream"], "no stream is named"),
        (&["unbind", data, "*.eu", "log", "--stream"], "not bound to the stream"),
        (&["bind", data, "a..b", "log", "--stream"], "a..b"),
    ] {
        let refused = refusal(arguments);
        assert!(refused.contains(said), "{refused}");
    }
    assert!(text(&output(&["read", data, "log"]).stdout).ends_with("  x\n"));
    for is_hosted in [true, false] {
        if !is_hosted {
            // It waits for its end.
            server.signal(Signal::TERM);
        }
        let shown = text(&output(&["streams", data, "log"]).stdout);
        assert!(shown.contains("to topics orders.**\n") && !shown.contains("*.eu"), "{shown}");
        let shown = output(&["streams", data, "log", "--json"]);
        let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
        assert_eq!(shown["bindings"], serde_json::json!(["orders.**"]));
        assert_eq!(shown["partitions"][0]["next"], 1);
    }
}

#[test]
fn topics_are_declared_listed_shown_and_deleted() {
    let scratch = std::env::temp_dir().join(format!("telpher-topics-{}", std::process::id()));
    std::fs::create_dir(&scratch).unwrap();
    let directory = scratch.join("hub").display().to_string();
    let address = free_address();
    let mut server = Server::start(&[&directory, "--listen", &address]);
    server.says("ready: hub");
    let said = |arguments: &[&str]| {
        let output = output(arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    assert_eq!(said(&["topics", &address]), "No topics are declared.\n");
    said(&["declare-topic", &address, "orders.**", "--overflow", "wait", "--line-max", "7"]);
    said(&["declare-topic", &address, "noise"]);
    let table = said(&["topics", &address]);
    let rows: Vec<Vec<&str>> = table.lines().map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(rows[1..], [vec!["noise", "drop", "0"], vec!["orders.**", "wait", "0", "7"]]);
    let shown = said(&["topics", &address, "orders.**"]);
    assert!(shown.contains("wait: publishers") && shown.contains("at most 7"), "{shown}");
    let refused = refusal(&["declare-topic", &address, "noise", "--overflow", "wait"]);
    assert!(refused.contains("overflow drop, not wait"), "{refused}");
    let wrong = refusal(&["declare-topic", &address, "x", "--line-max", "3"]);
    assert!(wrong.contains("line_max is 3"), "{wrong}");
    said(&["delete-topic", &address, "noise"]);
    let gone = refusal(&["topics", &address, "noise"]);
    assert!(gone.contains("not declared") && gone.contains("telpher topics"), "{gone}");
    server.signal(Signal::TERM);
    // With no host it is what the journal says.
    let offline: Value = serde_json::from_str(&said(&["topics", &directory, "--json"])).unwrap();
    let expected = serde_json::json!([
        { "topics": "orders.**", "overflow": "wait", "line_max": 7, "waiting": 0 }
    ]);
    assert_eq!(offline["topics"], expected);
    assert_eq!(said(&["topics", &directory, "orders.**"]), shown);
    assert!(refusal(&["delete-topic", &directory, "orders.**"]).contains("nobody hosts"));
    std::fs::remove_dir_all(&scratch).unwrap();
}
