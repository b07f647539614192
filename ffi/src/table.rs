//! Generational ids: what C holds in place of pointers.
//!
//! An id is a fork level, a generation and a place. A removed entry's generation rises, and a place
//! whose generations are used up is retired, so that no id ever comes back and a stale one is an
//! error. After a fork the child starts with empty tables of the next level: it never takes a lock
//! that a thread of its parent may have held, and knows its parent's ids by their level.
//!
//! Floor: nothing.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

const PLACE_BITS: u32 = 28;
const GENERATION_BITS: u32 = 28;
const PLACE_MASK: u64 = (1 << PLACE_BITS) - 1;
const GENERATION_MAX: u64 = (1 << GENERATION_BITS) - 1;
const LEVEL_MASK: u64 = 0xff;

/// How often this process is a fork of one that used the library.
static LEVEL: AtomicU64 = AtomicU64::new(0);

/// Counts a fork. For the child, before it does anything else; each table is to be abandoned too.
pub fn count_fork() {
    LEVEL.fetch_add(1, Ordering::Relaxed);
}

/// Why an id leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It was never given out.
    Foreign,
    /// Its entry was removed.
    Gone,
    /// It belongs to the parent of a fork.
    Forked,
}

struct Entry<T> {
    generation: u64,
    value: Option<T>,
}

struct Entries<T> {
    all: Vec<Entry<T>>,
    free: Vec<usize>,
}

/// Values by id. May be used from any thread.
pub struct Table<T> {
    current: AtomicPtr<Mutex<Entries<T>>>,
    /// What belongs to the parent of a fork; kept in sight of tools that look for lost memory.
    abandoned: AtomicPtr<Mutex<Entries<T>>>,
}

impl<T> Table<T> {
    pub const fn new() -> Table<T> {
        let current = AtomicPtr::new(ptr::null_mut());
        Table { current, abandoned: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Leaves everything behind, untouched: for the child of a fork. Takes no lock, frees nothing.
    pub fn abandon(&self) {
        let parents = self.current.swap(ptr::null_mut(), Ordering::AcqRel);
        self.abandoned.store(parents, Ordering::Release);
    }

    /// Keeps `value`. `None` if there are more than 268 million already.
    pub fn insert(&self, value: T) -> Option<u64> {
        let mut entries = self.lock();
        let place = match entries.free.pop() {
            Some(place) => place,
            None if entries.all.len() as u64 == PLACE_MASK => return None,
            None => {
                entries.all.push(Entry { generation: 0, value: None });
                entries.all.len() - 1
            }
        };
        let entry = &mut entries.all[place];
        entry.value = Some(value);
        let level = LEVEL.load(Ordering::Relaxed) & LEVEL_MASK;
        Some(
            (level << (PLACE_BITS + GENERATION_BITS))
                | (entry.generation << PLACE_BITS)
                | (place as u64 + 1),
        )
    }

    /// Looks at a value, under the table's lock.
    pub fn with<R>(&self, id: u64, look: impl FnOnce(&mut T) -> R) -> Result<R, Missing> {
        let place = place(id)?;
        let mut entries = self.lock();
        live(&mut entries, place, id).map(|entry| look(entry.value.as_mut().expect("live")))
    }

    /// Takes a value out; its id is stale from here on.
    pub fn remove(&self, id: u64) -> Result<T, Missing> {
        let place = place(id)?;
        let mut entries = self.lock();
        let entry = live(&mut entries, place, id)?;
        let value = entry.value.take().expect("live");
        entry.generation += 1;
        if entry.generation <= GENERATION_MAX {
            entries.free.push(place);
        }
        Ok(value)
    }

    fn lock(&self) -> MutexGuard<'_, Entries<T>> {
        let mut entries = self.current.load(Ordering::Acquire);
        if entries.is_null() {
            let fresh = Box::into_raw(Box::new(Mutex::new(Entries { all: vec![], free: vec![] })));
            entries = match self.current.compare_exchange(
                ptr::null_mut(),
                fresh,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => fresh,
                Err(first) => {
                    // SAFETY: `fresh` came from a box and nobody else has seen it.
                    drop(unsafe { Box::from_raw(fresh) });
                    first
                }
            };
        }
        // SAFETY: the pointer came from a box that is never freed.
        unsafe { &*entries }.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(id: u64) -> Result<usize, Missing> {
    let place = (id & PLACE_MASK).checked_sub(1).ok_or(Missing::Foreign)?;
    let level = id >> (PLACE_BITS + GENERATION_BITS);
    let here = LEVEL.load(Ordering::Relaxed) & LEVEL_MASK;
    match level.cmp(&here) {
        std::cmp::Ordering::Less => Err(Missing::Forked),
        std::cmp::Ordering::Equal => Ok(place as usize),
        std::cmp::Ordering::Greater => Err(Missing::Foreign),
    }
}

fn live<T>(entries: &mut Entries<T>, place: usize, id: u64) -> Result<&mut Entry<T>, Missing> {
    let generation = (id >> PLACE_BITS) & GENERATION_MAX;
    let entry = entries.all.get_mut(place).ok_or(Missing::Foreign)?;
    match generation.cmp(&entry.generation) {
        std::cmp::Ordering::Less => Err(Missing::Gone),
        std::cmp::Ordering::Equal if entry.value.is_some() => Ok(entry),
        _ => Err(Missing::Foreign),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_to_its_value_until_it_is_removed_and_never_again() {
        let table = Table::new();
        let first = table.insert("first").unwrap();
        assert_eq!(table.with(first, |value| *value), Ok("first"));
        assert_eq!(table.remove(first), Ok("first"));
        let second = table.insert("second").unwrap();
        assert_ne!(first, second);
        assert_eq!(table.with(first, |value| *value), Err(Missing::Gone));
        assert_eq!(table.remove(first), Err(Missing::Gone));
        assert_eq!(table.with(second, |value| *value), Ok("second"));
    }

    #[test]
    fn an_id_that_was_never_given_out_is_foreign() {
        let table = Table::<u8>::new();
        assert_eq!(table.with(0, |_| ()), Err(Missing::Foreign));
        assert_eq!(table.with(1, |_| ()), Err(Missing::Foreign));
        let id = table.insert(1).unwrap();
        assert_eq!(table.with(id + 1, |_| ()), Err(Missing::Foreign));
        assert_eq!(table.with(id + (1 << PLACE_BITS), |_| ()), Err(Missing::Foreign));
        assert_eq!(table.with(u64::MAX, |_| ()), Err(Missing::Foreign));
    }

    #[test]
    fn a_place_whose_generations_are_used_up_is_retired() {
        let table = Table::new();
        let first = table.insert(1).unwrap();
        table.lock().all[0].generation = GENERATION_MAX;
        let last = first | GENERATION_MAX << PLACE_BITS;
        assert_eq!(table.remove(last), Ok(1));
        let next = table.insert(2).unwrap();
        assert_eq!(next & PLACE_MASK, 2);
        assert_eq!(table.with(last, |_| ()), Err(Missing::Gone));
    }
}
