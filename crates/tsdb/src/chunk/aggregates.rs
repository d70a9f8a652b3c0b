//! Chunks of aggregates: a column for each thing that is known of a window, then the histograms that stand for others.
//!
//! Columns are those of samples: times and counts are sequences, values are written as those of samples are. The smallest
//! and the largest value of a window are often its first or its last one, as those of every counter; then a byte says so.

use super::{Chunk, MAX_SAMPLES, decode, encode, read_values, sequence, whole, write_values};
use crate::aggregates::{Aggregate, Resolution};
use crate::samples::Samples;
use crate::varint::{self, Reader};

/// First byte of a chunk of aggregates.
pub(crate) const AGGREGATES: u8 = 17;
/// Windows of a chunk: twenty days of hours, forty hours of five minutes.
const WINDOWS: usize = 480;
/// A column of values stands by itself,
const OWN: u8 = 0;
/// is that of the first values,
const FIRST: u8 = 1;
/// or that of the last ones.
const LAST: u8 = 2;

/// Aggregates of one series, and its histograms that stand for others; both ascending.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Windows {
    pub(crate) rows: Vec<Aggregate>,
    pub(crate) histograms: Samples,
}

impl Windows {
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.histograms.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.histograms.clear();
    }

    /// As chunks of which none holds too much: aggregates first, then histograms.
    pub(crate) fn chunks(&self) -> Vec<Chunk> {
        let mut chunks: Vec<Chunk> =
            self.rows.chunks(WINDOWS).map(|rows| made(rows, &Samples::default())).collect();
        let mut start = 0;
        while start < self.histograms.len() {
            let end = start + whole(&self.histograms, start, WINDOWS);
            chunks.push(made(&[], &self.histograms.part(start..end)));
            start = end;
        }
        chunks.sort_by_key(|chunk| (chunk.min_time, chunk.max_time));
        chunks
    }

    /// Takes those of a chunk; `None`, and as before, when the bytes are none.
    pub(crate) fn decode(&mut self, resolution: Resolution, bytes: &[u8]) -> Option<usize> {
        let (rows, histograms) = (self.rows.len(), self.histograms.len());
        let read = read(resolution, bytes, self);
        if read.is_none() {
            self.rows.truncate(rows);
            self.histograms.truncate(histograms);
        }
        read.map(|()| self.rows.len() - rows + self.histograms.len() - histograms)
    }
}

fn made(rows: &[Aggregate], histograms: &Samples) -> Chunk {
    let ends = rows.iter().map(Aggregate::extent).chain(histograms.timestamps.iter().map(|t| (*t, *t)));
    let (min_time, max_time) =
        ends.fold((i64::MAX, i64::MIN), |(min, max), (first, last)| (min.min(first), max.max(last)));
    let count = (rows.len() + histograms.len()) as u32;
    Chunk { min_time, max_time, count, bytes: write(rows, histograms).into() }
}

fn write(rows: &[Aggregate], histograms: &Samples) -> Vec<u8> {
    let mut out = vec![AGGREGATES];
    varint::write(&mut out, rows.len() as u64);
    if !rows.is_empty() {
        let ended =
            |row: &Aggregate| row.ended_ms.map_or(0, |ended| ended.wrapping_sub(row.last_ms).wrapping_add(1));
        let integers: [&dyn Fn(&Aggregate) -> i64; 6] = [
            &|row| row.first_ms,
            &|row| row.last_ms.wrapping_sub(row.first_ms),
            &ended,
            &|row| row.count as i64,
            &|row| row.resets as i64,
            &|row| row.changes as i64,
        ];
        let mut scratch = Vec::with_capacity(rows.len());
        for column in integers {
            let values: Vec<i64> = rows.iter().map(column).collect();
            let plan = sequence::plan(&values, &mut scratch);
            sequence::write(&mut out, &values, plan);
        }
        write_numbers(rows, &mut out, &mut scratch);
    }
    let histograms = if histograms.is_empty() { Vec::new() } else { encode(histograms) };
    varint::write(&mut out, histograms.len() as u64);
    out.extend_from_slice(&histograms);
    out
}

fn write_numbers(rows: &[Aggregate], out: &mut Vec<u8>, scratch: &mut Vec<i64>) {
    let column = |of: fn(&Aggregate) -> f64| rows.iter().map(of).collect::<Vec<f64>>();
    let same = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits());
    let (first, last) = (column(|row| row.first), column(|row| row.last));
    write_values(out, &first, scratch);
    write_values(out, &last, scratch);
    for values in [column(|row| row.min), column(|row| row.max)] {
        let how = if same(&values, &first) {
            FIRST
        } else if same(&values, &last) {
            LAST
        } else {
            OWN
        };
        out.push(how);
        if how == OWN {
            write_values(out, &values, scratch);
        }
    }
    write_values(out, &column(|row| row.sum), scratch);
    write_values(out, &column(|row| row.lost), scratch);
}

