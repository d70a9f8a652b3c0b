//! The statistics of one feature: how far the classes of live entities are from those of the reference.
//!
//! All of them see counts of classes only. r and c are the counts of the reference and of the window, N and n their
//! sums without missing values, p the shares of both together.

use serde::Serialize;
use streamflow_stats::{chi2_sf, norm_ppf};

use crate::threshold::density;

/// The largest |z| that is told; from there on a normal tail is no number.
const LARGEST_Z: f64 = 37.0;
/// Classes with fewer expected entities are taken together: the chi-square approximation needs as many.
const LEAST_EXPECTED: f64 = 5.0;

/// What a statistic is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Where numbers lie: P(live > reference) + ½ P(equal) − ½, in (−½, ½).
    Location,
    /// How far apart they lie: the same of the distance to the reference's median, less its mean.
    Spread,
    /// How often categories occur: Jensen–Shannon distance, natural logarithm, less what chance makes of it.
    Categories,
    /// How often there is no value: difference of the shares.
    Missing,
}

impl Kind {
    /// The word for it in metrics and settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Location => "location",
            Kind::Spread => "spread",
            Kind::Categories => "categories",
            Kind::Missing => "missing",
        }
    }
}

/// A statistic of a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// What it is about.
    pub kind: Kind,
    /// How large the difference is.
    pub effect: f64,
    /// How significant it is: standard normal when nothing has changed.
    pub z: f64,
}

/// The statistics of a feature, given as counts by class with missing last. Those that need values are left out where
/// a side has none.
pub(crate) fn measure(is_numerical: bool, reference: &[u64], live: &[u64]) -> Vec<Measured> {
    let (Some((missing_r, values_r)), Some((missing_c, values_c))) =
        (reference.split_last(), live.split_last())
    else {
        return Vec::new();
    };
    let sum = |counts: &[u64]| counts.iter().map(|&count| count as f64).sum::<f64>();
    let (rows, n) = (sum(values_r), sum(values_c));
    let mut all = Vec::with_capacity(3);
    if rows > 0.0 && n > 0.0 {
        if is_numerical {
            all.extend(ranks(values_r, values_c, rows, n));
        } else {
            all.push(categories(values_r, values_c, rows, n));
        }
    }
    if let Some(missing) = proportions(*missing_r as f64, sum(reference), *missing_c as f64, sum(live)) {
        all.push(missing);
    }
    all
}

/// Location and spread by class scores: s is the midrank of a class in the reference less ½, and t its distance from
/// the middle, |s|, less its mean. effect = Σ c·s/n, z = effect/√(Var(s)(1/n + 1/N)).
///
/// The variance is the larger one of the reference's and of both sides together, since that of a constant is 0.
fn ranks(reference: &[u64], live: &[u64], rows: f64, n: f64) -> [Measured; 2] {
    let mut below = 0.0;
    let location: Vec<f64> = reference
        .iter()
        .map(|&count| {
            let count = count as f64;
            let midrank = (below + 0.5 * count) / rows - 0.5;
            below += count;
            midrank
        })
        .collect();
    let spread: Vec<f64> = location.iter().map(|score| score.abs()).collect();
    let score = |kind, scores: &[f64]| {
        let moments = |counts: &[u64], total: f64| {
            let (mut mean, mut square) = (0.0, 0.0);
            for (&count, score) in counts.iter().zip(scores) {
                mean += count as f64 * score;
                square += count as f64 * score * score;
            }
            (mean / total, square / total)
        };
        let ((of_reference, square_r), (of_live, square_c)) = (moments(reference, rows), moments(live, n));
        let effect = of_live - of_reference;
        let both = |r: f64, c: f64| (rows * r + n * c) / (rows + n);
        let pooled = both(square_r, square_c) - both(of_reference, of_live).powi(2);
        let variance = (square_r - of_reference * of_reference).max(pooled);
        Measured { kind, effect, z: ratio(effect, variance, n, rows) }
    };
    [score(Kind::Location, &location), score(Kind::Spread, &spread)]
}

