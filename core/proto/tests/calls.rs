//! What design promises of calls, over pipes and a clock of our own.

mod support;

use support::*;
use telpher_proto::base::{Command, Error, Kind, Outcome, limits};

#[test]
fn a_call_is_answered_by_the_service() {
    let mut world = World::new();
    let (server, caller) = (world.program(), world.program());
    let service = world.run(server, serve("upper", 1, 10));
    let ticket = world.run(caller, call("upper", "abc"));
    let (token, body) = world.requests(server, service)[0].clone();
    assert_eq!(body, b"abc");
    let answer = world.run(server, reply(token, "ABC"));
    assert_eq!(world.reply(caller, ticket), b"ABC");
    world.pass(limits::ANSWERED_DELAY_MS);
    assert!(matches!(world.outcome(server, answer), Ok(Outcome::Empty)));
}

#[test]
fn a_service_hears_with_its_next_request_that_its_answer_has_arrived() {
    let mut world = World::new();
    let (server, caller) = (world.program(), world.program());
    let service = world.run(server, serve("upper", 1, 10));
    world.run(caller, call("upper", "first"));
    let (token, _) = world.requests(server, service)[0].clone();
    let answer = world.run(server, reply(token, "FIRST"));
    assert!(world.ended(server, answer).is_none());
    world.run(caller, call("upper", "second"));
    assert!(world.outcome(server, answer).is_ok());
}

#[test]
fn a_service_hears_of_many_answers_at_once() {
    let mut world = World::new();
    let (server, caller) = (world.program(), world.program());
    let service = world.run(server, serve("upper", 100, 10));
    for _ in 0..limits::ANSWERS_UNTOLD_MAX {
        world.run(caller, call("upper", ""));
    }
    let requests = world.requests(server, service);
    let answers: Vec<_> =
        requests.iter().map(|(token, _)| world.run(server, reply(*token, ""))).collect();
    assert!(answers.iter().all(|answer| world.outcome(server, *answer).is_ok()));
}

#[test]
fn a_name_that_nobody_serves_is_no_service_at_once() {
    let mut world = World::new();
    let caller = world.program();
    let ticket = world.run(caller, call("nobody", ""));
    let error = world.outcome(caller, ticket).unwrap_err();
    assert_eq!(error.kind(), Kind::NoService);
    assert!(!error.maybe_executed());
}

#[test]
fn instances_share_the_load() {
    let mut world = World::new();
    let (one, two, caller) = (world.program(), world.program(), world.program());
    let first = world.run(one, serve("work", 10, 10));
    let second = world.run(two, serve("work", 10, 10));
    for _ in 0..8 {
        world.run(caller, call("work", ""));
    }
    assert_eq!(world.requests(one, first).len(), 4);
    assert_eq!(world.requests(two, second).len(), 4);
}

#[test]
fn what_is_above_the_concurrency_waits_and_a_full_line_is_busy() {
    let mut world = World::new();
    let (server, caller) = (world.program(), world.program());
    let service = world.run(server, serve("work", 1, 2));
    let tickets: Vec<_> = (0..4).map(|_| world.run(caller, call("work", "x"))).collect();
    assert_eq!(world.requests(server, service).len(), 1);
    let error = world.outcome(caller, tickets[3]).unwrap_err();
    assert_eq!(error.kind(), Kind::Busy);
    assert!(!error.maybe_executed());
    assert!(error.detail().contains('2'), "{error}");
    let (token, _) = world.requests(server, service)[0];
    world.run(server, reply(token, "done"));
    assert_eq!(world.requests(server, service).len(), 2);
    assert_eq!(world.reply(caller, tickets[0]), b"done");
}

#[test]
fn a_request_that_expires_in_line_is_dropped_unrun() {
    let mut world = World::new();
    let (server, caller) = (world.program(), world.program());
    let service = world.run(server, serve("work", 1, 10));
    world.start_within(caller, call("work", "long"), Some(10_000));
    let short = world.start_within(caller, call("work", "short"), Some(50));
    world.settle();
    world.pass(50);
    let error = world.outcome(caller, short).unwrap_err();
    assert_eq!(error.kind(), Kind::Expired);
    assert!(!error.maybe_executed());
    let (token, _) = world.requests(server, service)[0];
    world.run(server, reply(token, ""));
    assert_eq!(world.requests(server, service).len(), 1, "the expired one never came");
}

