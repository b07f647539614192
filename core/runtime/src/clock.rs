//! The monotonic clock that all processes of this machine share, and the machine's name for it.
//!
//! Floor: imports nothing of the runtime.

use std::sync::OnceLock;
use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};
use telpher_proto::base::Time;

/// Now.
pub(crate) fn now() -> Time {
    let now = clock_gettime(ClockId::Monotonic);
    // Both count from when the machine started, so there is nothing below zero or out of range.
    Time::from_nanos(now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64)
}

/// The time, in ms since 1970.
pub(crate) fn wall_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

/// A span as the kernel wants it.
pub(crate) fn timespec(span: Duration) -> Timespec {
    let tv_sec = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    Timespec { tv_sec, tv_nsec: i64::from(span.subsec_nanos()) }
}

/// The machine's boot id: two processes with the same one read the same clock. Random where the
/// kernel tells none, so that nobody is taken to share it.
pub(crate) fn boot_id() -> [u8; 16] {
    static BOOT_ID: OnceLock<[u8; 16]> = OnceLock::new();
    *BOOT_ID.get_or_init(|| {
        std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .ok()
            .and_then(|text| parse(&text))
            .unwrap_or_else(random)
    })
}

/// 16 random bytes.
pub(crate) fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    if filled != Ok(16) {
        let fallback = u128::from(now().as_nanos()) << 64 | u128::from(std::process::id());
        bytes = fallback.to_le_bytes();
    }
    bytes
}

/// A random number.
pub(crate) fn seed() -> u64 {
    let bytes = random();
    u64::from_le_bytes([
        bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7],
    ])
}

fn parse(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    (digits.len() == 32).then_some(())?;
    Some(u128::from_str_radix(&digits, 16).ok()?.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_id_is_read_with_its_dashes_and_a_short_one_is_not() {
        let id = parse("00112233-4455-6677-8899-aabbccddeeff\n").unwrap();
        assert_eq!((id[0], id[1], id[15]), (0x00, 0x11, 0xff));
        assert_eq!(parse("0011"), None);
    }

    #[test]
    fn time_does_not_go_back() {
        let before = now();
        assert!(now() >= before);
        assert_eq!(boot_id(), boot_id());
    }
}
