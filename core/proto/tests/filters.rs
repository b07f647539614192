//! Readers that state a key or headers: they get what has these, and nothing is missing, twice, or
//! in anybody's way.

mod support;

use bytes::Bytes;
use support::groups::{commit, places, records};
use support::streams::*;
use support::{World, name};
use telpher_proto::base::limits::{FILTER_STEP, Sizes};
use telpher_proto::base::{
    Command, Compression, Durability, Headers, HeadersBuilder, Id, Kind, Message, Outcome, Reading,
    Start, StreamOptions, StreamRecord,
};

fn headers(all: &[(&str, &str)]) -> Headers {
    let mut builder = HeadersBuilder::default();
    all.iter().for_each(|(name, value)| builder.push(name, value.as_bytes()).unwrap());
    builder.build()
}

fn by_key(key: &'static str) -> Reading {
    Reading { key: Some(Bytes::from_static(key.as_bytes())), ..Reading::default() }
}

fn start(world: &mut World, program: usize, reading: &Reading) -> Id {
    world.run(program, Command::Read { stream: name("log"), reading: Box::new(reading.clone()) })
}

/// Appends a record with this key and a header `kind`.
fn put(world: &mut World, program: usize, (key, kind): (&str, &str), body: &str) -> (u32, u64) {
    let mut message = Message::new(body.as_bytes().to_vec());
    message.properties_mut().key = key.as_bytes().to_vec().into();
    message.properties_mut().headers = headers(&[("kind", kind)]);
    let id = world.run(program, append_as("log", message, None, None));
    place(world, program, id)
}

/// Appends several records that go in one batch.
fn put_together(world: &mut World, program: usize, keys: &[&str]) {
    for key in keys {
        world.start(program, keyed("log", key, key));
    }
    world.settle();
}

fn bodies(world: &World, program: usize, id: Id) -> Vec<String> {
    let bodies = got(world, program, id).into_iter();
    bodies.map(|record| record.split(' ').nth(2).unwrap().to_owned()).collect()
}

fn is_done(world: &World, program: usize, id: Id) -> bool {
    matches!(world.ended(program, id), Some(Ok(Outcome::Empty)))
}

#[test]
fn a_reader_gets_what_has_its_key_and_headers_with_the_offsets_they_have() {
    for durability in [Durability::Memory, Durability::Os, Durability::Disk] {
        let mut world = World::new();
        let program = world.program();
        world.run(program, declare("log", plain(durability)));
        let follow = Reading { follow: true, ..by_key("a") };
        let following = start(&mut world, program, &follow);
        for number in 0..6_u32 {
            let key = ["a", "b", "c"][number as usize % 3];
            let kind = ["even", "odd"][number as usize % 2];
            put(&mut world, program, (key, kind), &number.to_string());
        }
        let of_a = start(&mut world, program, &by_key("a"));
        assert_eq!(got(&world, program, of_a), ["0 0 0", "0 3 3"]);
        assert!(is_done(&world, program, of_a));
        assert_eq!(got(&world, program, following), ["0 0 0", "0 3 3"]);
        let odd = Reading { headers: headers(&[("kind", "odd")]), ..Reading::default() };
        let id = start(&mut world, program, &odd);
        assert_eq!(bodies(&world, program, id), ["1", "3", "5"]);
        let both = Reading { headers: headers(&[("kind", "odd")]), ..by_key("b") };
        let id = start(&mut world, program, &both);
        assert_eq!(bodies(&world, program, id), ["1"]);
        let none = start(&mut world, program, &by_key("nobody"));
        assert_eq!(got(&world, program, none), [""; 0]);
        assert!(is_done(&world, program, none));
    }
}

