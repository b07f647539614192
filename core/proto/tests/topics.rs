//! Topics: who gets what is published, what becomes of a slow subscriber, and of a broken
//! connection.

mod support;

use support::*;
use telpher_proto::base::limits;
use telpher_proto::base::{Command, Id, Kind, Message, Outcome, Pattern, Untaken, What};

fn publish(topic: &str, body: &str) -> Command {
    Command::Publish { topic: name(topic), message: Message::new(body.as_bytes().to_vec()) }
}

fn subscribe(pattern: &str, buffer: u32) -> Command {
    let pattern = Pattern::parse(pattern).unwrap();
    Command::Subscribe { pattern, buffer, instance_name: None }
}

/// What a subscriber has heard: `topic number body`, or `gap first last`.
fn heard(world: &World, program: usize, subscriber: Id) -> Vec<String> {
    let events = world.programs[program].events.iter().filter(|event| event.id == subscriber);
    let heard = events.filter_map(|event| match &event.what {
        What::Published(published) => {
            let body = String::from_utf8_lossy(&published.message.body).into_owned();
            Some(format!("{} {} {body}", published.topic, published.number))
        }
        What::Gap { first, last } => Some(format!("gap {first} {last}")),
        _ => None,
    });
    heard.collect()
}

/// The program takes so many messages of a subscriber, the first that it has not taken.
fn take(world: &mut World, program: usize, subscriber: Id, count: usize) {
    let events = world.programs[program].events.iter().filter(|event| event.id == subscriber);
    let published = events.filter_map(|event| match &event.what {
        What::Published(published) => Some(published.untaken()),
        _ => None,
    });
    let before = world.programs[program].taken;
    let mut taken = Untaken::default();
    published.skip(before).take(count).for_each(|one| taken.add(one));
    assert_eq!(taken.count as usize, count, "as many have come");
    world.programs[program].taken += count;
    world.programs[program].client.taken(world.now, subscriber, taken);
    world.settle();
}

fn done(world: &World, program: usize, id: Id) {
    assert!(matches!(world.outcome(program, id), Ok(Outcome::Empty)));
}

#[test]
fn whoever_is_subscribed_to_a_matching_topic_gets_a_copy() {
    let mut world = World::in_memory();
    let (publisher, one, other) = (world.program(), world.program(), world.program());
    let all = world.run(one, subscribe("orders.**", 10));
    let eu = world.run(one, subscribe("orders.eu.*", 10));
    let exact = world.run(other, subscribe("orders.eu.new", 10));
    for topic in ["orders", "orders.eu.new", "orders.us.new", "others"] {
        let id = world.run(publisher, publish(topic, "x"));
        done(&world, publisher, id);
    }
    assert_eq!(heard(&world, one, all), ["orders 1 x", "orders.eu.new 2 x", "orders.us.new 3 x"]);
    assert_eq!(heard(&world, one, eu), ["orders.eu.new 1 x"]);
    assert_eq!(heard(&world, other, exact), ["orders.eu.new 1 x"]);
}

#[test]
fn what_is_published_after_a_subscriber_has_started_arrives_and_nothing_after_it_has_ended() {
    let mut world = World::in_memory();
    let (publisher, subscriber) = (world.program(), world.program());
    world.run(publisher, publish("news", "before"));
    let id = world.run(subscriber, subscribe("news", 10));
    assert!(
        world.programs[subscriber]
            .events
            .iter()
            .any(|event| { event.id == id && matches!(event.what, What::Started) })
    );
    world.run(publisher, publish("news", "during"));
    world.programs[subscriber].client.detach(world.now, id);
    world.settle();
    let late = world.run(publisher, publish("news", "after"));
    done(&world, publisher, late);
    assert_eq!(heard(&world, subscriber, id), ["news 1 during"]);
}

#[test]
fn a_slow_subscriber_loses_its_oldest_hears_which_and_slows_nobody() {
    let mut world = World::in_memory();
    let (publisher, slow, quick) = (world.program(), world.program(), world.program());
    let behind = world.run(slow, subscribe("news", 3));
    let ahead = world.run(quick, subscribe("news", 20));
    for number in 1..=10 {
        let id = world.run(publisher, publish("news", &number.to_string()));
        done(&world, publisher, id);
    }
    assert_eq!(heard(&world, quick, ahead).len(), 10);
    // Three are on their way, three wait in the hub, and those between are lost.
    assert_eq!(heard(&world, slow, behind).len(), 3);
    take(&mut world, slow, behind, 3);
    assert_eq!(heard(&world, slow, behind)[3..], ["gap 4 7", "news 8 8", "news 9 9", "news 10 10"]);
}

#[test]
fn a_subscriber_that_takes_what_comes_loses_nothing() {
    let mut world = World::in_memory();
    let (publisher, subscriber) = (world.program(), world.program());
    let id = world.run(subscriber, subscribe("news", 2));
    for number in 1..=50 {
        world.run(publisher, publish("news", &number.to_string()));
        take(&mut world, subscriber, id, 1);
    }
    let heard = heard(&world, subscriber, id);
    assert_eq!(heard.len(), 50);
    assert_eq!(heard[49], "news 50 50");
}

