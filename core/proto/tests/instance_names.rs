//! What instances and subscribers call themselves: whoever gathers answers sees it with each, also
//! of those that did not answer, over broken connections and under another host.

mod support;

use support::gathers::*;
use support::*;
use telpher_proto::base::{
    Answer, Command, Error, Gathered, Id, Kind, Message, Missing, Outcome, Pattern, limits,
};
use telpher_proto::wire::{Clock, Frame, Outbox, Whole, decode};

fn serve_as(instance: Option<&str>) -> Command {
    let (service, instance_name) = (name("prices"), instance.map(name));
    Command::Serve { service, concurrency: 1, line_max: 2, instance_name }
}

fn subscribe_as(instance: &str) -> Command {
    let (pattern, instance_name) = (Pattern::parse("news.*").unwrap(), Some(name(instance)));
    Command::Subscribe { pattern, buffer: 1, instance_name }
}

/// A program that gathers, and one for each of these names that serves `prices` under it.
fn served_by(world: &mut World, instances: &[&str]) -> (usize, Vec<(usize, Id)>) {
    let asker = world.program();
    let servers = instances.iter().map(|instance| {
        let program = world.program();
        (program, world.run(program, serve_as(Some(instance))))
    });
    (asker, servers.collect())
}

fn answer(world: &mut World, (program, service): (usize, Id), at: usize) {
    let token = world.requests(program, service)[at].0;
    world.run(program, reply(token, "ok"));
}

/// What those that have answered call themselves.
fn answered_by(world: &World, program: usize, id: Id) -> Vec<String> {
    let answers = answers(world, program, id);
    answers.into_iter().map(|one| said(one.instance_name)).collect()
}

/// The same of those that did not answer.
fn missed(world: &World, program: usize, id: Id) -> Vec<String> {
    let missing = gathered(world, program, id).missing;
    missing.into_iter().map(|one| said(one.instance_name)).collect()
}

fn said(name: Option<telpher_proto::base::Name>) -> String {
    name.map_or(String::from("(none)"), |name| name.to_string())
}

#[test]
fn answers_and_missing_ones_carry_what_the_instance_calls_itself_if_it_says() {
    let mut world = World::in_memory();
    let (asker, servers) = served_by(&mut world, &["berlin", "oslo"]);
    let nameless = world.program();
    let service = world.run(nameless, serve_as(None));
    let id = world.start_within(asker, gather("prices", 0), Some(100));
    world.settle();
    answer(&mut world, servers[0], 0);
    let fails = Command::Reply {
        request: world.requests(nameless, service)[0].0,
        reply: Err(Error::remote(7, "no stock")),
    };
    world.run(nameless, fails);
    world.pass(100);
    assert_eq!(answered_by(&world, asker, id), ["berlin", "(none)"]);
    assert_eq!(missed(&world, asker, id), ["oslo"]);
}

#[test]
fn two_that_state_one_name_are_told_apart_by_their_numbers() {
    let mut world = World::in_memory();
    let (asker, servers) = served_by(&mut world, &["berlin", "berlin"]);
    let id = world.run(asker, gather("prices", 1));
    answer(&mut world, servers[0], 0);
    assert_eq!(answered_by(&world, asker, id), ["berlin"]);
    assert_eq!(missed(&world, asker, id), ["berlin"]);
    let answered = answers(&world, asker, id)[0].instance;
    assert_ne!(answered, gathered(&world, asker, id).missing[0].instance);
}

#[test]
fn an_instance_that_is_lost_before_it_answers_is_missing_under_its_name() {
    let mut world = World::in_memory();
    let (asker, servers) = served_by(&mut world, &["berlin", "oslo"]);
    let first = world.run(asker, gather("prices", 0));
    let second = world.run(asker, gather("prices", 0));
    world.kill(servers[0].0);
    world.settle();
    for at in 0..2 {
        answer(&mut world, servers[1], at);
    }
    assert_eq!(reasons(&world, asker, first), [(Kind::Abandoned, true)]);
    assert_eq!(reasons(&world, asker, second), [(Kind::NoService, false)]);
    for id in [first, second] {
        assert_eq!(answered_by(&world, asker, id), ["oslo"]);
        assert_eq!(missed(&world, asker, id), ["berlin"]);
    }
}

#[test]
fn a_name_is_the_same_after_a_broken_connection_and_under_another_host() {
    let mut world = World::new();
    let (asker, servers) = served_by(&mut world, &["berlin", "oslo"]);
    let asked = |world: &mut World, round: usize| {
        let id = world.start_within(asker, gather("prices", 1), Some(8_000));
        world.settle();
        world.pass(5_500);
        answer(world, servers[1], round);
        assert_eq!(answered_by(world, asker, id), ["oslo"], "round {round}");
        assert_eq!(missed(world, asker, id), ["berlin"], "round {round}");
        // The handler that is still at it lets go.
        answer(world, servers[0], round);
    };
    asked(&mut world, 0);
    for server in &servers {
        world.break_connection(server.0);
    }
    world.pass(100);
    asked(&mut world, 1);
    world.change_host();
    world.pass(100);
    asked(&mut world, 2);
    world.hand_over();
    world.pass(100);
    asked(&mut world, 3);
}

