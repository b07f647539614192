//! What lies beside the records: bodies, keys, headers, text.
//!
//! Floor: telpher.

use telpher::{Bytes, Error, HeadersBuilder, Kind, Message};

/// The bytes of a batch, copied once, when the first operation needs them.
pub(crate) struct Body<'a> {
    borrowed: &'a [u8],
    owned: Option<Bytes>,
}

impl<'a> Body<'a> {
    /// Nothing is copied yet.
    pub(crate) fn new(borrowed: &'a [u8]) -> Body<'a> {
        Body { borrowed, owned: None }
    }

    /// What is owned already.
    pub(crate) fn of(owned: &'a Bytes) -> Body<'a> {
        Body { borrowed: owned, owned: Some(owned.clone()) }
    }

    /// `size` bytes from `from` on.
    pub(crate) fn part(&mut self, from: usize, size: usize) -> Result<Bytes, Error> {
        if size == 0 {
            return Ok(Bytes::new());
        }
        let end = from.checked_add(size).filter(|end| *end <= self.borrowed.len());
        let end = end.ok_or_else(|| malformed("bytes beyond their batch"))?;
        let owned = self.owned.get_or_insert_with(|| Bytes::copy_from_slice(self.borrowed));
        Ok(owned.slice(from..end))
    }
}

/// Text of `size` bytes from `from` on.
pub(crate) fn text(body: &mut Body<'_>, from: usize, size: usize) -> Result<String, Error> {
    let bytes = body.part(from, size)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The message of a record.
pub(crate) fn message(words: &[u32], body: &mut Body<'_>) -> Result<Message, Error> {
    let (at, size) = (words[3] as usize, words[4] as usize);
    let (key_size, headers_size) = (words[5] as usize, words[6] as usize);
    let mut message = Message::new(body.part(at, size)?);
    if key_size != 0 {
        message.properties_mut().key = body.part(at + size, key_size)?;
    }
    if headers_size != 0 {
        let encoded = body.part(at + size + key_size, headers_size)?;
        message.properties_mut().headers = headers(&encoded)?.build();
    }
    if words[7] != 0 {
        message.properties_mut().priority = words[7] as u8;
    }
    Ok(message)
}

/// JavaScript writes each header as a name and a value, both after their size in four bytes, so
/// that the limits are checked here only.
fn headers(mut rest: &[u8]) -> Result<HeadersBuilder, Error> {
    let mut builder = HeadersBuilder::default();
    while !rest.is_empty() {
        let (name, after) = sized(rest)?;
        let (value, after) = sized(after)?;
        let name = std::str::from_utf8(name).map_err(|_| malformed("a header's name"))?;
        builder.push(name, value)?;
        rest = after;
    }
    Ok(builder)
}

fn sized(bytes: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let split = bytes.split_first_chunk::<4>();
    let (size, rest) = split.ok_or_else(|| malformed("headers"))?;
    let size = u32::from_le_bytes(*size) as usize;
    rest.split_at_checked(size).ok_or_else(|| malformed("headers"))
}

/// What only a fault of `lib/` can bring about.
pub(crate) fn malformed(what: &str) -> Error {
    Error::new(Kind::Internal, format!("a malformed batch reached the addon: {what}"))
}
