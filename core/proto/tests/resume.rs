//! What a connection that breaks at a bad moment must not do.

mod support;

use support::*;
use telpher_proto::base::record::Change;
use telpher_proto::base::{
    Command, Durability, Kind, Message, Outcome, QueueOptions, Reading, StreamOptions, Time,
    Verdict, What,
};
use telpher_proto::broker::{Broker, ChangeRef, Config, Effect, Linger, NameId, Opening};
use telpher_proto::broker::{Resumed, SessionKey};
use telpher_proto::client::{self, Client};

const NOW: Time = Time::from_nanos(1_000_000_000);

/// A broker with one session, whose sequences go on by themselves.
struct Bench {
    broker: Broker,
    session: SessionKey,
    name: NameId,
    sequence: u64,
}

/// The program holds nothing, and these are open.
fn still_open<const N: usize>(open: [u64; N]) -> Resumed {
    Resumed { open: open.into_iter().collect(), ..Resumed::default() }
}

impl Bench {
    fn new() -> Bench {
        Bench::with(broker_config())
    }

    fn with(config: Config) -> Bench {
        let mut broker = Broker::new(config, NOW);
        let session = broker.start_session(NOW, [1; 16], false, None).unwrap();
        let name = broker.open_name(&name("jobs")).unwrap();
        Bench { broker, session, name, sequence: 0 }
    }

    /// The change of this ticket and sequence, unless it has been dealt with.
    fn begin(&mut self, ticket: u64, sequence: u64) -> Option<ChangeRef> {
        let producer = self.broker.session_id(self.session).0;
        let change = Change { producer, sequence, oldest: 1 };
        self.broker.begin_change(self.session, ticket, change).unwrap()
    }

    fn change(&mut self, ticket: u64) -> ChangeRef {
        self.sequence += 1;
        self.begin(ticket, self.sequence).expect("a new sequence")
    }

    fn declare(&mut self, ticket: u64, length_max: u64) {
        let durability = Some(Durability::Memory);
        let options = QueueOptions { durability, length_max, ..QueueOptions::default() };
        let change = self.change(ticket);
        self.broker.declare(NOW, change, self.name, &options);
    }

    fn send(&mut self, ticket: u64) {
        let change = self.change(ticket);
        self.broker.send(NOW, change, self.name, None, &Message::new("a"));
    }

    /// Another session deletes the queue, and declares it anew with plenty of room.
    fn delete_and_declare(&mut self) {
        let (own, sequence) = (self.session, self.sequence);
        self.session = self.broker.start_session(NOW, [2; 16], false, None).unwrap();
        self.sequence = 0;
        let change = self.change(50);
        self.broker.delete(NOW, change, self.name);
        self.declare(51, 100);
        (self.session, self.sequence) = (own, sequence);
    }

    fn break_and_resume(&mut self) {
        self.broker.handle_unlinked(NOW, self.session, Linger::Grace);
        while self.broker.poll_effect().is_some() {}
        self.broker.resume(self.session, 0);
    }

    /// Whether a reader was told that it is live.
    fn is_told_live(&mut self, reader: u64) -> bool {
        let mut effects = std::iter::from_fn(|| self.broker.poll_effect());
        effects.any(|effect| matches!(effect, Effect::Reading { id, .. } if id == reader))
    }

    /// The kind of the error with which a ticket of the session has ended, if it was told one.
    fn told(&mut self, wanted: u64) -> Option<Kind> {
        let mut told = None;
        while let Some(effect) = self.broker.poll_effect() {
            match effect {
                Effect::Result { session, ticket, result: Err(error), .. }
                    if session == self.session && ticket == wanted =>
                {
                    told = Some(error.kind());
                }
                Effect::Ended { id, error, .. } if id == wanted => told = Some(error.kind()),
                _ => {}
            }
        }
        told
    }
}

