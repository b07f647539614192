//! Bindings: what is published to a topic that is bound is stored, once, in every queue to which it
//! is bound, or nowhere; and who is told what.

mod support;

use support::bindings::*;
use support::*;
use telpher_proto::base::message::TOPIC_HEADER;
use telpher_proto::base::{
    Command, Durability, GatherTo, HeadersBuilder, Kind, Message, Outcome, Overflow, Part,
    QueueOptions, Verdict, limits,
};

#[test]
fn what_is_published_to_a_bound_topic_is_stored_once_for_each_queue_that_it_matches() {
    for mut world in [World::in_memory(), World::new()] {
        let (program, listener) = (world.program(), world.program());
        bound(&mut world, program, "orders.**", "audit", QueueOptions::default());
        run(&mut world, program, bind("orders.eu.*", "audit"));
        bound(&mut world, program, "*.eu.*", "eu", QueueOptions::default());
        let live = subscribe(&mut world, listener, "**");
        for topic in ["orders.eu.new", "orders", "others"] {
            run(&mut world, program, publish(topic, "x"));
        }
        assert_eq!(drain(&mut world, program, "audit"), ["orders.eu.new x", "orders x"]);
        assert_eq!(drain(&mut world, program, "eu"), ["orders.eu.new x"]);
        assert_eq!(heard(&world, listener, live), ["x", "x", "x"]);
    }
}

#[test]
fn what_a_gather_asks_of_a_topic_is_heard_and_stored_nowhere() {
    for mut world in [World::in_memory(), World::new()] {
        let (program, listener) = (world.program(), world.program());
        bound(&mut world, program, "**", "audit", QueueOptions::default());
        let live = subscribe(&mut world, listener, "*.eu");
        let (to, message) = (GatherTo::Topic(name("orders.eu")), Message::new("who?"));
        world.run(program, Command::Gather { to, message, count: 0 });
        run(&mut world, program, publish("orders.eu", "new"));
        assert_eq!(heard(&world, listener, live), ["who?", "new"]);
        assert_eq!(drain(&mut world, program, "audit"), ["orders.eu new"]);
    }
}

#[test]
fn a_stored_message_has_what_was_published_and_its_topic_in_the_place_of_another() {
    let mut world = World::new();
    let program = world.program();
    bound(&mut world, program, "news", "low.and.high", QueueOptions::default());
    run(&mut world, program, publish("news", "low"));
    let mut headers = HeadersBuilder::default();
    headers.push(TOPIC_HEADER, b"forwarded").unwrap();
    headers.push("a", b"1").unwrap();
    let mut message = Message::new("high");
    let properties = message.properties_mut();
    (properties.priority, properties.key) = (9, "key".into());
    properties.headers = headers.build();
    run(&mut world, program, Command::Publish { topic: name("news"), message });
    let id = world.run(program, receive("low.and.high"));
    let Ok(Outcome::Delivery(delivery)) = world.outcome(program, id) else { panic!("none") };
    assert_eq!(&delivery.message.body[..], b"high");
    let properties = delivery.message.properties.unwrap();
    assert_eq!((properties.priority, &properties.key[..]), (9, &b"key"[..]));
    let headers: Vec<_> = properties.headers.iter().collect();
    assert_eq!(headers, [("a", &b"1"[..]), (TOPIC_HEADER, b"news")]);
}

#[test]
fn a_dead_letter_still_names_its_topic() {
    let mut world = World::new();
    let program = world.program();
    bound(&mut world, program, "news", "jobs", QueueOptions::default());
    run(&mut world, program, publish("news", "bad"));
    let id = world.run(program, receive("jobs"));
    let (token, ..) = world.deliveries(program, id)[0];
    run(&mut world, program, settle(token, Verdict::Reject));
    assert_eq!(drain(&mut world, program, "jobs.dead"), ["news bad"]);
}

#[test]
fn headers_without_room_for_the_topic_are_refused_only_if_it_is_bound() {
    let mut world = World::new();
    let program = world.program();
    bound(&mut world, program, "bound", "jobs", QueueOptions::default());
    let mut headers = HeadersBuilder::default();
    headers.push("a", &vec![b'x'; limits::HEADERS_SIZE_MAX - 6]).unwrap();
    let mut message = Message::new("x");
    message.properties_mut().headers = headers.build();
    run(&mut world, program, Command::Publish { topic: name("other"), message: message.clone() });
    let id = world.run(program, Command::Publish { topic: name("bound"), message });
    let error = world.outcome(program, id).unwrap_err();
    assert_eq!(error.kind(), Kind::TooLarge);
    assert!(error.detail().contains("65536"), "{error}");
}

