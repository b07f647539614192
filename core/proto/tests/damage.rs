//! What disks do to files that lie still: bits that flip, ends that are cut off, blocks that come
//! from elsewhere, files that are missing or older than the others.
//!
//! What is read after that is what was written, or as much of it from the beginning as was not
//! known to be durable; or it is refused as `CORRUPT`, naming the file. It is never anything else.
//!
//! What is damaged is drawn at random, from a seed that is printed (`TELPHER_SEED` sets it); with
//! `TELPHER_SOAK` it is everything.

mod support;

use std::collections::BTreeMap;
use std::fmt::Write;

use bytes::Bytes;
use support::*;
use telpher_proto::base::record::{Place, Record};
use telpher_proto::base::{Command, Kind, Outcome, Part, QueueOptions, Verdict};
use telpher_proto::journal::{File, Source, format, read_frame, recover};

type Files = BTreeMap<u32, Vec<u8>>;

/// Random numbers from a seed (xorshift).
struct Random(u64);

impl Random {
    fn new() -> Random {
        let stated = std::env::var("TELPHER_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = stated.unwrap_or_else(|| {
            let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            time.map_or(1, |time| time.as_nanos() as u64) | 1
        });
        eprintln!("TELPHER_SEED={seed}");
        Random(seed)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    /// All of so many cases, or some that are drawn.
    fn some(&mut self, all: usize, drawn: usize) -> Vec<usize> {
        if std::env::var_os("TELPHER_SOAK").is_some() || all <= drawn {
            return (0..all).collect();
        }
        (0..drawn).map(|_| self.below(all)).collect()
    }
}

/// What a directory said while it was whole.
struct Golden {
    files: Files,
    records: Vec<Record>,
    /// How many of them are known to be durable.
    durable: usize,
}

fn path(number: u32) -> String {
    format!("journal.{number:08}")
}

/// All records with what is known of their places, or why not.
fn read(files: &Files) -> Result<(Vec<Record>, Vec<Place>), telpher_proto::base::Error> {
    let (mut records, mut places) = (Vec::new(), Vec::new());
    let listed: Vec<File> =
        files.iter().map(|(number, b)| File { number: *number, size: b.len() as u64 }).collect();
    let mut content = |number: u32| Ok(Bytes::copy_from_slice(&files[&number]));
    let mut sink = |record, place| {
        records.push(record);
        places.push(place);
        Ok(())
    };
    let source = Source { files: &listed, checkpoint: None, read: &mut content };
    let found = recover(HUB_ID, source, &mut sink).map_err(|trouble| trouble.into_error(&path))?;
    records.extend(found.tail.into_iter().map(|(_, record, _)| record));
    assert_eq!(records.len() as u64, found.last, "every position has its record");
    Ok((records, places))
}

impl Golden {
    fn new(files: Files) -> Golden {
        let (records, places) = read(&files).expect("nothing is damaged");
        Golden { files, records, durable: places.len() }
    }

    /// Checks what is read from `files`; true if it was refused.
    fn judge(&self, files: &Files, what: &str) -> bool {
        match read(files) {
            Err(error) => {
                assert_eq!(error.kind(), Kind::Corrupt, "{what}: {error}");
                assert!(error.detail().contains("journal.0000"), "{what}: {error}");
                true
            }
            Ok((records, places)) => {
                let count = records.len();
                assert!(count >= self.durable, "{what}: {count} records are left");
                self.check_prefix(files, (&records, &places), what);
                false
            }
        }
    }

    fn check_prefix(&self, files: &Files, read: (&[Record], &[Place]), what: &str) {
        let (records, places) = read;
        assert!(records.len() <= self.records.len(), "{what}: something was invented");
        assert!(records == &self.records[..records.len()], "{what}: a record is not as it was");
        for (record, place) in records.iter().zip(places).take(3) {
            let bytes = Bytes::copy_from_slice(&files[&place.segment][place.offset as usize * 8..]);
            assert!(read_frame(&HUB_ID, *place, &bytes).as_ref() == Ok(record), "{what}");
        }
    }

    /// Bytes of a segment that are used.
    fn used(&self, number: u32) -> usize {
        self.files[&number].iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
    }

    /// Every place of every used byte.
    fn bytes(&self) -> Vec<(u32, usize)> {
        let of = |number: &u32| {
            let number = *number;
            (0..self.used(number)).map(move |at| (number, at)).collect::<Vec<_>>()
        };
        self.files.keys().flat_map(of).collect()
    }
}

fn empty(hub_id: [u8; 16]) -> World {
    let mut world = World::on(Disk::default(), hub_id);
    world.sizes = SMALL;
    world.take_over().unwrap();
    world
}

