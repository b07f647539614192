//! Messages of one queue by sequence, for reading back what was written down.
//!
//! ```text
//! sparse: 3 -> m, 8 -> m        dense, from 1_000: m m . m m m m
//! ```
//! Most sequences follow each other, so that a place is found by counting; the few that are far
//! from the others lie in a tree.
//!
//! Floor: broker.

use std::collections::{BTreeMap, VecDeque};

/// Places that may be left empty for a sequence further on.
const GAP_MAX: u64 = 1_024;

#[derive(Debug)]
pub(super) struct Entries<T> {
    first: u64,
    dense: VecDeque<Option<T>>,
    sparse: BTreeMap<u64, T>,
}

impl<T> Default for Entries<T> {
    fn default() -> Entries<T> {
        Entries { first: 0, dense: VecDeque::new(), sparse: BTreeMap::new() }
    }
}

impl<T> Entries<T> {
    fn place(&self, sequence: u64) -> Option<usize> {
        let at = usize::try_from(sequence.checked_sub(self.first)?).ok()?;
        (at < self.dense.len()).then_some(at)
    }

    /// Puts a message under its sequence, in the place of another.
    pub fn insert(&mut self, sequence: u64, value: T) {
        if self.dense.is_empty() {
            self.first = sequence;
        }
        if let Some(at) = self.place(sequence) {
            self.dense[at] = Some(value);
            self.sparse.remove(&sequence);
            return;
        }
        let end = self.first + self.dense.len() as u64;
        if !(end..=end + GAP_MAX).contains(&sequence) {
            self.sparse.insert(sequence, value);
            return;
        }
        for _ in end..sequence {
            self.dense.push_back(None);
        }
        self.sparse.remove(&sequence);
        self.dense.push_back(Some(value));
    }

    /// The message with this sequence.
    pub fn get_mut(&mut self, sequence: u64) -> Option<&mut T> {
        match self.place(sequence) {
            Some(at) if self.dense[at].is_some() => self.dense[at].as_mut(),
            _ => self.sparse.get_mut(&sequence),
        }
    }

    /// Takes out the message with this sequence.
    pub fn remove(&mut self, sequence: u64) -> Option<T> {
        let found = match self.place(sequence) {
            Some(at) => self.dense[at].take(),
            None => None,
        };
        while matches!(self.dense.front(), Some(None)) {
            self.dense.pop_front();
            self.first += 1;
        }
        found.or_else(|| self.sparse.remove(&sequence))
    }

    /// Keeps only those for which `keep` is true.
    pub fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        for place in &mut self.dense {
            if place.as_ref().is_some_and(|value| !keep(value)) {
                *place = None;
            }
        }
        self.sparse.retain(|_, value| keep(value));
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Entries::default();
    }

    /// Every message, in no order.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.sparse.values().chain(self.dense.iter().flatten())
    }

    /// Every message, nearly in order of sequence.
    pub fn into_values(self) -> impl Iterator<Item = T> {
        self.sparse.into_values().chain(self.dense.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_is_found_and_taken_out_once_wherever_it_lies() {
        let mut entries = Entries::default();
        let sequences = [1_000, 1_001, 5, 1_003, 9_999_999, 1_002, 6, 2_500];
        for sequence in sequences {
            entries.insert(sequence, sequence);
        }
        entries.insert(1_003, 7);
        assert_eq!(entries.get_mut(1_003), Some(&mut 7));
        assert_eq!(entries.values().count(), sequences.len());
        assert_eq!(entries.remove(1_000), Some(1_000));
        entries.insert(1_000, 8);
        assert_eq!((entries.remove(1_000), entries.remove(1_000)), (Some(8), None));
        entries.retain(|value| *value != 6);
        let mut left: Vec<u64> = entries.into_values().collect();
        left.sort_unstable();
        assert_eq!(left, [5, 7, 1_001, 1_002, 2_500, 9_999_999]);
    }
}
