//! A message: a body and its properties.
//!
//! Floor: base.

use bytes::{BufMut, Bytes, BytesMut};

use super::error::{Error, Kind};
use super::limits;
use super::name::Name;

/// A body (bytes) and its properties. Cloning shares the bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// What is said. Telpher never looks into it.
    pub body: Bytes,
    /// Everything else; none for a plain message.
    pub properties: Option<Box<Properties>>,
}

/// What a message has beside its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// Which messages belong together; at most 1,024 bytes.
    pub key: Bytes,
    /// Names and values; at most 65,536 bytes as encoded.
    pub headers: Headers,
    /// Higher is delivered first.
    pub priority: u8,
    /// W3C trace context.
    pub trace: Option<Trace>,
    /// When it was sent, in ms since 1970 by the sender's clock; 0 if not stated.
    pub timestamp_ms: u64,
}

/// W3C trace context (<https://www.w3.org/TR/trace-context/>).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Which trace.
    pub trace_id: [u8; 16],
    /// Which span the message was sent from.
    pub span_id: [u8; 8],
    /// Bit 0: sampled.
    pub flags: u8,
}

impl Message {
    /// A message of `body` alone.
    pub fn new(body: impl Into<Bytes>) -> Message {
        Message { body: body.into(), properties: None }
    }

    /// The properties, to be filled in.
    pub fn properties_mut(&mut self) -> &mut Properties {
        self.properties.get_or_insert_default()
    }

    /// Delivered before messages of lower priority.
    pub fn priority(&self) -> u8 {
        self.properties.as_ref().map_or(0, |p| p.priority)
    }

    /// Bytes of body, key and headers: what counts against limits.
    pub fn size(&self) -> usize {
        let more = self.properties.as_ref().map_or(0, |p| p.key.len() + p.headers.0.len());
        self.body.len() + more
    }

    /// Its key; empty if it has none.
    pub fn key(&self) -> &[u8] {
        self.properties.as_ref().map_or(&[], |properties| &properties.key)
    }

    /// The same message, holding no much larger buffer than it needs.
    pub fn to_stored(&self) -> Message {
        let properties = self.properties.as_ref().map(|properties| {
            let mut stored = properties.clone();
            stored.key = stored_bytes(&properties.key);
            stored.headers.0 = stored_bytes(&properties.headers.0);
            stored
        });
        Message { body: stored_bytes(&self.body), properties }
    }

    /// Checks every size.
    ///
    /// # Errors
    ///
    /// `TOO_LARGE`, naming the part, its limit and its size.
    pub fn check(&self) -> Result<(), Error> {
        let within = |what: &str, size: usize, limit: usize| {
            if size <= limit {
                return Ok(());
            }
            let detail = format!("the {what} has {size} bytes; at most {limit} are allowed");
            Err(Error::new(Kind::TooLarge, detail))
        };
        within("body", self.body.len(), limits::BODY_SIZE_MAX)?;
        if let Some(properties) = &self.properties {
            within("key", properties.key.len(), limits::KEY_SIZE_MAX)?;
            within("headers", properties.headers.0.len(), limits::HEADERS_SIZE_MAX)?;
        }
        Ok(())
    }
}

fn stored_bytes(bytes: &Bytes) -> Bytes {
    if bytes.len() < limits::COPY_SIZE_MAX { Bytes::copy_from_slice(bytes) } else { bytes.clone() }
}

impl<T: Into<Bytes>> From<T> for Message {
    fn from(body: T) -> Message {
        Message::new(body)
    }
}

/// Names and values, as encoded: for each a length byte, the name, a four-byte length, the value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Bytes);

impl Headers {
    /// Checks that `bytes` are well-formed headers.
    pub fn from_encoded(bytes: Bytes) -> Option<Headers> {
        let headers = Headers(bytes);
        let mut rest = &headers.0[..];
        while !rest.is_empty() {
            rest = split(rest)?.2;
        }
        Some(headers)
    }

    /// The encoded form.
    pub fn encoded(&self) -> &Bytes {
        &self.0
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each name and value, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let mut rest = &self.0[..];
        std::iter::from_fn(move || {
            let (name, value, after) = split(rest)?;
            rest = after;
            Some((name, value))
        })
    }

    /// The first value of `name`.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }
}

