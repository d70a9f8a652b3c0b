//! A model file in XGBoost's JSON: an error that says why, or answers that are the same for a row alone and among others.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| streamflow_fuzz::model_file(file));
