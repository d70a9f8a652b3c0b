//! Drift of text: can a classifier tell the current texts from the reference's?

use crate::distribution::norm_ppf;
use crate::error::Error;
use crate::linear_classifier::LinearClassifier;
use crate::mannwhitneyu::{Alternative, mannwhitneyu};
use crate::random::Random;
use crate::sample::Sample;
use crate::term_weights::{TermWeights, hash};

/// The most rows a side contributes; larger sides are thinned at random, which bounds memory and time. The standard
/// error of the area is then still below 0.002.
const MOST_ROWS: usize = 100_000;

/// How well texts of the two sides can be told apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DomainClassification {
    /// Area under the ROC curve on the held-out half: 0.5 cannot tell, 1 tells always. Below 0.5 when the same
    /// texts are on both sides, because a text seen in training on one side is then held out on the other.
    pub roc_auc: f64,
    /// Held-out rows of the reference.
    pub reference_rows: u64,
    /// Held-out rows of the current side.
    pub current_rows: u64,
}

/// Trains a classifier of reference against current on half of all rows and scores it on the other half.
///
/// Term frequencies (1 + ln tf)(1 + ln((1 + N)/(1 + df))), rows of unit length, words of at least two letters or
/// digits in lower case, without those in more than half of the training rows; linear model with modified Huber loss
/// and L1 penalty 1e-4, fitted by stochastic gradient descent over at most 50 epochs.
///
/// Deterministic: the split and the order of training follow from `seed` and the multiset of rows, not from their
/// order. Missing texts are dropped by the caller. Without any usable word the area is 0.5. Each side is thinned to
/// 100,000 rows; O(rows + words) memory within that bound.
///
/// Source: `abs_text_content_drift` and `perc_text_content_drift` of Evidently 0.7.23 (scikit-learn's TfidfVectorizer
/// and SGDClassifier). Differences: the random split is our own, so areas agree within its variation only, and no
/// list of English stop words is used, as texts may be in any language.
///
/// # Errors
/// [`Error::TooFewRows`] when a side is empty, [`Error::Degenerate`] when a half holds one side only.
pub fn domain_classifier(
    reference: &[&str],
    current: &[&str],
    seed: u64,
) -> Result<DomainClassification, Error> {
    for (side, texts) in [("reference", reference), ("current", current)] {
        if texts.is_empty() {
            return Err(Error::TooFewRows { side, rows: 0, needed: 1 });
        }
    }
    let mut random = Random::new(seed);
    let mut rows: Vec<(&str, bool)> = Vec::new();
    rows.extend(thin(reference, &mut random).into_iter().map(|text| (text, false)));
    rows.extend(thin(current, &mut random).into_iter().map(|text| (text, true)));
    random.shuffle(&mut rows);
    let (training, held_out) = rows.split_at(rows.len() / 2);
    let of_current = training.iter().filter(|(_, is_current)| *is_current).count();
    let (reference_scores, current_scores) = if of_current == 0 || of_current == training.len() {
        (Vec::new(), Vec::new())
    } else {
        score(training, held_out, &mut random)
    };
    if reference_scores.is_empty() || current_scores.is_empty() {
        return Err(Error::Degenerate {
            statistic: "domain_classifier",
            needed: "rows of both sides in the training half and in the held-out half",
        });
    }
    let (reference, current) = (Sample::new(reference_scores)?, Sample::new(current_scores)?);
    let (reference_rows, current_rows) = (reference.len(), current.len());
    let u = mannwhitneyu(&current, &reference, Alternative::TwoSided)?.statistic;
    let roc_auc = u / (reference_rows as f64 * current_rows as f64);
    Ok(DomainClassification { roc_auc, reference_rows, current_rows })
}

/// The area that a classifier guessing at random stays below with probability `confidence`.
///
/// Normal quantile 0.5 + z √((n + m + 1) / (12 n m)), the exact mean and variance of the Mann–Whitney statistic;
/// Evidently estimates the same quantile from 1,000 simulated areas. Without rows on a side: infinite.
///
/// # Errors
/// [`Error::OutOfRange`] when `confidence` is not between 0 and 1.
pub fn random_classifier_roc_auc(
    reference_rows: u64,
    current_rows: u64,
    confidence: f64,
) -> Result<f64, Error> {
    if !(confidence > 0.0 && confidence < 1.0) {
        return Err(Error::OutOfRange { name: "the confidence", value: confidence, low: 0.0, high: 1.0 });
    }
    let (n, m) = (reference_rows as f64, current_rows as f64);
    Ok(0.5 + norm_ppf(confidence) * ((n + m + 1.0) / (12.0 * n * m)).sqrt())
}