#[test]
fn a_send_refused_after_the_program_set_out_to_repeat_it_is_not_stored_by_the_repeat() {
    let mut bench = Bench::new();
    bench.declare(2, 1);
    bench.send(3);
    bench.send(4);
    bench.break_and_resume();
    bench.broker.handle_resumed(NOW, bench.session, still_open([4]));
    bench.delete_and_declare();
    assert_eq!(bench.told(4), Some(Kind::NotFound));
    assert!(bench.begin(4, 3).is_none());
}

#[test]
fn a_send_refused_before_the_program_has_said_what_it_has_is_not_told_and_tried_anew() {
    let mut bench = Bench::new();
    bench.declare(2, 1);
    bench.send(3);
    bench.send(4);
    bench.break_and_resume();
    bench.delete_and_declare();
    assert_eq!(bench.told(4), None);
    bench.broker.handle_resumed(NOW, bench.session, still_open([4]));
    assert!(bench.begin(4, 3).is_some());
}

#[test]
fn a_consumer_that_ended_after_the_program_set_out_to_repeat_it_does_not_come_back_as_a_ghost() {
    let mut bench = Bench::new();
    bench.declare(2, 1);
    bench.broker.consume(NOW, bench.session, bench.name, (9, 5, 0)).unwrap();
    bench.break_and_resume();
    bench.broker.handle_resumed(NOW, bench.session, still_open([9]));
    bench.delete_and_declare();
    assert_eq!(bench.told(9), Some(Kind::NotFound));
    bench.broker.consume(NOW, bench.session, bench.name, (9, 5, 0)).unwrap();
    let Ok(Outcome::Queue(info)) = bench.broker.inspect(bench.name) else { panic!() };
    assert_eq!(info.consumers, 0);
}

#[test]
fn a_call_that_ends_while_its_caller_comes_back_is_not_run_again() {
    let mut world = World::new();
    let program = world.program();
    let service = world.run(program, serve("echo", 4, 4));
    let asked = world.run(program, call("echo", "hello"));
    let (token, _) = world.requests(program, service)[0].clone();
    world.break_connection(program);
    let answered = world.start(program, reply(token, "hello to you"));
    world.pass(50);
    assert_eq!(world.requests(program, service).len(), 1);
    assert_eq!(world.reply(program, asked), b"hello to you");
    assert!(world.outcome(program, answered).is_ok());
}

#[test]
fn a_request_is_withdrawn_once_although_the_handler_comes_back() {
    let mut world = World::new();
    let (caller, handler) = (world.program(), world.program());
    let service = world.run(handler, serve("echo", 1, 0));
    world.start_within(caller, call("echo", "hello"), Some(100));
    world.settle();
    let (token, _) = world.requests(handler, service)[0].clone();
    world.pass(150);
    assert_eq!(world.withdrawn(handler), [token]);
    world.break_connection(handler);
    world.pass(50);
    assert_eq!(world.withdrawn(handler), [token]);
}

#[test]
fn a_lost_request_that_nobody_waits_for_any_more_is_not_handed_out_and_frees_its_slot() {
    let mut world = World::new();
    let (caller, handler) = (world.program(), world.program());
    let service = world.run(handler, serve("echo", 1, 0));
    world.programs[handler].deaf = true;
    let lost = world.run(caller, call("echo", "lost"));
    world.programs[caller].client.cancel(world.now, lost);
    world.settle();
    world.break_connection(handler);
    world.programs[handler].deaf = false;
    world.pass(50);
    assert!(world.requests(handler, service).is_empty());
    world.run(caller, call("echo", "next"));
    let bodies: Vec<_> = world.requests(handler, service).into_iter().map(|(_, b)| b).collect();
    assert_eq!(bodies, [b"next".to_vec()]);
}

