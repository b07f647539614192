//! What can be said on the command line of streams.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use humantime::{parse_duration, parse_rfc3339_weak};
use telpher::limits::PARTITIONS_MAX;
use telpher::{Compression, Durability, Name, Start};

pub const STREAMS_EXAMPLES: &str = "\
Examples:
  telpher streams ./data
      Of the process that hosts the directory; with none, what its journal says.
      Looking never makes this process the host, and changes nothing.

  telpher streams ./data events
      How the stream is, and which offsets each of its partitions has.

  telpher streams tcp://127.0.0.1:7420 --json
      Of a hub that is served there, for a program to read.
";

pub const DECLARE_EXAMPLES: &str = "\
Examples:
  telpher declare-stream ./data events
      One partition that keeps 1 GiB: beyond that its oldest records go.

  telpher declare-stream ./data events --partitions 8 --age-max 7d
      Records with the same key are in one partition, in order. What is older
      than a week is removed. The hub must be hosted by a program, or by
      telpher serve.
";

pub const DELETE_EXAMPLES: &str = "\
Examples:
  telpher delete-stream ./data events
";

pub const APPEND_EXAMPLES: &str = "\
Examples:
  telpher append ./data events '{\"id\": 7}' --key customer-7
      Says where the record is: its partition and offset. The hub must be hosted
      by a program, or by telpher serve.

  telpher append ./data events < picture.png
      Without a body on the command line it is read from stdin, as one record.

  tail -f app.log | telpher append ./data log --lines
      A record for each line of stdin, as it comes.
";

pub const READ_EXAMPLES: &str = "\
Examples:
  telpher read ./data events
      All records, from the oldest: partition and offset, time, key, body.

  telpher read ./data events --from 10m --follow
      Those of the last ten minutes, and then what is appended, until Ctrl-C.

  telpher read ./data events --from 2026-11-26T08:00:00Z --json
      From a moment on (UTC), each record with all of its properties as a line
      of JSON.

  telpher read ./data events --partition 3 --from 1200 --count 1
      One record, by its offset.

  telpher read ./data events --key customer-7 --header kind=refund
      Only records that have this key and this header; the hub passes over the
      others.

  telpher read ./data events --group billing
      What the group billing has not read yet: a second run goes on where the
      first one ended. A new group begins with the oldest record, or at --from.
      Several at the same time, with --follow, share the partitions. A place is
      committed when its records are written to stdout, so what was being
      written when this was killed comes again.
";

pub const GROUPS_EXAMPLES: &str = "\
Examples:
  telpher groups ./data
      Each reader group of each stream: its members, and how many records it has
      still before it. With no host it is what the journal says, and nobody is a
      member. Looking never makes this process the host, and changes nothing.

  telpher groups ./data events
      Those of one stream, with the place of each in each partition.

  telpher groups tcp://127.0.0.1:7420 --json
      Of a hub that is served there, for a program to read.
";

pub const RESET_GROUP_EXAMPLES: &str = "\
Examples:
  telpher reset-group ./data events billing --to beginning
      The group billing reads again everything that is kept. What its members
      have read and not yet committed is refused. The hub must be hosted by a
      program, or by telpher serve.

  telpher reset-group ./data events billing --to 2026-11-26T08:00:00Z
      From a moment on (UTC); --to 10m is ten minutes ago.

  telpher reset-group ./data events billing --to 1200 --partition 3
      From an offset on, in one partition.
";

pub const DELETE_GROUP_EXAMPLES: &str = "\
Examples:
  telpher delete-group ./data events billing
      Its places are gone, and its members end. The records of the stream stay.
";

/// Which hub, and which of its streams.
#[derive(Args)]
pub struct Streams {
    /// The hub: its directory, tcp://HOST:PORT or unix:///PATH
    #[arg(value_name = "DIR|URL")]
    pub hub: String,
    /// Only this stream, partition by partition
    #[arg(value_parser = name)]
    pub stream: Option<Name>,
    /// For programs: everything, as JSON
    #[arg(long)]
    pub json: bool,
}

