//! Reader groups at the boundary: their operations from records, their figures as bytes; see
//! `layout.rs`.
//!
//! Floor: layout, body, streams, telpher.

use telpher::{Command, Error, GroupInfo, GroupPlace, Name, Part};

use crate::body::{Body, malformed};
use crate::layout::{long, set_long};
use crate::{layout, streams};

/// An operation on groups, or a commit, which names no stream.
pub(crate) fn read(
    words: &[u32],
    body: &mut Body<'_>,
    stream: impl Fn() -> Result<Name, Error>,
) -> Result<Command, Error> {
    match words[0] {
        layout::LIST_GROUPS => Ok(Command::Groups { stream: stream()? }),
        layout::RESET_GROUP => reset(words, body, stream()?),
        layout::DELETE_GROUP => {
            Ok(Command::DeleteGroup { stream: stream()?, group: streams::group(words, body)? })
        }
        layout::COMMIT => {
            let (reader, partition, generation, next) = place(words);
            Ok(Command::Commit { reader, partition, generation, next })
        }
        other => Err(malformed(&format!("unknown operation {other} on groups"))),
    }
}

/// Puts a group to another place.
fn reset(words: &[u32], body: &mut Body<'_>, stream: Name) -> Result<Command, Error> {
    let (group, partition) = (streams::group(words, body)?, words[8].checked_sub(1));
    Ok(Command::ResetGroup { stream, group, partition, start: streams::start(words[9], words)? })
}

/// A commit as a part of a batch.
pub(crate) fn commit_part(words: &[u32]) -> Part {
    let (reader, partition, generation, next) = place(words);
    Part::Commit { reader, partition, generation, next }
}

/// Reader, partition, generation and the next offset.
fn place(words: &[u32]) -> (u64, u32, u64, u64) {
    (long(words, 8), words[4], long(words, 5), long(words, 10))
}

/// For each group: bytes of its name, members and partitions in four bytes each, its name, and for
/// each partition next and lag in eight bytes each and one byte that is 1 if it is read.
pub(crate) fn figures(groups: &[GroupInfo]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for GroupInfo { name, members, places } in groups {
        let name = name.as_str().as_bytes();
        for number in [name.len() as u32, *members, places.len() as u32] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(name);
        for GroupPlace { next, lag, is_read } in places {
            bytes.extend(next.to_le_bytes());
            bytes.extend(lag.to_le_bytes());
            bytes.push(u8::from(*is_read));
        }
    }
    bytes
}

/// Records that never come.
pub(crate) fn skipped(partition: u32, offsets: (u64, u64), record: &mut [u32]) -> u32 {
    record[6] = partition;
    set_long(record, 8, offsets.0);
    set_long(record, 10, offsets.1);
    layout::SKIPPED
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::WORDS;
    use telpher::Start;

    fn parsed(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn a_commit_keeps_all_of_each_number() {
        let mut words = [0; WORDS];
        words[4] = 7;
        set_long(&mut words, 5, 1 << 40 | 1);
        set_long(&mut words, 8, 1 << 41 | 2);
        set_long(&mut words, 10, 1 << 42 | 3);
        assert_eq!(place(&words), (1 << 41 | 2, 7, 1 << 40 | 1, 1 << 42 | 3));
    }

    #[test]
    fn a_reset_names_its_group_and_perhaps_one_partition() {
        let mut words = [0; WORDS];
        (words[4], words[9]) = (4, layout::START_OFFSET);
        set_long(&mut words, 10, 5);
        for partition in [None, Some(0), Some(3)] {
            words[8] = partition.map_or(0, |partition: u32| partition + 1);
            let command = reset(&words, &mut Body::new(b"late"), parsed("log")).unwrap();
            let Command::ResetGroup { group, partition: of, start, .. } = command else {
                panic!("it is one")
            };
            assert_eq!((group.as_str(), of, start), ("late", partition, Start::Offset(5)));
        }
        words[4] = 0;
        assert!(reset(&words, &mut Body::new(b"late"), parsed("log")).is_err());
    }

    #[test]
    fn figures_lie_one_behind_the_other() {
        let place = GroupPlace { next: 1 << 40, lag: 2, is_read: true };
        let group = GroupInfo { name: parsed("ab"), members: 3, places: vec![place] };
        let bytes = figures(&[group.clone(), group]);
        let mut expected = vec![2, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, b'a', b'b'];
        expected.extend([0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(bytes, [expected.clone(), expected].concat());
    }
}
