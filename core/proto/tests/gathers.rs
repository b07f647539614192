//! Gathers: who is asked, what ends one, who did not answer and why, and what becomes of all that
//! when a connection breaks or the host changes.

mod support;

use support::gathers::*;
use support::*;
use telpher_proto::base::{Command, Error, Gathered, Id, Kind, Message, Untaken, limits};

/// A program that gathers, and as many that serve `prices`, one request at once.
fn served(world: &mut World, count: usize) -> (usize, Vec<(usize, Id)>) {
    let asker = world.program();
    let servers = (0..count).map(|_| {
        let program = world.program();
        (program, world.run(program, serve("prices", 1, 2)))
    });
    (asker, servers.collect())
}

fn request(world: &World, (program, service): (usize, Id), at: usize) -> u64 {
    world.requests(program, service)[at].0
}

#[test]
fn every_instance_is_asked_once_and_each_answer_comes_with_who_gave_it() {
    let mut world = World::in_memory();
    let (asker, servers) = served(&mut world, 3);
    let id = world.run(asker, gather("prices", 0));
    for (at, server) in servers.iter().enumerate() {
        let token = request(&world, *server, 0);
        world.run(server.0, reply(token, &at.to_string()));
        assert_eq!(replies(&world, asker, id).len(), at + 1, "answers come as they are given");
    }
    assert_eq!(replies(&world, asker, id), ["0", "1", "2"]);
    let mut who: Vec<u64> = answers(&world, asker, id).iter().map(|one| one.instance).collect();
    who.dedup();
    assert_eq!(who.len(), 3);
    let end = gathered(&world, asker, id);
    assert_eq!((end.answered, end.failed, end.missing.len(), end.asked()), (3, 0, 0, 3));
    for server in servers {
        assert_eq!(world.requests(server.0, server.1).len(), 1);
    }
}

#[test]
fn a_gather_ends_at_its_deadline_with_what_has_come_and_says_who_is_missing_and_why() {
    let mut world = World::in_memory();
    let (asker, servers) = served(&mut world, 3);
    // The third is busy with a call of another program.
    let other = world.program();
    let calls: Vec<Id> = (0..3).map(|_| world.run(other, call("prices", "x"))).collect();
    for server in &servers[..2] {
        let token = request(&world, *server, 0);
        world.run(server.0, reply(token, "done"));
    }
    let id = world.start_within(asker, gather("prices", 0), Some(100));
    world.settle();
    let token = request(&world, servers[0], 1);
    world.run(servers[0].0, reply(token, "9"));
    world.pass(99);
    assert!(world.ended(asker, id).is_none());
    world.pass(1);
    assert_eq!(replies(&world, asker, id), ["9"]);
    assert_eq!(reasons(&world, asker, id), [(Kind::TimedOut, true), (Kind::Expired, false)]);
    assert_eq!(world.withdrawn(servers[1].0).len(), 1, "the handler that was running hears of it");
    assert!(world.ended(other, calls[2]).is_none(), "and the call goes on");
    assert_eq!(world.requests(servers[2].0, servers[2].1).len(), 1, "the busy one never saw it");
}

#[test]
fn enough_answers_end_a_gather_and_failures_do_not_count() {
    let mut world = World::in_memory();
    let (asker, servers) = served(&mut world, 4);
    let id = world.run(asker, gather("prices", 2));
    let fails = Command::Reply {
        request: request(&world, servers[0], 0),
        reply: Err(Error::remote(7, "no stock")),
    };
    world.run(servers[0].0, fails);
    for server in &servers[1..3] {
        assert!(world.ended(asker, id).is_none());
        let token = request(&world, *server, 0);
        world.run(server.0, reply(token, "ok"));
    }
    let end = gathered(&world, asker, id);
    assert_eq!((end.answered, end.failed), (2, 1));
    assert_eq!(reasons(&world, asker, id), [(Kind::Cancelled, true)]);
    assert_eq!(world.withdrawn(servers[3].0), [request(&world, servers[3], 0)]);
    assert_eq!(replies(&world, asker, id)[0], "REMOTE (code 7): no stock");
}

