//! Any bytes as a minute of live traffic: an error, or a minute that is written the same and merges with itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamflow_live::Minute;

fuzz_target!(|bytes: &[u8]| {
    // A checksum that is right, so that the rest is read.
    let mut bytes = bytes.to_vec();
    let crc = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    let Ok(minute) = Minute::decode(&bytes) else { return };
    let again = Minute::decode(&minute.encode()).expect("what was written can be read");
    assert_eq!(again, minute);
    assert!(minute.merge(&again).sample.len() <= minute.sample.len());
});
