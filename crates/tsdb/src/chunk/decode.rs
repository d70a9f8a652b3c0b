//! Samples out of the bytes of a chunk.

use streamflow_histogram::{plain, unboxed};

use super::{BITS, HISTOGRAMS, MAX_EXPONENT, MAX_SAMPLES, POWERS, STARTS, XOR};
use super::{bits, histograms, sequence, starts, xor};
use crate::samples::Samples;
use crate::varint;

/// Tells whether the numbers of a histogram are wanted, by the time of the one before it, its own and the next one's.
pub(crate) type Wanted<'a> = &'a dyn Fn([i64; 3]) -> bool;

/// Appends the samples of a chunk's bytes to `out`; `None`, and `out` as it was, when they are no chunk.
pub(crate) fn decode(bytes: &[u8], out: &mut Samples) -> Option<()> {
    decode_wanted(bytes, out, None)
}

/// As [`decode`]. Of histograms whose numbers nobody wants, only what tells them apart from others is given: the bounds of
/// their buckets, and that there was no reset before them.
pub(crate) fn decode_wanted(bytes: &[u8], out: &mut Samples, wanted: Option<Wanted>) -> Option<()> {
    let before = out.len();
    let done = decode_columns(bytes, out, wanted);
    if done.is_none() {
        out.truncate(before);
    }
    done
}

fn decode_columns(bytes: &[u8], out: &mut Samples, wanted: Option<Wanted>) -> Option<()> {
    let mut head = varint::Reader::new(bytes);
    let mut tag = head.byte()?;
    let before = out.len();
    let starts = if tag == STARTS { Some(starts::read(&mut head)?) } else { None };
    if starts.is_some() {
        tag = head.byte()?;
    }
    // A start may tell of a reset.
    decode_samples(tag, &mut head, out, wanted.filter(|_| starts.is_none()))?;
    match starts {
        Some(starts) => starts.put(out, before)?,
        None => out.fill_starts(),
    }
    Some(())
}

/// What a chunk is without start timestamps.
fn decode_samples(
    tag: u8,
    head: &mut varint::Reader<'_>,
    out: &mut Samples,
    wanted: Option<Wanted>,
) -> Option<()> {
    match tag {
        HISTOGRAMS => decode_histograms(head, out, wanted),
        tag => {
            read_columns(tag, head, out, plain)?;
            head.rest.is_empty().then_some(())
        }
    }
}

fn decode_histograms(head: &mut varint::Reader<'_>, out: &mut Samples, wanted: Option<Wanted>) -> Option<()> {
    let count = usize::try_from(head.unsigned()?).ok().filter(|count| (1..=MAX_SAMPLES).contains(count))?;
    let (first, before) = (out.histograms.len(), out.len());
    let runs = histograms::read(head, count)?;
    let tag = head.byte()?;
    read_columns(tag, head, out, |value| value)?;
    // Each histogram is named once, in their order.
    let mut named = 0;
    for value in &mut out.values[before..] {
        if let Some(place) = unboxed(*value) {
            if place != named {
                return None;
            }
            *value = streamflow_histogram::boxed((first + place) as u32);
            named += 1;
        }
    }
    // Numbers among them would shift their times.
    let times = &out.timestamps[before..];
    let wanted = wanted.filter(|_| times.len() == count);
    histograms::put(&runs, wanted.map(|wanted| (wanted, times)), &mut out.histograms);
    (named == count && head.rest.is_empty()).then_some(())
}

/// Appends both columns; `map` is done to each value that may be any.
fn read_columns(
    tag: u8,
    head: &mut varint::Reader<'_>,
    out: &mut Samples,
    map: impl Fn(f64) -> f64,
) -> Option<()> {
    let count = usize::try_from(head.unsigned()?).ok().filter(|count| (1..=MAX_SAMPLES).contains(count))?;
    let before = out.len();
    out.timestamps.resize(before + count, 0);
    out.values.resize(before + count, 0.0);
    let (timestamps, values) = (&mut out.timestamps[before..], &mut out.values[before..]);
    let rest = sequence::read(head.rest, timestamps, |timestamp| timestamp)?;
    head.rest = read_values(tag, rest, values, map)?;
    Some(())
}

/// Fills `values`, at least one, and returns what lies behind them; `None` when the bytes are none.
#[inline]
pub(super) fn read_values<'a>(
    tag: u8,
    bytes: &'a [u8],
    values: &mut [f64],
    map: impl Fn(f64) -> f64,
) -> Option<&'a [u8]> {
    match tag {
        0 => sequence::read(bytes, values, |integer| integer as f64),
        1..=MAX_EXPONENT => {
            let power = POWERS[usize::from(tag)];
            sequence::read(bytes, values, |integer| integer as f64 / power)
        }
        BITS => sequence::read(bytes, values, |bits| map(f64::from_bits(bits as u64))),
        XOR => {
            let (first, places) = values.split_first_mut()?;
            let raw = f64::from_le_bytes(*bytes.first_chunk()?);
            *first = map(raw);
            let (mut from, mut xor) = (bits::BitReader::new(&bytes[8..]), xor::Xor::new(raw));
            for place in places {
                *place = map(xor.read(&mut from)?);
            }
            Some(from.after(&bytes[8..]))
        }
        _ => None,
    }
}
