//! Bindings to streams: what is published is appended to each once, or stored nowhere at all.

mod support;

use support::bindings::*;
use support::streams::{all, append, declare, info, plain, text};
use support::*;
use telpher_proto::base::limits::Sizes;
use telpher_proto::base::message::TOPIC_HEADER;
use telpher_proto::base::stream::partition_of;
use telpher_proto::base::{
    Command, Durability, Kind, Message, Overflow, Part, QueueOptions, Reading, Start,
    StreamOptions, Verdict, What, limits,
};

fn keyed(topic: &str, key: &str, body: &str) -> Command {
    let mut message = Message::new(body.as_bytes().to_vec());
    message.properties_mut().key = key.as_bytes().to_vec().into();
    Command::Publish { topic: name(topic), message }
}

#[test]
fn what_is_published_is_appended_once_to_each_stream_with_its_topic_and_in_its_keys_partition() {
    for mut world in [World::in_memory(), World::new()] {
        let (program, listener) = (world.program(), world.program());
        let options = StreamOptions { partitions: 4, ..StreamOptions::default() };
        bound_stream(&mut world, program, "orders.**", "log", options);
        run(&mut world, program, bind_stream("orders.eu.*", "log"));
        bound_stream(&mut world, program, "*.eu.*", "eu", StreamOptions::default());
        run(&mut world, program, declare("others", StreamOptions::default()));
        let live = subscribe(&mut world, listener, "**");
        run(&mut world, program, keyed("orders.eu.new", "k1", "x"));
        run(&mut world, program, keyed("orders", "k3", "y"));
        run(&mut world, program, publish("others", "z"));
        let place = |key: &str| partition_of(key.as_bytes(), 4);
        assert_ne!(place("k1"), place("k3"));
        let mut expected = [format!("{} 0 x", place("k1")), format!("{} 0 y", place("k3"))];
        expected.sort();
        let mut log = all(&mut world, program, "log");
        log.sort();
        assert_eq!(log, expected);
        assert_eq!(all(&mut world, program, "eu"), ["0 0 x"]);
        assert!(all(&mut world, program, "others").is_empty());
        assert_eq!(heard(&world, listener, live), ["x", "y", "z"]);
        assert_eq!(topics(&mut world, program, "eu"), ["orders.eu.new"]);
    }
}

/// The topic that each record of a stream names.
fn topics(world: &mut World, program: usize, stream: &str) -> Vec<String> {
    let id = world.run(program, support::streams::read(stream, Start::Beginning, false));
    let events = world.programs[program].events.iter().filter(|event| event.id == id);
    let records = events.filter_map(|event| match &event.what {
        What::Record(record) => record.message.properties.as_ref(),
        _ => None,
    });
    let topics = records.filter_map(|properties| properties.headers.get(TOPIC_HEADER));
    topics.map(|topic| String::from_utf8_lossy(topic).into_owned()).collect()
}

#[test]
fn records_without_a_key_are_spread_over_the_partitions() {
    let mut world = World::new();
    let program = world.program();
    let options = StreamOptions { partitions: 3, ..StreamOptions::default() };
    bound_stream(&mut world, program, "a", "log", options);
    for _ in 0..6 {
        run(&mut world, program, publish("a", "x"));
    }
    let figures = info(&mut world, program, "log");
    assert!(figures.partitions.iter().all(|partition| partition.next == 2), "{figures:?}");
    assert_eq!(figures.bindings, [pattern("a")]);
}

#[test]
fn binding_twice_changes_nothing_and_an_unbound_stream_gets_nothing_more() {
    let mut world = World::new();
    let program = world.program();
    bound_stream(&mut world, program, "a.*", "log", StreamOptions::default());
    run(&mut world, program, bind_stream("a.*", "log"));
    run(&mut world, program, bind_stream("**", "log"));
    assert_eq!(info(&mut world, program, "log").bindings, [pattern("**"), pattern("a.*")]);
    run(&mut world, program, publish("a.b", "1"));
    run(&mut world, program, unbind_stream("**", "log"));
    run(&mut world, program, publish("a.b", "2"));
    run(&mut world, program, unbind_stream("a.*", "log"));
    run(&mut world, program, publish("a.b", "3"));
    assert_eq!(all(&mut world, program, "log"), ["0 0 1", "0 1 2"]);
    run(&mut world, program, declare_on_disk("jobs", QueueOptions::default()));
    for (command, said) in [
        (unbind_stream("a.*", "log"), "not bound to the stream \"log\""),
        (bind_stream("a", "nowhere"), "nowhere"),
        (unbind_stream("a", "nowhere"), "nowhere"),
        (bind_stream("a", "jobs"), "no stream is named"),
        (bind("a", "log"), "no queue is named"),
    ] {
        let id = world.run(program, command);
        assert_eq!(world.kind(program, id), Kind::NotFound);
        assert!(text(&world, program, id).contains(said), "{}", text(&world, program, id));
    }
}

