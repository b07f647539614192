//! Names of services, queues and topics, and of instances.
//!
//! Floor: base.

use std::fmt;
use std::sync::Arc;

use super::error::{Error, Kind};
use super::limits::NAME_SIZE_MAX;

/// A checked name: 1 to 255 bytes of `A-Z a-z 0-9 . _ -`.
///
/// Cloning is cheap. A name never becomes a path.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Arc<str>);

impl Name {
    /// Checks and keeps `text`.
    ///
    /// # Errors
    ///
    /// `INVALID` if it is empty or has a character that is not allowed, `TOO_LARGE` if it is too
    /// long.
    pub fn parse(text: &str) -> Result<Name, Error> {
        if text.is_empty() {
            return Err(Error::new(Kind::Invalid, "a name is empty; it has 1 to 255 bytes"));
        }
        if text.len() > NAME_SIZE_MAX {
            return Err(Error::new(
                Kind::TooLarge,
                format!("a name has {} bytes; at most {NAME_SIZE_MAX} are allowed", text.len()),
            ));
        }
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if text.bytes().all(is_plain) {
            return Ok(Name(Arc::from(text)));
        }
        let (at, c) = text
            .char_indices()
            .find(|(_, c)| !u8::try_from(*c).is_ok_and(is_plain))
            .expect("a byte that is not plain belongs to a character that is not");
        Err(Error::new(
            Kind::Invalid,
            format!("the name {text:?} has {c:?} at byte {at}; allowed are A-Z a-z 0-9 . _ -"),
        ))
    }

    /// Checks what an instance or subscriber calls itself, and keeps it.
    ///
    /// # Errors
    ///
    /// Those of [`Name::parse`]; the text says that it is the `instance_name`.
    pub fn parse_instance(text: &str) -> Result<Name, Error> {
        let said =
            |error: Error| Error::new(error.kind(), format!("instance_name: {}", error.detail()));
        Name::parse(text).map_err(said)
    }

    /// True if both are clones of one: then they are equal, and otherwise may be.
    pub fn is_same(&self, other: &Name) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_name_is_refused_with_limit_and_value() {
        assert_eq!(Name::parse("").unwrap_err().kind(), Kind::Invalid);
        let long = Name::parse(&"x".repeat(256)).unwrap_err();
        assert_eq!(long.kind(), Kind::TooLarge);
        assert!(long.detail().contains("256") && long.detail().contains("255"));
        for bad in ["a/b", "..\0", "naïve", "a b", "\u{202e}x"] {
            assert_eq!(Name::parse(bad).unwrap_err().kind(), Kind::Invalid, "{bad:?}");
        }
        let instance = Name::parse_instance("").unwrap_err();
        assert_eq!(instance.kind(), Kind::Invalid);
        assert!(instance.detail().starts_with("instance_name: a name is empty"));
        assert_eq!(Name::parse("orders.v2_a-B").unwrap().as_str(), "orders.v2_a-B");
    }
}
