//! How queues are.
//!
//! Floor: base.

use super::command::within;
use super::error::{Error, Kind};
use super::event::Durability;
use super::limits;
use super::name::Name;

/// What happens to a send when the queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Overflow {
    /// It waits in line for room, and is `FULL` at its deadline.
    #[default]
    Wait = 0,
    /// It is `FULL` at once.
    Reject = 1,
}

/// How a queue is.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct QueueOptions {
    /// How safe a confirmed message is; `None` is the hub's default (`memory` for `mem://` and for
    /// a hub without a directory, `disk` for one with).
    pub durability: Option<Durability>,
    /// Messages, waiting and held; 0 is the default of 1,000,000.
    pub length_max: u64,
    /// Bytes of bodies, keys and headers; 0 is the default of 256 MiB. At most 1 GiB in memory, at
    /// most 1 TiB on disk.
    pub bytes_max: u64,
    /// What happens at either limit.
    pub overflow: Overflow,
    /// Failed attempts after which a message goes to the dead-letter queue, 1 to 1,000; 0 is the
    /// default of 20.
    pub max_attempts: u32,
    /// Pause after the first failed attempt, in ms; 0 is the default of 100. It doubles with each
    /// further one; each pause is drawn at random between half and all of its value.
    pub backoff_min_ms: u64,
    /// Longest pause, in ms; 0 is the default of 60,000. At most 1 day.
    pub backoff_max_ms: u64,
    /// Time after which a message that was handed over and not settled is taken back as a failed
    /// attempt, in ms; 0: never. At most 1 day.
    pub ack_deadline_ms: u64,
    /// Time after which a message that nobody holds goes to the dead-letter queue, in ms; 0: never.
    pub ttl_ms: u64,
    /// Where dead letters go; `None` is the queue's own name with `.dead` behind it, made when it
    /// is first needed. A queue whose name ends with `.dead` and that names no other has none: what
    /// is rejected there is gone, and attempts are not counted to an end.
    pub dead_letter: Option<Name>,
}

/// What the name of a queue of dead letters ends with, if nothing else is stated.
pub const DEAD_SUFFIX: &str = ".dead";

impl QueueOptions {
    /// The same options, with each default in its place.
    #[must_use]
    pub fn resolved(&self, durability: Durability) -> QueueOptions {
        let or = |value: u64, default: u64| if value == 0 { default } else { value };
        let (least, most) = limits::BACKOFF_DEFAULT_MS;
        // What is stated alone takes the other along.
        let backoff_min_ms = or(self.backoff_min_ms, least.min(or(self.backoff_max_ms, most)));
        QueueOptions {
            durability: Some(self.durability.unwrap_or(durability)),
            length_max: or(self.length_max, limits::QUEUE_LENGTH_DEFAULT),
            bytes_max: or(self.bytes_max, limits::QUEUE_BYTES_DEFAULT),
            overflow: self.overflow,
            max_attempts: or(self.max_attempts.into(), limits::ATTEMPTS_DEFAULT.into()) as u32,
            backoff_min_ms,
            backoff_max_ms: or(self.backoff_max_ms, most.max(backoff_min_ms)),
            ack_deadline_ms: self.ack_deadline_ms,
            ttl_ms: self.ttl_ms,
            dead_letter: self.dead_letter.clone(),
        }
    }

    /// Where the dead letters of the queue `own` go, if anywhere.
    pub fn dead_letter_of(&self, own: &Name) -> Option<Name> {
        if let Some(stated) = &self.dead_letter {
            return Some(stated.clone());
        }
        if own.as_str().ends_with(DEAD_SUFFIX) {
            return None;
        }
        Name::parse(&format!("{own}{DEAD_SUFFIX}")).ok()
    }

    fn check_bytes(&self) -> Result<(), Error> {
        let most = match self.durability {
            Some(Durability::Memory) => limits::HUB_BYTES_MAX,
            _ => limits::DISK_BYTES_MAX,
        };
        within("bytes_max", self.bytes_max, 0, most)
    }

    /// Checks every value that has a limit, for the queue `own`. The bound on bytes depends on
    /// where they are kept: it is checked as far as that is stated here, so once more when the
    /// default of the hub has taken its place.
    ///
    /// # Errors
    ///
    /// `INVALID` or `TOO_LARGE`, naming the value and its limit.
    pub fn check(&self, own: &Name) -> Result<(), Error> {
        self.check_bytes()?;
        within("max_attempts", self.max_attempts.into(), 0, limits::ATTEMPTS_MAX.into())?;
        for (what, value) in [
            ("backoff_min_ms", self.backoff_min_ms),
            ("backoff_max_ms", self.backoff_max_ms),
            ("ack_deadline_ms", self.ack_deadline_ms),
        ] {
            within(what, value, 0, limits::DELAY_MAX_MS)?;
        }
        within("ttl_ms", self.ttl_ms, 0, limits::TIMEOUT_MAX_MS)?;
        if self.backoff_max_ms != 0 && self.backoff_max_ms < self.backoff_min_ms {
            let (least, most) = (self.backoff_min_ms, self.backoff_max_ms);
            let detail = format!("backoff_max_ms is {most}, less than backoff_min_ms, {least}");
            return Err(Error::new(Kind::Invalid, detail));
        }
        if self.dead_letter.as_ref() == Some(own) {
            let detail = format!("the queue {own:?} can't be its own dead-letter queue");
            return Err(Error::new(Kind::Invalid, detail));
        }
        let longest = limits::NAME_SIZE_MAX - DEAD_SUFFIX.len();
        if self.dead_letter_of(own).is_none() && !own.as_str().ends_with(DEAD_SUFFIX) {
            let size = own.as_str().len();
            let detail = format!(
                "the queue's name has {size} bytes; without a stated dead_letter at most {longest} \
                 are allowed, as its dead letters go to a queue with {DEAD_SUFFIX} behind its name"
            );
            return Err(Error::new(Kind::TooLarge, detail));
        }
        Ok(())
    }
}
