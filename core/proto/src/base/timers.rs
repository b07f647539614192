//! Deadlines, each of which can be taken back.
//!
//! ```text
//! line:  (deadline, key), ...   in order of deadline; those taken back are passed over
//! heap:  key, ...               those that came out of order, four children to a node
//! slots: key -> { deadline, place, what }
//! ```
//! Most operations share one timeout, so a new deadline usually is the latest and goes to the end
//! of the line, from where it leaves at no cost. At most half of the line has been taken back.
//!
//! Floor: base.

use std::collections::VecDeque;

use slab::Slab;

use super::time::Time;

/// Names one deadline until it fires or is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerKey(usize);

#[derive(Debug)]
struct Slot<T> {
    deadline: Time,
    place: Place,
    what: T,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the line, under this number.
    Line(u64),
    /// In the heap, at this index.
    Heap(usize),
}

#[derive(Clone, Copy, Debug)]
struct InLine {
    deadline: Time,
    key: usize,
    number: u64,
}

/// A set of deadlines, each with what it is for.
#[derive(Debug)]
pub struct Timers<T> {
    line: VecDeque<InLine>,
    /// Entries of the line that were taken back.
    gone: usize,
    number: u64,
    heap: Vec<usize>,
    slots: Slab<Slot<T>>,
}

impl<T> Default for Timers<T> {
    fn default() -> Timers<T> {
        let (line, heap, slots) = (VecDeque::new(), Vec::new(), Slab::new());
        Timers { line, gone: 0, number: 0, heap, slots }
    }
}

const CHILDREN: usize = 4;

/// Entries that were taken back and may stay in any case.
const GONE_MIN: usize = 32;

impl<T> Timers<T> {
    /// Adds a deadline.
    pub fn insert(&mut self, deadline: Time, what: T) -> TimerKey {
        if self.line.back().is_some_and(|last| last.deadline > deadline) {
            let at = self.heap.len();
            let key = self.slots.insert(Slot { deadline, place: Place::Heap(at), what });
            self.heap.push(key);
            self.rise(at);
            return TimerKey(key);
        }
        self.number += 1;
        let number = self.number;
        let key = self.slots.insert(Slot { deadline, place: Place::Line(number), what });
        self.line.push_back(InLine { deadline, key, number });
        TimerKey(key)
    }

    /// Takes a deadline back.
    pub fn remove(&mut self, key: TimerKey) -> T {
        let slot = self.slots.remove(key.0);
        match slot.place {
            Place::Line(_) => self.leave_line(),
            Place::Heap(at) => self.leave_heap(at),
        }
        slot.what
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Time> {
        let heap = self.heap.first().map(|key| self.slots[*key].deadline);
        let line = self.line.front().map(|first| first.deadline);
        [heap, line].into_iter().flatten().min()
    }

    /// Takes out one deadline that has come.
    pub fn pop(&mut self, now: Time) -> Option<T> {
        let next = self.next().filter(|next| *next <= now)?;
        let first = self.line.front().filter(|first| first.deadline == next);
        let key = first.map_or_else(|| self.heap[0], |first| first.key);
        Some(self.remove(TimerKey(key)))
    }

    /// One of the line was taken back; the first that remains is still there.
    fn leave_line(&mut self) {
        self.gone += 1;
        while let Some(first) = self.line.front()
            && !is_there(&self.slots, first)
        {
            self.line.pop_front();
            self.gone -= 1;
        }
        if self.gone > GONE_MIN + self.line.len() / 2 {
            let slots = &self.slots;
            self.line.retain(|entry| is_there(slots, entry));
            self.gone = 0;
        }
    }

    fn leave_heap(&mut self, at: usize) {
        self.heap.swap_remove(at);
        if at < self.heap.len() {
            self.slots[self.heap[at]].place = Place::Heap(at);
            self.sink(at);
            self.rise(at);
        }
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
        self.slots[self.heap[a]].place = Place::Heap(a);
        self.slots[self.heap[b]].place = Place::Heap(b);
    }
}

fn is_there<T>(slots: &Slab<Slot<T>>, entry: &InLine) -> bool {
    slots.get(entry.key).is_some_and(|slot| slot.place == Place::Line(entry.number))
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
    fn deadlines_that_were_taken_back_leave_nothing_behind() {
        let mut timers = Timers::default();
        let first = timers.insert(Time::from_nanos(1), 0);
        for round in 1..100_000 {
            let key = timers.insert(Time::from_nanos(round), round);
            timers.remove(key);
        }
        assert!(timers.line.len() <= 2 * GONE_MIN + 2, "{} entries are left", timers.line.len());
        assert_eq!(timers.remove(first), 0);
        assert_eq!((timers.next(), timers.line.len(), timers.gone), (None, 0, 0));
    }
}
