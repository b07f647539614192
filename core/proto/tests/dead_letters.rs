//! Dead letters: when a message becomes one, and what it says of itself.

mod support;

use support::*;
use telpher_proto::base::{
    Command, Durability, HeadersBuilder, Kind, Message, Outcome, QueueOptions, Verdict, limits,
};

#[test]
fn a_message_that_fails_too_often_becomes_a_dead_letter_with_its_history() {
    let options = QueueOptions { max_attempts: 2, backoff_min_ms: 10, ..on(Durability::Disk) };
    let (mut world, producer, consumer) = world_with(options);
    world.run(producer, send("jobs", "bad"));
    for attempt in 0..2 {
        let received = world.run(consumer, receive("jobs"));
        let (token, _, failures) = world.deliveries(consumer, received)[0].clone();
        assert_eq!(failures, attempt);
        let reason = format!("attempt {attempt}");
        let command = Command::Settle { delivery: token, verdict: Verdict::Requeue, reason };
        world.run(consumer, command);
        world.pass(20);
    }
    world.change_host();
    world.pass(50);
    let info = info(&mut world, producer, "jobs");
    assert_eq!((info.ready, info.dead_lettered, info.requeued), (0, 1, 1));
    let dead = world.run(consumer, receive("jobs.dead"));
    let Ok(Outcome::Delivery(delivery)) = world.outcome(consumer, dead) else { panic!("none") };
    let headers = &delivery.message.properties.as_ref().unwrap().headers;
    let header = |name| String::from_utf8_lossy(headers.get(name).unwrap()).into_owned();
    assert_eq!(header("telpher.queue"), "jobs");
    assert_eq!(header("telpher.reason"), "requeued");
    assert_eq!(header("telpher.error"), "attempt 1");
    assert_eq!(header("telpher.failures"), "2");
    assert_eq!(header("telpher.history").lines().count(), 2);
}

#[test]
fn the_headers_of_a_dead_letter_take_the_room_that_its_own_leave() {
    for own in [30_000, 65_000, 65_536 - 1 - 3 - 4] {
        let options = QueueOptions { max_attempts: 40, backoff_min_ms: 1, ..on(Durability::Disk) };
        let (mut world, producer, consumer) = world_with(options);
        let mut headers = HeadersBuilder::default();
        headers.push("own", &vec![b'x'; own]).unwrap();
        let mut message = Message::new("body");
        message.properties_mut().headers = headers.build();
        world.run(producer, Command::Send { queue: name("jobs"), message });
        for attempt in 0..40 {
            let received = world.run(consumer, receive("jobs"));
            let (token, ..) = world.deliveries(consumer, received)[0];
            let reason = format!("{attempt} {}", "\u{fc}".repeat(500));
            let verdict = Verdict::Requeue;
            world.run(consumer, Command::Settle { delivery: token, verdict, reason });
            world.pass(60_000);
        }
        let dead = world.run(consumer, receive("jobs.dead"));
        let Ok(Outcome::Delivery(delivery)) = world.outcome(consumer, dead) else { panic!("none") };
        let headers = &delivery.message.properties.as_ref().unwrap().headers;
        let header = |name| headers.get(name).map(String::from_utf8_lossy);
        assert!(headers.encoded().len() <= limits::HEADERS_SIZE_MAX);
        assert_eq!(header("own").map(|own| own.len()), Some(own));
        if own == 30_000 {
            let history = header("telpher.history").unwrap();
            assert!(history.len() > 30_000, "{}", history.len());
            assert!(history.lines().last().unwrap().contains(" requeued: 39 "));
        }
        if own <= 65_000 {
            assert_eq!(header("telpher.failures").as_deref(), Some("40"));
            assert!(header("telpher.error").unwrap().starts_with("39 \u{fc}"));
        }
    }
}

#[test]
fn a_message_whose_time_is_over_becomes_a_dead_letter() {
    let options = QueueOptions { ttl_ms: 100, ..on(Durability::Disk) };
    let (mut world, producer, consumer) = world_with(options);
    world.run(producer, send("jobs", "old"));
    world.pass(60);
    world.change_host();
    world.run(producer, send("jobs", "young"));
    world.pass(101);
    assert_eq!(world.figures(producer, "jobs.dead"), (2, 0));
    let dead = world.run(consumer, receive("jobs.dead"));
    let Ok(Outcome::Delivery(delivery)) = world.outcome(consumer, dead) else { panic!("none") };
    let headers = &delivery.message.properties.as_ref().unwrap().headers;
    assert_eq!(headers.get("telpher.reason"), Some(&b"expired"[..]));
}

