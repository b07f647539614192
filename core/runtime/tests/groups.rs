//! Reader groups over real handles and files.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use support::*;
use telpher::{Start, StreamOptions};

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