#[test]
fn the_ticket_of_an_answer_ends_in_time_and_the_answer_still_arrives() {
    let mut world = World::new();
    let (caller, handler) = (world.program(), world.program());
    let service = world.run(handler, serve("echo", 2, 0));
    let one = world.run(caller, call("echo", "one"));
    let two = world.run(caller, call("echo", "two"));
    let requests = world.requests(handler, service);
    world.break_connection(handler);
    world.programs[handler].cut = true;
    let late = world.start_within(handler, reply(requests[0].0, "1"), Some(20));
    let unwanted = world.start(handler, reply(requests[1].0, "2"));
    world.programs[handler].client.cancel(world.now, unwanted);
    world.pass(40);
    world.programs[handler].cut = false;
    world.settle();
    world.pass(40);
    assert_eq!(world.kind(handler, late), Kind::HostUnresponsive);
    assert_eq!(world.kind(handler, unwanted), Kind::Cancelled);
    assert!(world.outcome(handler, unwanted).unwrap_err().maybe_executed());
    assert_eq!(world.reply(caller, one), b"1");
    assert_eq!(world.reply(caller, two), b"2");
}

/// A queue, and a consumer of two whose tokens are in the opposite order of its messages.
fn crossed_tokens() -> (World, usize, usize, u64) {
    let mut world = World::new();
    let (producer, consumer) = (world.program(), world.program());
    world.run(producer, declare("jobs", QueueOptions::default()));
    let id = world.run(consumer, consume("jobs", 2));
    world.run(producer, send("jobs", "1"));
    world.run(producer, send("jobs", "2"));
    for (token, ..) in world.deliveries(consumer, id) {
        world.run(consumer, settle(token, Verdict::Acknowledge));
    }
    (world, producer, consumer, id)
}

#[test]
fn deliveries_that_were_lost_come_again_in_their_order_and_say_so() {
    let (mut world, producer, consumer, id) = crossed_tokens();
    world.programs[consumer].deaf = true;
    world.run(producer, send("jobs", "3"));
    world.run(producer, send("jobs", "4"));
    world.break_connection(consumer);
    world.programs[consumer].deaf = false;
    world.pass(50);
    let deliveries = world.deliveries(consumer, id);
    assert!(deliveries[2].0 > deliveries[3].0, "tokens follow slots");
    let bodies: Vec<_> = deliveries[2..].iter().map(|(_, body, _)| body.clone()).collect();
    assert_eq!(bodies, [b"3".to_vec(), b"4".to_vec()]);
    let events = world.programs[consumer].events.iter();
    let redelivered = events.filter_map(|event| match &event.what {
        What::Delivery(delivery) => Some(delivery.redelivered),
        _ => None,
    });
    assert_eq!(redelivered.collect::<Vec<_>>(), [false, false, true, true]);
}

#[test]
fn what_a_dead_program_held_goes_on_in_the_order_of_the_queue() {
    let (mut world, producer, consumer, _) = crossed_tokens();
    let other = world.program();
    world.run(producer, send("jobs", "3"));
    world.run(producer, send("jobs", "4"));
    let id = world.run(other, consume("jobs", 1));
    world.kill(consumer);
    assert_eq!(world.deliveries(other, id)[0].1, b"3");
}

#[test]
fn deleting_a_queue_counts_the_messages_that_wait_for_the_disk() {
    let mut world = World::new();
    let program = world.program();
    world.run(program, declare_on_disk("jobs", QueueOptions::default()));
    world.disk.no_sync = true;
    world.run(program, send("jobs", "a"));
    let deleted = world.run(program, Command::Delete { queue: name("jobs") });
    assert!(world.ended(program, deleted).is_none());
    world.disk.no_sync = false;
    world.settle();
    assert!(matches!(world.outcome(program, deleted), Ok(Outcome::Count(1))));
}

#[test]
fn what_was_started_before_opening_failed_was_certainly_not_done() {
    let config = client::Config {
        seed: 1,
        clock: CLOCK,
        backoff_ms: (1, 10),
        url: String::from("unix:///hub"),
    };
    let mut client = Client::new(config, NOW);
    client.open(NOW, 1, 0, Some(NOW.plus_ms(100)));
    client.start(NOW, 2, 0, call("echo", "hello"), Some(NOW.plus_ms(1_000)));
    client.handle_connected(NOW);
    client.handle_timeout(NOW.plus_ms(100));
    let ended = std::iter::from_fn(|| client.poll_event()).map(|event| match event.what {
        What::Done(Err(error)) => (event.id, error.kind(), error.maybe_executed()),
        other => panic!("{other:?}"),
    });
    let ended: Vec<_> = ended.collect();
    assert_eq!(ended, [(1, Kind::HostUnresponsive, true), (2, Kind::NoHost, false)]);
}

