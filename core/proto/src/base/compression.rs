//! Packing the records of a batch small, and back.
//!
//! Floor: base.

/// How the records of a stream's batches are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Compression {
    /// Fast, and about half as small: the LZ4 block format.
    Lz4 = 1,
    /// Slower, and smaller: Zstandard.
    Zstd = 2,
}

impl Compression {
    /// All of them.
    pub const ALL: [Compression; 2] = [Compression::Lz4, Compression::Zstd];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        }
    }

    /// The one with this number.
    pub fn from_number(number: u32) -> Option<Compression> {
        Self::ALL.into_iter().find(|one| *one as u32 == number)
    }

    /// Packs bytes; `None` if they don't become fewer.
    pub fn pack(self, bytes: &[u8]) -> Option<Vec<u8>> {
        let packed = match self {
            Compression::Lz4 => lz4_flex::block::compress(bytes),
            Compression::Zstd => zstd::bulk::compress(bytes, LEVEL).ok()?,
        };
        (packed.len() < bytes.len()).then_some(packed)
    }

    /// Unpacks bytes that are to become so many; `None` if they do not, and then nothing beyond
    /// these was written.
    pub fn unpack(self, packed: &[u8], size: usize) -> Option<Vec<u8>> {
        let bytes = match self {
            Compression::Lz4 => lz4_flex::block::decompress(packed, size).ok()?,
            Compression::Zstd => zstd::bulk::decompress(packed, size).ok()?,
        };
        (bytes.len() == size).then_some(bytes)
    }
}

/// The level that Zstandard itself takes if nothing is said.
const LEVEL: i32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_and_no_more_than_were_stated() {
        let bytes: Vec<u8> = (0..5_000u32).map(|number| (number % 7) as u8).collect();
        for compression in Compression::ALL {
            let packed = compression.pack(&bytes).expect("they repeat themselves");
            assert!(packed.len() < 500, "{compression:?}: {}", packed.len());
            assert_eq!(compression.unpack(&packed, bytes.len()), Some(bytes.clone()));
            for wrong in [0, 1, bytes.len() - 1, bytes.len() + 1] {
                assert_eq!(compression.unpack(&packed, wrong), None, "{compression:?} {wrong}");
            }
            for cut in 0..packed.len() {
                assert_eq!(compression.unpack(&packed[..cut], bytes.len()), None);
            }
            assert_eq!(compression.pack(b"short"), None);
        }
    }
}
