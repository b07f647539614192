//! `telpher gather` as a user meets it.

mod support;

use std::process::Output;

use serde_json::Value;
use support::*;
use telpher::{Hub, Name, ServeOptions, Timeout};

fn served() -> (Server, String) {
    let address = free_address();
    let mut server = Server::start(&["--listen", &address]);
    server.says("ready: hub");
    (server, address)
}

/// What the command says while `answer` is given each request of an instance of `prices`; an
/// instance that calls itself something has that before its answer, and an `=`.
fn gathered(hub: &str, arguments: &[&str], answers: &[&'static str]) -> Output {
    let programs = answers.iter().map(|answer| (telpher::open(hub).unwrap(), *answer));
    let programs: Vec<(Hub, &str)> = programs.collect();
    let services = programs.iter().map(|(hub, answer)| {
        let (name, answer) = answer.split_once('=').unwrap_or(("", answer));
        let instance_name = Name::parse_instance(name).ok();
        let options = ServeOptions { instance_name, ..ServeOptions::default() };
        (hub.serve_with("prices", options).unwrap(), answer)
    });
    let services: Vec<_> = services.collect();
    let kept = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for (service, answer) in &services {
            let kept = &kept;
            scope.spawn(move || {
                let request = service.receive(Timeout::Default).unwrap().unwrap();
                assert_eq!(&request.message().body[..], b"tea");
                match *answer {
                    "fail" => request.fail(7, "none left").unwrap(),
                    "keep" => kept.lock().unwrap().push(request),
                    answer => request.reply(answer).unwrap(),
                }
            });
        }
        output(&[&["gather", hub, "prices", "tea"], arguments].concat())
    })
}

fn lines(output: &Output) -> Vec<String> {
    let mut lines: Vec<String> = text(&output.stdout).lines().map(str::to_owned).collect();
    lines.sort_by_key(|line| line.split_once("  ").map(|(_, body)| body.to_owned()));
    lines
}

#[test]
fn each_answer_is_a_line_with_who_gives_it() {
    let (_server, hub) = served();
    let said = gathered(&hub, &[], &["one", "two"]);
    assert!(said.status.success(), "{}", text(&said.stderr));
    let lines = lines(&said);
    assert_eq!(lines.len(), 2);
    assert!(lines[0].ends_with("  one") && lines[1].ends_with("  two"), "{lines:?}");
    assert!(text(&said.stderr).contains("2 instances asked, 2 answered, 0 failed"));
}

#[test]
fn who_fails_or_is_missing_is_told_and_the_exit_code_says_so() {
    let (_server, hub) = served();
    let said = gathered(&hub, &["--timeout", "300ms"], &["one", "fail", "keep"]);
    assert_eq!(said.status.code(), Some(1));
    let lines = lines(&said);
    assert!(lines[0].ends_with("  REMOTE (code 7): none left"), "{lines:?}");
    let errors = text(&said.stderr);
    assert!(errors.contains("is missing: TIMED_OUT"), "{errors}");
    assert!(errors.contains("3 instances asked, 1 answered, 1 failed"), "{errors}");
}

#[test]
fn who_has_stated_a_name_is_told_by_it_and_in_json_by_both() {
    let (_server, hub) = served();
    let answers = ["berlin=one", "oslo=fail", "lisbon=keep", "two"];
    let said = gathered(&hub, &["--timeout", "300ms"], &answers);
    let lines = lines(&said);
    assert!(lines.contains(&"berlin  one".to_owned()), "{lines:?}");
    assert!(lines.contains(&"oslo  REMOTE (code 7): none left".to_owned()), "{lines:?}");
    assert!(lines[2].ends_with("  two") && lines[2].parse::<u64>().is_err(), "{lines:?}");
    let errors = text(&said.stderr);
    assert!(errors.contains("telpher: lisbon is missing: TIMED_OUT"), "{errors}");
    let said = gathered(&hub, &["--json"], &["berlin=one"]);
    let answer: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(answer["instance_name"], "berlin");
    assert!(answer["instance"].as_u64().unwrap() > 0);
    let said = gathered(&hub, &["--json"], &["one"]);
    let answer: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert!(answer.get("instance_name").is_none());
}

#[test]
fn a_command_that_subscribes_is_missing_under_the_name_that_it_was_given() {
    let (_server, hub) = served();
    let named = ["--instance-name", "watcher"];
    let mut watcher = Server::run(&[&["subscribe", &hub, "who.*"], &named[..]].concat());
    watcher.says("subscribed to who.*");
    let said = output(&["gather", &hub, "who.is", "?", "--topic", "--timeout", "300ms"]);
    assert_eq!(said.status.code(), Some(1));
    let errors = text(&said.stderr);
    assert!(errors.contains("telpher: watcher is missing: TIMED_OUT"), "{errors}");
    let said = output(&["subscribe", &hub, "who.*", "--instance-name", "rack 4"]);
    assert_eq!(said.status.code(), Some(2));
    assert!(text(&said.stderr).contains("has ' ' at byte 4"), "{}", text(&said.stderr));
}

#[test]
fn enough_answers_are_enough_and_json_has_everything() {
    let (_server, hub) = served();
    let said = gathered(&hub, &["--count", "1", "--json"], &["one", "keep"]);
    assert!(said.status.success(), "{}", text(&said.stderr));
    let answer: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(answer["body"], "one");
    assert!(answer["instance"].as_u64().unwrap() > 0);
}

#[test]
fn subscribers_of_a_topic_are_asked_too_and_wrong_input_is_refused() {
    let (_server, hub) = served();
    let said = output(&["gather", &hub, "who.is", "?", "--topic"]);
    assert!(said.status.success() && said.stdout.is_empty());
    assert!(text(&said.stderr).contains("0 instances asked"));
    let said = output(&["gather", &hub, "prices", "tea"]);
    assert_eq!(said.status.code(), Some(1));
    assert!(text(&said.stderr).contains("NO_SERVICE"));
    let said = output(&["gather", &hub, "a..b", "?", "--topic"]);
    assert!(text(&said.stderr).contains("empty segment"));
    let said = output(&["gather", &hub, "prices", "tea", "--count", "5000"]);
    assert_eq!(said.status.code(), Some(2));
}
