//! Peers that send garbage: they are told why and cut off, and everything else goes on.

#[path = "support/samples.rs"]
mod samples;
mod support;

use support::*;
use telpher_proto::base::random::Random;
use telpher_proto::base::{
    Durability, GatherTo, Gathering, Kind, Message, Name, Pattern, QueueOptions, Subscribing,
    Untaken, limits,
};
use telpher_proto::hub::{Effect, Linger, Peer, PortId};
use telpher_proto::wire::{
    Change, Clock, Frame, HeldKind, Hello, Inbox, NameRef, Outbox, Publishing, decode,
};

fn encode(frame: &Frame, world: &World) -> Vec<u8> {
    let mut outbox = Outbox::default();
    outbox.push(frame, Clock { shared: false, now: world.now });
    let mut slices = [std::io::IoSlice::new(&[])];
    outbox.slices(&mut slices);
    slices[0].to_vec()
}

fn greeting(world: &World) -> Vec<u8> {
    encode(&Frame::Hello(Box::new(samples::hello())), world)
}

/// The id of the first session of a hub in memory.
const FIRST_SESSION: u64 = (1 << 32) + 1;

fn subscribe(id: u64, pattern: Pattern, buffer: u32, received: u64) -> Frame {
    let (held, instance_name) = (Untaken::default(), None);
    let subscribing = Subscribing { pattern, buffer, held, received, instance_name };
    Frame::Subscribe { id, subscribing }
}

fn publish(producer: u64, sequence: u64, topic: &str, message: Message) -> Frame {
    let publishing = Publishing { topic: name(topic), deadline: None, message, again: false };
    let change = Change { producer, sequence, oldest: 1 };
    Frame::Publish { ticket: sequence, change, publishing }
}

/// What the hub has said since the last time, and whether it has closed the connection.
fn said(world: &mut World, port: PortId) -> (Vec<Frame>, bool) {
    let mut closed = false;
    while let Some(effect) = world.hub.poll_effect() {
        closed |= effect == Effect::Close(port);
    }
    let mut inbox = Inbox::default();
    let outbox = world.hub.outbox(port);
    while !outbox.is_empty() {
        let mut slices = [std::io::IoSlice::new(&[])];
        outbox.slices(&mut slices);
        let part = slices[0].to_vec();
        outbox.advance(part.len());
        inbox.buffer().extend_from_slice(&part);
    }
    let clock = Clock { shared: false, now: world.now };
    let mut frames = inbox.take(limits::FRAME_SIZE_MAX).unwrap();
    let mut said = Vec::new();
    while let Some(whole) = frames.next() {
        said.push(decode(whole, clock).unwrap());
    }
    (said, closed)
}

/// What the hub has said last, if it has closed the connection.
fn farewell(world: &mut World, port: PortId) -> Option<String> {
    let (mut said, closed) = said(world, port);
    match (closed, said.pop()) {
        (true, Some(Frame::Bye { error })) => {
            assert_eq!(error.kind(), Kind::Protocol);
            Some(error.detail().to_owned())
        }
        (true, other) => panic!("closed without a reason: {other:?}"),
        (false, _) => None,
    }
}

fn feed(world: &mut World, port: PortId, bytes: &[u8]) {
    world.hub.inbox(port).extend_from_slice(bytes);
    take_in(&mut world.hub, world.now, port);
}

fn stranger(world: &mut World) -> PortId {
    world.hub.connect(world.now, Peer::Remote, [1; 16])
}

#[test]
fn garbage_a_length_of_4_gib_and_operations_before_the_greeting_are_refused_with_a_reason() {
    let mut world = World::new();
    let call = encode(
        &samples::samples().into_iter().find(|(name, _)| *name == "call").unwrap().1,
        &world,
    );
    for (bytes, reason) in [
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "states"),
        (vec![0xff; 16], "4294967295"),
        (vec![0; 16], "states 0 bytes"),
        (call, "out of order"),
    ] {
        let port = stranger(&mut world);
        feed(&mut world, port, &bytes);
        let said = farewell(&mut world, port).expect("it was cut off");
        assert!(said.contains(reason), "{said}");
        world.hub.handle_disconnected(world.now, port, Linger::Grace);
    }
}

#[test]
fn half_a_greeting_is_cut_off_in_time_and_so_is_a_byte_a_second() {
    let mut world = World::new();
    let half = stranger(&mut world);
    let whole = greeting(&world);
    feed(&mut world, half, &whole[..40]);
    let trickle = stranger(&mut world);
    for byte in &whole[..5] {
        feed(&mut world, trickle, &[*byte]);
        assert_eq!(farewell(&mut world, trickle), None);
        world.now = world.now.plus_ms(1_000);
        world.hub.handle_timeout(world.now);
    }
    for port in [half, trickle] {
        let mut slices = [std::io::IoSlice::new(&[])];
        assert_eq!(world.hub.outbox(port).slices(&mut slices), 1);
        assert!(String::from_utf8_lossy(&slices[0]).contains("no greeting came within 5000 ms"));
    }
}