fn read(resolution: Resolution, bytes: &[u8], out: &mut Windows) -> Option<()> {
    let mut from = Reader::new(bytes.strip_prefix(&[AGGREGATES])?);
    let count = usize::try_from(from.unsigned()?).ok().filter(|count| *count <= MAX_SAMPLES)?;
    if count > 0 {
        read_rows(resolution, count, &mut from, &mut out.rows)?;
    }
    let length = from.count()?;
    let histograms = from.bytes(length)?;
    if length > 0 {
        decode(histograms, &mut out.histograms)?;
    }
    (from.rest.is_empty() && count + length > 0).then_some(())
}

fn read_rows(
    resolution: Resolution,
    count: usize,
    from: &mut Reader<'_>,
    out: &mut Vec<Aggregate>,
) -> Option<()> {
    let mut integers: [Vec<i64>; 6] = Default::default();
    for column in &mut integers {
        column.resize(count, 0);
        from.rest = sequence::read(from.rest, column, |value| value)?;
    }
    let (first, last) = (numbers(from, count)?, numbers(from, count)?);
    let mut bounds = [Vec::new(), Vec::new()];
    for bound in &mut bounds {
        *bound = match from.byte()? {
            OWN => numbers(from, count)?,
            FIRST => first.clone(),
            LAST => last.clone(),
            _ => return None,
        };
    }
    let (sum, lost) = (numbers(from, count)?, numbers(from, count)?);
    let mut behind = None;
    for at in 0..count {
        let [first_ms, length, ended, samples, resets, changes] =
            integers.each_ref().map(|column| column[at]);
        let last_ms = first_ms.checked_add(u64::try_from(length).ok().map(|_| length)?)?;
        let ended_ms = match ended {
            0 => None,
            ended => Some(last_ms.checked_add(u64::try_from(ended).ok().map(|_| ended - 1)?)?),
        };
        let [count, resets, changes] = [samples, resets, changes].map(|value| u64::try_from(value).ok());
        let row = Aggregate {
            resolution,
            first_ms,
            last_ms,
            ended_ms,
            count: count?,
            first: first[at],
            last: last[at],
            min: bounds[0][at],
            max: bounds[1][at],
            sum: sum[at],
            lost: lost[at],
            resets: resets?,
            changes: changes?,
        };
        // Ascending, none reaching into another.
        if behind.is_some_and(|behind| behind >= first_ms) {
            return None;
        }
        behind = Some(row.extent().1);
        out.push(row);
    }
    Some(())
}

fn numbers(from: &mut Reader<'_>, count: usize) -> Option<Vec<f64>> {
    let mut values = vec![0.0; count];
    let tag = from.byte()?;
    from.rest = read_values(tag, from.rest, &mut values, streamflow_histogram::plain)?;
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregates::row::aggregated;
    use crate::samples::STALE_NAN;
    use proptest::prelude::*;

    fn windows(samples: &[(i64, f64)]) -> Windows {
        let mut windows = Windows::default();
        aggregated(Resolution::FiveMinutes, samples.iter().copied(), &mut windows.rows);
        windows
    }

    fn bits(windows: &Windows) -> Vec<(i64, i64, Option<i64>, [u64; 9])> {
        let of = |row: &Aggregate| {
            let numbers = [row.first, row.last, row.min, row.max, row.sum, row.lost].map(f64::to_bits);
            let [a, b, c, d, e, f] = numbers;
            (row.first_ms, row.last_ms, row.ended_ms, [row.count, row.resets, row.changes, a, b, c, d, e, f])
        };
        windows.rows.iter().map(of).collect()
    }

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            (0_i64..1000).prop_map(|n| n as f64),
            any::<f64>().prop_map(streamflow_histogram::plain),
            Just(STALE_NAN)
        ]
    }

    proptest! {
        #[test]
        fn aggregates_come_back_to_the_bit(
            samples in proptest::collection::vec((1_i64..400_000, value()), 1..200),
        ) {
            let mut time = -5_000_000;
            let samples: Vec<(i64, f64)> = samples.into_iter().map(|(step, value)| {
                time += step;
                (time, value)
            }).collect();
            let made = windows(&samples);
            let mut back = Windows::default();
            for chunk in made.chunks() {
                let found = back.decode(Resolution::FiveMinutes, &chunk.bytes);
                prop_assert_eq!(found, Some(chunk.count as usize));
                prop_assert!(decode(&chunk.bytes, &mut Samples::default()).is_none(), "it is no chunk of samples");
            }
            prop_assert_eq!(bits(&back), bits(&made));
        }

        #[test]
        fn any_bytes_are_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut out = Windows::default();
            let bytes = [&[AGGREGATES], bytes.as_slice()].concat();
            if out.decode(Resolution::OneHour, &bytes).is_none() {
                prop_assert!(out.is_empty());
            }
        }
    }

    #[test]
    fn a_counter_takes_no_bytes_for_its_bounds() {
        let samples: Vec<(i64, f64)> = (1..4000).map(|n| (n * 15_000, (n * 3) as f64)).collect();
        let made = windows(&samples);
        let bytes: usize = made.chunks().iter().map(|chunk| chunk.bytes.len()).sum();
        assert!(bytes < made.rows.len(), "{bytes} bytes for {} windows", made.rows.len());
    }
}