/// Which stream of which hub.
#[derive(Args)]
pub struct OneStream {
    /// The hub: its directory, tcp://HOST:PORT or unix:///PATH
    #[arg(value_name = "DIR|URL")]
    pub hub: String,
    /// The stream
    #[arg(value_parser = name)]
    pub stream: Name,
}

/// Which reader group of which stream of which hub.
#[derive(Args)]
pub struct OneGroup {
    /// Of which stream.
    #[command(flatten)]
    pub of: OneStream,
    /// The reader group
    #[arg(value_parser = name)]
    pub group: Name,
}

/// Where a reader group is put.
#[derive(Args)]
pub struct ResetGroup {
    /// Which.
    #[command(flatten)]
    pub which: OneGroup,
    /// beginning, end, an offset, a time, or how long ago
    #[arg(long, value_name = "WHERE", value_parser = start)]
    pub to: Start,
    /// Only in this partition
    #[arg(long, value_name = "N")]
    pub partition: Option<u32>,
}

/// How a stream shall be.
#[derive(Args)]
pub struct DeclareStream {
    /// Which.
    #[command(flatten)]
    pub of: OneStream,
    /// Parts that keep an order each
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(PARTITIONS_MAX)))]
    pub partitions: u32,
    /// How safe a confirmed record is; by default as safe as the hub can
    #[arg(long, value_name = "LEVEL")]
    pub durability: Option<Level>,
    /// Age from which records are removed, such as 7d or 12h
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub age_max: Option<Duration>,
    /// Bytes of a partition beyond which its oldest go, such as 500MiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub bytes_max: Option<u64>,
    /// Records of a partition beyond which its oldest go
    #[arg(long, value_name = "N")]
    pub records_max: Option<u64>,
    /// Keep each key's latest record; an empty one says that the key is gone
    #[arg(long)]
    pub compact: bool,
    /// With --compact: age from which empty records go; one day by default
    #[arg(long, value_name = "TIME", value_parser = parse_duration, requires = "compact")]
    pub tombstone_age: Option<Duration>,
    /// What a reader group has not read stays; without room it is FULL
    #[arg(long)]
    pub keep_unread: bool,
    /// How programs pack records, as they stay: lz4 is fast, zstd smaller
    #[arg(long, value_name = "HOW")]
    pub compression: Option<Packing>,
}

/// How records are packed.
#[derive(Clone, Copy, ValueEnum)]
pub enum Packing {
    /// Fast
    Lz4,
    /// Smaller
    Zstd,
}

impl From<Packing> for Compression {
    fn from(packing: Packing) -> Compression {
        match packing {
            Packing::Lz4 => Compression::Lz4,
            Packing::Zstd => Compression::Zstd,
        }
    }
}

/// How safe records are.
#[derive(Clone, Copy, ValueEnum)]
pub enum Level {
    /// They last as long as the host
    Memory,
    /// They survive the programs
    Os,
    /// They survive the machine
    Disk,
}

impl From<Level> for Durability {
    fn from(level: Level) -> Durability {
        match level {
            Level::Memory => Durability::Memory,
            Level::Os => Durability::Os,
            Level::Disk => Durability::Disk,
        }
    }
}

/// What to append.
#[derive(Args)]
pub struct Append {
    /// To which.
    #[command(flatten)]
    pub to: OneStream,
    /// The body; without one it is read from stdin
    pub body: Option<String>,
    /// The key: all of its records are in one partition
    #[arg(long)]
    pub key: Option<String>,
    /// A header; one or several
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = crate::arguments::header)]
    pub headers: Vec<(String, String)>,
    /// The partition; by default the key's, or any
    #[arg(long, value_name = "N")]
    pub partition: Option<u32>,
    /// Append only if this is the partition's next offset
    #[arg(long, value_name = "OFFSET")]
    pub expect: Option<u64>,
    /// Append each line of stdin as a record, as it comes
    #[arg(long, conflicts_with_all = ["body", "expect"])]
    pub lines: bool,
    /// For programs: everything, as JSON
    #[arg(long)]
    pub json: bool,
}

