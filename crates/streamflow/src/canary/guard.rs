//! When counts say that a candidate is worse than the version in production.
//!
//! Every guard asks two things: is the difference larger than what is allowed, and larger than chance. The two arms of a
//! canary have other entities, so their counts are compared as independent samples; a version that is not heard has scored
//! the same rows, so its answers are compared in pairs.

use streamflow_stats::{Sample, binom_cdf, fisher_exact, ks_2samp, t_sf};

use super::tally::{ArmTally, Pair, PairTally};

/// Fewer entities say nothing about a distribution.
const FEWEST_ENTITIES: usize = 30;
/// The quantile of the latencies that is compared.
const QUANTILE: f64 = 0.99;
/// A latency that is larger by less than this is none that anybody feels.
const LEAST_SECONDS: f64 = 0.001;

/// What is allowed.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// By how much the share of errors may be larger than production's.
    pub error_rise: f64,
    /// How many times production's p99 latency may be taken.
    pub latency_ratio: f64,
    /// Largest distance between the distributions of the scores (Kolmogorov–Smirnov, 0 to 1).
    pub score_distance: f64,
    /// Share of the entities to which a version that is not heard may give another class.
    pub disagreement: f64,
    /// Mean difference of its scores, in standard deviations of production's.
    pub score_difference: f64,
    /// Chance that a guard finds something at one look where there is nothing.
    pub alpha: f64,
}

/// A guard that found something.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// `error_rate`, `latency`, `score_distribution`, `refused`, `disagreement` or `score_difference`.
    pub guard: &'static str,
    /// What it found, with its numbers.
    pub message: String,
}

/// Compares the arms of a canary; nothing where the candidate is within the limits.
pub fn judge_arms(production: &ArmTally, candidate: &ArmTally, limits: &Limits) -> Option<Finding> {
    error_rate(production, candidate, limits)
        .or_else(|| latency(production, candidate, limits))
        .or_else(|| score_distribution(production, candidate, limits))
}

/// The p-value of Fisher's exact test of two shares.
fn p_of_shares((k0, n0): (u64, u64), (k1, n1): (u64, u64)) -> f64 {
    let table = [[k1, n1.saturating_sub(k1)], [k0, n0.saturating_sub(k0)]];
    fisher_exact(table).map_or(1.0, |test| test.p_value)
}

fn error_rate(production: &ArmTally, candidate: &ArmTally, limits: &Limits) -> Option<Finding> {
    let (given, found) = (production.error_rate(), candidate.error_rate());
    if found - given <= limits.error_rise {
        return None;
    }
    let p = p_of_shares((production.errors, production.requests), (candidate.errors, candidate.requests));
    (p < limits.alpha).then(|| Finding {
        guard: "error_rate",
        message: format!(
            "{} of {} requests to the candidate were errors ({}), {} of {} to production ({}); {} more are allowed",
            candidate.errors,
            candidate.requests,
            percent(found),
            production.errors,
            production.requests,
            percent(given),
            percent(limits.error_rise)
        ),
    })
}

fn latency(production: &ArmTally, candidate: &ArmTally, limits: &Limits) -> Option<Finding> {
    let (given, found) = (production.latency_quantile(QUANTILE)?, candidate.latency_quantile(QUANTILE)?);
    let limit = (given * limits.latency_ratio).max(given + LEAST_SECONDS);
    if found <= limit {
        return None;
    }
    let slow = |tally: &ArmTally| (tally.slower_than(limit), tally.requests);
    (p_of_shares(slow(production), slow(candidate)) < limits.alpha).then(|| Finding {
        guard: "latency",
        message: format!(
            "the p99 latency of the candidate is {} over {} requests, that of production {} over {}; up to {} is allowed",
            milliseconds(found),
            candidate.requests,
            milliseconds(given),
            production.requests,
            milliseconds(limit)
        ),
    })
}

