//! The hub's side of one connection (being written).