/// What two hosts write down: a bit of everything, small enough to flip each of its bits.
fn small(hub_id: [u8; 16]) -> World {
    let mut world = empty(hub_id);
    let program = world.program();
    world.run(program, declare_on_disk("jobs", QueueOptions { max_attempts: 2, ..plain() }));
    for body in ["one", "two", "three", "four"] {
        world.run(program, send("jobs", body));
    }
    for verdict in [Verdict::Acknowledge, Verdict::Reject, Verdict::Requeue] {
        let token = take(&mut world, program);
        world.run(program, settle(token, verdict));
    }
    world.pass(100);
    world.take_over().unwrap();
    world.pass(30);
    let token = take(&mut world, program);
    let message = support_message();
    let send = Part::Send { queue: name("jobs"), message };
    let (verdict, reason) = (Verdict::Release, String::from("later"));
    let parts = vec![send, Part::Settle { delivery: token, verdict, reason }];
    world.run(program, Command::Batch { parts });
    world
}

fn plain() -> QueueOptions {
    QueueOptions::default()
}

fn support_message() -> telpher_proto::base::Message {
    telpher_proto::base::Message::new("with others")
}

fn take(world: &mut World, program: usize) -> u64 {
    let id = world.run(program, receive("jobs"));
    world.pass(500);
    match world.outcome(program, id) {
        Ok(Outcome::Delivery(delivery)) => delivery.token,
        other => panic!("no message but {other:?}"),
    }
}

/// A host that has ended by itself: all of it is known to be durable.
fn closed() -> Golden {
    let mut world = small(HUB_ID);
    world.end_host().unwrap();
    Golden::new(world.disk.files)
}

/// Three segments of one host, each with messages that are needed.
fn rolled() -> (World, Golden) {
    let mut world = empty(HUB_ID);
    let program = world.program();
    world.run(program, declare_on_disk("jobs", plain()));
    let large = "x".repeat(12_500);
    for count in 0..22 {
        world.run(program, send("jobs", &format!("{count}{large}")));
        world.pass(30);
    }
    assert_eq!(world.disk.files.len(), 3);
    let golden = Golden::new(world.disk.files.clone());
    (world, golden)
}

#[test]
fn a_flipped_bit_is_found_or_does_no_harm() {
    let golden = closed();
    assert_eq!(golden.durable, golden.records.len(), "a clean end leaves no doubt");
    let (bytes, mut random) = (golden.bytes(), Random::new());
    let mut files = golden.files.clone();
    let mut refused = 0;
    for case in random.some(bytes.len() * 8, 6_000) {
        let ((number, at), bit) = (bytes[case / 8], case % 8);
        files.get_mut(&number).unwrap()[at] ^= 1 << bit;
        refused += u32::from(golden.judge(&files, &format!("bit {bit} of byte {at} of {number}")));
        files.get_mut(&number).unwrap()[at] ^= 1 << bit;
    }
    assert!(refused > 4_000, "only {refused} were refused");
}

#[test]
fn a_flipped_bit_in_what_a_killed_host_left_is_found_or_was_not_known_to_be_durable() {
    let golden = Golden::new(small(HUB_ID).disk.files);
    let (bytes, mut random) = (golden.bytes(), Random::new());
    let mut files = golden.files.clone();
    for case in random.some(bytes.len() * 8, 3_000) {
        let ((number, at), bit) = (bytes[case / 8], case % 8);
        files.get_mut(&number).unwrap()[at] ^= 1 << bit;
        golden.judge(&files, &format!("bit {bit} of byte {at} of {number}"));
        files.get_mut(&number).unwrap()[at] ^= 1 << bit;
    }
}

#[test]
fn bits_that_flip_in_unused_space_do_no_harm() {
    let golden = closed();
    let mut random = Random::new();
    for _ in 0..50 {
        let mut files = golden.files.clone();
        let (number, file) = files.iter_mut().last().unwrap();
        let used = golden.used(*number).next_multiple_of(8);
        let at = used + random.below(file.len() - used);
        file[at] ^= 1 << random.below(8);
        assert!(!golden.judge(&files, &format!("byte {at}")));
    }
}

#[test]
fn a_file_that_is_cut_off_is_found_wherever_that_is() {
    let golden = closed();
    let mut random = Random::new();
    for number in golden.files.keys().copied() {
        let size = golden.files[&number].len();
        let used = golden.used(number);
        let mut lengths: Vec<usize> = random.some(used, 200);
        lengths.extend([0, 1, 71, 72, used, size - 1]);
        lengths.extend(random.some(size, 50));
        for length in lengths {
            let mut files = golden.files.clone();
            files.get_mut(&number).unwrap().truncate(length);
            let refused = golden.judge(&files, &format!("{number} cut off at {length}"));
            assert!(refused || number != *golden.files.keys().last().unwrap() || length >= size);
        }
    }
}

