//! The inputs of the fuzz targets as properties: whatever the bytes, an answer.
#![allow(missing_docs)]

use proptest::prelude::*;
use streamflow_tsdb::fuzzing;

/// Bytes of which many are small numbers, so that counts and lengths are believed.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![3 => 0_u8..8, 1 => any::<u8>()];
    let anything = proptest::collection::vec(byte, 0..400);
    let records =
        proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..5).prop_map(|payloads| {
            let frame = |payload: Vec<u8>| {
                let (length, crc) =
                    ((payload.len() as u32).to_le_bytes(), crc32fast::hash(&payload).to_le_bytes());
                [&[0xa5, 0x5a][..], &length, &crc, &payload].concat()
            };
            payloads.into_iter().flat_map(frame).collect()
        });
    prop_oneof![anything, records]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_an_answer(bytes in bytes()) {
        if let Some(samples) = fuzzing::chunk(&bytes) {
            prop_assert_eq!(samples.timestamps.len(), samples.values.len());
        }
        let _ = fuzzing::wal(&bytes);
        let _ = fuzzing::index(&bytes);
        let _ = fuzzing::deletion(&bytes);
    }
}

#[test]
fn bytes_full_of_marks_are_read_in_time() {
    // Each mark is followed by a length that reaches far: looking for the next whole record must not be quadratic.
    let bytes: Vec<u8> = [0xa5, 0x5a, 0xff, 0xff, 0x03, 0x00].iter().copied().cycle().take(1 << 20).collect();
    assert_eq!(fuzzing::wal(&bytes), 0);
}