fn score_distribution(production: &ArmTally, candidate: &ArmTally, limits: &Limits) -> Option<Finding> {
    if production.scores.len().min(candidate.scores.len()) < FEWEST_ENTITIES {
        return None;
    }
    let sample = |tally: &ArmTally| Sample::new(tally.scores.clone()).ok();
    let test = ks_2samp(&sample(production)?, &sample(candidate)?).ok()?;
    if test.statistic <= limits.score_distance || test.p_value >= limits.alpha {
        return None;
    }
    Some(Finding {
        guard: "score_distribution",
        message: format!(
            "the scores of the candidate (mean {} of {} entities) are {:.3} from those of production (mean {} of {}) by \
             Kolmogorov–Smirnov, p {:.1e}; up to {} is allowed",
            mean(candidate),
            candidate.scores.len(),
            test.statistic,
            mean(production),
            production.scores.len(),
            test.p_value,
            limits.score_distance
        ),
    })
}

/// Compares what two versions said of the same entities; nothing where the one that is not heard is within the limits.
pub fn judge_pairs(tally: &PairTally, limits: &Limits) -> Option<Finding> {
    refused(tally, limits)
        .or_else(|| disagreement(&tally.pairs, limits))
        .or_else(|| score_difference(&tally.pairs, limits))
}

/// The chance of at least `k` of `n` where each has the chance `p`.
fn at_least(k: usize, n: usize, p: f64) -> f64 {
    if k == 0 { 1.0 } else { 1.0 - binom_cdf(k as u64 - 1, n as u64, p) }
}

fn refused(tally: &PairTally, limits: &Limits) -> Option<Finding> {
    let PairTally { rows, refused, .. } = *tally;
    let allowed = limits.error_rise.min(1.0);
    let share = refused as f64 / rows.max(1) as f64;
    let chance = at_least(usize::try_from(refused).ok()?, usize::try_from(rows).ok()?, allowed);
    (share > allowed && chance < limits.alpha).then(|| Finding {
        guard: "refused",
        message: format!(
            "the candidate did not take {refused} of {rows} rows that production answered ({}); {} is allowed",
            percent(share),
            percent(allowed)
        ),
    })
}

/// Entities with another class: their share by the binomial, and by McNemar's exact test whether they turn one way.
fn disagreement(pairs: &[Pair], limits: &Limits) -> Option<Finding> {
    let with_classes = pairs.iter().filter(|pair| pair.differs.is_some()).count();
    let count = |found: fn(&Pair) -> bool| pairs.iter().filter(|pair| found(pair)).count();
    let differing = count(|pair| pair.differs == Some(true));
    let (up, down) = (count(|pair| pair.turn > 0), count(|pair| pair.turn < 0));
    if with_classes < FEWEST_ENTITIES {
        return None;
    }
    let share = |number: usize| number as f64 / with_classes as f64;
    let allowed = limits.disagreement.min(1.0);
    if share(differing) > allowed && at_least(differing, with_classes, allowed) < limits.alpha {
        return Some(Finding {
            guard: "disagreement",
            message: format!(
                "the candidate gives another class to {differing} of {with_classes} entities ({}); {} is allowed",
                percent(share(differing)),
                percent(allowed)
            ),
        });
    }
    let net = share(up.abs_diff(down));
    let one_way = 2.0 * binom_cdf(up.min(down) as u64, (up + down) as u64, 0.5);
    (net > allowed / 2.0 && one_way < limits.alpha).then(|| Finding {
        guard: "disagreement",
        message: format!(
            "of {with_classes} entities the candidate turns {up} to the positive class and {down} away from it, a difference \
             of {} (McNemar p {one_way:.1e}); {} is allowed",
            percent(net),
            percent(allowed / 2.0)
        ),
    })
}

