//! Two-sample statistics for data drift, numerically equal to SciPy.
//!
//! What it is: hypothesis tests, distances, effect sizes and false discovery control on two samples, the *reference*
//! and the *current* side, and a classifier that tells their texts apart. What it is not: it chooses no test, knows no
//! threshold, drops no missing value and reads no file; the caller does.
//!
//! Vocabulary: a [`Sample`] is one side's numbers, ascending with multiplicities; a *statistic* measures a difference;
//! a *p-value* is the probability of one at least as large without any; an *effect size* is a difference in a unit that
//! does not grow with the number of rows. Categories come as aligned lists of counts, one entry per category.
//! Functions carry SciPy's names, arguments are always (reference, current) unless they say otherwise.
//!
//! ```
//! use streamflow_stats::{Sample, benjamini_hochberg, chi2_contingency, ks_2samp, standardized_wasserstein};
//!
//! let reference = Sample::new((0..200).map(|row| f64::from(row % 50)).collect())?;
//! let current = Sample::new((0..200).map(|row| f64::from(row % 50) + 12.0).collect())?;
//! let hours = ks_2samp(&reference, &current)?;
//! let plan = chi2_contingency(&[120, 60, 20], &[118, 61, 21])?;
//!
//! let adjusted = benjamini_hochberg(&[hours.p_value, plan.p_value]);
//! assert!(adjusted[0] < 0.05 && adjusted[1] > 0.05);
//! // Significant, and large: mass moved by 0.83 standard deviations of the reference.
//! assert!((standardized_wasserstein(&reference, &current)? - 0.8316).abs() < 1e-3);
//! # Ok::<(), streamflow_stats::Error>(())
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod anderson_ksamp;
mod benjamini_hochberg;
mod binomial;
mod bootstrap;
mod chi2_contingency;
mod chisquare;
mod counts;
mod cramervonmises_2samp;
mod distribution;
mod domain_classifier;
mod effect_size;
mod energy_distance;
mod epps_singleton_2samp;
mod error;
mod fisher_exact;
mod g_test;
mod hellinger;
mod jensenshannon;
mod kl_div;
mod kolmogorov;
mod ks_2samp;
mod linear_classifier;
mod mannwhitneyu;
mod permutation;
mod proportions_ztest;
mod psi;
mod random;
mod sample;
mod shares;
mod sum;
mod term_weights;
mod test_result;
mod total_variation_distance;
mod ttest_ind;
mod wasserstein_distance;

pub use anderson_ksamp::anderson_ksamp;
pub use benjamini_hochberg::benjamini_hochberg;
pub use bootstrap::{Bootstrap, Interval, bootstrap_interval, bootstrap_interval_counts};
pub use chi2_contingency::chi2_contingency;
pub use chisquare::chisquare;
pub use cramervonmises_2samp::cramervonmises_2samp;
pub use distribution::{binom_cdf, binom_pmf, chi2_sf, norm_ppf, norm_sf, t_ppf, t_sf};
pub use domain_classifier::{DomainClassification, domain_classifier, random_classifier_roc_auc};
pub use effect_size::{cohens_d, cohens_h, cramers_v, standardized_wasserstein};
pub use energy_distance::energy_distance;
pub use epps_singleton_2samp::epps_singleton_2samp;
pub use error::Error;
pub use fisher_exact::fisher_exact;
pub use g_test::g_test;
pub use hellinger::hellinger;
pub use jensenshannon::jensenshannon;
pub use kl_div::kl_div;
pub use ks_2samp::ks_2samp;
pub use mannwhitneyu::{Alternative, mannwhitneyu};
pub use permutation::{Permutations, mmd, total_variation_test};
pub use proportions_ztest::proportions_ztest;
pub use psi::psi;
pub use random::Random;
pub use sample::Sample;
pub use sum::sum;
pub use test_result::TestResult;
pub use total_variation_distance::total_variation_distance;
pub use ttest_ind::{Variances, ttest_ind};
pub use wasserstein_distance::wasserstein_distance;

/// The README's example, run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