#[test]
fn binding_twice_changes_nothing_and_what_is_not_there_is_not_found() {
    let mut world = World::new();
    let program = world.program();
    bound(&mut world, program, "a.*", "jobs", QueueOptions::default());
    run(&mut world, program, bind("a.*", "jobs"));
    run(&mut world, program, bind("**", "jobs"));
    assert_eq!(bindings(&mut world, program, "jobs"), ["**", "a.*"]);
    run(&mut world, program, unbind("a.*", "jobs"));
    assert_eq!(bindings(&mut world, program, "jobs"), ["**"]);
    for (command, said) in [
        (unbind("a.*", "jobs"), "not bound"),
        (bind("a", "nowhere"), "nowhere"),
        (unbind("**", "nowhere"), "nowhere"),
    ] {
        let id = world.run(program, command);
        let error = world.outcome(program, id).unwrap_err();
        assert_eq!(error.kind(), Kind::NotFound);
        assert!(error.detail().contains(said), "{error}");
    }
}

#[test]
fn a_deleted_queue_takes_its_bindings_along_and_another_of_its_name_has_none() {
    let mut world = World::new();
    let program = world.program();
    bound(&mut world, program, "a", "jobs", QueueOptions::default());
    world.run(program, Command::Delete { queue: name("jobs") });
    run(&mut world, program, publish("a", "nowhere"));
    run(&mut world, program, declare_on_disk("jobs", QueueOptions::default()));
    run(&mut world, program, publish("a", "nowhere"));
    assert_eq!(world.figures(program, "jobs"), (0, 0));
    for _ in 0..2 {
        assert!(bindings(&mut world, program, "jobs").is_empty());
        world.change_host();
        world.pass(50);
    }
}

#[test]
fn a_queue_and_a_hub_have_a_bounded_number_of_bindings() {
    let mut world = World::new();
    let program = world.program();
    let each = limits::BINDINGS_PER_QUEUE_MAX;
    for queue in 0..=limits::BINDINGS_PER_HUB_MAX / each {
        let queue = format!("q{queue}");
        run(&mut world, program, declare_on_disk(&queue, QueueOptions::default()));
        for number in 0..each {
            let id = world.run(program, bind(&format!("a.{number}"), &queue));
            if let Err(error) = world.outcome(program, id) {
                assert!(error.detail().contains("the hub has 10000 patterns"), "{error}");
                assert_eq!(error.kind(), Kind::Full);
                let id = world.run(program, bind("one.more", "q0"));
                let error = world.outcome(program, id).unwrap_err();
                assert!(error.detail().contains("256 patterns"), "{error}");
                // A publish to all that there are is one record, and one change.
                run(&mut world, program, publish("a.1", "x"));
                world.change_host();
                world.pass(50);
                assert_eq!(drain(&mut world, program, "q0"), ["a.1 x"]);
                assert_eq!(drain(&mut world, program, "q38"), ["a.1 x"]);
                return;
            }
        }
    }
    panic!("there is no limit");
}

#[test]
fn bindings_and_what_was_published_outlive_the_host_however_it_ends() {
    for end in [World::change_host, World::cut_power, World::hand_over] {
        let mut world = World::new();
        let (program, listener) = (world.program(), world.program());
        bound(&mut world, program, "a.*", "disk", on(Durability::Disk));
        bound(&mut world, program, "a.**", "os", on(Durability::Os));
        bound(&mut world, program, "a", "memory", on(Durability::Memory));
        run(&mut world, program, bind("gone", "disk"));
        run(&mut world, program, unbind("gone", "disk"));
        run(&mut world, program, publish("a.b", "before"));
        let live = subscribe(&mut world, listener, "a.b");
        end(&mut world);
        world.pass(50);
        assert_eq!(bindings(&mut world, program, "disk"), ["a.*"]);
        run(&mut world, program, publish("a.b", "after"));
        run(&mut world, program, publish("a", "memory"));
        assert_eq!(drain(&mut world, program, "disk"), ["a.b before", "a.b after"]);
        assert_eq!(drain(&mut world, program, "os"), ["a.b before", "a.b after", "a memory"]);
        assert_eq!(drain(&mut world, program, "memory"), ["a memory"]);
        assert_eq!(heard(&world, listener, live), ["after"]);
    }
}

