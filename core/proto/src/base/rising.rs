//! Values by numbers that rise.
//!
//! ```text
//! numbers: 7, 8, 12, ...         in order
//! values:  a, -, b,  ...         each with the number at its place; `-` was taken out
//! ```
//! What is added usually has the highest number, and what is taken out usually the lowest: both
//! cost next to nothing. Anything else is where it would be if they rose evenly, or found by
//! bisection. At most half has been taken out.
//!
//! Floor: base.

use std::cmp::Ordering;
use std::collections::VecDeque;

/// A map for numbers that rise.
#[derive(Debug)]
pub struct Rising<T> {
    numbers: VecDeque<u64>,
    /// The first one is there.
    values: VecDeque<Option<T>>,
    /// Values that were taken out.
    gone: usize,
}

impl<T> Default for Rising<T> {
    fn default() -> Rising<T> {
        Rising { numbers: VecDeque::new(), values: VecDeque::new(), gone: 0 }
    }
}

/// Values that were taken out and may keep their places in any case.
const GONE_MIN: usize = 32;

impl<T> Rising<T> {
    /// Adds a value, in the place of one with the same number.
    #[inline]
    pub fn insert(&mut self, number: u64, value: T) {
        if self.numbers.back().is_some_and(|last| *last >= number) {
            return self.insert_between(number, value);
        }
        self.numbers.push_back(number);
        self.values.push_back(Some(value));
    }

    fn insert_between(&mut self, number: u64, value: T) {
        match self.numbers.binary_search(&number) {
            Ok(at) => {
                let before = self.values[at].replace(value);
                self.gone -= usize::from(before.is_none());
            }
            Err(at) => {
                self.numbers.insert(at, number);
                self.values.insert(at, Some(value));
            }
        }
    }

    /// The lowest number.
    pub fn first(&self) -> Option<u64> {
        self.numbers.front().copied()
    }

    /// The value with this number.
    #[inline]
    pub fn get(&self, number: u64) -> Option<&T> {
        self.values[self.place(number)?].as_ref()
    }

    /// The value with this number.
    #[inline]
    pub fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let at = self.place(number)?;
        self.values[at].as_mut()
    }

    /// Takes a value out.
    #[inline]
    pub fn remove(&mut self, number: u64) -> Option<T> {
        let at = self.place(number)?;
        if at > 0 {
            return self.leave(at);
        }
        self.numbers.pop_front();
        let value = self.values.pop_front()?;
        while self.gone > 0 && self.values.front().is_some_and(Option::is_none) {
            self.numbers.pop_front();
            self.values.pop_front();
            self.gone -= 1;
        }
        value
    }

    /// Takes one out that is not the first.
    fn leave(&mut self, at: usize) -> Option<T> {
        let value = self.values[at].take()?;
        self.gone += 1;
        if self.gone > GONE_MIN + self.values.len() / 2 {
            let mut there = self.values.iter().map(Option::is_some);
            self.numbers.retain(|_| there.next() == Some(true));
            self.values.retain(Option::is_some);
            self.gone = 0;
        }
        Some(value)
    }

    /// Each value with its number, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        let all = self.numbers.iter().zip(&self.values);
        all.filter_map(|(number, value)| Some((*number, value.as_ref()?)))
    }

    #[inline]
    fn place(&self, number: u64) -> Option<usize> {
        match number.cmp(self.numbers.front()?) {
            Ordering::Less => None,
            Ordering::Equal => Some(0),
            Ordering::Greater => self.place_behind(number),
        }
    }

    /// The place of a number above the first.
    fn place_behind(&self, number: u64) -> Option<usize> {
        let (first, last) = (*self.numbers.front()?, *self.numbers.back()?);
        if number > last {
            return None;
        }
        // It is here if they rise evenly, as they mostly do.
        let behind = (number - first).saturating_mul(self.numbers.len() as u64 - 1);
        let at = (behind / (last - first)) as usize;
        match self.numbers.get(at) {
            Some(there) if *there == number => Some(at),
            _ => self.numbers.binary_search(&number).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn values_come_and_go_as_in_any_map() {
        let (mut rising, mut map) = (Rising::default(), BTreeMap::new());
        let mut random = 12345u64;
        for round in 0..20_000u64 {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            // Mostly a number that rises, and at times one that was passed.
            let number = if random >> 60 == 0 { round / 2 } else { round };
            rising.insert(number, round);
            map.insert(number, round);
            let gone = if random >> 33 & 1 == 0 { round / 3 } else { random % (round + 1) };
            assert_eq!(rising.get(gone), map.get(&gone));
            assert_eq!(rising.remove(gone), map.remove(&gone));
            assert_eq!(rising.get_mut(gone), None);
        }
        assert!(rising.iter().eq(map.iter().map(|(number, value)| (*number, value))));
    }

    #[test]
    fn what_stays_for_long_keeps_nothing_else() {
        let mut rising = Rising::default();
        rising.insert(1, 1);
        for number in 2..100_000 {
            rising.insert(number, number);
            rising.remove(number);
        }
        let places = rising.numbers.len();
        assert!(places <= 2 * GONE_MIN + 2, "{places} are left");
        assert_eq!(rising.remove(1), Some(1));
        assert!(rising.numbers.is_empty() && rising.values.is_empty());
    }
}
