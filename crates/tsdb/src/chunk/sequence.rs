//! Integers that grow at a nearly constant rate: the first, the usual step, and each step's distance from it.
//!
//! The distances are written in Golomb–Rice code (Rice, "Some practical universal noiseless coding techniques",
//! 1979) whose parameter is chosen for the chunk: the number of bits that makes the whole smallest. A run without
//! any distance, as timestamps of a regular scrape or a constant, takes no bits at all.

use super::bits::{BitReader, BitWriter};
use crate::varint::{self, unzigzag, zigzag};

/// Ones before the escape: six bits of width less one, then the number.
const ESCAPE: u32 = 16;
/// Parameters above leave too little of 64 bits to the prefix.
const MAX_PARAMETER: u32 = 56;
/// Mode byte of a sequence without distances.
const LINEAR: u8 = 0xff;
/// Added to the parameter: a bit before each distance tells whether there is one.
const SPARSE: u8 = 0x40;

/// How a sequence is best written, and what that takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Plan {
    step: i64,
    mode: u8,
    pub(super) bits: u64,
}

/// `scratch` is for reuse. At least one value.
pub(super) fn plan(values: &[i64], scratch: &mut Vec<i64>) -> Plan {
    scratch.clear();
    scratch.extend(values.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])));
    let Some(first) = scratch.first().copied() else { return Plan { step: 0, mode: LINEAR, bits: 0 } };
    if scratch.iter().all(|step| *step == first) {
        return Plan { step: first, mode: LINEAR, bits: 0 };
    }
    let zero = best(scratch, 0);
    let middle = scratch.len() / 2;
    let median = *scratch.select_nth_unstable(middle).1;
    let around = if median == 0 { zero } else { best(scratch, median) };
    if around.bits < zero.bits { around } else { zero }
}

fn best(steps: &[i64], step: i64) -> Plan {
    let distance = |value: &i64| zigzag(value.wrapping_sub(step));
    let (mut zeros, mut widths) = (0_u64, [0_u32; 65]);
    for code in steps.iter().map(distance) {
        zeros += u64::from(code == 0);
        widths[64 - code.leading_zeros() as usize] += 1;
    }
    // Half of the codes are at most this wide: the best parameter is near.
    let mut seen = 0;
    let median_width = widths.iter().position(|count| {
        seen += count;
        seen as usize * 2 >= steps.len()
    });
    let centre = (median_width.unwrap_or(0) as u32).min(MAX_PARAMETER);
    let mut found = Plan { step, mode: LINEAR, bits: u64::MAX };
    for parameter in centre.saturating_sub(2)..=(centre + 1).min(MAX_PARAMETER) {
        let bits = steps.iter().map(distance).map(|code| u64::from(rice_bits(code, parameter))).sum();
        if bits < found.bits {
            found = Plan { step, mode: parameter as u8, bits };
        }
    }
    if zeros * 4 >= steps.len() as u64 {
        let rest = steps.len() as u64 - zeros;
        let wide: u64 = (0..=64_u64).map(|width| width * u64::from(widths[width as usize])).sum();
        let centre = ((wide / rest.max(1)) as u32).min(MAX_PARAMETER);
        for parameter in centre.saturating_sub(2)..=(centre + 1).min(MAX_PARAMETER) {
            let coded = steps.iter().map(distance).filter(|code| *code > 0);
            let bits =
                steps.len() as u64 + coded.map(|code| u64::from(rice_bits(code - 1, parameter))).sum::<u64>();
            if bits < found.bits {
                found = Plan { step, mode: parameter as u8 | SPARSE, bits };
            }
        }
    }
    found
}

fn rice_bits(code: u64, parameter: u32) -> u32 {
    let ones = code >> parameter;
    if ones < u64::from(ESCAPE) {
        ones as u32 + 1 + parameter
    } else {
        ESCAPE + 6 + 64 - code.leading_zeros()
    }
}