/// The mean difference of the scores by the paired t-test, in standard deviations of the scores that were given.
fn score_difference(pairs: &[Pair], limits: &Limits) -> Option<Finding> {
    if pairs.len() < FEWEST_ENTITIES {
        return None;
    }
    let sample = |value: fn(&Pair) -> f64| Sample::new(pairs.iter().map(value).collect()).ok();
    let (given, differences) = (sample(|pair| pair.given)?, sample(|pair| pair.unheard - pair.given)?);
    let mean = differences.mean();
    let effect = if mean == 0.0 { 0.0 } else { mean.abs() / given.variance(1).sqrt() };
    let n = pairs.len() as f64;
    let t = mean.abs() / (differences.variance(1) / n).sqrt();
    // All differences alike: t is infinite, which is no chance at all.
    let p = if t.is_infinite() { 0.0 } else { 2.0 * t_sf(t, n - 1.0) };
    (effect > limits.score_difference && p < limits.alpha).then(|| Finding {
        guard: "score_difference",
        message: format!(
            "the candidate's scores differ by {mean:+.4} in the mean of {} entities, {effect:.2} standard deviations of \
             production's (paired t-test p {p:.1e}); {} is allowed",
            pairs.len(),
            limits.score_difference
        ),
    })
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.3} ms", seconds * 1e3)
}

