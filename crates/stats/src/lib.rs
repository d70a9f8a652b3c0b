//! Two-sample statistics, numerically equal to SciPy.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod benjamini_hochberg;
mod binomial;
mod chi2_contingency;
mod chisquare;
mod distribution;
mod effect_size;
mod error;
mod jensenshannon;
mod kolmogorov;
mod ks_2samp;
mod proportions_ztest;
mod psi;
mod sample;
mod shares;
mod sum;
mod test_result;
mod total_variation_distance;
mod wasserstein_distance;

pub use benjamini_hochberg::benjamini_hochberg;
pub use chi2_contingency::chi2_contingency;
pub use chisquare::chisquare;
pub use distribution::{chi2_sf, norm_ppf, norm_sf, t_sf};
pub use effect_size::{cohens_d, cohens_h, cramers_v, standardized_wasserstein};
pub use error::Error;
pub use jensenshannon::jensenshannon;
pub use ks_2samp::ks_2samp;
pub use proportions_ztest::proportions_ztest;
pub use psi::psi;
pub use sample::Sample;
pub use test_result::TestResult;
pub use total_variation_distance::total_variation_distance;
pub use wasserstein_distance::wasserstein_distance;