#[test]
fn what_is_on_its_way_to_a_subscriber_and_what_waits_is_bounded_in_bytes_too() {
    let mut world = World::in_memory();
    let (publisher, slow) = (world.program(), world.program());
    let id = world.run(slow, subscribe("news", 10));
    let large = "x".repeat(4 * 1024 * 1024);
    for _ in 0..20 {
        world.run(publisher, publish("news", &large));
    }
    let fits = limits::SUBSCRIPTION_BYTES_MAX as usize / large.len();
    assert_eq!(heard(&world, slow, id).len(), fits, "on their way");
    take(&mut world, slow, id, 1);
    let next = &heard(&world, slow, id)[fits..];
    assert_eq!(next.len(), 2);
    assert_eq!(next[0], format!("gap {} {}", fits + 1, 20 - fits));
    take(&mut world, slow, id, fits);
    assert_eq!(heard(&world, slow, id).len(), 2 * fits + 1);
}

#[test]
fn after_a_broken_connection_a_subscriber_goes_on_and_knows_what_was_lost() {
    let mut world = World::in_memory();
    let (publisher, subscriber) = (world.program(), world.program());
    let id = world.run(subscriber, subscribe("news", 5));
    world.run(publisher, publish("news", "1"));
    world.programs[subscriber].deaf = true;
    world.run(publisher, publish("news", "2"));
    world.break_connection(subscriber);
    world.programs[subscriber].deaf = false;
    world.programs[subscriber].cut = true;
    for number in 3..=9 {
        world.run(publisher, publish("news", &number.to_string()));
    }
    world.programs[subscriber].cut = false;
    world.pass(100);
    // The second was on its way; five of the others waited, of which four fit beside the first.
    assert_eq!(
        heard(&world, subscriber, id),
        ["news 1 1", "gap 2 4", "news 5 5", "news 6 6", "news 7 7", "news 8 8"]
    );
    take(&mut world, subscriber, id, 5);
    assert_eq!(heard(&world, subscriber, id)[6..], ["news 9 9"]);
}

#[test]
fn a_subscriber_goes_on_at_the_next_host() {
    let mut world = World::new();
    let (publisher, subscriber) = (world.program(), world.program());
    let id = world.run(subscriber, subscribe("news.*", 5));
    world.run(publisher, publish("news.a", "before"));
    world.change_host();
    world.pass(50);
    world.run(publisher, publish("news.b", "after"));
    assert_eq!(heard(&world, subscriber, id), ["news.a 1 before", "news.b 2 after"]);
}

#[test]
fn a_message_whose_confirmation_was_lost_is_not_published_twice() {
    let mut world = World::in_memory();
    let (publisher, subscriber) = (world.program(), world.program());
    let id = world.run(subscriber, subscribe("news", 5));
    world.programs[publisher].deaf = true;
    let lost = world.run(publisher, publish("news", "once"));
    world.break_connection(publisher);
    world.programs[publisher].deaf = false;
    world.pass(100);
    done(&world, publisher, lost);
    assert_eq!(heard(&world, subscriber, id), ["news 1 once"]);
}

#[test]
fn nobody_knows_whether_an_earlier_host_has_published_a_message() {
    let mut world = World::new();
    let (publisher, subscriber) = (world.program(), world.program());
    let id = world.run(subscriber, subscribe("news", 5));
    world.programs[publisher].deaf = true;
    let lost = world.run(publisher, publish("news", "once"));
    world.programs[publisher].deaf = false;
    world.change_host();
    world.pass(100);
    let error = world.outcome(publisher, lost).unwrap_err();
    assert_eq!(error.kind(), Kind::Indeterminate);
    assert!(error.maybe_executed());
    let next = world.run(publisher, publish("news", "next"));
    done(&world, publisher, next);
    assert_eq!(heard(&world, subscriber, id), ["news 1 once", "news 2 next"]);
}

#[test]
fn a_topic_without_subscribers_takes_everything_and_a_wrong_name_nothing() {
    let mut world = World::in_memory();
    let program = world.program();
    let id = world.run(program, publish("nobody.listens", "x"));
    done(&world, program, id);
    let wrong = publish("a..b", "x").check().unwrap_err();
    assert_eq!(wrong.kind(), Kind::Invalid);
    let buffer = limits::SUBSCRIPTION_BUFFER_MAX + 1;
    assert_eq!(subscribe("a", buffer).check().unwrap_err().kind(), Kind::Invalid);
}

#[test]
fn any_number_of_topics_leaves_the_names_of_queues_alone() {
    let mut world = World::in_memory();
    let subscriber = world.program();
    let id = world.run(subscriber, subscribe("device.*.heat", 10));
    let each = limits::NAMES_PER_CONNECTION_MAX;
    for gateway in 0..=2 * limits::NAMES_PER_HUB_MAX / each {
        let publisher = world.program();
        for device in 0..each {
            world.start(publisher, publish(&format!("device.{gateway}.{device}"), "x"));
        }
        let last = world.run(publisher, publish("device.1.heat", "x"));
        done(&world, publisher, last);
    }
    assert_eq!(heard(&world, subscriber, id).len(), 10, "as many as its buffer has");
    let declared = world.run(subscriber, declare("jobs", Default::default()));
    done(&world, subscriber, declared);
}
