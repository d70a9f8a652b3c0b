//! Buckets of a server on this machine.

use streamflow_bucket::{Bucket, Location, Settings};

/// A bucket at an address.
pub fn bucket_at(address: &str, location: &str) -> Bucket {
    bucket_with(address, location, Settings { retries: 0, ..Settings::default() })
}

/// The same with settings.
pub fn bucket_with(address: &str, location: &str, settings: Settings) -> Bucket {
    let settings = Settings { endpoint: Some(format!("http://{address}")), ..settings };
    let variables = [("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "s3cret")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Bucket::open(&Location::parse(location).unwrap(), &settings, &variables).unwrap()
}
