//! Operations from JavaScript: records in, started commands out.
//!
//! A batch is started in its order. At the bound of what may be in flight the rest stays where it
//! is, with the time since when it waits; only what makes room (consumers, services,
//! settlements, replies) may overtake it, as otherwise two waits could hold each other for ever.
//!
//! Floor: layout, body, parts, telpher.

use std::time::Duration;

use telpher::{
    Command, Durability, Error, GatherTo, Kind, Name, Overflow, Pattern, QueueOptions, Target,
    Timeout, TopicOptions, TopicOverflow, Verdict, limits,
};

use crate::body::{Body, malformed, message, text};
use crate::layout::{self, NO_SLOT, double, long};
use crate::{groups, parts, streams};

/// One operation, read from its record.
pub(crate) struct Operation {
    /// Where the outcome goes; `None` if nobody looks.
    pub slot: Option<u32>,
    /// What is wanted.
    pub command: Command,
    /// The time that is left.
    pub timeout: Timeout,
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
    let (small, second) = (words[7], words[8]);
    let command = match words[0] {
        layout::CALL => Command::Call { service: name()?, message: message(words, body)? },
        layout::SEND => Command::Send { queue: name()?, message: message(words, body)? },
        layout::RECEIVE => Command::Receive { queue: name()? },
        layout::SERVE => served(words, body, name()?)?,
        layout::CONSUME => {
            Command::Consume { queue: name()?, prefetch: small, ack_deadline_ms: second }
        }
        layout::PUBLISH => Command::Publish { topic: name()?, message: message(words, body)? },
        layout::GATHER => {
            let to = match words[9] {
                0 => GatherTo::Service(name()?),
                _ => GatherTo::Topic(name()?),
            };
            Command::Gather { to, message: message(words, body)?, count: second }
        }
        layout::SUBSCRIBE => subscribed(words, body)?,
        layout::DECLARE_TOPIC..=layout::INSPECT_TOPIC => declaration(words, body)?,
        layout::APPEND => streams::append(words, body, name()?)?,
        layout::DECLARE_STREAM => streams::declare(words, body, name()?)?,
        layout::DELETE_STREAM => Command::DeleteStream { stream: name()? },
        layout::INSPECT_STREAM => Command::InspectStream { stream: name()? },
        layout::READ => streams::read(words, body, name()?)?,
        layout::LIST_GROUPS..=layout::COMMIT => groups::read(words, body, name)?,
        layout::DECLARE => Command::Declare { queue: name()?, options: declared(words, body)? },
        layout::DELETE => Command::Delete { queue: name()? },
        layout::PURGE => Command::Purge { queue: name()? },
        layout::BIND | layout::UNBIND => binding(words, body, target(second, name()?))?,
        layout::INSPECT => Command::Inspect { queue: name()? },
        layout::EXTEND => Command::Extend { delivery: long(words, 10), ms: small.into() },
        layout::BATCH => Command::Batch { parts: parts::read(words, body)? },
        layout::SETTLE => {
            let (delivery, verdict, reason) = settlement(words, body)?;
            Command::Settle { delivery, verdict, reason }
        }
        layout::REPLY => {
            Command::Reply { request: long(words, 10), reply: Ok(message(words, body)?) }
        }
        layout::REPLY_ERROR => {
            let text = text(body, words[3] as usize, words[4] as usize)?;
            let error = Error::remote(small.cast_signed(), text);
            Command::Reply { request: long(words, 10), reply: Err(error) }
        }
        other => return Err(malformed(&format!("unknown operation {other}"))),
    };
    let slot = (words[1] != NO_SLOT).then_some(words[1]);
    Ok(Operation { slot, command, timeout: time_left(words, now_ms)? })
}

/// A binding that is begun or ended.
fn binding(words: &[u32], body: &mut Body<'_>, target: Target) -> Result<Command, Error> {
    let pattern = pattern(words, body)?;
    Ok(match words[0] {
        layout::BIND => Command::Bind { pattern, target },
        _ => Command::Unbind { pattern, target },
    })
}

/// What is wanted of a declaration of topics.
fn declaration(words: &[u32], body: &mut Body<'_>) -> Result<Command, Error> {
    let pattern = pattern(words, body)?;
    let overflow = if words[8] == 0 { TopicOverflow::Drop } else { TopicOverflow::Wait };
    let options = TopicOptions { overflow, line_max: words[7] };
    Ok(match words[0] {
        layout::DECLARE_TOPIC => Command::DeclareTopic { pattern, options },
        layout::DELETE_TOPIC => Command::DeleteTopic { pattern },
        _ => Command::InspectTopic { pattern },
    })
}