#[test]
fn a_frame_that_never_ends_is_cut_off_in_time() {
    let mut world = World::new();
    let port = stranger(&mut world);
    let bytes = greeting(&world);
    feed(&mut world, port, &bytes);
    world.settle();
    assert_eq!(farewell(&mut world, port), None);
    feed(&mut world, port, &[0xff, 0xff, 0, 0, 4]);
    for _ in 0..29 {
        world.now = world.now.plus_ms(1_000);
        feed(&mut world, port, &[0]);
        world.hub.handle_timeout(world.now);
        assert_eq!(farewell(&mut world, port), None);
    }
    world.now = world.now.plus_ms(1_000);
    world.hub.handle_timeout(world.now);
    assert!(farewell(&mut world, port).is_some());
}

#[test]
fn a_program_may_hold_any_number_of_messages_that_were_taken_back_from_it() {
    let mut world = World::in_memory();
    let port = stranger(&mut world);
    let bytes = greeting(&world);
    feed(&mut world, port, &bytes);
    let Some(Frame::Welcome(welcome)) = said(&mut world, port).0.pop() else {
        panic!("no greeting")
    };
    world.hub.handle_disconnected(world.now, port, Linger::Grace);

    let (session_id, token, hub_id) = (welcome.session_id, welcome.token, welcome.hub_id);
    let hello = Hello { session_id, token, hub_id, epoch: welcome.epoch, ..samples::hello() };
    let port = world.hub.connect(world.now, Peer::Remote, [2; 16]);
    let bytes = encode(&Frame::Hello(Box::new(hello)), &world);
    feed(&mut world, port, &bytes);
    let (said, _) = said(&mut world, port);
    assert!(matches!(&said[..], [Frame::Welcome(new)] if new.resumed));
    for chunk in 0..200 {
        for what in [HeldKind::Deliveries, HeldKind::Requests] {
            let tokens = (chunk * 8_192..(chunk + 1) * 8_192).collect();
            let bytes = encode(&Frame::Held { last: false, what, tokens }, &world);
            feed(&mut world, port, &bytes);
        }
        assert_eq!(farewell(&mut world, port), None);
    }
    let last = Frame::Held { last: true, what: HeldKind::Open, tokens: Vec::new() };
    let bytes = encode(&last, &world);
    feed(&mut world, port, &bytes);
    assert_eq!(farewell(&mut world, port), None);
}

#[test]
fn no_noise_harms_the_hub_or_its_other_programs() {
    let mut world = World::new();
    let (server, caller) = (world.program(), world.program());
    let service = world.run(server, serve("work", 1, 10));
    let mut random = Random::new(7);
    let samples = samples::samples();
    for round in 0..2_000 {
        let port = stranger(&mut world);
        let mut bytes = if random.below(4) == 0 { Vec::new() } else { greeting(&world) };
        for _ in 0..random.below(6) {
            let (_, frame) = &samples[random.below(samples.len() as u64) as usize];
            bytes.extend(encode(frame, &world));
        }
        for _ in 0..random.below(4) {
            if !bytes.is_empty() {
                let at = random.below(bytes.len() as u64) as usize;
                bytes[at] ^= 1 << random.below(8);
            }
        }
        for part in bytes.chunks(1 + random.below(64) as usize) {
            feed(&mut world, port, part);
        }
        while world.hub.poll_effect().is_some() {}
        world.hub.handle_disconnected(world.now, port, Linger::Grace);
        if round % 100 == 0 {
            let ticket = world.run(caller, call("work", "still there?"));
            let (token, _) = world.requests(server, service).last().unwrap().clone();
            world.run(server, reply(token, "yes"));
            assert_eq!(world.reply(caller, ticket), b"yes");
        }
    }
    world.pass(6_000);
}

