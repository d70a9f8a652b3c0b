//! `NUMERIC` as Postgres sends it: a sign, and digits of the base 10,000 with the place of the first.

use std::fmt::Write as _;

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITE: u16 = 0xd000;
const NEGATIVE_INFINITE: u16 = 0xf000;
/// Digits after the point, at most.
const MAX_SCALE: u16 = 0x3fff;

/// A number of any size; the digits are of the base 10,000.
pub(super) struct Numeric<'a> {
    /// The power of 10,000 that the first digit counts.
    weight: i32,
    sign: u16,
    /// Decimal digits after the point.
    scale: usize,
    digits: &'a [u8],
}

impl<'a> Numeric<'a> {
    /// None for bytes that are no number.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (head, digits) = bytes.split_at_checked(8)?;
        let word = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
        let (sign, scale) = (word(4), word(6));
        let is_known = matches!(sign, 0 | NEGATIVE | NAN | INFINITE | NEGATIVE_INFINITE);
        let mut groups = digits.chunks_exact(2);
        let is_whole = digits.len() == 2 * usize::from(word(0)) && scale <= MAX_SCALE;
        let are_digits = groups.all(|pair| u16::from_be_bytes([pair[0], pair[1]]) < 10_000);
        let weight = i32::from(word(2).cast_signed());
        (is_known && is_whole && are_digits).then_some(Self { weight, sign, scale: scale.into(), digits })
    }

    fn group(&self, at: i32) -> u16 {
        let pair = usize::try_from(at).ok().and_then(|at| self.digits.get(2 * at..2 * at + 2));
        pair.map_or(0, |pair| u16::from_be_bytes([pair[0], pair[1]]))
    }

    fn is_zero(&self) -> bool {
        self.digits.iter().all(|byte| *byte == 0)
    }

    /// The nearest 64-bit float, where there is one: none for a number so large that it would be infinite, or so small that
    /// it would be 0.
    pub(super) fn float(&self, text: &mut String) -> Option<f64> {
        match self.sign {
            NAN => return Some(f64::NAN),
            INFINITE => return Some(f64::INFINITY),
            NEGATIVE_INFINITE => return Some(f64::NEG_INFINITY),
            _ => {}
        }
        let float = self.exact().unwrap_or_else(|| {
            self.write(text);
            text.parse().unwrap_or(f64::NAN)
        });
        (float.is_finite() && (float != 0.0 || self.is_zero())).then_some(float)
    }

    /// The same without spelling the number: digits and power of ten that a float holds exactly are rounded once.
    fn exact(&self) -> Option<f64> {
        const LARGEST: u64 = 1 << 53;
        const MAX_GROUPS: usize = 4;
        // 10^20 is the largest of these powers that a float holds exactly.
        const MAX_POWER: u32 = 5;
        let count = self.digits.len() / 2;
        if count > MAX_GROUPS {
            return None;
        }
        let groups =
            self.digits.chunks_exact(2).map(|pair| u64::from(u16::from_be_bytes([pair[0], pair[1]])));
        let whole = groups.fold(0_u64, |whole, group| whole * 10_000 + group);
        let power = self.weight + 1 - count as i32;
        if whole > LARGEST || power.unsigned_abs() > MAX_POWER {
            return None;
        }
        let unit = 10_000_f64.powi(power.abs());
        let size = if power < 0 { whole as f64 / unit } else { whole as f64 * unit };
        Some(if self.sign == NEGATIVE { -size } else { size })
    }

    /// The number as Postgres prints it.
    pub(super) fn write(&self, text: &mut String) {
        text.clear();
        match self.sign {
            NAN => return text.push_str("NaN"),
            INFINITE => return text.push_str("Infinity"),
            NEGATIVE_INFINITE => return text.push_str("-Infinity"),
            NEGATIVE if !self.is_zero() => text.push('-'),
            _ => {}
        }
        if self.weight < 0 {
            text.push('0');
        }
        for at in 0..=self.weight {
            // Writing to a text does not fail.
            let _ = match at {
                0 => write!(text, "{}", self.group(0)),
                _ => write!(text, "{:04}", self.group(at)),
            };
        }
        if self.scale == 0 {
            return;
        }
        text.push('.');
        let point = text.len();
        for at in self.weight + 1.. {
            if text.len() - point >= self.scale {
                break;
            }
            let _ = write!(text, "{:04}", self.group(at));
        }
        text.truncate(point + self.scale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(weight: i16, sign: u16, scale: u16, digits: &[u16]) -> Vec<u8> {
        let head = [digits.len() as u16, weight.cast_unsigned(), sign, scale];
        head.iter().chain(digits).flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn numbers_are_what_postgres_prints() {
        for (given, text, float) in [
            (bytes(0, 0, 2, &[29, 8500]), "29.85", Some(29.85)),
            (bytes(0, NEGATIVE, 2, &[29, 8500]), "-29.85", Some(-29.85)),
            (bytes(0, 0, 0, &[]), "0", Some(0.0)),
            (bytes(0, 0, 3, &[]), "0.000", Some(0.0)),
            (bytes(1, 0, 0, &[12, 0]), "120000", Some(120_000.0)),
            (bytes(1, 0, 0, &[12]), "120000", Some(120_000.0)),
            (bytes(-1, 0, 4, &[5]), "0.0005", Some(0.0005)),
            (bytes(-2, 0, 8, &[5]), "0.00000005", Some(5e-8)),
            (bytes(4, 0, 1, &[1, 2, 3, 4, 5, 6000]), "10002000300040005.6", Some(10_002_000_300_040_005.6)),
            (bytes(99, 0, 0, &[1]), &format!("1{}", "0".repeat(396)), None),
            (bytes(-100, 0, 400, &[1]), &format!("0.{}1", "0".repeat(399)), None),
            (bytes(0, NAN, 0, &[]), "NaN", Some(f64::NAN)),
            (bytes(0, INFINITE, 0, &[]), "Infinity", Some(f64::INFINITY)),
            (bytes(0, NEGATIVE_INFINITE, 0, &[]), "-Infinity", Some(f64::NEG_INFINITY)),
        ] {
            let numeric = Numeric::read(&given).unwrap();
            let mut written = String::new();
            let found = numeric.float(&mut written);
            assert_eq!(found.map(f64::to_bits), float.map(f64::to_bits), "{text}: {found:?}");
            numeric.write(&mut written);
            assert_eq!(written, text);
        }
    }

    #[test]
    fn the_short_way_comes_to_the_nearest_float() {
        let mut text = String::new();
        for digits in [[1, 2345], [9999, 9999], [7, 1], [3, 3333]] {
            for weight in -6..6 {
                let given = bytes(weight, 0, 40, &digits);
                let numeric = Numeric::read(&given).unwrap();
                numeric.write(&mut text);
                let expected: f64 = text.parse().unwrap();
                assert_eq!(numeric.float(&mut text), Some(expected), "{digits:?} {weight}");
            }
        }
    }

    #[test]
    fn bytes_that_are_no_number_are_refused() {
        for given in [
            &[][..],
            &[0; 7],
            &bytes(0, 0, 0, &[1])[..9],
            &bytes(0, 0, 0, &[10_000]),
            &bytes(0, 0x1000, 0, &[]),
            &bytes(0, 0, 0x4000, &[]),
        ] {
            assert!(Numeric::read(given).is_none(), "{given:?}");
        }
    }
}
