//! One public error, and the one table of its kinds.
//!
//! The C status, the Python class, the Node `code` and the wire's status number all come from the
//! table below; a test in each language reads it back.
//!
//! Floor: base.

use std::fmt;

/// Whether the operation may have taken effect when it ended with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Executed {
    /// It certainly did not.
    Never,
    /// It may have: the caller cannot know.
    Maybe,
    /// The error itself says (`Error::maybe_executed`), as it depends on how far the operation got.
    Depends,
}

macro_rules! kinds {
    ($(
        $(#[doc = $doc:literal])+
        $kind:ident = $number:literal, $name:literal, $executed:ident;
    )+) => {
        /// What went wrong. Numbers are part of the C interface and the wire, and never reused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u32)]
        pub enum Kind { $($(#[doc = $doc])+ $kind = $number,)+ }

        impl Kind {
            /// Every kind, in order of its number.
            pub const ALL: &'static [Kind] = &[$(Kind::$kind,)+];

            /// The stable name, as in C without its prefix: `NO_SERVICE`.
            pub const fn name(self) -> &'static str {
                match self { $(Kind::$kind => $name,)+ }
            }

            /// Whether the operation may have taken effect.
            pub const fn executed(self) -> Executed {
                match self { $(Kind::$kind => Executed::$executed,)+ }
            }

            /// What the kind means, in a sentence or two.
            pub const fn meaning(self) -> &'static str {
                match self { $(Kind::$kind => concat!($($doc,)+).trim_ascii(),)+ }
            }

            /// The kind with this number, if there is one.
            pub const fn from_number(number: u32) -> Option<Kind> {
                match number { $($number => Some(Kind::$kind),)+ _ => None }
            }
        }
    };
}

kinds! {
    /// An argument is wrong; the text says which, its limit and its value. Nothing was started.
    Invalid = 1, "INVALID", Never;
    /// A body, key, header or name is over its limit. Nothing was started.
    TooLarge = 2, "TOO_LARGE", Never;
    /// As much is in flight as may be, or the queue is full. Nothing was stored; one READY event
    /// follows when half of what may be in flight is free again.
    Full = 3, "FULL", Never;
    /// The id names nothing any more: its ticket was redeemed, or its delivery settled, before.
    Stale = 4, "STALE", Never;
    /// The handle is closed, or was while the operation was open.
    Closed = 5, "CLOSED", Depends;
    /// The wait's own time passed first. The ticket is still open; nothing has changed.
    Pending = 6, "PENDING", Never;
    /// The handle was opened before a fork, by the parent. The child must open its own.
    Forked = 7, "FORKED", Never;
    /// Waiting here would wait for oneself: inside a callback or handler, or on a second driver.
    WouldDeadlock = 8, "WOULD_DEADLOCK", Never;
    /// The hub cannot do this; the text names the feature. Nothing was done.
    Unsupported = 9, "UNSUPPORTED", Never;
    /// No queue or stream has this name.
    NotFound = 10, "NOT_FOUND", Never;
    /// It exists with other options; the text names the difference. Nothing was changed.
    Mismatch = 11, "MISMATCH", Never;
    /// No instance serves this name. The request was not run.
    NoService = 12, "NO_SERVICE", Never;
    /// The service's line of waiting requests is full. The request was not run.
    Busy = 13, "BUSY", Never;
    /// The time ran out before the operation began. It was dropped unrun.
    Expired = 14, "EXPIRED", Never;
    /// The time ran out while the handler was running.
    TimedOut = 15, "TIMED_OUT", Maybe;
    /// The handler failed; the error carries its code and text.
    Remote = 16, "REMOTE", Maybe;
    /// The handler let go of the request, or ended, without an answer.
    Abandoned = 17, "ABANDONED", Maybe;
    /// Cancelled at the program's own wish.
    Cancelled = 18, "CANCELLED", Depends;
    /// The host that held the operation is gone, or no longer knows this session.
    HostLost = 19, "HOST_LOST", Depends;
    /// The deadline passed without a verdict of the hub.
    HostUnresponsive = 20, "HOST_UNRESPONSIVE", Maybe;
    /// Nobody hosts the hub and this handle may not, or the hub could not be reached in time.
    NoHost = 21, "NO_HOST", Never;
    /// The delivery or request was taken back before this answer came. The answer had no effect.
    LeaseLost = 22, "LEASE_LOST", Never;
    /// The hub does not know this producer any more, so it cannot tell a repeat from a new message.
    UnknownProducer = 23, "UNKNOWN_PRODUCER", Maybe;
    /// Whether it was done cannot be found out.
    Indeterminate = 24, "INDETERMINATE", Maybe;
    /// The other side broke the wire protocol; the connection was ended with this reason.
    Protocol = 25, "PROTOCOL", Depends;
    /// Refused by policy: not without a stated permission. Nothing was done.
    Refused = 26, "REFUSED", Never;
    /// The operating system refused; the text carries its words.
    Io = 27, "IO", Depends;
    /// A signal arrived during the wait. Nothing has changed: call again.
    Interrupted = 28, "INTERRUPTED", Never;
    /// A fault in Telpher itself was caught; the handle refuses further work.
    Internal = 29, "INTERNAL", Maybe;
    /// The disk is full. Nothing was stored; settling what is held frees room.
    NoSpace = 30, "NO_SPACE", Never;
    /// Damage was found on disk; the text names the file and the offset. Nothing of it is used.
    Corrupt = 31, "CORRUPT", Never;
    /// Of a gather: the request or its answer was dropped on the way, as a buffer was full or a
    /// connection broke.
    Lost = 32, "LOST", Depends;
    /// What was to be read is not kept any more, or not there yet; the text tells the range.
    OutOfRange = 33, "OUT_OF_RANGE", Never;
    /// The partition's next offset is another than was expected. Nothing was appended.
    Conflict = 34, "CONFLICT", Never;
}

/// Why an operation could not be started, or how it ended.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    kind: Kind,
    maybe_executed: bool,
    code: i32,
    detail: String,
}

impl Error {
    /// An error of `kind`; `detail` says what was wrong, with the limit and the value.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Error {
        let maybe_executed = kind.executed() == Executed::Maybe;
        Error(Box::new(Inner { kind, maybe_executed, code: 0, detail: detail.into() }))
    }

    /// The same error, with what is known of its effect where the kind leaves that open.
    #[must_use]
    pub fn executed(mut self, maybe: bool) -> Error {
        if self.0.kind.executed() == Executed::Depends {
            self.0.maybe_executed = maybe;
        }
        self
    }

    /// A handler's failure, with the code and text it gave.
    pub fn remote(code: i32, text: impl Into<String>) -> Error {
        let mut error = Error::new(Kind::Remote, text);
        error.0.code = code;
        error
    }

    /// What went wrong.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// True if the operation may have taken effect.
    pub fn maybe_executed(&self) -> bool {
        self.0.maybe_executed
    }

    /// The code that a failing handler gave; 0 otherwise.
    pub fn code(&self) -> i32 {
        self.0.code
    }

    /// What was wrong, for a person.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().name())?;
        if self.kind() == Kind::Remote {
            write!(f, " (code {})", self.code())?;
        }
        if !self.detail().is_empty() {
            write!(f, ": {}", self.detail())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self}; maybe_executed={})", self.maybe_executed())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_leads_back_to_its_kind_and_no_name_is_used_twice() {
        for (index, kind) in Kind::ALL.iter().enumerate() {
            assert_eq!(Kind::from_number(*kind as u32), Some(*kind));
            assert_eq!(*kind as usize, index + 1);
            assert!(Kind::ALL.iter().filter(|other| other.name() == kind.name()).count() == 1);
        }
        assert_eq!(Kind::from_number(0), None);
    }

    #[test]
    fn only_a_kind_that_leaves_it_open_takes_what_is_known_of_its_effect() {
        assert!(!Error::new(Kind::Busy, "").executed(true).maybe_executed());
        assert!(Error::new(Kind::TimedOut, "").executed(false).maybe_executed());
        assert!(Error::new(Kind::HostLost, "").executed(true).maybe_executed());
    }
}
