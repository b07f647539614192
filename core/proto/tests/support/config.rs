//! What hubs and brokers are told at their start.
#![allow(dead_code, reason = "each test file uses its part")]

use telpher_proto::base::limits::Sizes;
use telpher_proto::{broker, hub};

pub const CLOCK: [u8; 16] = [7; 16];
pub const HUB_ID: [u8; 16] = [9; 16];

/// A sixteenth of everything, so that segments change with little data.
pub const SMALL: Sizes = Sizes {
    segment: (64 * 1024, 4 * 1024 * 1024),
    group_max: 64 * 1024,
    group_worth: 8 * 1024,
    unsynced_max: 512 * 1024,
    pending_max: 4 * 1024 * 1024,
    garbage_min: 1024 * 1024,
    journal_max: 8 * 1024 * 1024,
    aside_batch: 64 * 1024,
    aside_share: 50,
    resident_max: 4 * 1024 * 1024,
    compact_min: 16 * 1024,
};

/// A broker without a hub around it, and without a journal.
pub fn broker_config() -> broker::Config {
    broker::Config {
        hub_id: HUB_ID,
        epoch: 1,
        directory: false,
        session_grace_ms: 5_000,
        boot: CLOCK,
        time_ms: 0,
        seed: 1,
        resident_max: 1024,
        compact_min: 1024,
        aside_batch: 1024,
    }
}

pub fn config(hub_id: [u8; 16], (epoch, served): (u64, u64)) -> hub::Config {
    hub::Config {
        hub_id,
        journal_id: hub_id,
        epoch,
        served,
        clock: CLOCK,
        session_grace_ms: 5_000,
        time_ms: 1_000_000,
        seed: epoch,
        sizes: Default::default(),
    }
}
