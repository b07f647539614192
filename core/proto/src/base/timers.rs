//! Deadlines, each of which can be taken back.
//!
//! ```text
//! line:  (deadline, what), ...   in order of deadline, numbered; those taken back are empty
//! heap:  slot, ...               those that came out of order, four children to a node
//! slots: slot -> { deadline, place in the heap, what }
//! ```
//! Most operations share one timeout, so a new deadline usually is the latest and goes to the end
//! of the line, from where it leaves at no cost. At most half of the line has been taken back: what
//! would keep more of it there goes from its front to the heap.
//!
//! Floor: base.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU64;

use foldhash::fast::RandomState;
use slab::Slab;

use super::time::Time;

/// Names one deadline until it fires or is taken back: its number in the line, or its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerKey(NonZeroU64);

/// Set in the key of one that came out of order.
const OF_SLOT: NonZeroU64 = NonZeroU64::new(1 << 63).expect("not zero");

#[derive(Debug)]
struct Slot<T> {
    deadline: Time,
    /// Its place in the heap.
    at: usize,
    /// Its number in the line, if it was there before.
    number: Option<NonZeroU64>,
    what: T,
}

/// A set of deadlines, each with what it is for.
#[derive(Debug)]
pub struct Timers<T> {
    /// The first one has not been taken back.
    line: VecDeque<(Time, Option<T>)>,
    /// The first one's number.
    first: NonZeroU64,
    /// Entries of the line that were taken back.
    gone: usize,
    heap: Vec<usize>,
    slots: Slab<Slot<T>>,
    /// Slots of those that were in the line before, by their numbers there.
    moved: HashMap<NonZeroU64, usize, RandomState>,
}

impl<T> Default for Timers<T> {
    fn default() -> Timers<T> {
        Timers {
            line: VecDeque::new(),
            first: NonZeroU64::MIN,
            gone: 0,
            heap: Vec::new(),
            slots: Slab::new(),
            moved: HashMap::default(),
        }
    }
}

const CHILDREN: usize = 4;

/// Entries that were taken back and may stay in any case.
const GONE_MIN: usize = 32;

impl<T> Timers<T> {
    /// Adds a deadline.
    pub fn insert(&mut self, deadline: Time, what: T) -> TimerKey {
        if self.line.back().is_some_and(|(last, _)| *last > deadline) {
            return TimerKey(OF_SLOT | self.insert_in_heap(deadline, None, what) as u64);
        }
        let number = self.first.saturating_add(self.line.len() as u64);
        self.line.push_back((deadline, Some(what)));
        TimerKey(number)
    }

    /// Takes a deadline back.
    pub fn remove(&mut self, key: TimerKey) -> T {
        let number = key.0;
        if number >= OF_SLOT {
            return self.leave_heap((number.get() ^ OF_SLOT.get()) as usize);
        }
        match number.get().checked_sub(self.first.get()) {
            Some(0) => self.take_first().1,
            Some(at) => self.leave_line(at as usize),
            None => self.leave_heap(self.moved[&number]),
        }
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Time> {
        let heap = self.heap.first().map(|slot| self.slots[*slot].deadline);
        let line = self.line.front().map(|(deadline, _)| *deadline);
        [heap, line].into_iter().flatten().min()
    }

    /// Takes out one deadline that has come.
    pub fn pop(&mut self, now: Time) -> Option<T> {
        let next = self.next().filter(|next| *next <= now)?;
        Some(match self.line.front() {
            Some((deadline, _)) if *deadline == next => self.take_first().1,
            _ => self.leave_heap(self.heap[0]),
        })
    }

    /// Takes the first one out of the line.
    fn take_first(&mut self) -> (Time, T) {
        let (deadline, what) = self.line.pop_front().expect("a deadline is taken back once");
        self.first = self.first.saturating_add(1);
        while self.gone > 0 && self.line.front().is_some_and(|(_, what)| what.is_none()) {
            self.line.pop_front();
            self.first = self.first.saturating_add(1);
            self.gone -= 1;
        }
        (deadline, what.expect("the first one is there"))
    }

    /// Takes one out of the line that is not the first.
    fn leave_line(&mut self, at: usize) -> T {
        let what = self.line[at].1.take().expect("a deadline is taken back once");
        self.gone += 1;
        while self.gone > GONE_MIN + self.line.len() / 2 {
            let number = self.first;
            let (deadline, what) = self.take_first();
            let slot = self.insert_in_heap(deadline, Some(number), what);
            self.moved.insert(number, slot);
        }
        what
    }

    fn insert_in_heap(&mut self, deadline: Time, number: Option<NonZeroU64>, what: T) -> usize {
        let at = self.heap.len();
        let slot = self.slots.insert(Slot { deadline, at, number, what });
        self.heap.push(slot);
        self.rise(at);
        slot
    }

    fn leave_heap(&mut self, slot: usize) -> T {
        let Slot { at, number, what, .. } = self.slots.remove(slot);
        if let Some(number) = number {
            self.moved.remove(&number);
        }
        self.heap.swap_remove(at);
        if at < self.heap.len() {
            self.slots[self.heap[at]].at = at;
            self.sink(at);
            self.rise(at);
        }
        what
    }

    fn rise(&mut self, mut at: usize) {
        while at > 0 {
            let parent = (at - 1) / CHILDREN;
            if self.deadline(parent) <= self.deadline(at) {
                break;
            }
            self.swap(at, parent);
            at = parent;
        }
    }

    fn sink(&mut self, mut at: usize) {
        loop {
            let first = at * CHILDREN + 1;
            let children = first..(first + CHILDREN).min(self.heap.len());
            let Some(least) = children.min_by_key(|child| self.deadline(*child)) else { break };
            if self.deadline(at) <= self.deadline(least) {
                break;
            }
            self.swap(at, least);
            at = least;
        }
    }

    fn deadline(&self, at: usize) -> Time {
        self.slots[self.heap[at]].deadline
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.slots[self.heap[a]].at = a;
        self.slots[self.heap[b]].at = b;
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

    #[test]
    fn one_that_goes_from_the_line_to_the_heap_keeps_its_key() {
        let mut timers = Timers::default();
        let keys: Vec<_> = (0..1_000).map(|at| timers.insert(Time::from_nanos(at), at)).collect();
        for (at, key) in (0..).zip(&keys).filter(|(at, _)| at % 4 != 0) {
            assert_eq!(timers.remove(*key), at);
        }
        assert!(!timers.moved.is_empty());
        for (at, key) in (0..).zip(&keys).filter(|(at, _)| at % 8 == 0) {
            assert_eq!(timers.remove(*key), at);
        }
        let left: Vec<u64> = std::iter::from_fn(|| timers.pop(Time::from_nanos(1_000))).collect();
        assert!(left.into_iter().eq((4..1_000).step_by(8)));
        assert!(timers.slots.is_empty() && timers.moved.is_empty());
    }

    #[test]
    fn deadlines_that_were_taken_back_leave_nothing_behind() {
        let mut timers = Timers::default();
        let first = timers.insert(Time::from_nanos(1), 0);
        for round in 1..100_000 {
            let key = timers.insert(Time::from_nanos(round), round);
            timers.remove(key);
        }
        assert!(timers.line.len() <= 2 * GONE_MIN + 2, "{} entries are left", timers.line.len());
        assert_eq!(timers.next(), Some(Time::from_nanos(1)));
        assert_eq!(timers.remove(first), 0);
        assert_eq!((timers.next(), timers.line.len(), timers.gone), (None, 0, 0));
        assert!(timers.heap.is_empty() && timers.slots.is_empty() && timers.moved.is_empty());
    }
}