#[test]
fn a_busy_instance_is_asked_when_it_has_room_and_a_full_line_is_said_at_once() {
    let mut world = World::in_memory();
    let (asker, servers) = served(&mut world, 1);
    // One is running, two wait in the instance's line, and the fourth finds that full.
    let ids: Vec<Id> = (0..4).map(|_| world.run(asker, gather("prices", 0))).collect();
    assert_eq!(reasons(&world, asker, ids[3]), [(Kind::Busy, false)]);
    for (at, id) in ids.into_iter().take(3).enumerate() {
        assert_eq!(world.requests(servers[0].0, servers[0].1).len(), at + 1);
        let token = request(&world, servers[0], at);
        world.run(servers[0].0, reply(token, "ok"));
        assert_eq!(gathered(&world, asker, id).answered, 1);
    }
}

#[test]
fn calls_and_gathers_that_wait_for_one_instance_take_turns() {
    let mut world = World::in_memory();
    let (asker, servers) = served(&mut world, 1);
    let first = world.run(asker, call("prices", "first"));
    for _ in 0..2 {
        world.run(asker, gather("prices", 0));
        world.run(asker, call("prices", "call"));
    }
    for at in 0..5 {
        let token = request(&world, servers[0], at);
        world.run(servers[0].0, reply(token, "ok"));
    }
    assert!(world.ended(asker, first).is_some());
    let got = world.requests(servers[0].0, servers[0].1);
    let order: Vec<&[u8]> = got.iter().map(|(_, body)| &body[..]).collect();
    assert_eq!(order, [&b"first"[..], b"?", b"call", b"?", b"call"]);
}

#[test]
fn without_an_instance_a_gather_is_refused_and_without_a_subscriber_it_is_empty() {
    let mut world = World::in_memory();
    let asker = world.program();
    let id = world.run(asker, gather("prices", 0));
    let error = world.outcome(asker, id).unwrap_err();
    assert_eq!((error.kind(), error.maybe_executed()), (Kind::NoService, false));
    let id = world.run(asker, gather_topic("news"));
    assert_eq!(gathered(&world, asker, id), Gathered::default());
}

#[test]
fn cancelling_a_gather_reaches_its_handlers_and_nothing_more_comes() {
    let mut world = World::in_memory();
    let (asker, servers) = served(&mut world, 2);
    let id = world.run(asker, gather("prices", 0));
    world.programs[asker].client.cancel(world.now, id);
    world.settle();
    let error = world.outcome(asker, id).unwrap_err();
    assert_eq!((error.kind(), error.maybe_executed()), (Kind::Cancelled, true));
    for server in servers {
        let token = request(&world, server, 0);
        assert_eq!(world.withdrawn(server.0), [token]);
        world.run(server.0, reply(token, "late"));
    }
    assert_eq!(replies(&world, asker, id).len(), 0);
}

#[test]
fn an_instance_that_ends_is_missing_whether_it_had_the_request_or_not() {
    let mut world = World::in_memory();
    let (asker, servers) = served(&mut world, 2);
    let first = world.run(asker, gather("prices", 0));
    let second = world.run(asker, gather("prices", 0));
    world.kill(servers[0].0);
    world.settle();
    for at in 0..2 {
        let token = request(&world, servers[1], at);
        world.run(servers[1].0, reply(token, "ok"));
    }
    assert_eq!(reasons(&world, asker, first), [(Kind::Abandoned, true)]);
    assert_eq!(reasons(&world, asker, second), [(Kind::NoService, false)]);
}

#[test]
fn an_instance_that_declines_untouched_is_missing_and_no_other_is_asked_in_its_place() {
    let mut world = World::in_memory();
    let (asker, servers) = served(&mut world, 2);
    let id = world.run(asker, gather("prices", 0));
    let request_of = |world: &World, at: usize| request(world, servers[at], 0);
    let declines = Command::Reply {
        request: request_of(&world, 0),
        reply: Err(Error::new(Kind::Busy, "not run")),
    };
    world.run(servers[0].0, declines);
    let token = request_of(&world, 1);
    world.run(servers[1].0, reply(token, "ok"));
    assert_eq!(reasons(&world, asker, id), [(Kind::Busy, false)]);
    assert_eq!(world.requests(servers[1].0, servers[1].1).len(), 1);
}