#[test]
fn a_deleted_stream_takes_its_bindings_along_and_another_of_its_name_has_none() {
    let mut world = World::new();
    let program = world.program();
    bound_stream(&mut world, program, "a", "log", StreamOptions::default());
    run(&mut world, program, Command::DeleteStream { stream: name("log") });
    run(&mut world, program, publish("a", "nowhere"));
    run(&mut world, program, declare("log", StreamOptions::default()));
    run(&mut world, program, publish("a", "nowhere"));
    for _ in 0..2 {
        assert!(all(&mut world, program, "log").is_empty());
        assert!(info(&mut world, program, "log").bindings.is_empty());
        world.change_host();
        world.pass(50);
    }
}

#[test]
fn a_stream_has_a_bounded_number_of_bindings() {
    let mut world = World::new();
    let program = world.program();
    run(&mut world, program, declare("log", StreamOptions::default()));
    for number in 0..limits::BINDINGS_PER_STREAM_MAX {
        run(&mut world, program, bind_stream(&format!("a.{number}"), "log"));
    }
    let id = world.run(program, bind_stream("one.more", "log"));
    assert_eq!(world.kind(program, id), Kind::Full);
    let said = text(&world, program, id);
    assert!(said.contains("the stream \"log\" has 256 patterns"), "{said}");
    assert_eq!(info(&mut world, program, "log").bindings.len(), limits::BINDINGS_PER_STREAM_MAX);
}

#[test]
fn bindings_and_what_was_appended_outlive_the_host_however_it_ends() {
    for end in [World::change_host, World::cut_power, World::hand_over] {
        let mut world = World::new();
        let program = world.program();
        for (stream, durability) in
            [("disk", Durability::Disk), ("os", Durability::Os), ("memory", Durability::Memory)]
        {
            bound_stream(&mut world, program, "a.**", stream, plain(durability));
        }
        bound(&mut world, program, "a.*", "jobs", on(Durability::Disk));
        run(&mut world, program, bind_stream("gone", "disk"));
        run(&mut world, program, unbind_stream("gone", "disk"));
        run(&mut world, program, publish("a.b", "before"));
        end(&mut world);
        world.pass(50);
        for stream in ["disk", "os", "memory"] {
            assert_eq!(info(&mut world, program, stream).bindings, [pattern("a.**")]);
        }
        run(&mut world, program, publish("a.b", "after"));
        for stream in ["disk", "os"] {
            assert_eq!(all(&mut world, program, stream), ["0 0 before", "0 1 after"]);
        }
        let memory = all(&mut world, program, "memory");
        assert!(memory.last().is_some_and(|record| record.ends_with("after")), "{memory:?}");
        assert_eq!(drain(&mut world, program, "jobs"), ["a.b before", "a.b after"]);
    }
}

#[test]
fn a_publish_is_confirmed_when_its_safest_stream_is_and_visible_in_each_as_that_says() {
    let mut world = World::new();
    let program = world.program();
    for (stream, durability) in
        [("disk", Durability::Disk), ("os", Durability::Os), ("memory", Durability::Memory)]
    {
        bound_stream(&mut world, program, "a", stream, plain(durability));
    }
    bound(&mut world, program, "a", "jobs", on(Durability::Os));
    world.disk.no_sync = true;
    let id = world.run(program, publish("a", "x"));
    assert!(world.ended(program, id).is_none());
    let seen = |world: &mut World| {
        ["disk", "os", "memory"].map(|stream| info(world, program, stream).partitions[0].next)
    };
    assert_eq!(seen(&mut world), [0, 1, 1]);
    assert_eq!(world.figures(program, "jobs").0, 1);
    world.disk.no_sync = false;
    world.settle();
    done(&world, program, id);
    assert_eq!(seen(&mut world), [1, 1, 1]);
}

