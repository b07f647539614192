//! Operations from JavaScript: records in, started commands out.
//!
//! A batch is started in its order. At the bound of what may be in flight the rest stays where it
//! is, with the time since when it waits; only what makes room (consumers, services,
//! settlements, replies) may overtake it, as otherwise two waits could hold each other for ever.
//!
//! Floor: layout, telpher.

use std::time::Duration;

use telpher::{
    Bytes, Command, Durability, Error, HeadersBuilder, Kind, Message, Name, Overflow, QueueOptions,
    Timeout, Verdict, limits,
};

use crate::layout::{self, NO_SLOT, double, long};

/// One operation, read from its record.
pub(crate) struct Operation {
    /// Where the outcome goes; `None` if nobody looks.
    pub slot: Option<u32>,
    /// What is wanted.
    pub command: Command,
    /// The time that is left.
    pub timeout: Timeout,
}

/// The bytes of a batch, copied once, when the first operation needs them.
pub(crate) struct Body<'a> {
    borrowed: &'a [u8],
    owned: Option<Bytes>,
}

impl<'a> Body<'a> {
    pub(crate) fn new(borrowed: &'a [u8]) -> Body<'a> {
        Body { borrowed, owned: None }
    }

    fn part(&mut self, from: usize, size: usize) -> Result<Bytes, Error> {
        if size == 0 {
            return Ok(Bytes::new());
        }
        let end = from.checked_add(size).filter(|end| *end <= self.borrowed.len());
        let end = end.ok_or_else(|| malformed("bytes beyond their batch"))?;
        let owned = self.owned.get_or_insert_with(|| Bytes::copy_from_slice(self.borrowed));
        Ok(owned.slice(from..end))
    }
}

/// True if starting this kind makes room for others.
pub(crate) fn makes_room(kind: u32) -> bool {
    kind >= layout::SERVE
}

/// Reads the record at the start of `words`.
///
/// # Errors
///
/// `INVALID` or `TOO_LARGE` for what is wrong with the operation, `FULL` if it has waited for room
/// until its time was over. Nothing was started.
pub(crate) fn read(
    words: &[u32],
    body: &mut Body<'_>,
    names: &[Name],
    now_ms: f64,
) -> Result<Operation, Error> {
    let name = || names.get(words[2] as usize).cloned().ok_or_else(|| malformed("unknown name"));
    let small = words[7];
    let command = match words[0] {
        layout::CALL => Command::Call { service: name()?, message: message(words, body)? },
        layout::SEND => Command::Send { queue: name()?, message: message(words, body)? },
        layout::RECEIVE => Command::Receive { queue: name()? },
        layout::SERVE => {
            Command::Serve { service: name()?, concurrency: small, line_max: words[8] }
        }
        layout::CONSUME => Command::Consume { queue: name()?, prefetch: small, ack_deadline_ms: 0 },
        layout::DECLARE => Command::Declare { queue: name()?, options: declared(words, body)? },
        layout::DELETE => Command::Delete { queue: name()? },
        layout::PURGE => Command::Purge { queue: name()? },
        layout::INSPECT => Command::Inspect { queue: name()? },
        layout::SETTLE => Command::Settle {
            delivery: long(words, 10),
            verdict: verdict(small)?,
            reason: String::new(),
        },
        layout::REPLY => {
            Command::Reply { request: long(words, 10), reply: Ok(message(words, body)?) }
        }
        layout::REPLY_ERROR => {
            let text = body.part(words[3] as usize, words[4] as usize)?;
            let error = Error::remote(small.cast_signed(), String::from_utf8_lossy(&text));
            Command::Reply { request: long(words, 10), reply: Err(error) }
        }
        other => return Err(malformed(&format!("unknown operation {other}"))),
    };
    let slot = (words[1] != NO_SLOT).then_some(words[1]);
    Ok(Operation { slot, command, timeout: time_left(words, now_ms)? })
}

fn message(words: &[u32], body: &mut Body<'_>) -> Result<Message, Error> {
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

/// The body of a declaration: two doubles, durability, overflow.
fn declared(words: &[u32], body: &mut Body<'_>) -> Result<QueueOptions, Error> {
    let bytes = body.part(words[3] as usize, words[4] as usize)?;
    let number = |at: usize| {
        let eight = bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        eight.map(f64::from_le_bytes).ok_or_else(|| malformed("a declaration"))
    };
    let durability = match words[7] {
        0 => None,
        1 => Some(Durability::Memory),
        2 => Some(Durability::Os),
        _ => Some(Durability::Disk),
    };
    let overflow = if words[8] == 0 { Overflow::Wait } else { Overflow::Reject };
    Ok(QueueOptions {
        durability,
        length_max: number(0)? as u64,
        bytes_max: number(8)? as u64,
        overflow,
        ..QueueOptions::default()
    })
}

fn verdict(number: u32) -> Result<Verdict, Error> {
    match number {
        1 => Ok(Verdict::Acknowledge),
        2 => Ok(Verdict::Reject),
        3 => Ok(Verdict::Requeue),
        4 => Ok(Verdict::Release),
        other => Err(malformed(&format!("unknown verdict {other}"))),
    }
}

/// NaN is the default, infinity is none.
pub(crate) fn timeout(ms: f64) -> Result<Timeout, Error> {
    if ms.is_nan() {
        return Ok(Timeout::Default);
    }
    if ms == f64::INFINITY {
        return Ok(Timeout::Never);
    }
    if (0.0..=limits::TIMEOUT_MAX_MS as f64).contains(&ms) {
        return Ok(Timeout::After(Duration::from_secs_f64(ms / 1000.0)));
    }
    let detail = format!(
        "timeoutMs is {ms}; allowed are 0 to {} and Infinity (none)",
        limits::TIMEOUT_MAX_MS
    );
    Err(Error::new(Kind::Invalid, detail))
}

fn time_left(words: &[u32], now_ms: f64) -> Result<Timeout, Error> {
    let (stated, since_ms) = (double(words, 12), double(words, 14));
    if since_ms == 0.0 {
        return timeout(stated);
    }
    let whole_ms = if stated.is_nan() { limits::TIMEOUT_DEFAULT_MS as f64 } else { stated };
    let left_ms = whole_ms - (now_ms - since_ms);
    if left_ms > 0.0 {
        return timeout(left_ms);
    }
    let detail = format!("as much as may be was in flight for the whole {whole_ms} ms");
    Err(Error::new(Kind::Full, detail))
}

fn malformed(what: &str) -> Error {
    Error::new(Kind::Internal, format!("a malformed batch reached the addon: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{WORDS, set_double, set_long};

    fn record(kind: u32) -> [u32; WORDS] {
        let mut words = [0; WORDS];
        words[0] = kind;
        set_double(&mut words, 12, f64::NAN);
        words
    }

    #[test]
    fn a_call_carries_body_key_and_headers() {
        let mut bytes = b"bodykey".to_vec();
        for part in ["name", "value"] {
            bytes.extend((part.len() as u32).to_le_bytes());
            bytes.extend(part.as_bytes());
        }
        let mut words = record(layout::CALL);
        (words[4], words[5], words[6]) = (4, 3, bytes.len() as u32 - 7);
        let names = [Name::parse("clock").unwrap()];
        let operation = read(&words, &mut Body::new(&bytes), &names, 0.0).unwrap();
        let Command::Call { service, message } = operation.command else { panic!("a call") };
        let properties = message.properties.unwrap();
        assert_eq!((service.as_str(), &message.body[..]), ("clock", &b"body"[..]));
        assert_eq!(&properties.key[..], b"key");
        assert_eq!(properties.headers.get("name"), Some(&b"value"[..]));
    }

    #[test]
    fn a_record_that_points_outside_its_batch_is_refused() {
        let names = [Name::parse("clock").unwrap()];
        for (at, size) in [(0, 5), (4, 1), (u32::MAX, 1), (1, u32::MAX)] {
            let mut words = record(layout::CALL);
            (words[3], words[4]) = (at, size);
            assert!(read(&words, &mut Body::new(b"body"), &names, 0.0).is_err());
        }
        let mut words = record(layout::SETTLE);
        set_long(&mut words, 10, 7);
        words[7] = 9;
        assert!(read(&words, &mut Body::new(b""), &names, 0.0).is_err());
    }

    #[test]
    fn time_spent_waiting_for_room_counts() {
        let mut words = record(layout::INSPECT);
        set_double(&mut words, 12, 100.0);
        set_double(&mut words, 14, 1000.0);
        assert_eq!(time_left(&words, 1040.0).unwrap(), Timeout::After(Duration::from_millis(60)));
        assert_eq!(time_left(&words, 1100.0).unwrap_err().kind(), Kind::Full);
    }

    #[test]
    fn a_wrong_time_is_refused_with_its_limit() {
        for ms in [-1.0, f64::NEG_INFINITY, 1e12 + 1.0] {
            let error = timeout(ms).unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(error.detail().contains("1000000000000"), "{error}");
        }
        assert_eq!(timeout(f64::INFINITY).unwrap(), Timeout::Never);
    }
}
