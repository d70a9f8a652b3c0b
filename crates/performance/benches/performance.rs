//! Metrics of a million scored rows.
fn main() {}