#[test]
fn a_publish_is_confirmed_when_its_safest_queue_is_and_visible_in_each_as_that_says() {
    let mut world = World::new();
    let program = world.program();
    for (queue, durability) in
        [("disk", Durability::Disk), ("os", Durability::Os), ("memory", Durability::Memory)]
    {
        bound(&mut world, program, "a", queue, on(durability));
    }
    world.disk.no_sync = true;
    let id = world.run(program, publish("a", "x"));
    assert!(world.ended(program, id).is_none());
    let ready = ["disk", "os", "memory"].map(|queue| world.figures(program, queue).0);
    assert_eq!(ready, [0, 1, 1]);
    world.disk.no_sync = false;
    world.settle();
    done(&world, program, id);
    assert_eq!(world.figures(program, "disk").0, 1);
}

#[test]
fn a_publish_without_a_verdict_is_stored_once_at_the_next_host() {
    for written in [false, true] {
        let mut world = World::new();
        // The listener comes back first.
        let (listener, program) = (world.program(), world.program());
        bound(&mut world, program, "a", "jobs", on(Durability::Disk));
        let live = subscribe(&mut world, listener, "a");
        world.disk.is_paused = !written;
        world.disk.no_sync = true;
        let id = world.run(program, publish("a", "x"));
        assert!(world.ended(program, id).is_none());
        (world.disk.is_paused, world.disk.no_sync) = (false, false);
        world.change_host();
        world.pass(50);
        done(&world, program, id);
        run(&mut world, program, publish("a", "next"));
        assert_eq!(drain(&mut world, program, "jobs"), ["a x", "a next"], "{written}");
        // Whoever may have heard it from the first host is not told again, but that one is missing.
        let heard = heard(&world, listener, live);
        match written {
            true => assert_eq!(heard, ["x", "next"]),
            false => assert_eq!(heard, ["x", "gap 2 2", "next"]),
        }
    }
}

#[test]
fn a_publish_waits_for_a_full_queue_and_then_is_in_all_or_at_its_deadline_in_none() {
    for taken in [true, false] {
        let mut world = World::new();
        let (program, listener) = (world.program(), world.program());
        let full = QueueOptions { length_max: 1, ..QueueOptions::default() };
        bound(&mut world, program, "a", "roomy", QueueOptions::default());
        bound(&mut world, program, "*", "tight", full);
        let live = subscribe(&mut world, listener, "a");
        run(&mut world, program, publish("a", "1"));
        let second = world.run(program, publish("a", "2"));
        let third = world.run(program, publish("a", "3"));
        assert!(world.ended(program, second).is_none());
        // It holds no place elsewhere, and slows nobody there.
        let sent = world.run(program, send("roomy", "direct"));
        assert!(matches!(world.outcome(program, sent), Ok(Outcome::Receipt(_))));
        assert_eq!(world.figures(program, "roomy").0, 2);
        assert_eq!(heard(&world, listener, live), ["1"], "nobody has got what waits");
        if taken {
            assert_eq!(drain(&mut world, program, "tight"), ["a 1", "a 2", "a 3"]);
            done(&world, program, second);
            done(&world, program, third);
            assert_eq!(heard(&world, listener, live), ["1", "2", "3"]);
            assert_eq!(world.figures(program, "roomy").0, 4);
            continue;
        }
        world.pass(1_100);
        for id in [second, third] {
            let error = world.outcome(program, id).unwrap_err();
            assert_eq!(error.kind(), Kind::Full);
            assert!(error.detail().contains("tight"), "{error}");
            assert!(!error.maybe_executed());
        }
        assert_eq!(world.figures(program, "roomy").0, 2);
        assert_eq!(heard(&world, listener, live), ["1"]);
    }
}