#[test]
fn a_call_that_times_out_keeps_its_slot_until_the_handler_lets_go() {
    let mut world = World::new();
    let (server, caller) = (world.program(), world.program());
    let service = world.run(server, serve("work", 1, 10));
    let slow = world.start_within(caller, call("work", "slow"), Some(50));
    world.settle();
    let next = world.start_within(caller, call("work", "next"), Some(5_000));
    world.pass(50);
    let error = world.outcome(caller, slow).unwrap_err();
    assert_eq!(error.kind(), Kind::TimedOut);
    assert!(error.maybe_executed());
    let requests = world.requests(server, service);
    assert_eq!(world.withdrawn(server), [requests[0].0]);
    assert_eq!(requests.len(), 1);
    world.run(server, reply(requests[0].0, "too late"));
    let requests = world.requests(server, service);
    assert_eq!(requests.len(), 2);
    world.run(server, reply(requests[1].0, "in time"));
    assert_eq!(world.reply(caller, next), b"in time");
    assert_eq!(world.kind(caller, slow), Kind::TimedOut);
}

#[test]
fn a_failing_handler_is_remote_with_its_code_and_text() {
    let mut world = World::new();
    let (server, caller) = (world.program(), world.program());
    let service = world.run(server, serve("work", 1, 10));
    let ticket = world.run(caller, call("work", ""));
    let (request, _) = world.requests(server, service)[0];
    let failure = Err(Error::remote(42, "no such thing"));
    world.run(server, Command::Reply { request, reply: failure });
    let error = world.outcome(caller, ticket).unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Remote, 42));
    assert_eq!(error.detail(), "no such thing");
}

#[test]
fn a_request_whose_handler_dies_is_abandoned() {
    let mut world = World::new();
    let (server, caller) = (world.program(), world.program());
    world.run(server, serve("work", 1, 10));
    let ticket = world.run(caller, call("work", ""));
    world.kill(server);
    let error = world.outcome(caller, ticket).unwrap_err();
    assert_eq!(error.kind(), Kind::Abandoned);
    assert!(error.maybe_executed());
}

#[test]
fn a_request_that_an_instance_declines_goes_to_another() {
    let mut world = World::new();
    let (one, two, caller) = (world.program(), world.program(), world.program());
    let first = world.run(one, serve("work", 1, 10));
    let ticket = world.run(caller, call("work", "x"));
    let second = world.run(two, serve("work", 1, 10));
    let (request, _) = world.requests(one, first)[0];
    let id = world
        .start(one, Command::Reply { request, reply: Err(Error::new(Kind::Busy, "stopping")) });
    world.programs[one].client.detach(world.now, first);
    world.settle();
    world.pass(limits::ANSWERED_DELAY_MS);
    assert!(world.outcome(one, id).is_ok());
    let (token, _) = world.requests(two, second)[0];
    world.run(two, reply(token, "here"));
    assert_eq!(world.reply(caller, ticket), b"here");
}

#[test]
fn cancelling_ends_the_ticket_at_once_and_reaches_the_handler() {
    let mut world = World::new();
    let (server, caller) = (world.program(), world.program());
    let service = world.run(server, serve("work", 1, 10));
    let ticket = world.run(caller, call("work", ""));
    world.programs[caller].client.cancel(world.now, ticket);
    world.settle();
    let error = world.outcome(caller, ticket).unwrap_err();
    assert_eq!(error.kind(), Kind::Cancelled);
    assert!(error.maybe_executed());
    assert_eq!(world.withdrawn(server), [world.requests(server, service)[0].0]);
}

#[test]
fn without_a_verdict_a_call_ends_shortly_after_its_deadline() {
    let mut world = World::new();
    let (server, caller) = (world.program(), world.program());
    world.run(server, serve("work", 1, 10));
    world.programs[caller].deaf = true;
    let ticket = world.start_within(caller, call("work", ""), Some(1_000));
    world.settle();
    world.pass(1_019);
    assert!(world.ended(caller, ticket).is_none());
    world.pass(1);
    let error = world.outcome(caller, ticket).unwrap_err();
    assert_eq!(error.kind(), Kind::HostUnresponsive);
    assert!(error.maybe_executed());
}

