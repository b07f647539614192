//! Patterns over the dotted names of topics.
//!
//! Floor: base.

use std::fmt;
use std::sync::Arc;

use super::error::{Error, Kind};
use super::limits::NAME_SIZE_MAX;
use super::name::Name;

/// A checked pattern: a topic's name in which `*` stands for one segment and `**` for any number of
/// them, none included. At most 255 bytes.
///
/// Cloning is cheap.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern(Arc<str>);

impl Pattern {
    /// Checks and keeps `text`.
    ///
    /// # Errors
    ///
    /// `INVALID` if a segment is empty, has a character that is not allowed, or has a `*` beside
    /// others; `TOO_LARGE` if it is too long.
    pub fn parse(text: &str) -> Result<Pattern, Error> {
        if text.len() > NAME_SIZE_MAX {
            let detail =
                format!("a pattern has {} bytes; at most {NAME_SIZE_MAX} are allowed", text.len());
            return Err(Error::new(Kind::TooLarge, detail));
        }
        for segment in text.split('.') {
            let stars = matches!(segment, "*" | "**");
            let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            if segment.is_empty() {
                let detail = format!("the pattern {text:?} has an empty segment");
                return Err(Error::new(Kind::Invalid, detail));
            }
            if !stars && let Some(c) = segment.chars().find(|c| !allowed(*c)) {
                let detail = format!(
                    "the pattern {text:?} has {c:?} in {segment:?}; a segment is `*`, `**`, or of \
                     A-Z a-z 0-9 _ -"
                );
                return Err(Error::new(Kind::Invalid, detail));
            }
        }
        Ok(Pattern(Arc::from(text)))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True if it matches one topic only, of the same name.
    pub fn is_exact(&self) -> bool {
        !self.0.contains('*')
    }

    /// Its segments, in order.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// A name to which messages can be published has no empty segment.
///
/// # Errors
///
/// `INVALID`.
pub fn check_topic(name: &Name) -> Result<(), Error> {
    let bytes = name.as_str().as_bytes();
    let is_outer = bytes.first() == Some(&b'.') || bytes.last() == Some(&b'.');
    let is_doubled = |at: usize| bytes[at] == b'.' && bytes[at - 1] == b'.';
    if is_outer || (1..bytes.len()).any(is_doubled) {
        return Err(Error::new(Kind::Invalid, format!("the topic {name:?} has an empty segment")));
    }
    Ok(())
}

/// The segments of a topic's name, in order. There are many names, so this looks at bytes.
pub(crate) fn segments(topic: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(topic);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(dot) = text.bytes().position(|byte| byte == b'.') else { return rest.take() };
        rest = Some(&text[dot + 1..]);
        Some(&text[..dot])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_pattern_is_refused_with_the_segment() {
        for good in ["a", "*", "**", "a.*.b-c.**", "orders.v2_a-B"] {
            assert_eq!(Pattern::parse(good).unwrap().as_str(), good);
        }
        for (bad, said) in [
            ("", "empty"),
            ("a..b", "empty"),
            ("a.", "empty"),
            ("a.b*", "b*"),
            ("***", "***"),
            ("a.b c", "b c"),
            ("ä", "ä"),
        ] {
            let error = Pattern::parse(bad).unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid, "{bad:?}");
            assert!(error.detail().contains(said), "{error}");
        }
        let long = Pattern::parse(&"x".repeat(256)).unwrap_err();
        assert_eq!(long.kind(), Kind::TooLarge);
        assert!(long.detail().contains("256") && long.detail().contains("255"));
    }

    #[test]
    fn a_topic_has_no_empty_segment() {
        for good in ["a", "a.b", "a.b.c-d_e", "-", "_.x"] {
            check_topic(&Name::parse(good).unwrap()).unwrap();
        }
        for bad in [".", "..", ".a", "a.", "a..b", "a.b..", "..a.b"] {
            let error = check_topic(&Name::parse(bad).unwrap()).unwrap_err();
            assert!(error.kind() == Kind::Invalid && error.detail().contains(bad), "{bad:?}");
        }
    }
}