#[test]
fn the_time_of_a_dead_letter_begins_with_its_death() {
    let (mut world, producer, consumer) = world_with(on(Durability::Disk));
    let dead = QueueOptions { ttl_ms: 600_000, ..on(Durability::Disk) };
    world.run(producer, declare_on_disk("jobs.dead", dead));
    for _ in 0..2 {
        world.run(producer, send("jobs", "x"));
        world.pass(400_000);
        let received = world.run(consumer, receive("jobs"));
        let (token, ..) = world.deliveries(consumer, received)[0];
        world.run(consumer, settle(token, Verdict::Reject));
        world.change_host();
        world.pass(400_000);
    }
    assert_eq!(world.figures(producer, "jobs.dead"), (1, 0), "one of two is old enough");
    world.pass(400_000);
    assert_eq!(world.figures(producer, "jobs.dead"), (0, 0));
}

#[test]
fn queues_that_are_each_others_dead_letters_pass_a_message_on_no_faster_than_it_expires() {
    let (mut world, producer, consumer) = world_with(QueueOptions::default());
    let to = |dead: &str| QueueOptions {
        ttl_ms: 1_000,
        dead_letter: Some(name(dead)),
        ..on(Durability::Disk)
    };
    world.run(producer, declare_on_disk("a", to("b")));
    world.run(producer, declare_on_disk("b", to("a")));
    world.run(producer, send("a", "x"));
    world.pass(10_500);
    world.run(consumer, consume("b", 1));
    let there = world.run(consumer, consume("a", 1));
    assert_eq!(bodies(&world, consumer, there), ["x"]);
}

#[test]
fn queues_of_dead_letters_are_as_safe_as_those_they_come_from() {
    use Durability::{Disk, Memory, Os};
    for (own, dead, fits) in [
        (Disk, Disk, true),
        (Os, Disk, true),
        (Memory, Memory, true),
        (Disk, Os, false),
        (Disk, Memory, false),
        (Memory, Disk, false),
    ] {
        let stated = QueueOptions { dead_letter: Some(name("graves")), ..on(own) };
        let (first, second) = (("jobs", on(own)), ("jobs.dead", on(dead)));
        let (third, fourth) = (("work", stated), ("graves", on(dead)));
        for [(one, its), (other, theirs)] in [
            [first.clone(), second.clone()],
            [second, first],
            [third.clone(), fourth.clone()],
            [fourth, third],
        ] {
            let mut world = World::new();
            let program = world.program();
            let declared = world.run(program, declare_on_disk(one, its));
            assert!(world.outcome(program, declared).is_ok());
            let declared = world.run(program, declare_on_disk(other, theirs));
            match world.outcome(program, declared) {
                Ok(_) => assert!(fits, "{own:?} and {dead:?}"),
                Err(error) => assert!(!fits && error.kind() == Kind::Mismatch, "{error}"),
            }
            if !fits || one.ends_with(".dead") || one == "graves" {
                continue;
            }
            world.run(program, send(one, "bad"));
            let received = world.run(program, receive(one));
            let (token, ..) = world.deliveries(program, received)[0];
            world.run(program, settle(token, Verdict::Reject));
            assert_eq!(world.figures(program, other), (1, 0));
        }
    }
}

#[test]
fn a_peek_at_many_dead_letters_with_a_long_history_fits_into_an_answer() {
    let options = QueueOptions {
        max_attempts: 32,
        backoff_min_ms: 1,
        backoff_max_ms: 1,
        ..on(Durability::Disk)
    };
    let (mut world, producer, consumer) = world_with(options);
    world.run(producer, declare_on_disk("jobs.dead", on(Durability::Disk)));
    for number in 0..300 {
        world.run(producer, send("jobs", &number.to_string()));
    }
    let id = world.run(consumer, consume("jobs", 300));
    let mut settled = 0;
    while world.figures(producer, "jobs.dead").0 < 300 {
        let all = world.deliveries(consumer, id);
        for (delivery, ..) in &all[settled..] {
            let (delivery, verdict, reason) = (*delivery, Verdict::Requeue, "r".repeat(1_000));
            world.start(consumer, Command::Settle { delivery, verdict, reason });
        }
        settled = all.len();
        world.pass(3);
    }
    let peeked = world.run(producer, Command::Peek { queue: name("jobs.dead"), count: 1_000 });
    let Ok(Outcome::Peeked(shown)) = world.outcome(producer, peeked) else { panic!("none") };
    let size: usize = shown.iter().map(|shown| shown.message.size()).sum();
    assert!(size <= limits::PEEK_SIZE_MAX && shown.len() > 20, "{size}, {}", shown.len());
}
