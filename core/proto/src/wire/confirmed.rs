//! `Confirmed`: changes that have ended well, one after the other, in one frame.
//!
//! Whoever writes them says each by itself; the outbox lets the last frame cover one change more
//! where nothing else was written in between. So a frame grows with the load, and waits for none.
//!
//! Floor: imports `base`.

use bytes::BufMut;

use super::decode::{DURABILITIES, Decoded, Reader};
use super::encode::Writer;
use super::frame::FrameKind;
use super::{Clock, HEADER_SIZE, Outbox};
use crate::base::limits::PRODUCER_WINDOW;
use crate::base::{Receipt, Time};

/// Bytes of the frame.
const SIZE: usize = HEADER_SIZE + 16;

/// Changes of one producer, with sequences that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// The first sequence.
    pub first: u64,
    /// How many; at most a producer's window.
    pub count: u32,
    /// Of sends, the receipt of the first: each next one has the next message id.
    pub receipt: Option<Receipt>,
}

impl Confirmed {
    /// One change.
    pub fn one(sequence: u64, receipt: Option<Receipt>) -> Confirmed {
        Confirmed { first: sequence, count: 1, receipt }
    }

    /// Each sequence, with its receipt.
    pub fn each(self) -> impl Iterator<Item = (u64, Option<Receipt>)> {
        (0..u64::from(self.count)).map(move |at| (self.first.wrapping_add(at), self.receipt_at(at)))
    }

    fn receipt_at(self, at: u64) -> Option<Receipt> {
        self.receipt.map(|receipt| Receipt {
            message_id: receipt.message_id.wrapping_add(at),
            durability: receipt.durability,
        })
    }

    /// The two as one, if `next` goes on where this one ends.
    fn joined(self, next: Confirmed) -> Option<Confirmed> {
        let end = u64::from(self.count);
        let count = self.count.checked_add(next.count)?;
        let follows = self.first.checked_add(end) == Some(next.first)
            && self.receipt_at(end) == next.receipt
            && u64::from(count) <= PRODUCER_WINDOW;
        follows.then_some(Confirmed { count, ..self })
    }
}

/// The last frame of an outbox, while that is a `Confirmed` and nothing of it has been written.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastConfirmed {
    /// Where it ends.
    end: usize,
    confirmed: Confirmed,
}

impl Outbox {
    /// Appends a `Confirmed` frame, or lets the last one say this as well.
    pub fn push_confirmed(&mut self, confirmed: Confirmed) {
        let last = self.confirmed.filter(|last| last.end == self.buffer.len());
        let joined = last.and_then(|last| last.confirmed.joined(confirmed));
        if let Some(confirmed) = joined {
            let at = self.buffer.len() - SIZE + HEADER_SIZE;
            self.buffer[at..at + 4].copy_from_slice(&confirmed.count.to_le_bytes());
            self.confirmed = Some(LastConfirmed { end: self.buffer.len(), confirmed });
            return;
        }
        let clock = Clock { shared: false, now: Time::default() };
        Writer { out: &mut self.buffer, clock }.confirmed(&confirmed);
        self.confirmed = Some(LastConfirmed { end: self.buffer.len(), confirmed });
    }
}

impl Writer<'_> {
    fn confirmed(&mut self, confirmed: &Confirmed) {
        let Confirmed { first, count, receipt } = *confirmed;
        self.frame(FrameKind::Confirmed, 0, first, |w| {
            w.out.put_u32_le(count);
            w.out.put_u32_le(receipt.map_or(0, |receipt| receipt.durability as u32));
            w.out.put_u64_le(receipt.map_or(0, |receipt| receipt.message_id));
        });
    }
}

