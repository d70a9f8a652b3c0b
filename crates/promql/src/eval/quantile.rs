//! The quantile of some values.

/// The quantile by linear interpolation between the two nearest ranks. Sorts `values`, NaN first. No values or NaN as
/// `q`: NaN; below 0: -Inf; above 1: +Inf.
pub(crate) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan())));
    let last = values.len() - 1;
    let rank = q * last as f64;
    let lower = rank.floor();
    let weight = rank - lower;
    let lower = lower as usize;
    values[lower] * (1.0 - weight) + values[last.min(lower + 1)] * weight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles() {
        let check = |q: f64, values: &[f64], expected: f64| {
            let found = quantile(q, &mut values.to_vec());
            assert!(found == expected || (found.is_nan() && expected.is_nan()), "{q} of {values:?}: {found}");
        };
        check(0.5, &[3.0, 1.0, 2.0], 2.0);
        check(0.25, &[1.0, 2.0], 1.25);
        check(0.0, &[2.0], 2.0);
        check(1.0, &[2.0, 5.0], 5.0);
        check(1.0, &[f64::NAN, 5.0], 5.0);
        check(0.0, &[5.0, f64::NAN], f64::NAN);
        check(-0.1, &[1.0], f64::NEG_INFINITY);
        check(1.1, &[1.0], f64::INFINITY);
        check(f64::NAN, &[1.0], f64::NAN);
        check(0.5, &[], f64::NAN);
    }
}