#[test]
fn of_a_batch_only_what_is_wanted_goes_to_the_reader() {
    let mut world = World::new();
    let (writer, reader) = (world.program(), world.program());
    world.run(writer, declare("log", plain(Durability::Os)));
    put_together(&mut world, writer, &["a", "a", "b", "a", "b", "b", "a", "b"]);
    put_together(&mut world, writer, &["b", "b", "b"]);
    put_together(&mut world, writer, &["a", "a"]);
    for (from, wanted) in [(0, vec![0, 1, 3, 6, 11, 12]), (2, vec![3, 6, 11, 12]), (12, vec![12])] {
        let reading = Reading { start: Start::Offset(from), ..by_key("a") };
        let id = start(&mut world, reader, &reading);
        let wanted: Vec<String> = wanted.iter().map(|offset| format!("0 {offset} a")).collect();
        assert_eq!(got(&world, reader, id), wanted, "from {from}");
        assert!(is_done(&world, reader, id));
    }
}

#[test]
fn compressed_batches_are_unpacked_and_what_is_wanted_of_one_may_come_in_several() {
    for compression in [None, Some(Compression::Lz4), Some(Compression::Zstd)] {
        let mut world = World::new();
        let (writer, reader) = (world.program(), world.program());
        let options = StreamOptions { compression, ..plain(Durability::Os) };
        world.run(writer, declare("log", options));
        // Small records: what each takes more when it is packed anew is much of it.
        let keys: Vec<&str> = (0..28_000).map(|at| if at == 17 { "b" } else { "a" }).collect();
        put_together(&mut world, writer, &keys);
        let offsets = |world: &World, id: Id| -> Vec<usize> {
            let records = got(world, reader, id).into_iter();
            records.map(|record| record.split(' ').nth(1).unwrap().parse().unwrap()).collect()
        };
        for key in ["a", "b"] {
            let id = start(&mut world, reader, &by_key(key));
            world.pass(10);
            let wanted = (0..keys.len()).filter(|at| keys[*at] == key);
            assert_eq!(offsets(&world, id), wanted.collect::<Vec<_>>(), "{compression:?}");
            assert!(is_done(&world, reader, id));
        }
    }
}

#[test]
fn a_reader_is_told_seldom_what_it_has_passed_over_and_goes_on_behind_it() {
    let mut world = World::new();
    let (writer, reader) = (world.program(), world.program());
    let options = StreamOptions { records_max: 20, ..plain(Durability::Os) };
    world.run(writer, declare("log", options));
    let follow = Reading { follow: true, ..by_key("rare") };
    let id = start(&mut world, reader, &follow);
    let before = world.programs[reader].heard;
    for _ in 0..200 {
        put(&mut world, writer, ("often", "x"), "x");
    }
    world.pass(200);
    let heard = world.programs[reader].heard - before;
    assert!((1..300).contains(&heard), "it was told once: {heard} bytes");
    // It knows where it is, though nothing from where it began is kept.
    world.break_connection(reader);
    world.pass(100);
    let rare = put(&mut world, writer, ("rare", "x"), "found");
    assert_eq!(got(&world, reader, id), [format!("0 {} found", rare.1)]);
    world.change_host();
    world.pass(100);
    let next = put(&mut world, writer, ("rare", "x"), "again");
    assert_eq!(got(&world, reader, id)[1..], [format!("0 {} again", next.1)]);
    assert!(world.ended(reader, id).is_none());
}

#[test]
fn whoever_looks_for_little_in_much_leaves_the_others_their_turn() {
    for sizes in [Sizes::default(), Sizes { resident_max: 100_000, ..Sizes::default() }] {
        let mut world = World::with_sizes(sizes);
        let (writer, reader) = (world.program(), world.program());
        world.run(writer, declare("log", plain(Durability::Os)));
        let large = "x".repeat(60_000);
        let count = 4 * FILTER_STEP / 60_000;
        for _ in 0..count {
            put(&mut world, writer, ("often", "x"), &large);
        }
        put(&mut world, writer, ("rare", "x"), "found");
        let two = [0, 1].map(|_| start(&mut world, reader, &by_key("rare")));
        assert!(two.iter().all(|id| !is_done(&world, reader, *id)), "not all in one turn");
        world.pass(2);
        assert!(two.iter().all(|id| !is_done(&world, reader, *id)), "nor in two ms");
        world.pass(100);
        for id in two {
            assert_eq!(got(&world, reader, id), [format!("0 {count} found")]);
            assert!(is_done(&world, reader, id));
        }
    }
}