#[test]
fn a_reply_that_a_broken_connection_lost_comes_after_it_and_the_handler_runs_once() {
    let mut world = World::new();
    let (server, caller) = (world.program(), world.program());
    let service = world.run(server, serve("work", 1, 10));
    let ticket = world.run(caller, call("work", "x"));
    world.programs[caller].deaf = true;
    let (token, _) = world.requests(server, service)[0];
    world.run(server, reply(token, "kept"));
    world.break_connection(caller);
    world.programs[caller].deaf = false;
    world.pass(20);
    assert_eq!(world.reply(caller, ticket), b"kept");
    assert_eq!(world.requests(server, service).len(), 1);
}

#[test]
fn a_request_that_a_broken_connection_lost_is_handed_out_again() {
    let mut world = World::new();
    let (server, caller) = (world.program(), world.program());
    let service = world.run(server, serve("work", 1, 10));
    world.programs[server].deaf = true;
    let ticket = world.run(caller, call("work", "x"));
    world.break_connection(server);
    world.programs[server].deaf = false;
    world.pass(20);
    let requests = world.requests(server, service);
    assert_eq!(requests.len(), 1);
    world.run(server, reply(requests[0].0, "ok"));
    assert_eq!(world.reply(caller, ticket), b"ok");
}

#[test]
fn an_answer_given_while_the_connection_is_broken_arrives_once() {
    let mut world = World::new();
    let (server, caller) = (world.program(), world.program());
    let service = world.run(server, serve("work", 1, 10));
    let ticket = world.run(caller, call("work", "x"));
    world.break_connection(server);
    let (token, _) = world.requests(server, service)[0];
    let answer = world.start(server, reply(token, "later"));
    world.pass(20);
    assert_eq!(world.reply(caller, ticket), b"later");
    assert!(world.outcome(server, answer).is_ok());
    assert_eq!(world.requests(server, service).len(), 1);
}

#[test]
fn at_a_change_of_host_open_calls_are_lost_and_services_register_again() {
    let mut world = World::new();
    let (server, caller) = (world.program(), world.program());
    let service = world.run(server, serve("work", 1, 10));
    let lost = world.run(caller, call("work", "x"));
    world.change_host();
    world.pass(20);
    let error = world.outcome(caller, lost).unwrap_err();
    assert_eq!(error.kind(), Kind::HostLost);
    assert!(error.maybe_executed());
    assert_eq!(world.withdrawn(server).len(), 1);
    let ticket = world.run(caller, call("work", "y"));
    let (token, body) = world.requests(server, service)[1].clone();
    assert_eq!(body, b"y");
    world.run(server, reply(token, "again"));
    assert_eq!(world.reply(caller, ticket), b"again");
}

#[test]
fn after_a_change_of_host_calls_wait_for_services_to_come_back() {
    let mut world = World::new();
    let (server, caller) = (world.program(), world.program());
    let service = world.run(server, serve("work", 1, 10));
    world.programs[server].cut = true;
    world.change_host();
    world.pass(20);
    let ticket = world.run(caller, call("work", "early"));
    let hopeless = world.start_within(caller, call("nobody", ""), Some(10_000));
    world.settle();
    assert!(world.ended(caller, ticket).is_none());
    world.programs[server].cut = false;
    world.pass(20);
    let (token, _) = world.requests(server, service)[0];
    world.run(server, reply(token, "back"));
    assert_eq!(world.reply(caller, ticket), b"back");
    world.pass(5_000);
    assert_eq!(world.kind(caller, hopeless), Kind::NoService);
}

#[test]
fn closing_ends_every_open_ticket_once() {
    let mut world = World::new();
    let (server, caller) = (world.program(), world.program());
    let service = world.run(server, serve("work", 1, 10));
    let ticket = world.run(caller, call("work", "x"));
    world.programs[caller].client.close(world.now);
    world.settle();
    assert_eq!(world.kind(caller, ticket), Kind::Closed);
    assert_eq!(world.withdrawn(server).len(), 1);
    let refused = world.run(caller, call("work", "y"));
    assert_eq!(world.kind(caller, refused), Kind::Closed);
    world.programs[server].client.close(world.now);
    world.settle();
    assert_eq!(world.kind(server, service), Kind::Closed);
}
