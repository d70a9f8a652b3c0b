//! Prometheus's protobuf format: families one after the other, each a message behind its length.
//!
//! A family that is read is read whole and then told as the events of a text, so that whoever takes samples takes them from every
//! format alike. Native histograms are in no other format of scrapes.

mod encoder;
mod family;
mod message;

pub use encoder::{Encoder, Held};
pub use family::Family;

use prost::Message as _;

use crate::error::Error;
use crate::remote_write::{count_messages, varint, within};
use message::MetricFamily;

/// Messages in one family at most. Each takes more memory than bytes on the wire, so they are counted before any is made.
const MESSAGES_MAX: u64 = 2_000_000;
/// From a family's metrics down to the labels of the exemplars of their buckets.
const LEVELS: u8 = 5;

/// What is taken of histograms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Take {
    /// Native histograms; without it, their classic buckets, if they have some.
    pub native: bool,
    /// The classic buckets of native histograms as well.
    pub classic: bool,
    /// Classic histograms become native ones with custom bounds.
    pub convert: bool,
}

/// An iterator over the families of a body. After an error it ends: a body is taken whole or not at all.
#[derive(Debug)]
pub struct Families<'a> {
    rest: &'a [u8],
    take: Take,
    read: usize,
}

impl<'a> Families<'a> {
    /// At the start of `body`.
    #[must_use]
    pub fn new(body: &'a [u8], take: Take) -> Self {
        Self { rest: body, take, read: 0 }
    }

    fn family(&mut self) -> Result<Family, Error> {
        self.read += 1;
        let number = self.read;
        let broken = |reason: String| Error::Family { number, reason };
        let length = varint(&mut self.rest).and_then(|length| usize::try_from(length).ok());
        let length = length.ok_or_else(|| broken("expected the length of a family".to_owned()))?;
        let Some((bytes, rest)) = self.rest.split_at_checked(length) else {
            let left = self.rest.len();
            return Err(broken(format!("expected {length} bytes, and {left} are left")));
        };
        self.rest = rest;
        let mut messages = 0;
        count_messages(bytes, LEVELS, &mut messages);
        within("messages in a family", messages, MESSAGES_MAX)?;
        let family = MetricFamily::decode(bytes).map_err(|error| broken(error.to_string()))?;
        Family::read(family, number, self.take)
    }
}

impl Iterator for Families<'_> {
    type Item = Result<Family, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let family = self.family();
        if family.is_err() {
            self.rest = &[];
        }
        Some(family)
    }
}

#[cfg(test)]
mod tests;
