//! Compressed batches: smaller, the same records, and never more than they say.

use telpher_proto::base::batch::{
    BATCH_HEADER_SIZE, BatchBuilder, Records, check_packed, check_stamped, plain, stamp,
};
use telpher_proto::base::{Compression, Message};

fn messages() -> Vec<Message> {
    let mut keyed = Message::new(&b"keyed"[..]);
    keyed.properties_mut().key = (&b"key"[..]).into();
    vec![Message::new(&b"plain"[..]), keyed, Message::new(&b""[..])]
}

#[test]
fn a_compressed_batch_is_smaller_and_has_the_same_records() {
    let alike = || (0..200).flat_map(|_| messages());
    let build = |compression| {
        let mut builder = BatchBuilder::default();
        alike().for_each(|message| builder.push(&message));
        builder.build(compression)
    };
    let whole = build(None);
    for compression in Compression::ALL {
        let packed = build(Some(compression));
        assert!(packed.len() * 2 < whole.len(), "{compression:?}: {}", packed.len());
        assert!(check_packed(&packed).is_some());
        let stamped = stamp(&packed, (5, 2), 100, 1_234).unwrap();
        let header = check_stamped(&stamped, (5, 2)).unwrap();
        assert_eq!((header.cost(), header.end()), (whole.len() as u64, 700));
        let mut records = Records::new(&stamped, 2).unwrap();
        for (message, offset) in alike().zip(100..) {
            let record = records.next_record().unwrap().unwrap();
            assert_eq!((record.offset, record.message), (offset, message));
        }
        assert!(records.next_record().is_none());
        let plain = plain(&stamped).unwrap();
        assert_eq!(plain[BATCH_HEADER_SIZE..], whole[BATCH_HEADER_SIZE..]);
    }
}

#[test]
fn compressed_bytes_that_are_no_records_are_refused() {
    let mut builder = BatchBuilder::default();
    messages().iter().cycle().take(90).for_each(|message| builder.push(message));
    let good = builder.build(Some(Compression::Lz4));
    let refused = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.to_vec();
        change(&mut bytes);
        let size = bytes.len() as u32;
        bytes[..4].copy_from_slice(&size.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[BATCH_HEADER_SIZE..]);
        bytes[32..36].copy_from_slice(&crc.to_le_bytes());
        check_packed(&bytes).is_none()
    };
    assert!(!refused(&|_| {}));
    assert!(refused(&|bytes| bytes[40] = 3), "a compression that there is not");
    assert!(refused(&|bytes| bytes[40] = 2), "another compression");
    assert!(refused(&|bytes| bytes[40] = 0), "none, and a size");
    assert!(refused(&|bytes| bytes[44..48].fill(0)), "no size");
    assert!(refused(&|bytes| bytes[44] ^= 1), "another size");
    assert!(refused(&|bytes| bytes[44..48].fill(0x7f)), "more than a batch may have");
    assert!(refused(&|bytes| bytes.truncate(60)), "half of it");
    assert!(refused(&|bytes| bytes[BATCH_HEADER_SIZE + 1] ^= 0x40), "another record");
}
