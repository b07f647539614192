//! Bytes that wait to be written to a link.
//!
//! Floor: imports `base`.

use std::io::IoSlice;

use super::confirmed::LastConfirmed;

/// Bytes that wait to be written to a link, in order.
#[derive(Debug, Default)]
pub struct Outbox {
    pub(super) buffer: Vec<u8>,
    /// So many bytes at its start have been written, less than wait.
    written: usize,
    /// It may come to say more.
    pub(super) confirmed: Option<LastConfirmed>,
}

/// Past this, an emptied buffer is given back instead of kept for the next batch, in bytes.
const KEEP_SIZE_MAX: usize = 1024 * 1024;

impl Outbox {
    /// Bytes waiting.
    pub fn len(&self) -> usize {
        self.buffer.len() - self.written
    }

    /// True if none wait.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Fills `slices` with what is to be written next, in order; returns how many.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        match slices.first_mut() {
            Some(first) if !self.is_empty() => {
                *first = IoSlice::new(&self.buffer[self.written..]);
                1
            }
            _ => 0,
        }
    }

    /// `written` bytes have been taken by the link.
    pub fn advance(&mut self, written: usize) {
        if written > 0 {
            self.confirmed = None;
        }
        self.written += written;
        if self.is_empty() && self.buffer.capacity() > KEEP_SIZE_MAX {
            self.buffer = Vec::new();
            self.written = 0;
        } else if self.written >= self.len() {
            // Each byte that moves has made room for itself.
            self.buffer.drain(..self.written);
            self.written = 0;
        }
    }

    /// Forgets everything: the link it was meant for is gone.
    pub fn clear(&mut self) {
        *self = Outbox::default();
    }
}
