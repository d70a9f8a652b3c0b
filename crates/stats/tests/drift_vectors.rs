//! Every score of the shared drift vectors that this crate computes, against SciPy and Evidently.
//!
//! The vectors are not part of the project: they are read from the directory in `STREAMFLOW_SHARED`.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;
use streamflow_stats::*;

/// The vectors' directory; `None` where it is absent outside continuous integration.
fn directory() -> Option<PathBuf> {
    let shared = std::env::var_os("STREAMFLOW_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    let directory = shared.join("golden/drift");
    if directory.is_dir() {
        return Some(directory);
    }
    assert!(std::env::var_os("CI").is_none(), "{} is missing: set STREAMFLOW_SHARED", directory.display());
    eprintln!("SKIPPED: {} is missing: set STREAMFLOW_SHARED", directory.display());
    None
}

/// Non-missing values of a case's two sides, infinities dropped as Evidently drops them.
fn sides(path: &Path) -> [Vec<String>; 2] {
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let mut sides = [Vec::new(), Vec::new()];
    for line in text.lines().skip(1) {
        let (side, value) = line.split_once(',').unwrap();
        if !value.is_empty() && !value.parse::<f64>().is_ok_and(f64::is_infinite) {
            sides[usize::from(side == "c")].push(value.to_owned());
        }
    }
    sides
}

struct Comparison {
    case: String,
    compared: usize,
    failures: Vec<String>,
}

impl Comparison {
    /// Relative to the expected value, with an absolute floor for scores that both sides round near 0.
    fn check(&mut self, name: &str, found: f64, expected: &Value, relative: f64, absolute: f64) {
        let expected = match expected.as_str() {
            Some("NaN") => f64::NAN,
            Some("Infinity") => f64::INFINITY,
            Some("-Infinity") => f64::NEG_INFINITY,
            Some(other) => panic!("{other}"),
            None => match expected.as_f64() {
                Some(expected) => expected,
                None => return,
            },
        };
        self.compared += 1;
        let equal = found == expected || (found.is_nan() && expected.is_nan());
        let within = (found - expected).abs() <= relative * expected.abs() + absolute;
        if !equal && !within {
            self.failures.push(format!("{}: {name} {found:e}, expected {expected:e}", self.case));
        }
    }
}

fn numeric(comparison: &mut Comparison, case: &Value, sides: &[Vec<String>; 2]) {
    let sample =
        |side: &[String]| Sample::new(side.iter().map(|value| value.parse().unwrap()).collect()).unwrap();
    let (reference, current) = (sample(&sides[0]), sample(&sides[1]));
    let (scipy, evidently) = (&case["scipy"], &case["evidently"]);
    let name_of_case = comparison.case.clone();
    let offset_case = name_of_case.clone();
    let mut test =
        |name: &str, score: &str, found: Result<TestResult, Error>, relative: f64, absolute: f64| {
            // Rounding decides the rank of SciPy's singular covariance matrix: its own value is arbitrary there.
            let singular = ["num_few2", "num_const"].iter().any(|prefix| name_of_case.starts_with(prefix));
            if singular && name == "epps_singleton_2samp" {
                return;
            }
            if let Ok(found) = found {
                comparison.check(name, found.statistic, &scipy[name]["statistic"], relative, absolute);
                comparison.check(name, found.p_value, &scipy[name]["pvalue"], relative, absolute);
                comparison.check(score, found.p_value, &evidently[score]["score"], relative, absolute);
            } else {
                assert!(evidently[score]["error"].is_string(), "{name} fails: {found:?}");
            }
        };
    test("ks_2samp", "ks", ks_2samp(&reference, &current), 1e-9, 1e-14);
    // SciPy cuts the limit's series at 1e-7 and its statistic cancels.
    test("cramervonmises_2samp", "cramer_von_mises", cramervonmises_2samp(&reference, &current), 1e-5, 1e-9);
    test("anderson_ksamp", "anderson", anderson_ksamp(&reference, &current), 1e-9, 1e-12);
    test("epps_singleton_2samp", "es", epps_singleton_2samp(&reference, &current), 1e-9, 1e-12);
    // SciPy subtracts rounded means; ours keep the digits that an offset hides.
    let hidden = ["tiny_scale", "offset"].iter().any(|part| offset_case.contains(part));
    let relative = if hidden { 1e-6 } else { 1e-9 };
    test("ttest_ind", "t_test", ttest_ind(&reference, &current, Variances::Equal), relative, 0.0);
    let less = mannwhitneyu(&reference, &current, Alternative::Less);
    test("mannwhitneyu_less", "mannw", less, 1e-9, 0.0);
    let two_sided = mannwhitneyu(&reference, &current, Alternative::TwoSided).unwrap().p_value;
    comparison.check("mannwhitneyu", two_sided, &scipy["mannwhitneyu_two_sided"]["pvalue"], 1e-9, 0.0);
    let distance = wasserstein_distance(&reference, &current).unwrap();
    comparison.check("wasserstein", distance, &scipy["wasserstein_distance"]["distance"], 1e-9, 1e-15);
    let normed = distance / reference.variance(0).sqrt().max(0.001);
    comparison.check("wasserstein", normed, &evidently["wasserstein"]["score"], 1e-9, 1e-12);
    let energy = energy_distance(&reference, &current).unwrap();
    comparison.check("energy", energy, &scipy["energy_distance"]["distance"], 1e-9, 1e-12);
    comparison.check("ed", energy, &evidently["ed"]["score"], 1e-9, 1e-12);
    if evidently["empirical_mmd"]["statistic"].is_number() && reference.len() + current.len() <= 2000 {
        let found = mmd(&reference, &current, Permutations { iterations: 200, seed: 1 }).unwrap();
        // Evidently expands (x − y)² to x² − 2xy + y², which cancels where the spread is small beside the values.
        let relative = if comparison.case.contains("tiny_scale") { 1e-5 } else { 1e-9 };
        comparison.check("mmd", found.statistic, &evidently["empirical_mmd"]["statistic"], relative, 1e-12);
        // Two Monte Carlo estimates, of 100 and 200 relabellings: five standard errors.
        comparison.check("mmd p", found.p_value, &evidently["empirical_mmd"]["score"], 0.0, 0.31);
    }
}

fn categorical(comparison: &mut Comparison, case: &Value, sides: &[Vec<String>; 2]) {
    let mut table: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
    for (side, values) in sides.iter().enumerate() {
        for value in values {
            table.entry(value).or_default()[side] += 1;
        }
    }
    let whole = [0, 1].map(|side: usize| table.values().map(|counts| counts[side]).collect::<Vec<u64>>());
    let [reference, current] =
        whole.clone().map(|side| side.iter().map(|&count| count as f64).collect::<Vec<_>>());
    let (n, m) = (sides[0].len() as f64, sides[1].len() as f64);
    let (scipy, evidently) = (&case["scipy"], &case["evidently"]);
    let mut check =
        |name: &str, found: f64, expected: &Value| comparison.check(name, found, expected, 1e-9, 1e-15);
    let expected: Vec<f64> = reference.iter().map(|count| count / n * m).collect();
    let found = chisquare(&current, &expected).unwrap();
    check("chisquare", found.statistic, &scipy["chisquare"]["statistic"]);
    check("chisquare", found.p_value, &scipy["chisquare"]["pvalue"]);
    check("chisquare", found.p_value, &evidently["chisquare"]["score"]);
    let found = chi2_contingency(&whole[0], &whole[1]).unwrap();
    check("chi2_contingency", found.p_value, &scipy["independence_chi2_contingency"]["pvalue"]);
    check("tvd", total_variation_distance(&reference, &current).unwrap(), &scipy["tvd"]);
    match g_test(&current, &reference) {
        Ok(found) => check("g_test", found.p_value, &evidently["g_test"]["score"]),
        Err(_) => assert!(evidently["g_test"]["error"].is_string()),
    }
    if let ([a, b], [c, d]) = (whole[0].as_slice(), whole[1].as_slice()) {
        let found = fisher_exact([[*d, *c], [*b, *a]]).unwrap();
        check("fisher_exact", found.p_value, &evidently["fisher_exact"]["score"]);
    }
    if !evidently["TVD"].is_null() {
        let found =
            total_variation_test(&whole[0], &whole[1], Permutations { iterations: 1000, seed: 1 }).unwrap();
        check("TVD", found.statistic, &evidently["TVD"]["statistic"]);
        // Two Monte Carlo estimates of 1,000 relabellings: five standard errors.
        comparison.check("TVD p", found.p_value, &evidently["TVD"]["score"], 0.0, 0.12);
    }
    let (k1, k2) = (n - reference[0], m - current[0]);
    let found = proportions_ztest(k1 as u64, n as u64, k2 as u64, m as u64).unwrap();
    // Evidently computes 1 − CDF, whose rounding is absolute.
    comparison.check("z", found.p_value, &evidently["z"]["score"], 1e-9, 1e-15);
    // Both of the oracle's sums cancel near 0 under a root.
    let distance = jensenshannon(&reference, &current).unwrap();
    comparison.check("jensenshannon", distance, &scipy["jensenshannon"], 1e-9, 1e-8);
    comparison.check("jensenshannon", distance, &evidently["jensenshannon"]["score"], 1e-9, 1e-8);
    let distance = hellinger(&reference, &current).unwrap();
    comparison.check("hellinger", distance, &evidently["hellinger"]["score"], 1e-9, 3e-8);
    if reference.iter().chain(&current).all(|&count| count > 0.0) {
        let (kl, psi) = (kl_div(&reference, &current).unwrap(), psi(&reference, &current).unwrap());
        comparison.check("kl_div", kl, &evidently["kl_div"]["score"], 1e-9, 1e-14);
        comparison.check("psi", psi, &evidently["psi"]["score"], 1e-9, 1e-14);
    }
}

#[test]
fn scores_are_those_of_scipy_and_evidently() {
    let Some(directory) = directory() else { return };
    let golden: Value =
        serde_json::from_slice(&std::fs::read(directory.join("expected.json")).unwrap()).unwrap();
    let (mut compared, mut failures) = (0, Vec::new());
    for case in golden["cases"].as_array().unwrap() {
        let sides = sides(&directory.join(case["file"].as_str().unwrap()));
        let name = case["name"].as_str().unwrap().to_owned();
        let mut comparison = Comparison { case: name, compared: 0, failures: Vec::new() };
        if case["type"] == "num" {
            numeric(&mut comparison, case, &sides);
        } else {
            categorical(&mut comparison, case, &sides);
        }
        compared += comparison.compared;
        failures.append(&mut comparison.failures);
    }
    assert!(compared > 800, "only {compared} scores compared");
    assert!(failures.is_empty(), "{} of {compared}\n{}", failures.len(), failures.join("\n"));
}

/// The example's user ids are the same in both months: they say nothing about drift.
#[test]
fn equal_identifiers_do_not_drift() {
    let Some(directory) = directory() else { return };
    let months = ["month_000", "month_001"].map(|month| {
        let path = directory.join("../../data/course").join(month).join("users.csv");
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()).collect::<Vec<_>>()
    });
    let [reference, current] =
        months.each_ref().map(|ids| ids.iter().map(String::as_str).collect::<Vec<_>>());
    for seed in 0..3 {
        let found = domain_classifier(&reference, &current, seed).unwrap();
        assert!(found.roc_auc <= 0.55, "{found:?}");
    }
}
