//! The structs of streams, as those of `types`.
//!
//! Floor: types.

use std::ffi::{c_char, c_void};

use crate::types::telpher_header;

/// How a stream is.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_stream_options {
    /// sizeof(telpher_stream_options)
    pub size: usize,
    /// Time for the declaration: 0 is the default of 30,000.
    pub timeout_ms: i64,
    /// Parts that keep an order each, 1 to 1,024; 0 is the default of 1.
    pub partitions: u32,
    /// TELPHER_DURABILITY_DEFAULT, _MEMORY, _OS or _DISK.
    pub durability: u32,
    /// Age from which records are removed, in ms, at most 1,000,000,000,000; 0: never for their
    /// age.
    pub age_max_ms: u64,
    /// Bytes of one partition beyond which its oldest records are removed; 0 is the default of 64
    /// MiB in memory and 1 GiB on disk. At most 1 GiB in memory, at most 1 TiB on disk.
    pub bytes_max: u64,
    /// Records of one partition beyond which its oldest are removed; 0: any number. What was
    /// appended in one batch is removed at once, and so is what a hub has put together on its disk,
    /// which is at most a sixteenth of each limit: what is kept differs from the limits by as much,
    /// and of records it is never less.
    pub records_max: u64,
    /// 1: keeps of each key the latest record at least; those that a later one of their partition
    /// has replaced are removed in the background. Each record needs a key (TELPHER_INVALID); one
    /// with an empty body, a tombstone, says that its key is gone. Offsets stay as they are; the
    /// limits hold as well.
    pub compact: u32,
    /// 1: what a reader group has not committed stays: an append for which `bytes_max` or
    /// `records_max` would remove it ends with TELPHER_FULL, and `age_max_ms` waits for the group.
    /// 0: the limits win, and the group's reader gets TELPHER_EVENT_SKIPPED.
    pub keep_unread: u32,
    /// With `compact`: age from which tombstones are removed, in ms, at most 1,000,000,000,000; 0
    /// is the default of one day. A reader that is further behind may miss that a key is gone.
    pub tombstone_age_ms: u64,
    /// How programs pack their records, as they stay until they are read: TELPHER_COMPRESSION_NONE,
    /// _LZ4 (fast) or _ZSTD (smaller).
    pub compression: u32,
}

/// How a record is appended.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_append_options {
    /// sizeof(telpher_append_options)
    pub size: usize,
    /// Time until it is confirmed: 0 is the default of 30,000.
    pub timeout_ms: i64,
    /// 1: to `partition`. 0: to the key's, or without a key to any.
    pub has_partition: u32,
    /// With `has_partition`: which, 0 to 1,023 and below the number that the stream has.
    pub partition: u32,
    /// 1: only if `expect` is the offset that the partition's next record gets.
    pub has_expect: u32,
    /// With `has_expect`: that offset.
    pub expect: u64,
}

/// How a stream is read.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_read_options {
    /// sizeof(telpher_read_options)
    pub size: usize,
    /// Time until the reader must be live: 0 and TELPHER_FOREVER are without bound.
    pub timeout_ms: i64,
    /// 1: `partition` only. 0: all of them.
    pub has_partition: u32,
    /// With `has_partition`: which, 0 to 1,023 and below the number that the stream has.
    pub partition: u32,
    /// Where reading begins: TELPHER_START_BEGINNING, _END, _OFFSET or _TIME.
    pub start: u32,
    /// 1: goes on with what is appended later. 0: ends where the stream ended when reading began.
    pub follow: u32,
    /// With TELPHER_START_OFFSET an offset, with TELPHER_START_TIME a time in ms since 1970;
    /// otherwise 0.
    pub start_at: u64,
    /// Bytes of records that may be on their way to the program, at most 67,108,864; 0 is the
    /// default of 1,048,576.
    pub buffer: u32,
    /// The reader group of which the reader is a member; it follows, and reads no stated
    /// `partition`. NULL: none.
    pub group: *const c_char,
    /// Only records with exactly this key, at most 1,024 bytes. NULL: with any, or without one.
    pub key: *const c_void,
    /// Bytes of `key`.
    pub key_size: usize,
    /// Only records that have each of these headers, with exactly this value. NULL: with any.
    pub headers: *const telpher_header,
    /// How many headers there are, at most 8.
    pub headers_count: usize,
    /// sizeof(telpher_header)
    pub headers_stride: usize,
    /// With `group`, in ms, at most 86,400,000; 0: any time. A reader that was handed records and
    /// commits nothing for that long ends with TELPHER_LEASE_LOST, and its partitions go to other
    /// members. Each commit begins the time anew, as does a new connection or host.
    pub max_processing_ms: u64,
}

/// A partition's figures. Programs walk over arrays of it, so it stays as it is.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_partition_info {
    /// The offset of the oldest record that is kept; that of the next one if none is.
    pub first: u64,
    /// The offset that the next record gets.
    pub next: u64,
    /// Bytes of what is kept.
    pub bytes: u64,
}

/// A stream's figures, and how it is: each default in its place. Its pointers are valid as long as
/// this struct.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_stream_info {
    /// What it is called, in a list; NULL in the DONE of telpher_stream_inspect.
    pub name: *const c_char,
    /// The figures of each partition, from number 0.
    pub partitions: *const telpher_partition_info,
    /// How many partitions there are.
    pub partitions_count: usize,
    /// Age from which records are removed, in ms; 0: never for their age.
    pub age_max_ms: u64,
    /// Bytes of one partition beyond which its oldest records are removed.
    pub bytes_max: u64,
    /// Records of one partition beyond which its oldest are removed; 0: any number.
    pub records_max: u64,
    /// TELPHER_DURABILITY_MEMORY, _OS or _DISK.
    pub durability: u32,
    /// 1: of each key the latest record is kept.
    pub compact: u32,
    /// 1: what a reader group has not committed stays.
    pub keep_unread: u32,
    /// With `compact`: age from which tombstones are removed, in ms; 0 without it.
    pub tombstone_age_ms: u64,
    /// TELPHER_COMPRESSION_NONE, _LZ4 or _ZSTD.
    pub compression: u32,
    /// Patterns of topics that are bound to it, in order, with a space between two; NULL: none.
    pub bindings: *const c_char,
}

/// Where a reader group is put.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_group_reset_options {
    /// sizeof(telpher_group_reset_options)
    pub size: usize,
    /// 0 is the handle's default.
    pub timeout_ms: i64,
    /// 1: `partition` only. 0: all of them.
    pub has_partition: u32,
    /// With `has_partition`: which, 0 to 1,023 and below the number that the stream has.
    pub partition: u32,
    /// With TELPHER_START_OFFSET an offset, with TELPHER_START_TIME a time in ms since 1970;
    /// otherwise 0.
    pub start_at: u64,
    /// Where the group goes on: TELPHER_START_BEGINNING, _END, _OFFSET or _TIME.
    pub start: u32,
}

/// How far a reader group has come in one partition. Programs walk over arrays of it, so it stays
/// as it is.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_group_place {
    /// The next offset: what is below is committed.
    pub next: u64,
    /// Records that the group has still before it.
    pub lag: u64,
    /// True if a member reads the partition now.
    pub is_read: bool,
}

/// A reader group's figures. Lists point to each, so that it can grow: the library makes this
/// struct.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telpher_group_info {
    /// What it is called.
    pub name: *const c_char,
    /// The place in each partition, from number 0.
    pub places: *const telpher_group_place,
    /// How many partitions there are.
    pub places_count: usize,
    /// Readers that are members now.
    pub members: u32,
}