/// What to read.
#[derive(Args)]
#[command(next_line_help = true)]
pub struct Read {
    /// Of which.
    #[command(flatten)]
    pub of: OneStream,
    /// beginning, end, an offset, a time, or how long ago
    #[arg(long, value_name = "WHERE", value_parser = start)]
    pub from: Option<Start>,
    /// Only this partition
    #[arg(long, value_name = "N")]
    pub partition: Option<u32>,
    /// Only records with this key
    #[arg(long)]
    pub key: Option<String>,
    /// Only records with this header; several: with all of them
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = crate::arguments::header)]
    pub headers: Vec<(String, String)>,
    /// As a member of this reader group; it is made if it is new
    #[arg(long, value_name = "NAME", value_parser = name, conflicts_with = "partition")]
    pub group: Option<Name>,
    /// With --group: end if nothing was written for so long, such as 30s
    #[arg(long, value_name = "TIME", value_parser = parse_duration, requires = "group")]
    pub max_processing: Option<Duration>,
    /// Go on with what is appended, until Ctrl-C
    #[arg(long)]
    pub follow: bool,
    /// End after so many records
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// For programs: everything, a line of JSON for each record
    #[arg(long)]
    pub json: bool,
}

fn name(text: &str) -> Result<Name, String> {
    Name::parse(text).map_err(|error| error.detail().to_owned())
}

/// Where reading begins.
fn start(text: &str) -> Result<Start, String> {
    let ms_since_1970 = |time: SystemTime| {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Start::Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    };
    if let Ok(offset) = text.parse() {
        return Ok(Start::Offset(offset));
    }
    match text {
        "beginning" => Ok(Start::Beginning),
        "end" => Ok(Start::End),
        text => match (parse_duration(text), parse_rfc3339_weak(text)) {
            (Ok(ago), _) => {
                Ok(ms_since_1970(SystemTime::now().checked_sub(ago).unwrap_or(UNIX_EPOCH)))
            }
            (_, Ok(time)) => Ok(ms_since_1970(time)),
            _ => Err("it is beginning, end, an offset such as 1200, a time such as \
                2026-11-26T08:00:00Z, or how long ago, such as 10m"
                .into()),
        },
    }
}

/// A size: bytes, or with a unit.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err("a size is like 1000000, 512KiB, 500MiB, 2GiB or 1TiB".into()),
    };
    let number: u64 = number.parse().map_err(|_| "a size begins with a number".to_owned())?;
    number.checked_mul(factor).ok_or_else(|| "that is more than any disk has".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_begins_at_a_place_an_offset_a_time_or_so_long_ago() {
        assert_eq!(start("beginning"), Ok(Start::Beginning));
        assert_eq!(start("end"), Ok(Start::End));
        assert_eq!(start("1200"), Ok(Start::Offset(1200)));
        assert_eq!(start("1970-01-01T00:00:01.5Z"), Ok(Start::Time(1_500)));
        assert_eq!(start("1970-01-02 00:00:00"), Ok(Start::Time(86_400_000)));
        assert!(matches!(start("10m"), Ok(Start::Time(time_ms)) if time_ms > 1_000_000_000_000));
        for bad in ["", "-1", "middle", "10 parsecs", "99999999999999999999"] {
            assert!(start(bad).unwrap_err().contains("10m"), "{bad}");
        }
    }

    #[test]
    fn a_size_may_have_a_unit() {
        assert_eq!(size("1000"), Ok(1_000));
        assert_eq!(
            (size("2KiB"), size("3 MiB"), size("1TiB")),
            (Ok(2_048), Ok(3 << 20), Ok(1 << 40))
        );
        for bad in ["", "MiB", "1MB", "-1", "99999999999GiB", "9999999999999TiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