pub(super) fn write(into: &mut Vec<u8>, values: &[i64], plan: Plan) {
    varint::write_signed(into, values[0]);
    varint::write_signed(into, plan.step);
    into.push(plan.mode);
    if plan.mode == LINEAR {
        return;
    }
    let mut bits = BitWriter::new(std::mem::take(into));
    let (parameter, sparse) = (u32::from(plan.mode & !SPARSE), plan.mode & SPARSE != 0);
    for pair in values.windows(2) {
        let code = zigzag(pair[1].wrapping_sub(pair[0]).wrapping_sub(plan.step));
        match (sparse, code) {
            (true, 0) => bits.write(0, 1),
            (true, _) => {
                bits.write(1, 1);
                write_rice(&mut bits, code - 1, parameter);
            }
            (false, _) => write_rice(&mut bits, code, parameter),
        }
    }
    *into = bits.bytes;
}

fn write_rice(into: &mut BitWriter, code: u64, parameter: u32) {
    let ones = code >> parameter;
    if ones < u64::from(ESCAPE) {
        into.write((1 << (ones + 1)) - 2, ones as u32 + 1);
        into.write(code, parameter);
    } else {
        let width = 64 - code.leading_zeros();
        into.write((1 << ESCAPE) - 1, ESCAPE);
        into.write(u64::from(width - 1), 6);
        into.write(code, width);
    }
}

/// Parameters whose codes without escape are read at once.
const SMALL_PARAMETER: u32 = 32;

#[inline]
fn read_rice(from: &mut BitReader<'_>, parameter: u32) -> Option<u64> {
    let (ones, rest) = if parameter <= SMALL_PARAMETER {
        from.ones_then(ESCAPE, parameter)?
    } else {
        let ones = from.ones(ESCAPE)?;
        (ones, if ones < ESCAPE { from.read(parameter)? } else { 0 })
    };
    if ones < ESCAPE {
        return Some((u64::from(ones) << parameter) | rest);
    }
    let width = from.read(6)? as u32 + 1;
    from.read(width)
}

/// Fills `out`, at least one place, with values made by `map`, and returns what lies behind them; `None` when the bytes
/// are no sequence.
#[inline]
pub(super) fn read<'a, T>(bytes: &'a [u8], out: &mut [T], map: impl Fn(i64) -> T) -> Option<&'a [u8]> {
    let mut head = varint::Reader::new(bytes);
    let (mut value, step, mode) = (head.signed()?, head.signed()?, head.byte()?);
    let (first, out) = out.split_first_mut()?;
    *first = map(value);
    if mode == LINEAR {
        for place in out {
            value = value.wrapping_add(step);
            *place = map(value);
        }
        return Some(head.rest);
    }
    let (parameter, sparse) = (u32::from(mode & !SPARSE), mode & SPARSE != 0);
    if parameter > MAX_PARAMETER {
        return None;
    }
    let mut from = BitReader::new(head.rest);
    if sparse {
        for place in out {
            let code = if from.read(1)? == 0 { 0 } else { read_rice(&mut from, parameter)?.wrapping_add(1) };
            value = value.wrapping_add(step).wrapping_add(unzigzag(code));
            *place = map(value);
        }
    } else {
        for place in out {
            value = value.wrapping_add(step).wrapping_add(unzigzag(read_rice(&mut from, parameter)?));
            *place = map(value);
        }
    }
    Some(from.after(head.rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(values: &[i64]) -> usize {
        let mut bytes = Vec::new();
        write(&mut bytes, values, plan(values, &mut Vec::new()));
        let size = bytes.len();
        bytes.push(77);
        let mut back = vec![0; values.len()];
        assert_eq!(read(&bytes, &mut back, |value| value), Some(&[77_u8][..]));
        assert_eq!(back, values);
        size
    }

    proptest! {
        #[test]
        fn any_integers_come_back(values in proptest::collection::vec(
            prop_oneof![any::<i64>(), 0_i64..9, Just(i64::MIN), Just(i64::MAX)], 1..200)) {
            round_trip(&values);
        }

        #[test]
        fn any_bytes_are_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..80), count in 1_usize..300) {
            read(&bytes, &mut vec![0; count], |value| value);
        }
    }

    #[test]
    fn regular_sequences_take_no_bits() {
        assert!(round_trip(&(0..120).map(|i| 1_700_000_000_000 + i * 15_000).collect::<Vec<_>>()) <= 11);
        assert!(round_trip(&[5; 120]) <= 3);
        assert!(round_trip(&[7]) <= 3);
        // One jump among zeros is a bit each and the jump.
        let mut jump = vec![0; 60];
        jump.extend([1_000_000; 60]);
        assert!(round_trip(&jump) <= 24);
    }
}