#[test]
fn nothing_is_missing_or_twice_whatever_breaks_and_however_small_the_buffer_is() {
    for seed in 0..20_u64 {
        let sizes = Sizes { resident_max: seed % 3 * 2_000, compact_min: 400, ..Sizes::default() };
        let mut world = World::with_sizes(sizes);
        let (writer, reader) = (world.program(), world.program());
        world.run(writer, declare("log", plain(Durability::Os)));
        let buffer = if seed % 2 == 0 { 1 } else { 0 };
        let follow = Reading { follow: true, buffer, ..by_key("k0") };
        let id = start(&mut world, reader, &follow);
        let mut random = seed * 2 + 1;
        let mut draw = |most: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % most
        };
        for _ in 0..60 {
            let count = 1 + draw(6);
            let keys: Vec<String> = (0..count).map(|_| format!("k{}", draw(4))).collect();
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            put_together(&mut world, writer, &keys);
            match draw(12) {
                0 => world.break_connection(reader),
                1 => world.change_host(),
                2 => world.hand_over(),
                _ => {}
            }
            world.pass(draw(120));
            if draw(2) == 0 {
                take(&mut world, reader, id, draw(4) as u32);
            }
        }
        for _ in 0..400 {
            take(&mut world, reader, id, 1);
            world.pass(2);
        }
        let whole = all(&mut world, writer, "log");
        let wanted = whole.into_iter().filter(|record| record.ends_with(" k0"));
        assert_eq!(got(&world, reader, id), wanted.collect::<Vec<_>>(), "seed {seed}");
    }
}

#[test]
fn what_was_compacted_is_compared_as_it_is() {
    let mut world = World::with_sizes(Sizes { compact_min: 400, ..Sizes::default() });
    let program = world.program();
    let options = StreamOptions { compact: true, ..plain(Durability::Os) };
    world.run(program, declare("log", options));
    for number in 0..40 {
        for key in ["a", "b", "c"] {
            put(&mut world, program, (key, "x"), &number.to_string());
        }
    }
    world.pass(100);
    let whole = all(&mut world, program, "log").len();
    assert!(whole < 60, "{whole} of 120 are left");
    let id = start(&mut world, program, &by_key("b"));
    let last = got(&world, program, id).pop();
    assert_eq!(last.as_deref(), Some("0 118 39"));
}

#[test]
fn values_out_of_their_limits_are_refused_and_named() {
    let many: Vec<(&str, &str)> = vec![("kind", "x"); 9];
    let key = |size: usize| Some(Bytes::from(vec![b'k'; size]));
    for (reading, named) in [
        (Reading { headers: headers(&many), ..Reading::default() }, "headers is 9; allowed are 0"),
        (Reading { key: key(1_025), ..Reading::default() }, "key is 1025; allowed are 1 to 1024"),
        (Reading { key: key(0), ..Reading::default() }, "key is 0; allowed are 1 to 1024"),
    ] {
        let error = Command::Read { stream: name("log"), reading: Box::new(reading) }
            .check()
            .expect_err(named);
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.detail().contains(named), "{error}");
    }
}

fn member_of(reading: Reading) -> Reading {
    Reading { group: Some(name("billing")), ..reading }
}

/// The member has done this record.
fn done(world: &mut World, program: usize, reader: Id, record: &StreamRecord) {
    let id = commit(world, program, reader, record);
    assert!(world.outcome(program, id).is_ok());
}