#[test]
fn a_local_session_that_resumed_lasts_as_long_as_its_process_though_nothing_more_was_said() {
    let mut world = World::new();
    let (program, other) = (world.program(), world.program());
    world.run(program, declare("jobs", QueueOptions::default()));
    world.run(program, send("jobs", "a"));
    world.run(program, receive("jobs"));
    assert_eq!(world.figures(other, "jobs"), (0, 1));
    world.break_local_connection(program);
    // It greets the hub, and never hears the answer.
    world.programs[program].deaf = true;
    world.pass(50);
    world.break_local_connection(program);
    world.programs[program].cut = true;
    world.pass(60_000);
    assert_eq!(world.figures(other, "jobs"), (0, 1));
}

#[test]
fn a_receive_that_is_served_while_others_are_offered_is_not_offered_again() {
    let mut bench = Bench::new();
    let dead = bench.broker.open_name(&name("jobs.dead")).unwrap();
    let options = QueueOptions { durability: Some(Durability::Memory), ..Default::default() };
    let change = bench.change(1);
    bench.broker.declare(NOW, change, dead, &options);
    let change = bench.change(2);
    bench.broker.declare(NOW, change, bench.name, &QueueOptions { ttl_ms: 100, ..options });
    bench.broker.receive(NOW, bench.session, 60, bench.name, None);
    bench.broker.receive(NOW, bench.session, 61, dead, None);
    let waiting = bench.session;
    bench.broker.handle_unlinked(NOW, waiting, Linger::Grace);
    bench.session = bench.broker.start_session(NOW, [2; 16], false, None).unwrap();
    bench.sequence = 0;
    bench.send(3);
    // The message has died by then, and is taken from the other queue.
    let later = NOW.plus_ms(200);
    bench.broker.resume(waiting, 0);
    bench.broker.handle_resumed(later, waiting, still_open([60, 61]));
    bench.broker.after_input(later);
    let effects = std::iter::from_fn(|| bench.broker.poll_effect());
    let taken = effects.filter_map(|effect| match effect {
        Effect::Deliver { id, .. } => Some(id),
        _ => None,
    });
    assert_eq!(taken.collect::<Vec<_>>(), [61]);
}

#[test]
fn a_session_that_resumes_is_handed_nothing_before_it_is_written_who_has_it() {
    let mut world = World::new();
    let program = world.program();
    let durability = Some(Durability::Os);
    let options = QueueOptions { durability, ..QueueOptions::default() };
    world.run(program, declare_on_disk("jobs", options));
    world.run(program, send("jobs", "a"));
    world.disk.is_paused = true;
    let id = world.run(program, consume("jobs", 5));
    world.break_connection(program);
    world.pass(50);
    assert!(world.deliveries(program, id).is_empty());
    world.disk.is_paused = false;
    world.settle();
    assert_eq!(world.deliveries(program, id).len(), 1);
}

#[test]
fn a_member_of_a_group_is_not_live_on_a_new_connection_before_its_program_has_said_where_it_is() {
    let mut bench = Bench::with(Config { directory: true, ..broker_config() });
    let (session, stream) = (bench.session, bench.name);
    let change = bench.change(2);
    bench.broker.declare_stream(NOW, change, stream, &StreamOptions::default());
    let reading = Reading { group: Some(name("billing")), ..Reading::default() };
    let opening = Opening { id: 7, reading, stream: 0, cursors: Vec::new(), held: 0 };
    // It waits for the disk, which is done when the program has another connection.
    bench.broker.read(NOW, session, stream, opening.clone()).unwrap();
    bench.break_and_resume();
    bench.broker.handle_resumed(NOW, session, still_open([7]));
    bench.broker.handle_log(NOW, u64::MAX, u64::MAX);
    assert!(!bench.is_told_live(7), "what it has of the records is not known yet");
    bench.broker.read(NOW, session, stream, opening).unwrap();
    assert!(bench.is_told_live(7));
}