#[test]
fn a_program_whose_session_was_forgotten_serves_under_its_name_again() {
    let mut world = World::in_memory();
    let (asker, servers) = served_by(&mut world, &["berlin"]);
    world.break_connection(servers[0].0);
    world.programs[servers[0].0].cut = true;
    world.pass(60_000);
    world.programs[servers[0].0].cut = false;
    world.pass(100);
    let id = world.run(asker, gather("prices", 0));
    answer(&mut world, servers[0], 0);
    assert_eq!(answered_by(&world, asker, id), ["berlin"]);
}

#[test]
fn subscribers_answer_under_their_names_and_a_slow_one_is_lost_under_its_own() {
    let mut world = World::in_memory();
    let programs: Vec<usize> = (0..3).map(|_| world.program()).collect();
    let id = world.run(programs[1], subscribe_as("berlin"));
    world.run(programs[2], subscribe_as("oslo"));
    world.break_connection(programs[1]);
    world.pass(100);
    // Each has one on its way, and one that waits; Berlin then takes what it has.
    for _ in 0..2 {
        world.run(programs[0], Command::Publish { topic: name("news.x"), message: "x".into() });
    }
    let taken = telpher_proto::base::Untaken { count: 2, bytes: 2 };
    world.programs[programs[1]].client.taken(world.now, id, taken);
    world.settle();
    world.programs[programs[1]].client.taken(world.now, id, taken);
    world.settle();
    let gather = world.run(programs[0], gather_topic("news.x"));
    let token = asked(&world, programs[1], id)[0];
    world.run(programs[1], reply(token, "here"));
    world.run(programs[0], Command::Publish { topic: name("news.x"), message: "x".into() });
    assert_eq!(answered_by(&world, programs[0], gather), ["berlin"]);
    assert_eq!(missed(&world, programs[0], gather), ["oslo"]);
}

#[test]
fn a_name_counts_among_the_bytes_of_an_answer() {
    let message = Message::new("12345");
    let answer =
        |instance_name| Answer { instance: 1, instance_name, reply: Ok(message.clone()) }.size();
    assert_eq!((answer(None), answer(Some(name("berlin")))), (5, 11));
}

#[test]
fn the_longest_names_of_all_that_a_gather_asks_fit_into_one_frame() {
    let longest = name(&"n".repeat(limits::NAME_SIZE_MAX));
    let one = |instance| Missing::new((instance, Some(longest.clone())), Kind::Lost, true);
    let missing = (0..limits::GATHER_ASKED_MAX as u64).map(one).collect();
    let gathered = Gathered { answered: 0, failed: 0, missing };
    let clock = Clock { shared: false, now: telpher_proto::base::Time::from_nanos(0) };
    let mut outbox = Outbox::default();
    outbox.push(&Frame::Gathered { ticket: 1, gathered: gathered.clone() }, clock);
    assert!(outbox.len() < limits::OUTBOX_SIZE_MAX / 2);
    let mut slices = [std::io::IoSlice::new(&[])];
    outbox.slices(&mut slices);
    let bytes = bytes::Bytes::copy_from_slice(&slices[0]);
    match decode(Whole::of(&bytes), clock) {
        Ok(Frame::Gathered { gathered: read, .. }) => assert_eq!(read, gathered),
        other => panic!("{other:?}"),
    }
}

#[test]
fn while_the_names_of_missing_ones_fill_the_room_for_answers_nobody_is_asked() {
    let mut world = World::in_memory();
    let (asker, deaf, subscriber) = (world.program(), world.program(), world.program());
    let longest = "n".repeat(limits::NAME_SIZE_MAX);
    for _ in 0..limits::GATHER_ASKED_MAX {
        world.start(subscriber, subscribe_as(&longest));
    }
    world.settle();
    let ends = |world: &mut World, program: usize| {
        let id = world.start_within(program, gather_topic("news.x"), Some(10));
        world.settle();
        id
    };
    world.programs[deaf].deaf = true;
    let names = (limits::GATHER_ASKED_MAX * limits::NAME_SIZE_MAX) as u64;
    for _ in 0..=limits::GATHER_KEPT_BYTES_MAX / names {
        ends(&mut world, deaf);
    }
    world.pass(20);
    let refused = ends(&mut world, asker);
    assert_eq!(world.kind(asker, refused), Kind::Busy);
    world.programs[deaf].deaf = false;
    world.break_connection(deaf);
    world.pass(100);
    let again = ends(&mut world, asker);
    world.pass(20);
    assert!(matches!(world.outcome(asker, again), Ok(Outcome::Gathered(_))), "it has read on");
}