/// At most [`MOST_ROWS`] texts in an order that depends on the multiset of texts and the generator only.
fn thin<'a>(texts: &[&'a str], random: &mut Random) -> Vec<&'a str> {
    let mut keyed: Vec<(u64, &str)> = texts.iter().map(|text| (hash(text), *text)).collect();
    keyed.sort_unstable();
    if keyed.len() > MOST_ROWS {
        random.shuffle(&mut keyed);
        keyed.truncate(MOST_ROWS);
    }
    keyed.into_iter().map(|(_, text)| text).collect()
}

/// Held-out scores of the reference rows and of the current rows.
fn score(training: &[(&str, bool)], held_out: &[(&str, bool)], random: &mut Random) -> (Vec<f64>, Vec<f64>) {
    let (terms, rows) = TermWeights::fit(training.iter().map(|(text, _)| *text));
    let labels: Vec<bool> = training.iter().map(|(_, is_current)| *is_current).collect();
    let model = LinearClassifier::fit(&rows, &labels, terms.len(), random);
    let mut scores = (Vec::new(), Vec::new());
    for (text, is_current) in held_out {
        // The loss's probability saturates: beyond ±1 all scores tie.
        let decision = model.decision(&terms.weigh(text)).clamp(-1.0, 1.0);
        if *is_current { scores.1.push(decision) } else { scores.0.push(decision) }
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auc(reference: &[String], current: &[String]) -> f64 {
        let reference: Vec<&str> = reference.iter().map(String::as_str).collect();
        let current: Vec<&str> = current.iter().map(String::as_str).collect();
        domain_classifier(&reference, &current, 42).unwrap().roc_auc
    }

    fn sentences(words: &[&str], rows: usize, seed: u64) -> Vec<String> {
        let mut random = Random::new(seed);
        let mut word = || words[random.below(words.len() as u64) as usize];
        (0..rows).map(|_| format!("{} {} {} and {}", word(), word(), word(), word())).collect()
    }

    const OLD: [&str; 8] = ["slow", "buffering", "film", "price", "Refund", "login", "crash", "évidemment"];
    const NEW: [&str; 8] = ["slow", "buffering", "film", "price", "Refund", "login", "advert", "subtitle"];

    #[test]
    fn new_words_are_noticed_and_equal_ones_are_not() {
        let drifted = auc(&sentences(&OLD, 600, 1), &sentences(&NEW, 600, 2));
        assert!(drifted > 0.75, "{drifted}");
        let same = auc(&sentences(&OLD, 600, 1), &sentences(&OLD, 600, 3));
        assert!((0.44..0.55).contains(&same), "{same}");
    }

    #[test]
    fn row_order_and_repetition_of_the_call_change_nothing() {
        let (reference, mut current) = (sentences(&OLD, 300, 1), sentences(&NEW, 200, 2));
        let first = auc(&reference, &current);
        current.reverse();
        assert_eq!(first.to_bits(), auc(&reference, &current).to_bits());
    }

    #[test]
    fn identifiers_on_both_sides_or_on_one_do_not_drift() {
        let identifiers =
            |from: u64| (from..from + 3000).map(|id| format!("{:06}-X{:04}", id * 7919, id)).collect();
        let (first, second): (Vec<String>, Vec<String>) = (identifiers(0), identifiers(1_000_000));
        assert!(auc(&first, &first) <= 0.55);
        assert!((0.45..=0.55).contains(&auc(&first, &second)));
    }

    #[test]
    fn texts_without_words_cannot_be_told_apart() {
        assert_eq!(
            domain_classifier(&["", "!", "a"], &["?", "", "b"], 0).map(|found| found.roc_auc),
            Ok(0.5)
        );
    }

    #[test]
    fn too_little_to_split_is_refused() {
        assert!(matches!(domain_classifier(&[], &["x"], 0), Err(Error::TooFewRows { .. })));
        assert!(matches!(domain_classifier(&["ab"], &["cd"], 0), Err(Error::Degenerate { .. })));
    }

    #[test]
    fn random_guessing_is_bounded_as_the_simulation_bounds_it() {
        // evidently 0.7.23: roc_auc_random_classifier_percentile([0] * 500 + [1] * 500), p_value 0.05 and 0.01.
        let half = random_classifier_roc_auc(500, 500, 0.95).unwrap();
        assert!((half - 0.53045).abs() < 0.003, "{half}");
        let rare = random_classifier_roc_auc(500, 500, 0.99).unwrap();
        assert!((rare - 0.54496).abs() < 0.005, "{rare}");
        assert!(random_classifier_roc_auc(5, 5, 1.0).is_err());
    }
}