impl Reader<'_> {
    pub(super) fn confirmed(&mut self, first: u64) -> Decoded<Confirmed> {
        let count = self.u32()?;
        if !(1..=PRODUCER_WINDOW).contains(&u64::from(count)) {
            return self.fail(&format!("confirms {count} changes; 1 to {PRODUCER_WINDOW} may be"));
        }
        let durability = self.choice(&DURABILITIES, "durability")?;
        self.zero(3)?;
        let message_id = self.u64()?;
        if durability.is_none() && message_id != 0 {
            return self.fail("has a message id and no durability");
        }
        let receipt = durability.map(|durability| Receipt { message_id, durability });
        Ok(Confirmed { first, count, receipt })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Durability;
    use crate::wire::{Frame, Inbox, decode};

    fn said(outbox: &mut Outbox) -> Vec<Confirmed> {
        let clock = Clock { shared: false, now: Time::default() };
        let mut inbox = Inbox::default();
        inbox.buffer().extend_from_slice(&outbox.buffer);
        let mut frames = inbox.take(4096).unwrap();
        let mut found = Vec::new();
        while let Some(whole) = frames.next() {
            if let Frame::Confirmed(confirmed) = decode(whole, clock).unwrap() {
                found.push(confirmed);
            }
        }
        found
    }

    fn receipt(message_id: u64, durability: Durability) -> Option<Receipt> {
        Some(Receipt { message_id, durability })
    }

    #[test]
    fn what_is_confirmed_one_after_the_other_goes_in_one_frame_and_nothing_else_does() {
        use Durability::{Disk, Memory};
        let cases = [
            (vec![(1, None), (2, None), (3, None)], vec![(1, 3)]),
            (vec![(1, None), (3, None), (2, None)], vec![(1, 1), (3, 1), (2, 1)]),
            (vec![(1, None), (1, None)], vec![(1, 1), (1, 1)]),
            (vec![(u64::MAX, None), (0, None)], vec![(u64::MAX, 1), (0, 1)]),
            (vec![(1, None), (2, receipt(9, Disk))], vec![(1, 1), (2, 1)]),
            (vec![(1, receipt(9, Disk)), (2, receipt(10, Disk))], vec![(1, 2)]),
            (vec![(1, receipt(9, Disk)), (2, receipt(11, Disk))], vec![(1, 1), (2, 1)]),
            (vec![(1, receipt(9, Disk)), (2, receipt(10, Memory))], vec![(1, 1), (2, 1)]),
        ];
        for (confirmations, wanted) in cases {
            let mut outbox = Outbox::default();
            for (sequence, receipt) in &confirmations {
                outbox.push_confirmed(Confirmed::one(*sequence, *receipt));
            }
            let found = said(&mut outbox);
            let frames: Vec<_> = found.iter().map(|found| (found.first, found.count)).collect();
            assert_eq!(frames, wanted, "{confirmations:?}");
            let each: Vec<_> = found.into_iter().flat_map(Confirmed::each).collect();
            assert_eq!(each, confirmations);
        }
    }

    #[test]
    fn a_frame_that_is_on_its_way_or_behind_another_one_does_not_change() {
        let clock = Clock { shared: false, now: Time::default() };
        let mut outbox = Outbox::default();
        outbox.push_confirmed(Confirmed::one(1, None));
        outbox.push(&Frame::Started { id: 1 }, clock);
        outbox.push_confirmed(Confirmed::one(2, None));
        assert_eq!(said(&mut outbox), [Confirmed::one(1, None), Confirmed::one(2, None)]);
        let before = outbox.buffer.clone();
        outbox.advance(before.len() - 1);
        outbox.push_confirmed(Confirmed::one(3, None));
        outbox.buffer = [&before[..before.len() - 1], &outbox.buffer[..]].concat();
        let one = |sequence| Confirmed::one(sequence, None);
        assert_eq!(said(&mut outbox), [one(1), one(2), one(3)]);
    }

    #[test]
    fn no_frame_confirms_more_than_a_window() {
        let mut outbox = Outbox::default();
        (1..=PRODUCER_WINDOW + 1).for_each(|at| outbox.push_confirmed(Confirmed::one(at, None)));
        let counts: Vec<u32> = said(&mut outbox).iter().map(|found| found.count).collect();
        assert_eq!(counts, [PRODUCER_WINDOW as u32, 1]);
    }
}
