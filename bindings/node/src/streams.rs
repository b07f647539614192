//! Streams at the boundary: their operations from records, their figures as bytes; see `layout.rs`.
//!
//! Floor: layout, body, outgoing, telpher.

use telpher::{
    Bytes, Command, Compression, Error, Id, Message, Name, PartitionInfo, Reading, Start,
    StreamInfo, StreamOptions, StreamRecord,
};

use crate::body::{Body, malformed, message, text};
use crate::incoming::joined;
use crate::layout::{self, long, set_double, set_long};
use crate::outgoing::durability;

/// An append; its message has no priority.
pub(crate) fn append(words: &[u32], body: &mut Body<'_>, stream: Name) -> Result<Command, Error> {
    let (message, partition, expect) = appended(words, body)?;
    Ok(Command::Append { stream, message, partition, expect })
}

/// What is appended, and to which partition and offset.
pub(crate) fn appended(
    words: &[u32],
    body: &mut Body<'_>,
) -> Result<(Message, Option<u32>, Option<u64>), Error> {
    let expect = (words[9] != 0).then(|| long(words, 10));
    Ok((message(words, body)?, words[8].checked_sub(1), expect))
}

/// A declaration; 0 is each number's default.
pub(crate) fn declare(words: &[u32], body: &mut Body<'_>, stream: Name) -> Result<Command, Error> {
    let bytes = body.part(words[3] as usize, words[4] as usize)?;
    let numbers = bytes.as_chunks().0.iter().map(|eight| f64::from_ne_bytes(*eight) as u64);
    let numbers: Vec<u64> = numbers.collect();
    let [age_max_ms, bytes_max, records_max, tombstone_age_ms, compact, keep_unread, compression] =
        numbers[..]
    else {
        return Err(malformed("declaration of a stream"));
    };
    let durability = durability(words[7]);
    let partitions = words[8];
    let options = StreamOptions {
        partitions,
        durability,
        age_max_ms,
        bytes_max,
        records_max,
        compact: compact != 0,
        tombstone_age_ms,
        keep_unread: keep_unread != 0,
        compression: Compression::from_number(compression as u32),
    };
    Ok(Command::DeclareStream { stream, options })
}

/// A reading: its body is a time as a double, and behind that the group, the key and the headers.
pub(crate) fn read(words: &[u32], body: &mut Body<'_>, stream: Name) -> Result<Command, Error> {
    let (at, size) = (words[3] as usize, words[4] as usize);
    let time = body.part(at, TIME_SIZE)?;
    let time = time.first_chunk().ok_or_else(|| malformed("reading"))?;
    let (begin, switches) = (words[9] % layout::FOLLOW, words[9] / layout::FOLLOW);
    let (follow, is_member) = (switches & 1 != 0, switches & 2 != 0);
    let group_size = size.checked_sub(TIME_SIZE).ok_or_else(|| malformed("reading"))?;
    let group = match is_member {
        true => Some(Name::parse(&text(body, at + TIME_SIZE, group_size)?)?),
        false => None,
    };
    // As of a message.
    let wanted = message(words, body)?.properties.unwrap_or_default();
    let reading = Reading {
        partition: words[8].checked_sub(1),
        start: start(begin, words)?,
        follow,
        group,
        buffer: words[7],
        // A copy: the batch that it came in is large.
        key: Some(Bytes::copy_from_slice(&wanted.key)).filter(|key| !key.is_empty()),
        headers: wanted.headers,
        max_processing_ms: f64::from_ne_bytes(*time) as u64,
    };
    Ok(Command::Read { stream, reading: Box::new(reading) })
}

/// Bytes of a time.
const TIME_SIZE: usize = size_of::<f64>();

/// The group that the body names.
pub(crate) fn group(words: &[u32], body: &mut Body<'_>) -> Result<Name, Error> {
    Name::parse(&text(body, words[3] as usize, words[4] as usize)?)
}

/// Where reading begins.
pub(crate) fn start(begin: u32, words: &[u32]) -> Result<Start, Error> {
    match begin {
        layout::START_BEGINNING => Ok(Start::Beginning),
        layout::START_END => Ok(Start::End),
        layout::START_OFFSET => Ok(Start::Offset(long(words, 10))),
        layout::START_TIME => Ok(Start::Time(long(words, 10))),
        other => Err(malformed(&format!("unknown start {other}"))),
    }
}

/// A stream's options as doubles, behind them each partition's figures, and then what is bound.
pub(crate) fn figures(info: &StreamInfo) -> Vec<u8> {
    let StreamOptions { age_max_ms, bytes_max, records_max, tombstone_age_ms, .. } = info.options;
    let StreamOptions { compact, keep_unread, .. } = info.options;
    let compression = info.options.compression.map_or(0, |compression| compression as u64);
    let switches = [u64::from(compact), u64::from(keep_unread), compression];
    let numbers =
        [age_max_ms, bytes_max, records_max, tombstone_age_ms].into_iter().chain(switches);
    let options = numbers.map(|number| (number as f64).to_le_bytes());
    let partitions = info.partitions.iter().flat_map(|PartitionInfo { first, next, bytes }| {
        [first.to_le_bytes(), next.to_le_bytes(), bytes.to_le_bytes()]
    });
    options.chain(partitions).flatten().chain(joined(&info.bindings)).collect()
}

