//! Publishing and subscribing, however a handle is driven.

mod support;

use std::time::Duration;

use support::*;
use telpher::*;

fn buffer(buffer: u32) -> SubscribeOptions {
    SubscribeOptions { buffer, instance_name: None }
}

const DRIVES: [Drive; 3] = [Drive::Library, Drive::Caller, Drive::Inline];

#[test]
fn what_is_published_reaches_who_is_subscribed_whoever_drives() {
    for drive in DRIVES {
        let hub = reach(&format!("mem://{}", unique("topics")), drive);
        let all = hub.subscribe("orders.**").unwrap();
        let new = hub.subscribe("orders.*.new").unwrap();
        hub.topic("orders.eu.new").unwrap().publish("first").unwrap();
        hub.topic("orders.eu.paid").unwrap().publish("second").unwrap();
        hub.topic("others").unwrap().publish("third").unwrap();
        let first = new.receive(PATIENCE).unwrap().unwrap();
        assert_eq!((first.topic.as_str(), first.number, first.lost), ("orders.eu.new", 1, 0));
        assert_eq!(&first.message.body[..], b"first");
        assert!(new.receive(Duration::ZERO).unwrap().is_none(), "{drive:?}");
        let bodies = [0, 1].map(|_| all.receive(PATIENCE).unwrap().unwrap().message.body);
        assert_eq!(bodies, [&b"first"[..], b"second"]);
        drop(all);
        hub.topic("orders.x").unwrap().publish("nobody listens").unwrap();
    }
}

#[test]
fn a_subscriber_in_another_process_or_host_gets_as_much_as_it_takes() {
    let scratch = Scratch::new();
    for drive in DRIVES.into_iter().filter(|drive| *drive != Drive::Inline) {
        let hub = reach(&scratch.url(), Drive::Library);
        let other = reach(&scratch.url(), drive);
        let subscriber = other.subscribe_with("numbers", buffer(4)).unwrap();
        let topic = hub.topic("numbers").unwrap();
        for number in 0..100 {
            topic.publish(number.to_string()).unwrap();
            let next = subscriber.receive(PATIENCE).unwrap().unwrap();
            assert_eq!((next.number, next.lost), (number + 1, 0), "{drive:?}");
        }
    }
}

#[test]
fn who_takes_nothing_for_a_while_is_told_how_much_it_has_lost() {
    for drive in DRIVES {
        let hub = reach(&format!("mem://{}", unique("slow")), drive);
        let subscriber = hub.subscribe_with("numbers", buffer(4)).unwrap();
        let topic = hub.topic("numbers").unwrap();
        for number in 1..=100 {
            topic.publish(number.to_string()).unwrap();
        }
        let (mut numbers, mut lost) = (Vec::new(), 0);
        while numbers.last() != Some(&100) {
            let next = subscriber.receive(PATIENCE).unwrap().unwrap();
            lost += next.lost;
            assert_eq!(next.number, numbers.len() as u64 + lost + 1, "{drive:?}");
            numbers.push(next.number);
        }
        assert_eq!(numbers, [1, 2, 3, 4, 97, 98, 99, 100], "{drive:?}");
        assert_eq!(lost, 92);
    }
}

#[test]
fn wrong_names_and_bounds_are_refused_with_the_value() {
    let hub = telpher::open(&format!("mem://{}", unique("wrong"))).unwrap();
    assert_eq!(kind(hub.topic("a..b").map(drop)), Kind::Invalid);
    let wrong = hub.subscribe("a.b*").unwrap_err();
    assert!(wrong.detail().contains("b*"), "{wrong}");
    let none = hub.subscribe_with("a", buffer(0)).unwrap_err();
    assert!(none.detail().contains("buffer is 0; allowed are 1 to 65536"), "{none}");
}

#[test]
fn what_is_published_is_read_from_a_stream_that_was_bound_before() {
    let scratch = Scratch::new();
    let hub = reach(&scratch.url(), Drive::Library);
    let log = hub.stream("log").unwrap();
    assert_eq!(log.bind("orders.**").unwrap_err().kind(), Kind::NotFound);
    log.declare(StreamOptions::default()).unwrap();
    assert_eq!(log.bind("orders.a*").unwrap_err().kind(), Kind::Invalid);
    log.bind("orders.**").unwrap();
    log.bind("*.new").unwrap();
    hub.topic("orders.new").unwrap().publish("first").unwrap();
    hub.close(PATIENCE).unwrap();
    let bindings = vec![Pattern::parse("*.new").unwrap(), Pattern::parse("orders.**").unwrap()];
    let (_, offline) = offline::streams(&scratch.hub()).unwrap().remove(0);
    assert_eq!(offline.bindings, bindings);
    let hub = reach(&scratch.url(), Drive::Library);
    let log = hub.stream("log").unwrap();
    assert_eq!(log.inspect().unwrap().bindings, bindings);
    log.unbind("*.new").unwrap();
    assert_eq!(log.unbind("*.new").unwrap_err().kind(), Kind::NotFound);
    hub.topic("others.new").unwrap().publish("nowhere").unwrap();
    hub.topic("orders.paid").unwrap().publish("second").unwrap();
    let records: Result<Vec<_>, _> = log.read(Reading::default()).unwrap().iter().collect();
    let bodies: Vec<_> = records.unwrap().into_iter().map(|record| record.message.body).collect();
    assert_eq!(bodies, ["first", "second"]);
}