fn split(bytes: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let (&size, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(size as usize)?;
    let (size, rest) = rest.split_at_checked(4)?;
    let (value, rest) = rest.split_at_checked(u32::from_le_bytes(size.try_into().ok()?) as usize)?;
    (!name.is_empty()).then_some(())?;
    Some((std::str::from_utf8(name).ok()?, value, rest))
}

/// Each name with its value, as encoded; ends early at bytes that are none.
pub(super) fn entries(encoded: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = encoded;
    std::iter::from_fn(move || {
        let value_at = 1 + usize::from(*rest.first()?) + 4;
        let size = rest.get(value_at - 4..value_at)?.first_chunk()?;
        let size = value_at.checked_add(u32::from_le_bytes(*size) as usize)?;
        let entry;
        (entry, rest) = rest.split_at_checked(size)?;
        Some(entry)
    })
}

/// Makes [`Headers`].
#[derive(Debug, Default)]
pub struct HeadersBuilder(BytesMut);

impl HeadersBuilder {
    /// Adds one header.
    ///
    /// # Errors
    ///
    /// `INVALID` for an empty name, `TOO_LARGE` for a name over 255 bytes or a value over 65,536.
    pub fn push(&mut self, name: &str, value: &[u8]) -> Result<(), Error> {
        if name.is_empty() {
            return Err(Error::new(Kind::Invalid, "a header's name is empty"));
        }
        let within = |what: &str, size: usize, limit: usize| {
            let detail =
                format!("the {what} of a header has {size} bytes; at most {limit} are allowed");
            if size > limit { Err(Error::new(Kind::TooLarge, detail)) } else { Ok(()) }
        };
        within("name", name.len(), limits::HEADER_NAME_SIZE_MAX)?;
        within("value", value.len(), limits::HEADERS_SIZE_MAX)?;
        self.0.put_u8(name.len() as u8);
        self.0.put_slice(name.as_bytes());
        self.0.put_u32_le(value.len() as u32);
        self.0.put_slice(value);
        Ok(())
    }

    /// Bytes that the value of a header with this name may have beside the others; `None` if there
    /// is no room for it at all.
    pub fn room_for(&self, name: &str) -> Option<usize> {
        limits::HEADERS_SIZE_MAX.checked_sub(self.0.len() + 1 + name.len() + 4)
    }

    /// The headers.
    pub fn build(self) -> Headers {
        Headers(self.0.freeze())
    }
}

/// The header that names the topic of a message that is stored because its topic is bound.
pub const TOPIC_HEADER: &str = "telpher.topic";

impl Message {
    /// The same message as it is stored where its topic is bound: a header names the topic, in the
    /// place of one that did.
    ///
    /// # Errors
    ///
    /// `TOO_LARGE` if the headers have no room for that.
    pub fn of_topic(&self, topic: &Name) -> Result<Message, Error> {
        let mut message = self.to_stored();
        let properties = message.properties_mut();
        let mut builder = HeadersBuilder::default();
        let others = properties.headers.iter().filter(|(name, _)| *name != TOPIC_HEADER);
        for (name, value) in others {
            builder.push(name, value)?;
        }
        let topic = topic.as_str().as_bytes();
        if builder.room_for(TOPIC_HEADER).is_none_or(|room| room < topic.len()) {
            let (size, most) = (properties.headers.encoded().len(), limits::HEADERS_SIZE_MAX);
            let added = topic.len() + TOPIC_HEADER.len() + 5;
            let detail = format!(
                "the headers have {size} bytes, and {TOPIC_HEADER} takes {added}, as the topic is \
                 bound; at most {most} are allowed"
            );
            return Err(Error::new(Kind::TooLarge, detail));
        }
        builder.push(TOPIC_HEADER, topic)?;
        properties.headers = builder.build();
        Ok(message)
    }
}

/// As much of a text as `most` bytes hold.
pub fn cut(text: &str, most: usize) -> &str {
    let most = text.len().min(most);
    &text[..(0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_in_order_and_a_cut_one_is_refused() {
        let mut builder = HeadersBuilder::default();
        builder.push("a", b"1").unwrap();
        builder.push("b", b"").unwrap();
        let headers = builder.build();
        let read: Vec<_> = headers.iter().collect();
        assert_eq!(read, [("a", &b"1"[..]), ("b", &b""[..])]);
        assert_eq!(headers.get("b"), Some(&b""[..]));
        for cut in 1..headers.encoded().len() {
            let part = headers.encoded().slice(..cut);
            let whole = cut == 7;
            assert_eq!(Headers::from_encoded(part).is_some(), whole, "cut at {cut}");
        }
    }

    #[test]
    fn an_oversized_part_is_refused_with_limit_and_value() {
        let error = Message::new(vec![0; limits::BODY_SIZE_MAX + 1]).check().unwrap_err();
        assert_eq!(error.kind(), Kind::TooLarge);
        assert!(error.detail().contains("8388609") && error.detail().contains("8388608"));
    }
}