/// A record for a reader.
pub(crate) fn describe(reader: Id, read: &StreamRecord, record: &mut [u32]) -> u32 {
    record[6] = read.partition;
    record[7] = read.untaken().bytes as u32;
    set_long(record, 8, read.offset);
    set_long(record, 10, read.generation);
    set_double(record, 12, read.time_ms as f64);
    set_long(record, 14, reader);
    layout::RECORD
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{WORDS, double};
    use telpher::Durability;

    fn log() -> Name {
        Name::parse("log").unwrap()
    }

    #[test]
    fn an_append_states_a_partition_and_an_offset_only_if_it_has_them() {
        let mut words = [0; WORDS];
        for (expected, partition) in [(None, None), (Some(1 << 40), Some(7)), (Some(0), Some(0))] {
            words[8] = partition.map_or(0, |partition| partition + 1);
            words[9] = expected.is_some().into();
            set_long(&mut words, 10, expected.unwrap_or(9));
            let read = append(&words, &mut Body::new(b""), log()).unwrap();
            let Command::Append { partition: of, expect, .. } = read else { panic!("it is one") };
            assert_eq!((of, expect), (partition, expected));
        }
    }

    #[test]
    fn a_reading_says_where_it_begins_and_what_it_wants() {
        let mut words = [0; WORDS];
        (words[4], words[7], words[8]) = (8, 100, 3);
        words[9] = layout::START_TIME + layout::FOLLOW;
        set_long(&mut words, 10, 1 << 41);
        let mut bytes = 0.0_f64.to_ne_bytes().to_vec();
        let read = |words: &[u32], bytes: &[u8]| read(words, &mut Body::new(bytes), log());
        let Ok(Command::Read { reading, .. }) = read(&words, &bytes) else { panic!("it is one") };
        let start = Start::Time(1 << 41);
        let expected =
            Reading { partition: Some(2), start, follow: true, buffer: 100, ..Reading::default() };
        assert_eq!(*reading, expected);
        words[9] = 9;
        assert!(read(&words, &bytes).is_err(), "an unknown start");

        words[9] = 2 * layout::FOLLOW;
        (words[4], words[5], words[6]) = (9, 1, 10);
        bytes = 5_000.0_f64.to_ne_bytes().to_vec();
        bytes.extend_from_slice(b"gk\x01\0\0\0n\x01\0\0\0v");
        let Ok(Command::Read { reading, .. }) = read(&words, &bytes) else { panic!("it is one") };
        assert_eq!(reading.group, Some(Name::parse("g").unwrap()));
        assert_eq!((reading.key.as_deref(), reading.max_processing_ms), (Some(&b"k"[..]), 5_000));
        assert_eq!(reading.headers.iter().collect::<Vec<_>>(), [("n", &b"v"[..])]);
        words[4] = 7;
        assert!(read(&words, &bytes).is_err(), "no time");
    }

    #[test]
    fn a_declaration_needs_each_of_its_numbers() {
        let mut words = [0; WORDS];
        (words[4], words[7], words[8]) = (56, 2, 5);
        let numbers = [1.0, 2.0, 3.0, 4.0, 1.0, 0.0, 2.0_f64];
        let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_ne_bytes()).collect();
        let made = declare(&words, &mut Body::new(&bytes), log()).unwrap();
        let Command::DeclareStream { options, .. } = made else { panic!("it is one") };
        let expected = StreamOptions {
            partitions: 5,
            durability: Some(Durability::Os),
            age_max_ms: 1,
            bytes_max: 2,
            records_max: 3,
            tombstone_age_ms: 4,
            compact: true,
            keep_unread: false,
            compression: Some(Compression::Zstd),
        };
        assert_eq!(options, expected);
        words[4] = 48;
        assert!(declare(&words, &mut Body::new(&bytes), log()).is_err());
    }

    #[test]
    fn a_record_tells_where_it_is_and_what_it_took_on_its_way() {
        let message = Message::new("body");
        let read = StreamRecord {
            partition: 3,
            offset: 1 << 40,
            time_ms: 1 << 41,
            generation: 1 << 42,
            message,
        };
        let mut words = [0; WORDS];
        assert_eq!(describe(1 << 43, &read, &mut words), layout::RECORD);
        assert_eq!((words[6], u64::from(words[7])), (3, read.untaken().bytes));
        assert_eq!((long(&words, 8), double(&words, 12)), (1 << 40, (1_u64 << 41) as f64));
        assert_eq!((long(&words, 10), long(&words, 14)), (1 << 42, 1 << 43));
    }
}
