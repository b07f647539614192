//! Deadlines: an indexed heap, so that one can be taken back in place.
//!
//! ```text
//! heap:  [slot, slot, ...]   ordered by deadline, four children to a node
//! slots: key -> { deadline, place in the heap, what }
//! ```
//! Most operations share one timeout, so a new deadline usually is the latest and stays where it
//! is put. Nothing remains of a deadline that was taken back.
//!
//! Floor: base.

use slab::Slab;

use super::time::Time;

/// Names one deadline until it fires or is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerKey(usize);

#[derive(Debug)]
struct Slot<T> {
    deadline: Time,
    place: usize,
    what: T,
}

/// A set of deadlines, each with what it is for.
#[derive(Debug)]
pub struct Timers<T> {
    heap: Vec<usize>,
    slots: Slab<Slot<T>>,
}

impl<T> Default for Timers<T> {
    fn default() -> Timers<T> {
        Timers { heap: Vec::new(), slots: Slab::new() }
    }
}

const CHILDREN: usize = 4;

impl<T> Timers<T> {
    /// Adds a deadline.
    pub fn insert(&mut self, deadline: Time, what: T) -> TimerKey {
        let place = self.heap.len();
        let key = self.slots.insert(Slot { deadline, place, what });
        self.heap.push(key);
        self.rise(place);
        TimerKey(key)
    }

    /// Takes a deadline back.
    pub fn remove(&mut self, key: TimerKey) -> T {
        let slot = self.slots.remove(key.0);
        let last = self.heap.pop().expect("a slot has a place in the heap");
        if slot.place < self.heap.len() {
            self.heap[slot.place] = last;
            self.slots[last].place = slot.place;
            self.sink(slot.place);
            self.rise(slot.place);
        }
        slot.what
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Time> {
        self.heap.first().map(|key| self.slots[*key].deadline)
    }

    /// Takes out one deadline that has come.
    pub fn pop(&mut self, now: Time) -> Option<T> {
        let key = *self.heap.first()?;
        (self.slots[key].deadline <= now).then(|| self.remove(TimerKey(key)))
    }

    fn rise(&mut self, mut place: usize) {
        while place > 0 {
            let parent = (place - 1) / CHILDREN;
            if self.deadline(parent) <= self.deadline(place) {
                break;
            }
            self.swap(place, parent);
            place = parent;
        }
    }

    fn sink(&mut self, mut place: usize) {
        loop {
            let first = place * CHILDREN + 1;
            let children = first..(first + CHILDREN).min(self.heap.len());
            let Some(least) = children.min_by_key(|child| self.deadline(*child)) else {
                break;
            };
            if self.deadline(place) <= self.deadline(least) {
                break;
            }
            self.swap(place, least);
            place = least;
        }
    }

    fn deadline(&self, place: usize) -> Time {
        self.slots[self.heap[place]].deadline
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.slots[self.heap[a]].place = a;
        self.slots[self.heap[b]].place = b;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_fire_in_order_and_those_taken_back_never_do() {
        let mut timers = Timers::default();
        let mut random = 12345u64;
        let mut expected = Vec::new();
        for round in 0..2_000u64 {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let deadline = Time::from_nanos(random >> 40);
            let key = timers.insert(deadline, round);
            if random.is_multiple_of(3) {
                assert_eq!(timers.remove(key), round);
            } else {
                expected.push((deadline, round));
            }
        }
        expected.sort_by_key(|(deadline, _)| *deadline);
        for (deadline, _) in &expected {
            assert_eq!(timers.next(), Some(*deadline));
            assert!(timers.pop(Time::from_nanos(deadline.as_nanos().saturating_sub(1))).is_none());
            assert!(timers.pop(*deadline).is_some());
        }
        assert_eq!(timers.next(), None);
    }
}