#[test]
fn answers_come_once_over_a_broken_connection_and_nobody_is_asked_twice() {
    let mut world = World::in_memory();
    let (asker, servers) = served(&mut world, 3);
    let id = world.run(asker, gather("prices", 0));
    let answer = |world: &mut World, at: usize| {
        let token = request(world, servers[at], 0);
        world.run(servers[at].0, reply(token, &at.to_string()));
    };
    answer(&mut world, 0);
    world.programs[asker].deaf = true;
    answer(&mut world, 1);
    world.break_connection(asker);
    world.programs[asker].deaf = false;
    world.break_connection(servers[2].0);
    world.pass(100);
    assert_eq!(replies(&world, asker, id), ["0", "1"]);
    answer(&mut world, 2);
    assert_eq!(replies(&world, asker, id), ["0", "1", "2"]);
    assert_eq!(gathered(&world, asker, id).answered, 3);
    assert!(servers.iter().all(|(program, id)| world.requests(*program, *id).len() == 1));
}

#[test]
fn a_summary_that_was_on_its_way_comes_over_the_next_connection() {
    let mut world = World::in_memory();
    let (asker, servers) = served(&mut world, 1);
    let id = world.run(asker, gather("prices", 0));
    world.programs[asker].deaf = true;
    let token = request(&world, servers[0], 0);
    world.run(servers[0].0, reply(token, "ok"));
    world.break_connection(asker);
    world.programs[asker].deaf = false;
    world.pass(100);
    assert_eq!(replies(&world, asker, id), ["ok"]);
    assert_eq!(gathered(&world, asker, id).answered, 1);
}

#[test]
fn a_gather_ends_with_its_host_and_the_next_one_waits_for_the_instances_to_come_back() {
    let mut world = World::new();
    let (asker, servers) = served(&mut world, 2);
    let id = world.run(asker, gather("prices", 0));
    world.programs[servers[1].0].cut = true;
    world.change_host();
    world.pass(20);
    let error = world.outcome(asker, id).unwrap_err();
    assert_eq!((error.kind(), error.maybe_executed()), (Kind::HostLost, true));
    let id = world.start_within(asker, gather("prices", 0), Some(8_000));
    world.settle();
    world.pass(500);
    assert_eq!(world.requests(servers[0].0, servers[0].1).len(), 1, "nobody is asked yet");
    world.programs[servers[1].0].cut = false;
    world.settle();
    world.pass(3_600);
    for server in servers {
        let token = request(&world, server, 1);
        world.run(server.0, reply(token, "ok"));
    }
    assert_eq!(gathered(&world, asker, id).answered, 2);
}

#[test]
fn subscribers_answer_or_do_not_and_a_slow_one_is_lost() {
    let mut world = World::in_memory();
    let asker = world.program();
    let programs: Vec<usize> = (0..3).map(|_| world.program()).collect();
    let ids: Vec<Id> = programs.iter().map(|one| world.run(*one, subscribe("news.*", 1))).collect();
    let others = world.run(programs[0], subscribe("others", 1));
    // The third has one message on its way, and one that waits.
    for _ in 0..2 {
        world.run(asker, Command::Publish { topic: name("news.x"), message: Message::new("x") });
        for at in 0..2 {
            let taken = Untaken { count: 1, bytes: 1 };
            world.programs[programs[at]].client.taken(world.now, ids[at], taken);
            world.settle();
        }
    }
    let id = world.start_within(asker, gather_topic("news.x"), Some(100));
    world.settle();
    world.run(asker, Command::Publish { topic: name("news.x"), message: Message::new("x") });
    let token = asked(&world, programs[0], ids[0])[0];
    world.run(programs[0], reply(token, "here"));
    assert!(world.ended(asker, id).is_none());
    let late = asked(&world, programs[1], ids[1])[0];
    world.pass(100);
    assert_eq!(replies(&world, asker, id), ["here"]);
    assert_eq!(reasons(&world, asker, id), [(Kind::TimedOut, true), (Kind::Lost, false)]);
    assert_eq!(world.withdrawn(programs[1]), [late]);
    let late = world.run(programs[1], reply(late, "late"));
    assert_eq!(world.kind(programs[1], late), Kind::Stale, "nobody waits for it any more");
    assert!(asked(&world, programs[0], others).is_empty());
}

