//! Every statistic against its oracle: one JSON file per statistic, written by `tools/golden/stats.py`.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use serde_json::Value;
use streamflow_stats::*;

/// A number, or one of the strings that stand for non-finite ones.
fn number(value: &Value) -> f64 {
    match value.as_str() {
        Some("NaN") => f64::NAN,
        Some("Infinity") => f64::INFINITY,
        Some("-Infinity") => f64::NEG_INFINITY,
        _ => value.as_f64().unwrap_or_else(|| panic!("{value} is no number")),
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn counts(value: &Value) -> Vec<u64> {
    value.as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).collect()
}

/// Rows, or `[value, count]` pairs.
fn sample(value: &Value) -> Sample {
    let items = value.as_array().unwrap();
    if items.first().is_some_and(Value::is_array) {
        Sample::from_counts(items.iter().map(|pair| (number(&pair[0]), pair[1].as_u64().unwrap()))).unwrap()
    } else {
        Sample::new(numbers(value)).unwrap()
    }
}

/// Runs every case of a file: `found` returns the named values to compare with the case's.
fn check(file: &str, found: impl Fn(&Value) -> Vec<(&'static str, f64)>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file).with_extension("json");
    let golden: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert!(!cases.is_empty(), "{file} has no case");
    let mut failures = Vec::new();
    for case in cases {
        let relative = number(&case["tolerance"]);
        let absolute = case.get("absolute").map_or(0.0, number);
        for (name, found) in found(case) {
            let expected = number(&case[name]);
            let allowed = relative * expected.abs() + absolute;
            let equal = found == expected || (found.is_nan() && expected.is_nan());
            let within = (found - expected).abs() <= allowed;
            if !equal && !within {
                let off = (found / expected - 1.0).abs();
                failures.push(format!(
                    "{}: {name} {found:e}, expected {expected:e} (off {off:.1e})",
                    case["name"]
                ));
            }
        }
    }
    assert!(failures.is_empty(), "{file}: {}\n{}", failures.len(), failures.join("\n"));
}

fn test(result: Result<TestResult, Error>) -> Vec<(&'static str, f64)> {
    let result = result.unwrap();
    vec![("statistic", result.statistic), ("p_value", result.p_value)]
}

fn value(result: Result<f64, Error>) -> Vec<(&'static str, f64)> {
    vec![("value", result.unwrap())]
}

fn samples(case: &Value) -> (Sample, Sample) {
    (sample(&case["reference"]), sample(&case["current"]))
}

fn shares(case: &Value) -> (Vec<f64>, Vec<f64>) {
    (numbers(&case["reference"]), numbers(&case["current"]))
}

fn tables(case: &Value) -> (Vec<u64>, Vec<u64>) {
    (counts(&case["reference"]), counts(&case["current"]))
}

#[test]
fn ks_2samp_is_the_oracles() {
    check("ks_2samp", |case| {
        let (reference, current) = samples(case);
        test(ks_2samp(&reference, &current))
    });
}

#[test]
fn wasserstein_distance_is_the_oracles() {
    check("wasserstein_distance", |case| {
        let (reference, current) = samples(case);
        value(wasserstein_distance(&reference, &current))
    });
}

#[test]
fn energy_distance_is_the_oracles() {
    check("energy_distance", |case| {
        let (reference, current) = samples(case);
        value(energy_distance(&reference, &current))
    });
}

#[test]
fn cramervonmises_2samp_is_the_oracles() {
    check("cramervonmises_2samp", |case| {
        let (reference, current) = samples(case);
        test(cramervonmises_2samp(&reference, &current))
    });
}

#[test]
fn anderson_ksamp_is_the_oracles() {
    check("anderson_ksamp", |case| {
        let (reference, current) = samples(case);
        test(anderson_ksamp(&reference, &current))
    });
}

#[test]
fn epps_singleton_2samp_is_the_oracles() {
    check("epps_singleton_2samp", |case| {
        let (reference, current) = samples(case);
        test(epps_singleton_2samp(&reference, &current))
    });
}

#[test]
fn chisquare_is_the_oracles() {
    check("chisquare", |case| {
        let (reference, current) = shares(case);
        test(chisquare(&reference, &current))
    });
}

#[test]
fn g_test_is_the_oracles() {
    check("g_test", |case| {
        let (reference, current) = shares(case);
        test(g_test(&reference, &current))
    });
}

#[test]
fn chi2_contingency_is_the_oracles() {
    check("chi2_contingency", |case| {
        let (reference, current) = tables(case);
        test(chi2_contingency(&reference, &current))
    });
}

#[test]
fn cramers_v_is_the_oracles() {
    check("cramers_v", |case| {
        let (reference, current) = tables(case);
        value(cramers_v(&reference, &current))
    });
}

#[test]
fn jensenshannon_is_the_oracles() {
    check("jensenshannon", |case| {
        let (reference, current) = shares(case);
        value(jensenshannon(&reference, &current))
    });
}

#[test]
fn kl_div_is_the_oracles() {
    check("kl_div", |case| {
        let (reference, current) = shares(case);
        value(kl_div(&reference, &current))
    });
}

#[test]
fn psi_is_the_oracles() {
    check("psi", |case| {
        let (reference, current) = shares(case);
        value(psi(&reference, &current))
    });
}

#[test]
fn total_variation_distance_is_the_oracles() {
    check("total_variation_distance", |case| {
        let (reference, current) = shares(case);
        value(total_variation_distance(&reference, &current))
    });
}

#[test]
fn hellinger_is_the_oracles() {
    check("hellinger", |case| {
        let (reference, current) = shares(case);
        value(hellinger(&reference, &current))
    });
}

#[test]
fn mannwhitneyu_is_the_oracles() {
    check("mannwhitneyu", |case| {
        let (reference, current) = samples(case);
        let alternative = match case["alternative"].as_str().unwrap() {
            "less" => Alternative::Less,
            "greater" => Alternative::Greater,
            _ => Alternative::TwoSided,
        };
        test(mannwhitneyu(&reference, &current, alternative))
    });
}

#[test]
fn ttest_ind_is_the_oracles() {
    check("ttest_ind", |case| {
        let (reference, current) = samples(case);
        let variances = if case["equal_var"] == true { Variances::Equal } else { Variances::Unequal };
        test(ttest_ind(&reference, &current, variances))
    });
}

#[test]
fn fisher_exact_is_the_oracles() {
    check("fisher_exact", |case| {
        let row = |index: usize| <[u64; 2]>::try_from(counts(&case["table"][index])).unwrap();
        test(fisher_exact([row(0), row(1)]))
    });
}

#[test]
fn proportions_are_the_oracles() {
    check("proportions_ztest", |case| {
        let [k1, n1, k2, n2] = ["k1", "n1", "k2", "n2"].map(|name| case[name].as_u64().unwrap());
        let mut found = test(proportions_ztest(k1, n1, k2, n2));
        found.push(("cohens_h", cohens_h(k1 as f64 / n1 as f64, k2 as f64 / n2 as f64).unwrap()));
        found
    });
}

#[test]
fn moments_are_the_oracles() {
    check("moments", |case| {
        let reference = sample(&case["reference"]);
        vec![
            ("mean", reference.mean()),
            ("variance", reference.variance(1)),
            ("quantile_10", reference.quantile(0.1).unwrap()),
            ("quantile_75", reference.quantile(0.75).unwrap()),
        ]
    });
}

#[test]
fn effect_sizes_are_the_oracles() {
    check("effect_size", |case| {
        let (reference, current) = samples(case);
        vec![
            ("cohens_d", cohens_d(&reference, &current).unwrap()),
            ("standardized_wasserstein", standardized_wasserstein(&reference, &current).unwrap()),
        ]
    });
}

#[test]
fn distributions_are_the_oracles() {
    check("distribution", |case| {
        let x = number(&case["x"]);
        let found = match case["distribution"].as_str().unwrap() {
            "norm" => norm_sf(x),
            "chi2" => chi2_sf(x, case["df"].as_u64().unwrap()),
            "t" => t_sf(x, number(&case["df"])),
            "t_ppf" => t_ppf(x, number(&case["df"])),
            "binom_pmf" => binom_pmf(x as u64, case["n"].as_u64().unwrap(), number(&case["p"])),
            "binom_cdf" => binom_cdf(x as u64, case["n"].as_u64().unwrap(), number(&case["p"])),
            _ => norm_ppf(x),
        };
        vec![("value", found)]
    });
}

#[test]
fn benjamini_hochberg_is_the_oracles() {
    check("benjamini_hochberg", |case| {
        let (adjusted, expected) = (benjamini_hochberg(&numbers(&case["p"])), numbers(&case["adjusted"]));
        assert_eq!(adjusted.len(), expected.len());
        for (found, expected) in adjusted.iter().zip(&expected) {
            assert!((found - expected).abs() <= 1e-15 * expected, "{found} instead of {expected}");
        }
        Vec::new()
    });
}