#[test]
fn a_publish_without_a_verdict_is_appended_once_at_the_next_host() {
    for written in [false, true] {
        let mut world = World::new();
        let program = world.program();
        bound_stream(&mut world, program, "a", "log", plain(Durability::Disk));
        bound_stream(&mut world, program, "*", "second", plain(Durability::Os));
        bound(&mut world, program, "a", "jobs", on(Durability::Disk));
        world.disk.is_paused = !written;
        world.disk.no_sync = true;
        let id = world.run(program, publish("a", "x"));
        assert!(world.ended(program, id).is_none());
        (world.disk.is_paused, world.disk.no_sync) = (false, false);
        world.change_host();
        world.pass(50);
        done(&world, program, id);
        for stream in ["log", "second"] {
            assert_eq!(all(&mut world, program, stream), ["0 0 x"], "{written}");
        }
        assert_eq!(drain(&mut world, program, "jobs"), ["a x"], "{written}");
    }
}

#[test]
fn bindings_and_records_survive_segment_rolls_checkpoints_and_writing_forward() {
    let unsynced_max = 50_000;
    let sizes = Sizes { resident_max: 1_000, garbage_min: 0, unsynced_max, ..SMALL };
    let mut world = World::with_sizes(sizes);
    let program = world.program();
    let kept = plain(Durability::Os);
    bound_stream(&mut world, program, "kept", "log", kept);
    bound(&mut world, program, "kept", "jobs", on(Durability::Os));
    bound_stream(
        &mut world,
        program,
        "**",
        "short",
        StreamOptions { records_max: 10, ..plain(Durability::Os) },
    );
    let mut expected = Vec::new();
    for number in 0..400 {
        if number % 20 == 0 {
            run(&mut world, program, publish("kept", &number.to_string()));
            expected.push(number);
        }
        run(&mut world, program, publish("lost", &"x".repeat(500)));
        if number == 200 {
            world.change_host();
            world.pass(50);
        }
    }
    world.pass(1_000);
    let first = *world.disk.files.keys().next().expect("a segment");
    assert!(first > 2, "the first segments have gone: {first}");
    let records: Vec<String> =
        expected.iter().enumerate().map(|(at, number)| format!("0 {at} {number}")).collect();
    for is_kept in [true, false] {
        assert_eq!(all(&mut world, program, "log"), records);
        assert_eq!(info(&mut world, program, "log").bindings, [pattern("kept")]);
        assert_eq!(info(&mut world, program, "short").bindings, [pattern("**")]);
        assert!(all(&mut world, program, "short").len() <= 10);
        world.disk.checkpoint = world.disk.checkpoint.take().filter(|_| is_kept);
        world.change_host();
        world.pass(50);
    }
    let jobs = drain(&mut world, program, "jobs");
    assert_eq!(jobs, expected.iter().map(|number| format!("kept {number}")).collect::<Vec<_>>());
}

#[test]
fn a_full_queue_beside_a_stream_holds_the_publish_back_from_both() {
    for overflow in [Overflow::Wait, Overflow::Reject] {
        let mut world = World::new();
        let (program, listener) = (world.program(), world.program());
        let full = QueueOptions { length_max: 1, overflow, ..QueueOptions::default() };
        bound(&mut world, program, "a", "tight", full);
        bound_stream(&mut world, program, "a", "log", StreamOptions::default());
        let live = subscribe(&mut world, listener, "a");
        run(&mut world, program, publish("a", "1"));
        let second = world.run(program, publish("a", "2"));
        assert_eq!(all(&mut world, program, "log"), ["0 0 1"]);
        if overflow == Overflow::Reject {
            assert_eq!(world.kind(program, second), Kind::Full);
            continue;
        }
        // It holds no place in the stream meanwhile.
        world.run(program, append("log", "direct"));
        assert!(world.ended(program, second).is_none());
        assert_eq!(drain(&mut world, program, "tight"), ["a 1", "a 2"]);
        done(&world, program, second);
        assert_eq!(all(&mut world, program, "log"), ["0 0 1", "0 1 direct", "0 2 2"]);
        assert_eq!(heard(&world, listener, live), ["1", "2"]);
    }
}