#[test]
fn a_message_to_be_answered_that_is_lost_with_its_connection_is_said_to_be_lost() {
    let mut world = World::in_memory();
    let (asker, subscriber) = (world.program(), world.program());
    world.run(subscriber, subscribe("news", 5));
    world.programs[subscriber].deaf = true;
    let id = world.run(asker, gather_topic("news"));
    world.break_connection(subscriber);
    world.programs[subscriber].deaf = false;
    world.pass(100);
    assert_eq!(reasons(&world, asker, id), [(Kind::Lost, false)]);
}

#[test]
fn a_subscriber_that_ends_is_missing_whether_it_had_the_message_or_not() {
    let mut world = World::in_memory();
    let (asker, subscriber) = (world.program(), world.program());
    let id = world.run(subscriber, subscribe("news", 1));
    let first = world.run(asker, gather_topic("news"));
    let second = world.run(asker, gather_topic("news"));
    world.programs[subscriber].client.detach(world.now, id);
    world.settle();
    assert_eq!(reasons(&world, asker, second), [(Kind::NoService, false)]);
    let token = asked(&world, subscriber, id)[0];
    world.run(subscriber, reply(token, "what was taken may be answered"));
    assert_eq!(gathered(&world, asker, first).answered, 1);
}

#[test]
fn a_gather_that_is_withdrawn_while_its_subscriber_is_away_is_withdrawn_when_that_comes_back() {
    let mut world = World::in_memory();
    let (asker, subscriber) = (world.program(), world.program());
    let id = world.run(subscriber, subscribe("news", 5));
    world.start_within(asker, gather_topic("news"), Some(50));
    world.settle();
    world.break_connection(subscriber);
    world.programs[subscriber].cut = true;
    world.pass(100);
    world.programs[subscriber].cut = false;
    world.pass(100);
    assert_eq!(world.withdrawn(subscriber), asked(&world, subscriber, id));
}

#[test]
fn answers_beyond_what_a_slow_program_may_hold_are_lost_and_counted_as_missing() {
    let mut world = World::in_memory();
    let size = 8 * 1024 * 1024;
    let most = limits::GATHER_BYTES_MAX as usize / size;
    let (asker, servers) = served(&mut world, most + 2);
    let id = world.run(asker, gather("prices", 0));
    for (at, server) in servers.iter().enumerate() {
        if at == most + 1 {
            // It takes the first, and there is room for the last.
            let taken = Untaken { count: 1, bytes: size as u64 };
            world.programs[asker].client.taken(world.now, id, taken);
            world.settle();
        }
        let reply = Ok(Message::new(vec![b'x'; size]));
        world.run(server.0, Command::Reply { request: request(&world, *server, 0), reply });
    }
    assert_eq!(answers(&world, asker, id).len(), most + 1);
    assert_eq!(reasons(&world, asker, id), [(Kind::Lost, true)]);
}

#[test]
fn a_gather_without_a_deadline_or_with_a_wrong_count_is_refused() {
    let mut world = World::in_memory();
    let (asker, _) = served(&mut world, 1);
    let id = world.start_within(asker, gather("prices", 0), None);
    world.settle();
    assert_eq!(world.kind(asker, id), Kind::Invalid);
    let most = limits::GATHER_ASKED_MAX as u32;
    let error = gather("prices", most + 1).check().unwrap_err();
    assert!(error.kind() == Kind::Invalid && error.detail().contains("4096"), "{error}");
    let wrong = gather_topic("a..b").check().unwrap_err();
    assert_eq!(wrong.kind(), Kind::Invalid);
}

#[test]
fn more_gathers_than_a_session_may_have_are_refused_as_busy() {
    let mut world = World::in_memory();
    let (asker, subscriber) = (world.program(), world.program());
    world.run(subscriber, subscribe("news", 4_096));
    for _ in 0..limits::GATHERS_PER_SESSION_MAX {
        world.start(asker, gather_topic("news"));
    }
    world.settle();
    let id = world.run(asker, gather_topic("news"));
    assert_eq!(world.kind(asker, id), Kind::Busy);
    world.pass(40_000);
    let id = world.start_within(asker, gather_topic("news"), Some(10));
    world.settle();
    world.pass(20);
    assert_eq!(gathered(&world, asker, id).missing.len(), 1, "those that have ended are gone");
}