fn ratio(effect: f64, variance: f64, n: f64, rows: f64) -> f64 {
    let error = (variance.max(0.0) * (1.0 / n + 1.0 / rows)).sqrt();
    if effect == 0.0 { 0.0 } else { (effect / error).clamp(-LARGEST_Z, LARGEST_Z) }
}

/// Two shares: z = (p_c − p_r)/√(p(1 − p)(1/n + 1/N)), pooled (Agresti 2013, 3.2). None where a side is empty.
pub(crate) fn proportions(of_r: f64, rows: f64, of_c: f64, n: f64) -> Option<Measured> {
    if rows <= 0.0 || n <= 0.0 {
        return None;
    }
    let effect = of_c / n - of_r / rows;
    let pooled = (of_c + of_r) / (n + rows);
    Some(Measured { kind: Kind::Missing, effect, z: ratio(effect, pooled * (1.0 - pooled), n, rows) })
}

/// Categories: X² = Σ (c/n − r/N)²/(p(1/n + 1/N)), turned into z by [`chi2_z`]; the effect is the Jensen–Shannon
/// distance less the part that chance has in it: JSD² − (k − 1)(1/n + 1/N)/8, at least 0.
fn categories(reference: &[u64], live: &[u64], rows: f64, n: f64) -> Measured {
    let k = 1.0 / n + 1.0 / rows;
    let (mut square, mut divergence, mut classes) = (0.0, 0.0, 0_u64);
    let mut add = |of_r: f64, of_c: f64| {
        let (p_r, p_c, pooled) = (of_r / rows, of_c / n, (of_r + of_c) / (rows + n));
        let middle = 0.5 * (p_r + p_c);
        let part = |p: f64| if p > 0.0 { 0.5 * p * (p / middle).ln() } else { 0.0 };
        divergence += part(p_r) + part(p_c);
        square += (p_c - p_r).powi(2) / (pooled * k);
        classes += 1;
    };
    let (mut rare_r, mut rare_c) = (0.0, 0.0);
    for (&of_r, &of_c) in reference.iter().zip(live) {
        let (of_r, of_c) = (of_r as f64, of_c as f64);
        if n.min(rows) * (of_r + of_c) / (rows + n) < LEAST_EXPECTED {
            rare_r += of_r;
            rare_c += of_c;
        } else {
            add(of_r, of_c);
        }
    }
    if rare_r + rare_c > 0.0 {
        add(rare_r, rare_c);
    }
    let freedom = classes.saturating_sub(1);
    let by_chance = freedom as f64 * k / 8.0;
    let effect = (divergence - by_chance).max(0.0).sqrt();
    Measured { kind: Kind::Categories, effect, z: chi2_z(square, freedom) }
}

