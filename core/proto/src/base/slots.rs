//! Slots named by tokens that are never valid again once their slot was emptied.
//!
//! ```text
//! token: | generation, 40 bits | index, 24 bits |
//! ```
//!
//! Floor: base.

const INDEX_BITS: u32 = 24;
const INDEX_MASK: u64 = (1 << INDEX_BITS) - 1;

#[derive(Debug)]
struct Slot<T> {
    generation: u64,
    value: Option<T>,
}

/// A table whose tokens tell a slot's present value from its past ones.
#[derive(Debug)]
pub struct Slots<T> {
    slots: Vec<Slot<T>>,
    /// Slots to be used again; one that was restored since is passed over.
    free: Vec<u32>,
    len: usize,
    generation_first: u64,
}

impl<T> Slots<T> {
    /// An empty table. Tokens of tables with another `series` are told apart from its own, unless
    /// the two have the same lower 15 bits or one slot was used over 16 million times.
    pub fn new(series: u64) -> Slots<T> {
        let generation_first = ((series & 0x7fff) << 24) + 1;
        Slots { slots: Vec::new(), free: Vec::new(), len: 0, generation_first }
    }

    /// Values held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if no value is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts a value into a free slot; gives it back if all 16 million are taken.
    pub fn insert(&mut self, value: T) -> Result<u64, T> {
        let free = |slots: &[Slot<T>], index: &u32| slots[*index as usize].value.is_none();
        while self.free.last().is_some_and(|index| !free(&self.slots, index)) {
            self.free.pop();
        }
        let index = match self.free.pop() {
            Some(index) => index as usize,
            None if self.slots.len() as u64 > INDEX_MASK => return Err(value),
            None => {
                self.slots.push(Slot { generation: self.generation_first, value: None });
                self.slots.len() - 1
            }
        };
        let slot = &mut self.slots[index];
        slot.value = Some(value);
        self.len += 1;
        Ok(slot.generation << INDEX_BITS | index as u64)
    }

    /// Puts a value back under the token that another table of this kind gave it. Only for a table
    /// from which nothing has been removed; `false` if the slot is taken.
    pub fn restore(&mut self, token: u64, value: T) -> bool {
        let index = (token & INDEX_MASK) as usize;
        while self.slots.len() <= index {
            self.free.push(self.slots.len() as u32);
            self.slots.push(Slot { generation: self.generation_first, value: None });
        }
        let slot = &mut self.slots[index];
        if slot.value.is_some() {
            return false;
        }
        *slot = Slot { generation: token >> INDEX_BITS, value: Some(value) };
        self.len += 1;
        true
    }

    /// The value, if the token still names one.
    pub fn get(&self, token: u64) -> Option<&T> {
        let slot = self.slots.get((token & INDEX_MASK) as usize)?;
        slot.value.as_ref().filter(|_| slot.generation == token >> INDEX_BITS)
    }

    /// The value, if the token still names one.
    pub fn get_mut(&mut self, token: u64) -> Option<&mut T> {
        let slot = self.slots.get_mut((token & INDEX_MASK) as usize)?;
        let generation = slot.generation;
        slot.value.as_mut().filter(|_| generation == token >> INDEX_BITS)
    }

    /// Every value and its token.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(index, slot)| {
            let value = slot.value.as_ref()?;
            Some((slot.generation << INDEX_BITS | index as u64, value))
        })
    }

    /// Takes the value out; its token is void from now on.
    pub fn remove(&mut self, token: u64) -> Option<T> {
        let index = (token & INDEX_MASK) as usize;
        let slot = self.slots.get_mut(index).filter(|s| s.generation == token >> INDEX_BITS)?;
        let value = slot.value.take()?;
        self.len -= 1;
        // A slot that was restored goes over to this table's own series.
        let is_own = slot.generation >> 24 == self.generation_first >> 24;
        slot.generation = if is_own { slot.generation + 1 } else { self.generation_first };
        self.free.push(index as u32);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_void_once_its_slot_was_emptied() {
        let mut slots = Slots::new(1);
        let first = slots.insert('a').unwrap();
        assert_eq!(slots.remove(first), Some('a'));
        let second = slots.insert('b').unwrap();
        assert_ne!(first, second);
        assert_eq!(slots.get(first), None);
        assert_eq!(slots.remove(first), None);
        assert_eq!(slots.get_mut(second), Some(&mut 'b'));
        assert!(Slots::<char>::new(2).get(second).is_none());
        assert_eq!(slots.len(), 1);
    }

    #[test]
    fn a_restored_token_names_its_value_and_its_slot_then_gives_tokens_of_the_new_series() {
        let mut old = Slots::new(7);
        let tokens: Vec<u64> = (0..3).map(|value| old.insert(value).unwrap()).collect();
        let mut new = Slots::new(8);
        assert!(new.restore(tokens[2], 2) && !new.restore(tokens[2], 5));
        assert_eq!(new.get(tokens[2]), Some(&2));
        assert_eq!(new.remove(tokens[2]), Some(2));
        let fresh: Vec<u64> = (0..3).map(|value| new.insert(value).unwrap()).collect();
        assert!(fresh.iter().all(|token| old.get(*token).is_none()));
    }
}