#[test]
fn blocks_that_belong_elsewhere_are_found() {
    let mut golden = closed();
    let mut other = small([8; 16]);
    other.end_host().unwrap();
    let mut random = Random::new();
    for case in 0..400 {
        let size = [64, 512, 4096][random.below(3)];
        let draw = |random: &mut Random, files: &Files| {
            let number = *files.keys().nth(random.below(files.len())).unwrap();
            let blocks = golden.used(number).div_ceil(size) + 1;
            (number, random.below(blocks) * size)
        };
        let (to, at) = draw(&mut random, &golden.files);
        let source = if case % 2 == 0 { &golden.files } else { &other.disk.files };
        let (from, start) = draw(&mut random, source);
        let mut files = golden.files.clone();
        let block = source[&from][start..start + size].to_vec();
        let file = files.get_mut(&to).unwrap();
        let swapped = file[at..at + size].to_vec();
        file[at..at + size].copy_from_slice(&block);
        if case % 4 == 0 {
            files.get_mut(&from).unwrap()[start..start + size].copy_from_slice(&swapped);
        }
        // A block that holds the last group and the commit behind it takes away all that tells.
        let last = *golden.files.keys().last().unwrap();
        let touched = [(to, at), (from, start)];
        let end = golden.used(last) / 512 * 512;
        let is_end = |(number, at): (u32, usize)| number == last && at + size > end - 512;
        let durable = golden.durable;
        golden.durable = if touched.into_iter().any(is_end) { 0 } else { durable };
        golden.judge(&files, &format!("{size} bytes at {at} of {to} from {start} of {from}"));
        golden.durable = durable;
    }
}

#[test]
fn a_missing_segment_is_missed_whichever_it_is() {
    let (_, golden) = rolled();
    for number in golden.files.keys() {
        let mut files = golden.files.clone();
        files.remove(number);
        assert!(golden.judge(&files, &format!("segment {number} is missing")));
    }
    let mut files = golden.files.clone();
    let first = files[&1].clone();
    files.insert(2, first);
    assert!(golden.judge(&files, "segment 2 is a copy of segment 1"));
}

#[test]
fn damage_to_any_of_several_segments_is_found() {
    let (_, golden) = rolled();
    let mut random = Random::new();
    for _ in 0..300 {
        let mut files = golden.files.clone();
        let number = 1 + random.below(3) as u32;
        let at = random.below(golden.used(number));
        files.get_mut(&number).unwrap()[at] ^= 1 << random.below(8);
        golden.judge(&files, &format!("byte {at} of {number}"));
    }
}

#[test]
fn a_copy_made_while_its_hub_works_is_refused_or_a_beginning_of_it() {
    let mut world = empty(HUB_ID);
    let program = world.program();
    let mut taken = vec![world.disk.files.clone()];
    world.run(program, declare_on_disk("jobs", plain()));
    let large = "x".repeat(6_250);
    for count in 0..14 {
        world.run(program, send("jobs", &format!("{count}{large}")));
        taken.push(world.disk.files.clone());
        world.pass(30);
        taken.push(world.disk.files.clone());
    }
    world.end_host().unwrap();
    taken.push(world.disk.files.clone());
    let golden = Golden::new(world.disk.files);
    let mut random = Random::new();
    for case in 0..100 {
        let files = copied(&taken, &golden.files, &mut random);
        match read(&files) {
            Err(error) => assert_eq!(error.kind(), Kind::Corrupt, "{error}"),
            Ok((records, places)) => {
                golden.check_prefix(&files, (&records, &places), &format!("copy {case}"));
            }
        }
    }
}

/// Files as a copying program finds them, each part at some time and later parts later.
fn copied(taken: &[Files], all: &Files, random: &mut Random) -> Files {
    const PART: usize = 8 * 1024;
    let mut files = Files::new();
    let mut numbers: Vec<u32> = all.keys().copied().collect();
    if random.below(2) == 0 {
        numbers.reverse();
    }
    let mut time = random.below(taken.len());
    for number in numbers {
        let mut file = Vec::new();
        while let Some(found) = taken[time].get(&number) {
            let part = &found[file.len()..found.len().min(file.len() + PART)];
            if part.is_empty() {
                break;
            }
            file.extend_from_slice(part);
            time = (time + random.below(3)).min(taken.len() - 1);
        }
        if !file.is_empty() {
            files.insert(number, file);
        }
    }
    files
}

#[test]
fn a_host_whose_number_was_used_before_is_refused() {
    let mut world = small(HUB_ID);
    world.epoch = 0;
    let error = world.take_over().unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt, "{error}");
}

#[test]
fn the_first_segment_is_byte_for_byte_what_it_always_was() {
    let golden = closed();
    let mut text = String::new();
    for (at, line) in golden.files[&1][..golden.used(1)].chunks(32).enumerate() {
        write!(text, "{:05x} ", at * 32).unwrap();
        line.iter().for_each(|byte| write!(text, "{byte:02x}").unwrap());
        text.push('\n');
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/segment.txt");
    if std::env::var_os("TELPHER_BLESS").is_some() {
        std::fs::write(file, &text).unwrap();
    }
    let kept = std::fs::read_to_string(file).unwrap();
    assert!(kept == text, "the format of segments has changed; TELPHER_BLESS=1 takes it over");
    assert_eq!(format::VERSION, 1);
}