#[test]
fn what_waits_for_one_queue_and_then_for_another_is_stored_when_both_have_room() {
    let mut world = World::new();
    let program = world.program();
    for queue in ["one", "two"] {
        let full = QueueOptions { length_max: 1, ..QueueOptions::default() };
        bound(&mut world, program, "a", queue, full);
    }
    world.run(program, send("one", "x"));
    let waiting = world.run(program, publish("a", "y"));
    let sent = world.run(program, send("two", "z"));
    assert!(matches!(world.outcome(program, sent), Ok(Outcome::Receipt(_))));
    for queue in ["one", "two"] {
        assert!(world.ended(program, waiting).is_none(), "{queue} is full");
        let id = world.run(program, receive(queue));
        let (token, ..) = world.deliveries(program, id)[0];
        run(&mut world, program, settle(token, Verdict::Acknowledge));
    }
    done(&world, program, waiting);
    for queue in ["one", "two"] {
        assert_eq!(drain(&mut world, program, queue), ["a y"]);
    }
}

#[test]
fn a_publish_that_waits_goes_on_without_a_queue_that_is_unbound_or_deleted() {
    for command in [unbind("a", "tight"), Command::Delete { queue: name("tight") }] {
        let mut world = World::new();
        let (program, other) = (world.program(), world.program());
        let full = QueueOptions { length_max: 1, ..QueueOptions::default() };
        bound(&mut world, program, "a", "tight", full);
        bound(&mut world, program, "a", "roomy", QueueOptions::default());
        run(&mut world, program, publish("a", "1"));
        let waiting = world.run(program, publish("a", "2"));
        let send = world.run(program, send("tight", "waits, too"));
        world.run(other, command.clone());
        done(&world, program, waiting);
        let is_deleted = matches!(command, Command::Delete { .. });
        assert_eq!(world.ended(program, send).is_some(), is_deleted);
        assert_eq!(drain(&mut world, program, "roomy"), ["a 1", "a 2"]);
    }
}

#[test]
fn a_queue_that_rejects_and_a_full_disk_refuse_a_publish_as_a_whole() {
    let mut world = World::new();
    let (program, listener) = (world.program(), world.program());
    let overflow = Overflow::Reject;
    let full = QueueOptions { length_max: 1, overflow, ..QueueOptions::default() };
    bound(&mut world, program, "a", "rejects", full);
    bound(&mut world, program, "a", "roomy", QueueOptions::default());
    let small = QueueOptions { bytes_max: 100, ..QueueOptions::default() };
    bound(&mut world, program, "b", "small", small);
    bound(&mut world, program, "b", "roomy", QueueOptions::default());
    let live = subscribe(&mut world, listener, "**");
    run(&mut world, program, publish("a", "1"));
    let id = world.run(program, publish("a", "2"));
    assert_eq!(world.kind(program, id), Kind::Full);
    let id = world.run(program, publish("b", &"x".repeat(200)));
    let error = world.outcome(program, id).unwrap_err();
    assert_eq!(error.kind(), Kind::TooLarge);
    assert!(error.detail().contains("small"), "{error}");
    world.disk.is_full = true;
    let large = "x".repeat(40_000);
    let refused = (0..100).find_map(|_| {
        let id = world.run(program, send("roomy", &large));
        world.outcome(program, id).err()
    });
    assert_eq!(refused.map(|error| error.kind()), Some(Kind::NoSpace));
    let before = world.figures(program, "roomy");
    let id = world.run(program, publish("b", "3"));
    assert_eq!(world.kind(program, id), Kind::NoSpace);
    let id = world.run(program, bind("c", "roomy"));
    assert_eq!(world.kind(program, id), Kind::NoSpace);
    assert_eq!(world.figures(program, "roomy"), before);
    assert_eq!(heard(&world, listener, live), ["1"]);
}

#[test]
fn the_records_of_bindings_have_the_bytes_that_they_always_had() {
    let mut world = World::new();
    let program = world.program();
    bound(&mut world, program, "a.*", "jobs", QueueOptions::default());
    run(&mut world, program, bind("**", "jobs"));
    run(&mut world, program, unbind("**", "jobs"));
    run(&mut world, program, publish("a.b", "x"));
    let message = Message::new("y");
    let parts = vec![Part::Publish { topic: name("a.c"), message }];
    world.run(program, Command::Batch { parts });
    world.hand_over();
    is_golden(&world, 1, "bindings.txt");
}
