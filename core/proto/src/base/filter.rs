//! Which records a reader wants, if it does not want all of them.
//!
//! Floor: base.

use bytes::Bytes;

use super::message::entries;
use super::repacked::Packed;
use super::stream::Reading;

/// What a record must have.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Its key.
    key: Option<Bytes>,
    /// Each of these headers, name and value as encoded.
    headers: Vec<Bytes>,
}

impl Filter {
    /// What a reader has stated; `None` if it wants every record.
    pub fn of(reading: &Reading) -> Option<Filter> {
        let encoded = reading.headers.encoded();
        let headers: Vec<Bytes> = entries(encoded).map(|entry| encoded.slice_ref(entry)).collect();
        let is_any = reading.key.is_none() && headers.is_empty();
        (!is_any).then(|| Filter { key: reading.key.clone(), headers })
    }

    /// The record has all of it.
    pub fn matches(&self, record: &Packed<'_>) -> bool {
        self.key.as_ref().is_none_or(|key| *key == record.key)
            && self.headers.iter().all(|wanted| entries(record.headers).any(|has| has == wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::batch::BatchBuilder;
    use crate::base::message::{Headers, HeadersBuilder, Message};
    use crate::base::repacked::packed_records;

    fn headers(all: &[(&str, &str)]) -> Headers {
        let mut builder = HeadersBuilder::default();
        all.iter().for_each(|(name, value)| builder.push(name, value.as_bytes()).unwrap());
        builder.build()
    }

    fn matches(filter: &Reading, key: &str, has: &[(&str, &str)]) -> bool {
        let mut message = Message::new(&b"x"[..]);
        message.properties_mut().key = Bytes::copy_from_slice(key.as_bytes());
        message.properties_mut().headers = headers(has);
        let mut builder = BatchBuilder::default();
        builder.push(&message);
        let batch = builder.build(None);
        let filter = Filter::of(filter).unwrap();
        packed_records(&batch).all(|record| filter.matches(&record))
    }

    #[test]
    fn key_and_every_header_must_be_the_same_to_the_byte() {
        let one = headers(&[("kind", "late"), ("to", "")]);
        let key = Some(Bytes::from_static(b"k1"));
        let reading = Reading { key, headers: one, ..Reading::default() };
        let good = [("to", ""), ("more", "x"), ("kind", "early"), ("kind", "late")];
        assert!(matches(&reading, "k1", &good), "one of several with that name has the value");
        for key in ["", "k", "k11", "K1"] {
            assert!(!matches(&reading, key, &good), "{key}");
        }
        let bad: [&[(&str, &str)]; 4] = [
            &[("kind", "late")],
            &[("kind", "lat"), ("to", "")],
            &[("kin", "dlate"), ("to", "")],
            &[("kind", "late"), ("to", "x")],
        ];
        for has in bad {
            assert!(!matches(&reading, "k1", has), "{has:?}");
        }
    }

    #[test]
    fn a_reader_that_states_nothing_wants_everything() {
        assert!(Filter::of(&Reading::default()).is_none());
    }
}