fn mean(tally: &ArmTally) -> String {
    tally.mean_score().map_or_else(|| "unknown".to_owned(), |mean| format!("{mean:.4}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use streamflow_stats::Random;

    use super::*;
    use crate::canary::tally::Counts;

    const LIMITS: Limits = Limits {
        error_rise: 0.01,
        latency_ratio: 1.5,
        score_distance: 0.15,
        disagreement: 0.2,
        score_difference: 0.25,
        alpha: 4e-5,
    };

    /// `n` requests of `n` entities: how many were errors, how long they took, and their scores.
    fn arm(n: u64, errors: u64, latency_ms: impl Fn(u64) -> u64, score: impl Fn(u64) -> f64) -> ArmTally {
        let counts = Counts::default();
        for number in 0..n {
            counts.request(number < errors, Duration::from_millis(latency_ms(number)));
            counts.score(number, score(number));
        }
        counts.tally()
    }

    fn good(n: u64) -> ArmTally {
        arm(n, n / 200, |number| 1 + number % 10, |number| (number * 37 % 100) as f64 / 100.0)
    }

    fn guard_of(candidate: &ArmTally) -> Option<&'static str> {
        judge_arms(&good(5_000), candidate, &LIMITS).map(|finding| finding.guard)
    }

    #[test]
    fn a_candidate_like_production_passes_whatever_the_size_of_its_arm() {
        for n in [0, 1, 10, 64, 1_000, 20_000] {
            assert_eq!(guard_of(&good(n)), None, "{n}");
        }
    }

    #[test]
    fn each_guard_finds_its_own_and_names_the_numbers() {
        let scores = |number: u64| (number * 37 % 100) as f64 / 100.0;
        let slow = |number: u64| if number.is_multiple_of(20) { 200 } else { 1 };
        let cases = [
            (
                arm(500, 60, |_| 1, scores),
                "error_rate",
                "60 of 500 requests to the candidate were errors (12.00 %), 25 of 5000",
            ),
            (arm(500, 0, slow, scores), "latency", "over 500 requests, that of production"),
            (
                arm(500, 0, |_| 1, |number| 0.5 + scores(number) / 2.0),
                "score_distribution",
                "Kolmogorov–Smirnov",
            ),
        ];
        for (candidate, guard, part) in cases {
            let finding = judge_arms(&good(5_000), &candidate, &LIMITS).unwrap();
            assert_eq!(finding.guard, guard);
            assert!(finding.message.contains(part), "{}", finding.message);
        }
    }

    #[test]
    fn what_chance_may_do_is_let_through() {
        let scores = |number: u64| (number * 37 % 100) as f64 / 100.0;
        // Two errors of twenty are far above the limit, and no proof.
        assert_eq!(guard_of(&arm(20, 2, |_| 1, scores)), None);
        assert_eq!(guard_of(&arm(50, 0, |number| if number == 0 { 9_000 } else { 1 }, scores)), None);
        assert_eq!(guard_of(&arm(29, 0, |_| 1, |_| 0.99)), None, "too few entities");
        // A difference that is certain, and small enough to be allowed.
        assert_eq!(guard_of(&arm(5_000, 60, |number| 1 + number % 12, |number| scores(number) * 0.95)), None);
    }

    fn pairs(n: usize, differs: usize, up: usize, shift: f64) -> PairTally {
        let pair = |number: usize| {
            let given = (number * 37 % 100) as f64 / 100.0;
            let noise = if number.is_multiple_of(2) { 0.01 } else { -0.01 };
            let turn = if number >= differs {
                0
            } else if number < up {
                1
            } else {
                -1
            };
            Pair { given, unheard: given + shift + noise, differs: Some(number < differs), turn }
        };
        PairTally { rows: n as u64, refused: 0, pairs: (0..n).map(pair).collect() }
    }

    #[test]
    fn pairs_are_judged_by_their_difference() {
        for (tally, expected) in [
            (pairs(500, 10, 5, 0.0), None),
            (pairs(500, 50, 25, 0.01), None),
            (pairs(500, 200, 100, 0.0), Some("disagreement")),
            // Few, and all one way.
            (pairs(500, 80, 80, 0.0), Some("disagreement")),
            (pairs(500, 10, 5, 0.2), Some("score_difference")),
            (pairs(20, 20, 20, 0.5), None),
            (PairTally { refused: 400, ..pairs(500, 0, 0, 0.0) }, Some("refused")),
        ] {
            let found = judge_pairs(&tally, &LIMITS);
            assert_eq!(found.as_ref().map(|finding| finding.guard), expected, "{found:?}");
        }
    }

    #[test]
    fn scores_that_are_all_alike_are_judged_too() {
        let alike = |unheard: f64| PairTally {
            pairs: vec![Pair { given: 0.3, unheard, differs: None, turn: 0 }; 100],
            rows: 100,
            refused: 0,
        };
        assert_eq!(judge_pairs(&alike(0.3), &LIMITS), None);
        assert_eq!(judge_pairs(&alike(0.4), &LIMITS).unwrap().guard, "score_difference");
    }

    /// A request of an entity of its own: errors by this rate, latencies of an exponential distribution above 10 ms.
    fn ask(counts: &Counts, random: &mut Random, entity: u64, error_rate: f64, shift: f64) {
        let slow = -random.uniform().max(1e-9).ln();
        counts.request(random.uniform() < error_rate, Duration::from_secs_f64(0.01 * (1.0 + slow)));
        counts.score(entity, random.uniform() + shift);
    }

    /// Of how many candidates a guard finds something within 2,048 requests, looking whenever they have doubled.
    fn found(candidates: u64, limits: &Limits, error_rate: f64, shift: f64) -> usize {
        let mut random = Random::new(20);
        let is_found = |_: &u64| {
            let (production, candidate) = (Counts::default(), Counts::default());
            (1..=2_048_u64).any(|number| {
                (0..4).for_each(|more| ask(&production, &mut random, 4 * number + more, 0.02, 0.0));
                ask(&candidate, &mut random, number, error_rate, shift);
                let is_look = number >= 64 && number.is_power_of_two();
                is_look && judge_arms(&production.tally(), &candidate.tally(), limits).is_some()
            })
        };
        (0..candidates).filter(is_found).count()
    }

    /// Chance alone holds the guards back here: nothing is allowed.
    #[test]
    fn a_candidate_like_production_is_let_through_however_often_it_is_looked_at() {
        let strict = Limits { error_rise: 0.0, latency_ratio: 1.0, score_distance: 0.0, ..LIMITS };
        assert_eq!(found(100, &strict, 0.02, 0.0), 0);
    }

    #[test]
    fn a_worse_candidate_is_found() {
        assert!(found(40, &LIMITS, 0.06, 0.0) >= 38, "two errors of a hundred became six");
        assert!(found(40, &LIMITS, 0.02, 0.25) >= 38, "the scores moved by a quarter of their range");
    }
}
