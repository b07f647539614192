//! Chance, from a seed: for jitter and simulation, never for secrets.
//!
//! Floor: base.

/// SplitMix64 (Steele, Lea, Flood 2014, <https://doi.org/10.1145/2660193.2660195>).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence that belongs to `seed`.
    pub const fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next number.
    #[allow(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }
}

/// A pause that doubles with each attempt up to a bound, drawn between half and all of its value.
#[derive(Clone, Debug)]
pub struct Backoff {
    first_ms: u64,
    longest_ms: u64,
    attempts: u32,
    random: Random,
}

impl Backoff {
    /// Pauses from `first_ms` to `longest_ms`.
    pub fn new((first_ms, longest_ms): (u64, u64), seed: u64) -> Backoff {
        Backoff { first_ms, longest_ms, attempts: 0, random: Random::new(seed) }
    }

    /// How long to pause now, in µs.
    pub fn next_us(&mut self) -> u64 {
        let doubled = self.first_ms.saturating_mul(1 << self.attempts.min(20));
        let pause_us = doubled.min(self.longest_ms) * 1_000;
        self.attempts += 1;
        pause_us / 2 + self.random.below(pause_us / 2 + 1)
    }

    /// Attempts since the last success.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// An attempt succeeded.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}
