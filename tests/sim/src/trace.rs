//! What has happened: a hash over all of it, and the last lines for a person.
//!
//! Lines are made only when somebody wants them: a failing seed is simply run once more.

use std::collections::VecDeque;
use std::fmt::{self, Write};

use telpher_proto::base::Time;

const LINES_KEPT: usize = 80;

/// What becomes of the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// Nothing: only the hash is made.
    Hashed,
    /// The last ones are kept.
    Kept,
    /// Each is printed.
    Printed,
}

/// The record of one run.
#[derive(Debug)]
pub struct Trace {
    hash: u64,
    lines: Lines,
    last: VecDeque<String>,
}

struct Hasher<'a>(&'a mut u64);

impl Write for Hasher<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        *self.0 = mix(*self.0, text.as_bytes());
        Ok(())
    }
}

/// FNV-1a, a word at a time.
fn mix(mut hash: u64, bytes: &[u8]) -> u64 {
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(0x0000_0100_0000_01b3);
        hash ^= hash >> 29;
    }
    (hash ^ bytes.len() as u64).wrapping_mul(0x0000_0100_0000_01b3)
}

impl Trace {
    /// An empty record.
    pub fn new(lines: Lines) -> Trace {
        Trace { hash: 0xcbf2_9ce4_8422_2325, lines, last: VecDeque::new() }
    }

    /// Something has happened.
    pub fn note(&mut self, now: Time, line: fmt::Arguments<'_>) {
        self.hash = mix(self.hash, &now.as_nanos().to_le_bytes());
        // Hashing never fails.
        let _ = Hasher(&mut self.hash).write_fmt(line);
        if self.lines == Lines::Hashed {
            return;
        }
        let text = format!("{:>12.6} {line}", now.as_nanos() as f64 / 1e9);
        if self.lines == Lines::Printed {
            println!("{text}");
        }
        if self.last.len() == LINES_KEPT {
            self.last.pop_front();
        }
        self.last.push_back(text);
    }

    /// These bytes have crossed a link.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.hash = mix(self.hash, bytes);
    }

    /// Over everything so far.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The last lines, the oldest first.
    pub fn into_lines(self) -> Vec<String> {
        self.last.into()
    }
}