#[test]
fn queue_options_out_of_bounds_are_refused_whoever_states_them() {
    let most = limits::DELAY_MAX_MS;
    let plain = || on(Durability::Memory);
    let dead = Some(name("jobs"));
    let cases = [
        ("bytes_max", QueueOptions { bytes_max: limits::HUB_BYTES_MAX + 1, ..plain() }),
        ("max_attempts", QueueOptions { max_attempts: limits::ATTEMPTS_MAX + 1, ..plain() }),
        ("backoff_min_ms", QueueOptions { backoff_min_ms: most + 1, ..plain() }),
        ("backoff_max_ms", QueueOptions { backoff_max_ms: u64::MAX, ..plain() }),
        ("less than", QueueOptions { backoff_min_ms: 2, backoff_max_ms: 1, ..plain() }),
        ("ack_deadline_ms", QueueOptions { ack_deadline_ms: most + 1, ..plain() }),
        ("ttl_ms", QueueOptions { ttl_ms: limits::TIMEOUT_MAX_MS + 1, ..plain() }),
        ("its own dead-letter queue", QueueOptions { dead_letter: dead, ..plain() }),
    ];
    let mut world = World::in_memory();
    let port = stranger(&mut world);
    let greeting = greeting(&world);
    feed(&mut world, port, &greeting);
    let producer = match &said(&mut world, port).0[..] {
        [Frame::Welcome(welcome)] => welcome.session_id,
        other => panic!("no welcome but {other:?}"),
    };
    let queue = NameRef { number: 0, generation: 0 };
    let mut frames = encode(&Frame::Open { name_ref: queue, name: name("jobs") }, &world);
    for (sequence, (_, options)) in (1..).zip(&cases) {
        let change = Change { producer, sequence, oldest: sequence };
        let options = Box::new(options.clone());
        let declare = Frame::Declare { ticket: sequence, change, name: queue, options };
        frames.extend(encode(&declare, &world));
    }
    frames.extend(encode(&Frame::Inspect { ticket: 99, name: queue }, &world));
    feed(&mut world, port, &frames);
    let (mut answers, closed) = said(&mut world, port);
    assert!(!closed);
    let Some(Frame::Failed { id: 99, error, .. }) = answers.pop() else { panic!("it was made") };
    assert_eq!(error.kind(), Kind::NotFound);
    assert_eq!(answers.len(), cases.len());
    for (answer, (what, _)) in answers.iter().zip(&cases) {
        let Frame::Failed { error, .. } = answer else { panic!("{what}: {answer:?}") };
        assert_eq!(error.kind(), Kind::Invalid, "{what}");
        assert!(error.detail().contains(what), "{what}: {error}");
    }
}

#[test]
fn a_topic_with_an_empty_segment_and_a_buffer_out_of_bounds_are_refused_whoever_states_them() {
    let mut world = World::in_memory();
    let port = stranger(&mut world);
    let mut frames = greeting(&world);
    let pattern = Pattern::parse("a.*").unwrap();
    for frame in [
        publish(FIRST_SESSION, 7, "a..b", Message::new("x")),
        subscribe(8, pattern, 0, 0),
        Frame::Taken { id: 9, taken: Untaken { count: 1, bytes: 1 } },
    ] {
        frames.extend(encode(&frame, &world));
    }
    feed(&mut world, port, &frames);
    let (said, closed) = said(&mut world, port);
    assert!(!closed);
    let [
        Frame::Welcome(_),
        Frame::Failed { id: 7, error: wrong, .. },
        Frame::Failed { id: 8, error, .. },
    ] = &said[..]
    else {
        panic!("{said:?}")
    };
    assert_eq!((wrong.kind(), error.kind()), (Kind::Invalid, Kind::Invalid));
    assert!(error.detail().contains("buffer is 0"), "{error}");
}

#[test]
fn many_subscriptions_of_one_program_take_no_more_memory_than_its_connection_may() {
    const COUNT: u64 = 64;
    let mut world = World::in_memory();
    let port = stranger(&mut world);
    let mut frames = greeting(&world);
    for id in 1..=COUNT {
        let pattern = Pattern::parse("**").unwrap();
        frames.extend(encode(&subscribe(id, pattern, 9, 0), &world));
    }
    feed(&mut world, port, &frames);
    said(&mut world, port);
    let publisher = world.hub.connect(world.now, Peer::Remote, [2; 16]);
    let message = Message::new(vec![0; 1024 * 1024]);
    let mut frames = greeting(&world);
    let published = publish(FIRST_SESSION + 1, 1, "news", message);
    frames.extend(encode(&published, &world));
    feed(&mut world, publisher, &frames);
    let (mut heard, mut rounds) = (0, 0);
    while heard < COUNT {
        let waiting = world.hub.outbox(port).len();
        assert!(waiting <= limits::OUTBOX_SIZE_MAX + 2 * 1024 * 1024, "{waiting} bytes");
        let (frames, closed) = said(&mut world, port);
        assert!(!closed);
        let of_each = frames.iter().map(|frame| match frame {
            Frame::Published(published) => published.to.len() as u64,
            _ => 0,
        });
        heard += of_each.sum::<u64>();
        world.hub.handle_written(world.now, port);
        rounds += 1;
        assert!(rounds <= COUNT, "the rest never comes");
    }
}

