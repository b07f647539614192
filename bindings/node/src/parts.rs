//! The parts of a batch, which is all or nothing; see `layout.rs`.
//!
//! Floor: layout, body, groups, outgoing, streams, telpher.

use telpher::{Error, Name, Part};

use crate::body::{Body, malformed, message, text};
use crate::layout::{self, WORDS};
use crate::outgoing::settlement;
use crate::{groups, streams};

const RECORD_SIZE: usize = WORDS * size_of::<u32>();

/// Reads the parts of the batch whose record is at the start of `words`.
///
/// # Errors
///
/// As for each operation by itself; the text names the part, counted from 0.
pub(crate) fn read(words: &[u32], body: &mut Body<'_>) -> Result<Vec<Part>, Error> {
    let (at, size) = (words[3] as usize, words[4] as usize);
    let records = body.part(at, size)?;
    let bytes = body.part(at + size, words[5] as usize)?;
    let mut body = Body::of(&bytes);
    let part = |(index, record): (usize, &[u8])| {
        part(record, &mut body).map_err(|error| {
            Error::new(error.kind(), format!("part {index} of the batch: {}", error.detail()))
        })
    };
    records.chunks_exact(RECORD_SIZE).enumerate().map(part).collect()
}

fn part(record: &[u8], body: &mut Body<'_>) -> Result<Part, Error> {
    let mut words = [0; WORDS];
    for (word, bytes) in words.iter_mut().zip(record.as_chunks().0) {
        *word = u32::from_ne_bytes(*bytes);
    }
    match words[0] {
        layout::SEND => {
            let queue = name(&words, body)?;
            Ok(Part::Send { queue, message: message(&words, body)? })
        }
        layout::PUBLISH => {
            let topic = name(&words, body)?;
            Ok(Part::Publish { topic, message: message(&words, body)? })
        }
        layout::APPEND => {
            let stream = name(&words, body)?;
            let (message, partition, expect) = streams::appended(&words, body)?;
            Ok(Part::Append { stream, message, partition, expect })
        }
        layout::COMMIT => Ok(groups::commit_part(&words)),
        layout::SETTLE => {
            let (delivery, verdict, reason) = settlement(&words, body)?;
            Ok(Part::Settle { delivery, verdict, reason })
        }
        other => Err(malformed(&format!("unknown part {other}"))),
    }
}

/// The name before the body.
fn name(words: &[u32], body: &mut Body<'_>) -> Result<Name, Error> {
    let (end, size) = (words[3] as usize, words[2] as usize);
    let begin = end.checked_sub(size).ok_or_else(|| malformed("a part without a name"))?;
    Name::parse(&text(body, begin, size)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::set_long;
    use telpher::{Kind, Verdict};

    /// The record of a batch, and its bytes.
    fn batch(parts: &[[u32; WORDS]], bytes: &[u8]) -> ([u32; WORDS], Vec<u8>) {
        let mut all: Vec<u8> = parts.iter().flatten().flat_map(|word| word.to_ne_bytes()).collect();
        let mut words = [0; WORDS];
        (words[4], words[5]) = (all.len() as u32, bytes.len() as u32);
        all.extend(bytes);
        (words, all)
    }

    fn send(name_size: u32, at: u32, size: u32) -> [u32; WORDS] {
        let mut words = [0; WORDS];
        words[..5].copy_from_slice(&[layout::SEND, 0, name_size, at, size]);
        words
    }

    fn settle(verdict: u32, at: u32, size: u32) -> [u32; WORDS] {
        let mut words = [0; WORDS];
        (words[0], words[3], words[4], words[7]) = (layout::SETTLE, at, size, verdict);
        set_long(&mut words, 10, 1 << 40);
        words
    }

    #[test]
    fn sends_and_settlements_come_out_in_their_order() {
        let (words, bytes) = batch(&[send(4, 4, 4), settle(2, 8, 3)], b"workbodywhy");
        let parts = read(&words, &mut Body::new(&bytes)).unwrap();
        let [Part::Send { queue, message }, Part::Settle { delivery, verdict, reason }] =
            &parts[..]
        else {
            panic!("a send and a settlement")
        };
        assert_eq!((queue.as_str(), &message.body[..]), ("work", &b"body"[..]));
        let wanted = (1 << 40, Verdict::Reject, "why");
        assert_eq!((*delivery, *verdict, reason.as_str()), wanted);
    }

    #[test]
    fn what_is_wrong_with_a_part_names_it() {
        let (words, bytes) = batch(&[send(4, 4, 0), send(1, 5, 0)], b"work/");
        let error = read(&words, &mut Body::new(&bytes)).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.detail().starts_with("part 1 of the batch: the name \"/\""), "{error}");
    }

    #[test]
    fn a_part_that_points_outside_its_batch_is_refused() {
        for wrong in [send(5, 4, 0), send(4, 4, 1), send(4, u32::MAX, 1), settle(9, 0, 0)] {
            let (words, bytes) = batch(&[wrong], b"work");
            assert!(read(&words, &mut Body::new(&bytes)).is_err());
        }
        let (mut words, bytes) = batch(&[send(4, 4, 0)], b"work");
        words[5] += 1;
        assert!(read(&words, &mut Body::new(&bytes)).is_err());
    }
}