#[test]
fn what_a_stream_does_not_take_is_refused_and_nowhere() {
    let mut world = World::new();
    let (program, listener) = (world.program(), world.program());
    let small = StreamOptions { bytes_max: 65_536, ..StreamOptions::default() };
    let compact = StreamOptions { compact: true, ..StreamOptions::default() };
    let unread = StreamOptions { keep_unread: true, records_max: 2, ..StreamOptions::default() };
    for (stream, options) in [("small", small), ("compact", compact), ("unread", unread)] {
        bound_stream(&mut world, program, stream, stream, options);
    }
    bound(&mut world, program, "*", "jobs", QueueOptions::default());
    bound_stream(&mut world, program, "*", "log", StreamOptions::default());
    let reading = Reading { group: Some(name("billing")), ..Reading::default() };
    let member =
        world.run(program, Command::Read { stream: name("unread"), reading: Box::new(reading) });
    world.run(program, append("unread", "1"));
    world.run(program, append("unread", "2"));
    assert!(world.ended(program, member).is_none());
    let live = subscribe(&mut world, listener, "**");
    let large = "x".repeat(70_000);
    for (topic, body, kind, said) in [
        ("small", &large[..], Kind::TooLarge, "small"),
        ("compact", "keyless", Kind::Invalid, "compact"),
        ("unread", "x", Kind::Full, "billing"),
    ] {
        let id = world.run(program, publish(topic, body));
        assert_eq!(world.kind(program, id), kind);
        let detail = text(&world, program, id);
        assert!(detail.contains(said) || detail.contains(topic), "{detail}");
    }
    assert_eq!(world.figures(program, "jobs"), (0, 0));
    assert!(all(&mut world, program, "log").is_empty());
    assert!(heard(&world, listener, live).is_empty());
    run(&mut world, program, keyed("compact", "k", "fits"));
    assert_eq!(all(&mut world, program, "compact"), ["0 0 fits"]);
}

#[test]
fn a_full_disk_refuses_what_is_bound_to_streams_only() {
    let mut world = World::new();
    let program = world.program();
    bound_stream(&mut world, program, "a", "log", plain(Durability::Os));
    bound_stream(&mut world, program, "a", "memory", plain(Durability::Memory));
    world.disk.is_full = true;
    let large = "x".repeat(40_000);
    let (mut stored, mut refused) = (0, None);
    while refused.is_none() && stored < 100 {
        let id = world.run(program, publish("a", &large));
        refused = world.outcome(program, id).err();
        stored += u64::from(refused.is_none());
    }
    assert_eq!(refused.map(|error| error.kind()), Some(Kind::NoSpace));
    for stream in ["log", "memory"] {
        assert_eq!(info(&mut world, program, stream).partitions[0].next, stored);
    }
    let id = world.run(program, bind_stream("b", "log"));
    assert_eq!(world.kind(program, id), Kind::NoSpace);
}

#[test]
fn one_publish_appends_no_more_than_fits_in_a_record() {
    let mut world = World::new();
    let program = world.program();
    for number in 0..5 {
        let stream = format!("s{number}");
        bound_stream(&mut world, program, "a", &stream, plain(Durability::Os));
    }
    let body = "x".repeat(7 * 1024 * 1024);
    let id = world.run(program, publish("a", &body));
    assert_eq!(world.kind(program, id), Kind::TooLarge);
    run(&mut world, program, unbind_stream("a", "s4"));
    run(&mut world, program, publish("a", &body));
    for number in 0..5 {
        let figures = info(&mut world, program, &format!("s{number}"));
        assert_eq!(figures.partitions[0].next, u64::from(number < 4));
    }
}

#[test]
fn a_message_is_read_from_a_record_that_holds_both_a_copy_and_records() {
    let sizes = Sizes { resident_max: 1, ..Sizes::default() };
    let mut world = World::with_sizes(sizes);
    let program = world.program();
    bound_stream(&mut world, program, "a", "log", plain(Durability::Os));
    bound(&mut world, program, "a", "jobs", on(Durability::Os));
    for number in 0..10 {
        run(&mut world, program, publish("a", &number.to_string()));
    }
    world.change_host();
    world.pass(50);
    let id = world.run(program, receive("jobs"));
    let (token, body, _) = world.deliveries(program, id)[0].clone();
    assert_eq!(body, b"0");
    run(&mut world, program, settle(token, Verdict::Acknowledge));
    assert_eq!(drain(&mut world, program, "jobs").len(), 9);
    assert_eq!(all(&mut world, program, "log").len(), 10);
}

#[test]
fn the_records_of_bindings_to_streams_have_the_bytes_that_they_always_had() {
    let mut world = World::new();
    let program = world.program();
    bound_stream(&mut world, program, "a.*", "log", plain(Durability::Disk));
    run(&mut world, program, bind_stream("**", "log"));
    run(&mut world, program, unbind_stream("**", "log"));
    run(&mut world, program, publish("a.b", "x"));
    bound(&mut world, program, "a.*", "jobs", on(Durability::Disk));
    run(&mut world, program, keyed("a.c", "k", "y"));
    let parts = vec![Part::Publish { topic: name("a.d"), message: Message::new("z") }];
    world.run(program, Command::Batch { parts });
    world.hand_over();
    is_golden(&world, 1, "bound_streams.txt");
}