#[test]
fn what_waited_for_a_slow_session_comes_to_each_of_its_subscriptions_in_order_and_once_for_all() {
    const COUNT: u64 = 40;
    let mut world = World::in_memory();
    let port = stranger(&mut world);
    let mut frames = greeting(&world);
    for id in 1..=3 {
        let pattern = Pattern::parse("news").unwrap();
        frames.extend(encode(&subscribe(id, pattern, 100, 0), &world));
    }
    feed(&mut world, port, &frames);
    said(&mut world, port);
    let publisher = world.hub.connect(world.now, Peer::Remote, [2; 16]);
    let mut frames = greeting(&world);
    for at in 1..=COUNT {
        let message = Message::new(vec![at as u8; 256 * 1024]);
        frames.extend(encode(&publish(FIRST_SESSION + 1, at, "news", message), &world));
    }
    feed(&mut world, publisher, &frames);
    let mut heard = Vec::new();
    while heard.len() < COUNT as usize {
        let waiting = world.hub.outbox(port).len();
        assert!(0 < waiting && waiting <= limits::OUTBOX_SIZE_MAX + 1024 * 1024, "{waiting} bytes");
        for frame in said(&mut world, port).0 {
            let Frame::Published(published) = frame else { continue };
            let each = (0..published.to.len()).map(|at| published.to.get(at));
            let each: Vec<_> = each.map(|to| (to.id, to.number)).collect();
            heard.push((published.message.body[0], each));
        }
        world.hub.handle_written(world.now, port);
    }
    let wanted = (1..=COUNT).map(|at| (at as u8, vec![(1, at), (2, at), (3, at)]));
    assert_eq!(heard, wanted.collect::<Vec<_>>());
}

#[test]
fn a_subscriber_that_says_it_has_heard_of_the_last_number_harms_nobody() {
    let mut world = World::in_memory();
    let port = stranger(&mut world);
    let mut frames = greeting(&world);
    let pattern = Pattern::parse("a").unwrap();
    let message = || Message::new("x");
    for frame in [
        subscribe(1, pattern, 1, u64::MAX),
        Frame::Taken { id: 1, taken: Untaken { count: u32::MAX, bytes: u64::MAX } },
        publish(FIRST_SESSION, 2, "a", message()),
        publish(FIRST_SESSION, 3, "a", message()),
    ] {
        frames.extend(encode(&frame, &world));
    }
    feed(&mut world, port, &frames);
    let (said, closed) = said(&mut world, port);
    assert!(!closed);
    let last = said.last();
    assert!(
        matches!(last, Some(Frame::Confirmed(done)) if (done.first, done.count) == (2, 2)),
        "{said:?}"
    );
}

#[test]
fn an_instance_that_registers_again_under_another_name_keeps_its_first_one() {
    let mut world = World::in_memory();
    let port = stranger(&mut world);
    let mut frames = greeting(&world);
    let name_ref = NameRef { number: 0, generation: 1 };
    let open = Frame::Open { name_ref, name: name("prices") };
    frames.extend(encode(&open, &world));
    for text in ["first", "second"] {
        let instance_name = Some(name(text));
        let serve =
            Frame::Serve { id: 1, name: name_ref, concurrency: 1, line_max: 1, instance_name };
        frames.extend(encode(&serve, &world));
    }
    let (to, deadline) = (GatherTo::Service(name("prices")), Some(world.now.plus_ms(50)));
    let gathering = Gathering { to, count: 0, taken: 0, deadline, message: Message::new("?") };
    frames.extend(encode(&Frame::Gather { ticket: 2, gathering }, &world));
    feed(&mut world, port, &frames);
    world.now = world.now.plus_ms(60);
    world.hub.handle_timeout(world.now);
    world.hub.flush(world.now);
    let (said, closed) = said(&mut world, port);
    let Some(Frame::Gathered { gathered, .. }) = said.last() else { panic!("{said:?}") };
    let names: Vec<Option<Name>> =
        gathered.missing.iter().map(|one| one.instance_name.clone()).collect();
    assert_eq!((names, closed), (vec![Some(name("first"))], false));
}

#[test]
fn an_instance_whose_name_is_none_ends_the_connection_with_the_reason() {
    let mut world = World::in_memory();
    let port = stranger(&mut world);
    let serve = Frame::Serve {
        id: 1,
        name: NameRef { number: 0, generation: 1 },
        concurrency: 1,
        line_max: 1,
        instance_name: Some(name("berlin-1")),
    };
    let mut bad = encode(&serve, &world);
    let at = bad.len() - 2;
    bad[at] = b'/';
    let frames = [greeting(&world), bad].concat();
    feed(&mut world, port, &frames);
    let (said, closed) = said(&mut world, port);
    let Some(Frame::Bye { error }) = said.last() else { panic!("{said:?}") };
    assert!(closed && error.kind() == Kind::Protocol && error.detail().contains("berlin/1"));
}
