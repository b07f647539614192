//! A producer's window: what it has in flight, and what the hub remembers of it.
//!
//! Floor: base.

use std::collections::VecDeque;

use super::limits::PRODUCER_WINDOW;

/// What the hub remembers of a producer: an entry for each sequence that may still be repeated.
#[derive(Debug)]
pub struct Marks<T> {
    oldest: u64,
    entries: VecDeque<Option<T>>,
}

impl<T> Default for Marks<T> {
    fn default() -> Marks<T> {
        Marks { oldest: 1, entries: VecDeque::new() }
    }
}

impl<T> Marks<T> {
    /// The producer says that nothing before `oldest` will come again.
    pub fn advance(&mut self, oldest: u64) {
        if oldest <= self.oldest {
            return;
        }
        let gone = usize::try_from(oldest - self.oldest).unwrap_or(usize::MAX);
        self.entries.drain(..gone.min(self.entries.len()));
        self.oldest = oldest;
        if self.entries.is_empty() && self.entries.capacity() > 64 {
            self.entries = VecDeque::new();
        }
    }

    /// The window's first sequence, and every entry that there is.
    pub fn iter(&self) -> (u64, impl Iterator<Item = (u64, &T)>) {
        let entries =
            (0..).zip(&self.entries).filter_map(|(at, entry)| Some((at, entry.as_ref()?)));
        (self.oldest, entries.map(|(at, entry)| (self.oldest.saturating_add(at), entry)))
    }

    /// The entry of `sequence`; an error if it lies outside of the window.
    pub fn entry(&mut self, sequence: u64) -> Result<&mut Option<T>, OutsideWindow> {
        let at = sequence.checked_sub(self.oldest).filter(|at| *at < PRODUCER_WINDOW);
        let at = at.ok_or(OutsideWindow { oldest: self.oldest, sequence })? as usize;
        while self.entries.len() <= at {
            self.entries.push_back(None);
        }
        Ok(&mut self.entries[at])
    }
}

/// A sequence outside of its producer's window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutsideWindow {
    /// The window's first sequence.
    pub oldest: u64,
    /// The sequence that came.
    pub sequence: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_kept_until_its_producer_has_moved_past_it() {
        let mut marks = Marks::default();
        *marks.entry(1).unwrap() = Some("a");
        *marks.entry(5).unwrap() = Some("b");
        assert_eq!(marks.entry(1).unwrap(), &Some("a"));
        assert_eq!(marks.entry(3).unwrap(), &None);
        marks.advance(4);
        assert_eq!(marks.entry(5).unwrap(), &Some("b"));
        assert!(marks.entry(3).is_err());
        assert!(marks.entry(4 + PRODUCER_WINDOW).is_err());
        marks.advance(10_000);
        assert_eq!(marks.entry(10_000).unwrap(), &None);
    }
}
