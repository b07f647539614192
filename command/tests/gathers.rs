//! `telpher gather` as a user meets it.

mod support;

use std::process::Output;

use serde_json::Value;
use support::*;
use telpher::{Hub, Timeout};

fn served() -> (Server, String) {
    let address = free_address();
    let mut server = Server::start(&["--listen", &address]);
    server.says("ready: hub");
    (server, address)
}

/// What the command says while `answer` is given each request of an instance of `prices`.
fn gathered(hub: &str, arguments: &[&str], answers: &[&'static str]) -> Output {
    let programs = answers.iter().map(|answer| (telpher::open(hub).unwrap(), *answer));
    let programs: Vec<(Hub, &str)> = programs.collect();
    let services = programs.iter().map(|(hub, answer)| (hub.serve("prices", 1).unwrap(), *answer));
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
