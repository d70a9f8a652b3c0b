//! Decoders by themselves, for fuzzing: any bytes are an answer.

pub use crate::discovery::fuzz_dns as dns;
