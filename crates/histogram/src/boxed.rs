//! Histograms in columns of numbers.
//!
//! Where samples are columns of `f64`, a histogram is a number that says at which place of a list beside the column it
//! stands: a signalling NaN that no arithmetic makes. Columns without histograms then cost nothing.

/// The bits of boxed places without the place.
const BOX: u64 = 0x7ff4_0000_0000_0000;
const PLACE: u64 = 0xffff_ffff;

/// The number that stands for the histogram at this place of the list.
#[inline]
#[must_use]
pub fn boxed(place: u32) -> f64 {
    f64::from_bits(BOX | u64::from(place))
}

/// The place that this number stands for; `None` for a number that is one.
#[inline]
#[must_use]
pub fn unboxed(value: f64) -> Option<usize> {
    let bits = value.to_bits();
    (bits & !PLACE == BOX).then_some((bits & PLACE) as usize)
}

/// A number from outside: one that would be taken for a place becomes the ordinary NaN.
#[inline]
#[must_use]
pub fn plain(value: f64) -> f64 {
    if unboxed(value).is_some() { f64::NAN } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back_and_numbers_stay() {
        for place in [0, 1, u32::MAX] {
            assert_eq!(unboxed(boxed(place)), Some(place as usize));
            assert!(plain(boxed(place)).is_nan() && unboxed(plain(boxed(place))).is_none());
        }
        let stale = f64::from_bits(0x7ff0_0000_0000_0002);
        for value in [0.0, -0.0, 1.5, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, -f64::NAN, stale] {
            assert_eq!(unboxed(value), None);
            assert_eq!(plain(value).to_bits(), value.to_bits());
        }
    }
}
