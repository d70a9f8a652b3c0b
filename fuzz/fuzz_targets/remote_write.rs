//! Any bytes as a remote write: an error, or a request that is read the same after it was written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamflow_exposition::remote_write::{Limits, decode, encode};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { decoded_bytes: 1 << 20, messages: 10_000 };
    if let Ok(request) = decode(bytes, &limits) {
        let written = encode(&request);
        let read = decode(&written, &Limits { decoded_bytes: 1 << 30, messages: u64::MAX }).expect("our own bytes");
        // Compared as bytes, because a NaN equals nothing.
        assert_eq!(encode(&read), written);
    }
});
