//! Reader groups over real handles and files.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use support::*;
use telpher::{Bytes, HeadersBuilder, Kind, Message, Name, Reading, Start, StreamOptions};

const LONG: Duration = Duration::from_secs(20);

#[test]
fn members_that_come_and_go_process_every_record_and_the_group_goes_on_at_the_next_host() {
    let scratch = Scratch::new();
    let mut seen = BTreeMap::<(u32, u64), u32>::new();
    for round in 0..2 {
        let hub = telpher::open(&scratch.url()).unwrap();
        let stream = hub.stream("log").unwrap();
        stream.declare(StreamOptions { partitions: 4, ..StreamOptions::default() }).unwrap();
        let first = stream.join("billing", Start::Beginning).unwrap();
        for number in 0..40 {
            let pending = stream.start_append_at(number.to_string(), Some(number % 4), None);
            pending.unwrap().wait().unwrap();
        }
        let mut work = |reader: &telpher::Reader, count: u32| {
            for _ in 0..count {
                let record = reader.receive(LONG).unwrap().expect("a record in time");
                *seen.entry((record.partition, record.offset)).or_default() += 1;
                reader.commit(&record).unwrap();
            }
        };
        work(&first, 10);
        let second = stream.join("billing", Start::End).unwrap();
        work(&first, 30);
        for number in 0..40 {
            let pending = stream.start_append_at(number.to_string(), Some(number % 4), None);
            pending.unwrap().wait().unwrap();
        }
        work(&first, 20);
        work(&second, 20);
        let group = stream.groups().unwrap().remove(0);
        assert_eq!(group.members, 2);
        let next = 20 * (round + 1);
        assert!(group.places.iter().all(|place| (place.next, place.lag) == (next, 0)));
        hub.close(PATIENCE).unwrap();
    }
    assert_eq!(seen.len(), 160);
    assert!(seen.values().all(|times| *times == 1), "nothing twice while nobody fails");
}

fn marked(key: &'static str, kind: &str) -> Message {
    let mut headers = HeadersBuilder::default();
    headers.push("kind", kind.as_bytes()).unwrap();
    let mut message = Message::new(kind.to_owned());
    message.properties_mut().key = Bytes::from_static(key.as_bytes());
    message.properties_mut().headers = headers.build();
    message
}

#[test]
fn a_member_gets_only_what_it_wants_from_disk_too_and_the_group_goes_on_behind_the_rest() {
    let scratch = Scratch::new();
    for round in 0..2 {
        let hub = telpher::open(&scratch.url()).unwrap();
        let stream = hub.stream("log").unwrap();
        stream.declare(StreamOptions::default()).unwrap();
        for (key, kind) in [("a", "new"), ("b", "new"), ("a", "old"), ("b", "old")] {
            stream.append(marked(key, kind)).unwrap();
        }
        let properties = marked("a", "new").properties.unwrap();
        let (key, headers) = (Some(properties.key), properties.headers);
        let wanted = Reading { key, headers, ..Reading::default() };
        let all = stream.read(wanted.clone()).unwrap();
        let offsets: Vec<u64> = all.iter().map(|record| record.unwrap().offset).collect();
        assert_eq!(offsets, (0..=round).map(|round| round * 4).collect::<Vec<_>>());
        let group = Some(Name::parse("billing").unwrap());
        let member = stream.read(Reading { group, follow: true, ..wanted }).unwrap();
        let record = member.receive(LONG).unwrap().expect("a record in time");
        assert_eq!(record.offset, round * 4, "the one of before is done");
        member.commit(&record).unwrap();
        let next = || stream.groups().unwrap()[0].places[0].next;
        let mut looks = 0..1_000;
        while next() < (round + 1) * 4 {
            looks.next().expect("the group comes to be behind the rest");
            let none = member.receive(Duration::from_millis(10)).unwrap_err();
            assert_eq!(none.kind(), Kind::Pending);
        }
        hub.close(PATIENCE).unwrap();
    }
}

#[test]
fn a_member_says_how_much_the_limits_have_removed_before_its_group_had_read_it() {
    let hub = telpher::open("mem://skipped").unwrap();
    let stream = hub.stream("log").unwrap();
    stream.declare(StreamOptions { records_max: 2, ..StreamOptions::default() }).unwrap();
    drop(stream.join("billing", Start::Beginning).unwrap());
    for number in 0..10_u32 {
        stream.append(number.to_string()).unwrap();
    }
    let member = stream.join("billing", Start::Beginning).unwrap();
    let first = member.receive(LONG).unwrap().expect("a record").offset;
    assert!(first > 0);
    assert_eq!(member.skipped(), first);
}

#[test]
fn a_member_that_commits_nothing_for_as_long_as_it_said_hears_so_and_may_read_anew() {
    let hub = telpher::open("mem://max-processing").unwrap();
    let stream = hub.stream("log").unwrap();
    stream.declare(StreamOptions::default()).unwrap();
    stream.append("work").unwrap();
    let group = Some(Name::parse("billing").unwrap());
    let reading = Reading { group, follow: true, max_processing_ms: 50, ..Reading::default() };
    let reader = stream.read(reading.clone()).unwrap();
    let record = reader.receive(LONG).unwrap().expect("a record in time");
    let error = reader.receive(LONG).unwrap_err();
    assert_eq!(error.kind(), Kind::LeaseLost);
    assert!(error.detail().contains("max_processing is 50 ms"), "{error}");
    assert_eq!(reader.commit(&record).unwrap_err().kind(), Kind::LeaseLost);
    let again = stream.read(Reading { max_processing_ms: 60_000, ..reading }).unwrap();
    let record = again.receive(LONG).unwrap().expect("it comes again");
    again.commit(&record).unwrap();
    let alone = Reading { max_processing_ms: 5, ..Reading::default() };
    let error = stream.read(alone).unwrap_err();
    assert!(error.detail().contains("max_processing_ms is 5, and no group is stated"), "{error}");
}