/// Publishers of these topics wait.
fn declare_waiting(hub: &Hub, pattern: &str, line_max: u32) {
    let options = TopicOptions { overflow: TopicOverflow::Wait, line_max };
    hub.topics(pattern).unwrap().declare(options).unwrap();
}

fn waiting(hub: &Hub, pattern: &str) -> u64 {
    hub.topics(pattern).unwrap().inspect().unwrap().waiting
}

#[test]
fn publishers_wait_for_who_takes_nothing_and_nothing_is_lost() {
    for drive in DRIVES {
        let hub = reach(&format!("mem://{}", unique("waiting")), drive);
        declare_waiting(&hub, "numbers", 0);
        let subscriber = hub.subscribe_with("numbers", buffer(4)).unwrap();
        let topic = hub.topic("numbers").unwrap();
        let start = |number: u64| topic.start_publish(number.to_string()).unwrap();
        let pending: Vec<_> = (1..=100).map(start).collect();
        // Four are on their way and four in the hub; the program takes none, however long it is.
        assert_eq!(waiting(&hub, "numbers"), 92, "{drive:?}");
        for number in 1..=100 {
            let next = subscriber.receive(PATIENCE).unwrap().unwrap();
            assert_eq!((next.number, next.lost), (number, 0), "{drive:?}");
        }
        pending.into_iter().for_each(|publish| publish.wait().unwrap());
    }
}

#[test]
fn a_publish_that_waits_expires_or_is_cancelled_and_a_line_has_its_bound() {
    let hub = telpher::open(&format!("mem://{}", unique("expires"))).unwrap();
    declare_waiting(&hub, "a", 2);
    let subscriber = hub.subscribe_with("a", buffer(1)).unwrap();
    let topic = hub.topic("a").unwrap();
    topic.publish("1").unwrap();
    topic.publish("2").unwrap();
    let publish = |body: &'static str, ms| {
        let command = Command::Publish { topic: name("a"), message: Message::new(body) };
        hub.start(command, Timeout::After(Duration::from_millis(ms)), Done::Wait).unwrap()
    };
    let (late, unwanted) = (publish("late", 30), publish("unwanted", 20_000));
    let full = topic.publish("too many").unwrap_err();
    assert_eq!(full.kind(), Kind::Full);
    assert!(full.detail().contains("line_max is 2"), "{full}");
    let expired = outcome(hub.wait(late, PATIENCE).unwrap()).unwrap_err();
    assert!(expired.kind() == Kind::Expired && !expired.maybe_executed(), "{expired}");
    hub.cancel(unwanted).unwrap();
    assert_eq!(kind(outcome(hub.wait(unwanted, PATIENCE).unwrap())), Kind::Cancelled);
    let last = topic.start_publish("last").unwrap();
    let bodies = [(); 3].map(|()| subscriber.receive(PATIENCE).unwrap().unwrap().message.body);
    last.wait().unwrap();
    assert_eq!(bodies, ["1", "2", "last"]);
}

#[test]
fn declarations_outlive_their_host_and_are_seen_without_one() {
    let scratch = Scratch::new();
    let hub = reach(&scratch.url(), Drive::Library);
    declare_waiting(&hub, "orders.**", 5);
    let orders = hub.topics("orders.**").unwrap();
    let other = orders.declare(TopicOptions::default()).unwrap_err();
    assert_eq!(other.kind(), Kind::Mismatch);
    hub.close(PATIENCE).unwrap();
    let info = TopicInfo { overflow: TopicOverflow::Wait, line_max: 5, waiting: 0 };
    let pattern = Pattern::parse("orders.**").unwrap();
    assert_eq!(offline::topics(&scratch.hub()).unwrap(), [(pattern, info)]);
    let hub = reach(&scratch.url(), Drive::Library);
    let orders = hub.topics("orders.**").unwrap();
    assert_eq!(orders.inspect().unwrap(), info);
    orders.delete().unwrap();
    assert_eq!(kind(orders.inspect()), Kind::NotFound);
    assert_eq!(kind(orders.delete()), Kind::NotFound);
}