fn served(words: &[u32], body: &mut Body<'_>, service: Name) -> Result<Command, Error> {
    let (concurrency, line_max) = (words[7], words[8]);
    let instance_name = instance_name(words[9], body, (words[3], words[4]))?;
    Ok(Command::Serve { service, concurrency, line_max, instance_name })
}

fn subscribed(words: &[u32], body: &mut Body<'_>) -> Result<Command, Error> {
    let (pattern, buffer) = (pattern(words, body)?, words[7]);
    let behind = (words[3].saturating_add(words[4]), words[5]);
    let instance_name = instance_name(words[8], body, behind)?;
    Ok(Command::Subscribe { pattern, buffer, instance_name })
}

/// What an instance or subscriber calls itself, if that is stated.
fn instance_name(
    is_stated: u32,
    body: &mut Body<'_>,
    (at, size): (u32, u32),
) -> Result<Option<Name>, Error> {
    match is_stated {
        0 => Ok(None),
        _ => Name::parse_instance(&text(body, at as usize, size as usize)?).map(Some),
    }
}

fn target(kind: u32, name: Name) -> Target {
    if kind == 0 { Target::Queue(name) } else { Target::Stream(name) }
}

fn pattern(words: &[u32], body: &mut Body<'_>) -> Result<Pattern, Error> {
    Pattern::parse(&text(body, words[3] as usize, words[4] as usize)?)
}

/// A declaration; 0 is each number's default, and no name that of the dead-letter queue's.
fn declared(words: &[u32], body: &mut Body<'_>) -> Result<QueueOptions, Error> {
    let (at, size, name_size) = (words[3] as usize, words[4] as usize, words[5] as usize);
    let bytes = body.part(at, size)?;
    let number = |index: usize| {
        let eight = bytes.get(index * 8..index * 8 + 8).and_then(|bytes| bytes.try_into().ok());
        eight.map(|eight| f64::from_ne_bytes(eight) as u64).ok_or_else(|| malformed("declaration"))
    };
    let dead_letter = match name_size {
        0 => None,
        _ => Some(Name::parse(&text(body, at + size, name_size)?)?),
    };
    Ok(QueueOptions {
        durability: durability(words[7]),
        length_max: number(0)?,
        bytes_max: number(1)?,
        overflow: if words[8] == 0 { Overflow::Wait } else { Overflow::Reject },
        max_attempts: number(2)? as u32,
        backoff_min_ms: number(3)?,
        backoff_max_ms: number(4)?,
        ack_deadline_ms: number(5)?,
        ttl_ms: number(6)?,
        dead_letter,
    })
}

/// 0 is the default.
pub(crate) fn durability(number: u32) -> Option<Durability> {
    match number {
        0 => None,
        1 => Some(Durability::Memory),
        2 => Some(Durability::Os),
        _ => Some(Durability::Disk),
    }
}

/// Delivery, verdict and reason.
pub(crate) fn settlement(
    words: &[u32],
    body: &mut Body<'_>,
) -> Result<(u64, Verdict, String), Error> {
    let reason = text(body, words[3] as usize, words[4] as usize)?;
    Ok((long(words, 10), verdict(words[7])?, reason))
}

fn verdict(number: u32) -> Result<Verdict, Error> {
    match number {
        layout::ACKNOWLEDGE => Ok(Verdict::Acknowledge),
        layout::REJECT => Ok(Verdict::Reject),
        layout::REQUEUE => Ok(Verdict::Requeue),
        layout::RELEASE => Ok(Verdict::Release),
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
    fn a_subscription_carries_its_pattern_which_is_no_name() {
        let mut words = record(layout::SUBSCRIBE);
        (words[4], words[7]) = (4, 10);
        let operation = read(&words, &mut Body::new(b"a.**"), &[], 0.0).unwrap();
        let Command::Subscribe { pattern, buffer, instance_name } = operation.command else {
            panic!("it is one")
        };
        assert_eq!((pattern.as_str(), buffer, instance_name), ("a.**", 10, None));
        (words[5], words[8]) = (2, 1);
        let operation = read(&words, &mut Body::new(b"a.**me"), &[], 0.0).unwrap();
        let Command::Subscribe { instance_name, .. } = operation.command else { panic!("it is") };
        assert_eq!(instance_name.unwrap().as_str(), "me");
        words[5] = 0;
        let wrong = read(&words, &mut Body::new(b"a.**"), &[], 0.0).err().unwrap();
        assert!(wrong.detail().starts_with("instance_name: a name is empty"), "{wrong}");
        let wrong = read(&words, &mut Body::new(b"a.b*"), &[], 0.0).err().unwrap();
        assert_eq!(wrong.kind(), Kind::Invalid);
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