/// The z that |Z| crosses upwards as often as a chi-square statistic with `freedom` degrees crosses `square`, when both
/// slide over traffic: 2 z φ(z) = x P(X > x), of high levels (Albin 1990, Annals of Probability 18:92). A tail
/// probability alone would make categories alarm more often than numbers, since their statistic has more ways to be
/// large; it bounds z where the level is low.
fn chi2_z(square: f64, freedom: u64) -> f64 {
    if freedom == 0 {
        return 0.0;
    }
    let tail = chi2_sf(square, freedom);
    let by_tail = -norm_ppf(0.5 * tail);
    let target = square.ln() + tail.ln();
    let rate = |z: f64| (2.0 * z * density(z)).ln();
    let (mut low, mut high) = (1.0, LARGEST_Z);
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        if rate(middle) > target { low = middle } else { high = middle }
    }
    by_tail.clamp(0.0, low)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: Kind, all: &[Measured]) -> Measured {
        *all.iter().find(|found| found.kind == kind).unwrap()
    }

    #[test]
    fn a_shift_is_a_probability_of_being_larger() {
        let mut reference = vec![350; 20];
        reference.push(0);
        let mut live = vec![0; 21];
        // All live values lie in the last class: larger than 95 % and equal to 5 %.
        live[19] = 400;
        let all = measure(true, &reference, &live);
        let location = of(Kind::Location, &all);
        assert!((location.effect - 0.475).abs() < 1e-12, "{location:?}");
        // √((1 − 1/400)/12 (1/400 + 1/7000)) is its error under the reference's variance; with both sides it is larger.
        assert!(location.z > 15.0 && location.z < 33.0, "{location:?}");
        let nothing = measure(true, &reference, &reference);
        assert!(nothing.iter().all(|m| m.effect.abs() < 1e-12 && m.z.abs() < 1e-9), "{nothing:?}");
    }

    #[test]
    fn the_error_is_that_of_the_contract_for_equal_classes() {
        let mut reference = vec![7_043; 20];
        reference.push(0);
        // One more in the last class than in the first: the variance is that of twenty midranks.
        let mut live = vec![50; 20];
        (live[0], live[19]) = (49, 51);
        live.push(0);
        let location = of(Kind::Location, &measure(true, &reference, &live));
        let variance = (1.0 - 1.0 / 400.0) / 12.0;
        let expected = location.effect / (variance * (1.0 / 1_000.0 + 1.0 / 140_860.0_f64)).sqrt();
        assert!((location.z / expected - 1.0).abs() < 1e-4, "{} {expected}", location.z);
        assert!((location.effect - 0.95 * 1e-3).abs() < 1e-12);
    }

    #[test]
    fn a_constant_that_moves_is_seen() {
        let all = measure(true, &[0, 7_000, 0, 0], &[0, 150, 50, 0]);
        let location = of(Kind::Location, &all);
        assert!((location.effect - 0.125).abs() < 1e-12 && location.z > 20.0, "{location:?}");
        assert!(measure(true, &[0, 7_000, 0, 0], &[0, 150, 0, 0]).iter().all(|m| m.z == 0.0));
    }

    #[test]
    fn spread_and_missing_are_seen() {
        let reference = [[100; 20].as_slice(), &[0]].concat();
        let mut live = vec![0; 21];
        (live[0], live[19], live[20]) = (100, 100, 50);
        let all = measure(true, &reference, &live);
        assert!(of(Kind::Location, &all).z.abs() < 1e-9);
        assert!(of(Kind::Spread, &all).z > 5.0 && of(Kind::Spread, &all).effect > 0.2);
        assert!((of(Kind::Missing, &all).effect - 0.2).abs() < 1e-12);
    }

    #[test]
    fn one_degree_of_freedom_is_the_two_sided_test() {
        let all = measure(false, &[500, 500, 0], &[350, 150, 0]);
        let z = of(Kind::Categories, &all).z;
        let two_shares = proportions(500.0, 1_000.0, 150.0, 500.0).unwrap().z;
        assert!((z - two_shares.abs()).abs() < 0.05, "{z} {two_shares}");
    }

    #[test]
    fn rare_categories_are_taken_together_and_empty_sides_say_nothing() {
        let reference: Vec<u64> = (0..20).map(|i| if i == 0 { 10_000 } else { 1 }).chain([0]).collect();
        let mut live = vec![0; 21];
        live[0] = 300;
        let all = measure(false, &reference, &live);
        assert!(of(Kind::Categories, &all).z < 1.5, "{all:?}");
        assert_eq!(measure(false, &reference, &[0; 21]), []);
        let only_missing = measure(true, &[10, 10, 0], &[0, 0, 300]);
        assert_eq!(only_missing.iter().map(|m| m.kind).collect::<Vec<_>>(), [Kind::Missing]);
        assert_eq!(of(Kind::Missing, &only_missing).effect, 1.0);
        assert_eq!(measure(true, &[], &[]), []);
    }

    #[test]
    fn extremes_stay_numbers() {
        let huge = [u64::MAX / 4, u64::MAX / 4, 0];
        for live in [[0, u64::MAX / 4, 0], [1, 0, 0], [0, 1, u64::MAX / 4]] {
            for is_numerical in [true, false] {
                for m in measure(is_numerical, &huge, &live) {
                    assert!(m.z.is_finite() && m.effect.is_finite(), "{m:?}");
                }
            }
        }
    }
}
