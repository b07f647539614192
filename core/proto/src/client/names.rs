//! Names that this connection has given numbers to.
//!
//! Floor: client.

use super::Map;
use crate::base::Name;
use crate::base::limits::NAMES_PER_CONNECTION_MAX;
use crate::wire::NameRef;

/// When all numbers are taken, they are used again in turn, with the next generation: frames that
/// carry the old one have been written before.
#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: Map<Name, NameRef>,
    slots: Vec<(Name, u16)>,
    next: usize,
}

impl Names {
    /// The name's number, and whether the hub is still to be told of it.
    pub fn number(&mut self, name: &Name) -> (NameRef, bool) {
        if let Some(name_ref) = self.numbers.get(name) {
            return (*name_ref, false);
        }
        let name_ref = if self.slots.len() < NAMES_PER_CONNECTION_MAX {
            self.slots.push((name.clone(), 0));
            NameRef { number: self.slots.len() as u32 - 1, generation: 0 }
        } else {
            let number = self.next;
            self.next = (self.next + 1) % NAMES_PER_CONNECTION_MAX;
            let slot = &mut self.slots[number];
            self.numbers.remove(&slot.0);
            *slot = (name.clone(), slot.1.wrapping_add(1));
            NameRef { number: number as u32, generation: slot.1 }
        };
        self.numbers.insert(name.clone(), name_ref);
        (name_ref, true)
    }

    /// A new connection knows none.
    pub fn clear(&mut self) {
        *self = Names::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_used_again_has_another_generation() {
        let mut names = Names::default();
        let name = |n: usize| Name::parse(&format!("n{n}")).unwrap();
        let (first, new) = names.number(&name(0));
        assert!(new);
        assert_eq!(names.number(&name(0)), (first, false));
        for n in 1..NAMES_PER_CONNECTION_MAX {
            names.number(&name(n));
        }
        let (reused, new) = names.number(&name(NAMES_PER_CONNECTION_MAX));
        assert!(new);
        assert_eq!((reused.number, reused.generation), (first.number, first.generation + 1));
        assert!(names.number(&name(0)).1, "the old name must be opened again");
    }
}