#[test]
fn what_a_member_passes_over_is_done_for_the_group_unless_something_before_it_is_not() {
    let mut world = World::new();
    let program = world.program();
    world.run(program, declare("log", plain(Durability::Os)));
    let reader = start(&mut world, program, &member_of(by_key("a")));
    for key in ["b", "a", "b", "a", "b"] {
        put(&mut world, program, (key, "x"), key);
    }
    world.pass(200);
    assert_eq!(places(&mut world, program), [(0, 5)], "the first was passed over with others");
    let all = records(&world, program, reader);
    assert_eq!(all.iter().map(|record| record.offset).collect::<Vec<_>>(), [1, 3]);
    done(&mut world, program, reader, &all[0]);
    world.pass(200);
    assert_eq!(places(&mut world, program), [(2, 3)]);
    done(&mut world, program, reader, &all[1]);
    assert_eq!(places(&mut world, program), [(5, 0)], "behind what was passed over since");
    put(&mut world, program, ("b", "x"), "b");
    world.pass(200);
    assert_eq!(places(&mut world, program), [(6, 0)]);
    world.change_host();
    world.pass(200);
    assert_eq!(places(&mut world, program), [(6, 0)]);
}

#[test]
fn a_stream_that_keeps_what_is_unread_is_not_held_up_by_what_nobody_wants() {
    let mut world = World::new();
    let program = world.program();
    let options = StreamOptions { records_max: 3, keep_unread: true, ..plain(Durability::Os) };
    world.run(program, declare("log", options));
    start(&mut world, program, &member_of(by_key("a")));
    for _ in 0..10 {
        put(&mut world, program, ("b", "x"), "b");
        world.pass(200);
    }
}

/// A second member comes when the first has got a record and has passed over others behind it. The
/// first commits what it has got, and a partition goes over to the second.
fn goes_over(change: impl Fn(&mut World)) {
    let mut world = World::new();
    let (one, other) = (world.program(), world.program());
    let options = StreamOptions { partitions: 2, ..plain(Durability::Os) };
    world.run(one, declare("log", options));
    let first = start(&mut world, one, &member_of(by_key("a")));
    for partition in [0, 1] {
        for key in ["a", "b"] {
            let mut message = Message::new(key.as_bytes().to_vec());
            message.properties_mut().key = key.as_bytes().to_vec().into();
            let id = world.run(one, append_as("log", message, Some(partition), None));
            assert!(world.outcome(one, id).is_ok());
        }
    }
    world.pass(200);
    change(&mut world);
    world.pass(200);
    let second = start(&mut world, other, &member_of(by_key("a")));
    let held = records(&world, one, first);
    assert_eq!(held.len(), 2);
    held.iter().for_each(|record| done(&mut world, one, first, record));
    for partition in [0, 1] {
        let mut message = Message::new(&b"new"[..]);
        message.properties_mut().key = Bytes::from_static(b"a");
        world.run(one, append_as("log", message, Some(partition), None));
    }
    assert_eq!(records(&world, one, first).len(), 3);
    assert_eq!(bodies(&world, other, second), ["new"]);
}

#[test]
fn a_partition_goes_over_to_another_member_when_all_that_was_sent_is_committed() {
    goes_over(|_| {});
}

#[test]
fn it_does_so_also_if_connection_or_host_has_changed_meanwhile() {
    goes_over(|world| world.break_connection(0));
    goes_over(World::change_host);
}

#[test]
fn it_does_so_also_if_compaction_has_removed_what_came_behind() {
    let mut world = World::with_sizes(Sizes { compact_min: 400, ..Sizes::default() });
    let (one, other) = (world.program(), world.program());
    let options = StreamOptions { compact: true, tombstone_age_ms: 1_000, ..plain(Durability::Os) };
    world.run(one, declare("log", options));
    for number in 0..40 {
        put(&mut world, one, ("gone", "x"), &number.to_string());
    }
    put(&mut world, one, ("gone", "x"), "");
    world.pass(5_000);
    let first = start(&mut world, one, &member_of(Reading::default()));
    for record in records(&world, one, first) {
        done(&mut world, one, first, &record);
    }
    world.pass(200);
    assert_eq!(places(&mut world, one), [(41, 0)]);
    let second = start(&mut world, other, &member_of(Reading::default()));
    world.programs[one].client.detach(world.now, first);
    world.settle();
    put(&mut world, one, ("new", "x"), "new");
    assert_eq!(bodies(&world, other, second), ["new"]);
}
