//! Publishing and subscribing, however a handle is driven.

mod support;

use std::time::Duration;

use support::*;
use telpher::*;

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
        let subscriber = other.subscribe_with("numbers", 4).unwrap();
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
        let subscriber = hub.subscribe_with("numbers", 4).unwrap();
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
    let none = hub.subscribe_with("a", 0).unwrap_err();
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
