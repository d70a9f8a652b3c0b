//! How right answers were, by labels that came after them: answers and labels are joined by request, by entity and time,
//! or by entity and month, and measured by the period and the version that answered.
//!
//! A period is *pending* without labels, *partial* with some and *final* with all, and *assumed* where one of them is a month's
//! and the features came with the request. An entity counts once a period: see `counted`. Labels that come early are not a sample
//! of those that come: where labelled answers are not like the others, that is said.

mod counted;
mod difference;
mod group;
mod hour;
mod join;
mod sample;

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use streamflow_performance::{Better, EstimatedValue, MeasuredValue, Metric, significant};
use utoipa::ToSchema;

pub use difference::Difference;
pub use hour::{Hour, hash};
pub use join::{Join, MonthLabels};

use super::estimate::ErrorLearner;
use super::evaluation::Reference;
use super::scored::Version;
use crate::terminal::counted_with;

/// What a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    Hour,
    #[default]
    Day,
    Month,
}

/// How right a version was in a period.
#[derive(Debug, Clone, Serialize)]
pub struct PeriodPerformance {
    /// `2024-03-01T07`, `2024-03-01` or `2024-03`, in UTC.
    pub period: String,
    pub version: String,
    /// Answers of the period that are kept.
    pub rows: usize,
    /// How many of them have a label.
    pub labelled: usize,
    /// Different entities that the answers name.
    pub entities: usize,
    /// Answers that name no entity.
    pub unnamed: usize,
    /// Answers that count: one of each entity, and those that name none.
    pub counted: usize,
    /// How many of them have a label.
    pub counted_labelled: usize,
    /// How many of the labels of all answers are those of an ingested month.
    pub from_ingest: usize,
    /// How many of those that count are such labels of answers whose features came with the request.
    pub assumed: usize,
    /// `pending`, `partial`, `assumed` or `final`.
    pub state: &'static str,
    /// `pending`, `partial 12 %`, `assumed` or `final`; of a whole percent that is rounded down, so that one entity without a
    /// label is no 100 %.
    pub state_words: String,
    /// The metric that decides.
    pub metric: &'static str,
    /// What the labels say; none without labels.
    pub realised: BTreeMap<Metric, MeasuredValue>,
    /// What scores and features alone suggest of the deciding metric; an estimate, and blind to a changed relation of
    /// features and label.
    pub estimated: Option<EstimatedValue>,
    /// The same for the answers with a label alone.
    pub estimated_labelled: Option<EstimatedValue>,
    /// In what the labelled answers are not like the others, the largest difference first.
    pub differences: Vec<Difference>,
    /// What the reader has to know, in sentences.
    pub notes: Vec<String>,
}

/// All periods, and what became of the labels.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Later {
    pub periods: Vec<PeriodPerformance>,
    /// Labels that no kept answer has.
    pub unknown_labels: usize,
    /// Labels of a request with several answers that name none of their entities.
    pub ambiguous_labels: usize,
    /// Labels that name an entity which their request was not about, and some of the requests.
    pub mismatched_labels: usize,
    pub mismatched: Vec<String>,
    /// Labels of another task than the model's.
    pub unfit_labels: usize,
    /// Why the labels of ingested months are not joined; none where they are.
    pub not_joined: Option<String>,
    /// Fingerprints of other keys than the one at hand that entities of the log were hashed by.
    pub other_keys: Vec<String>,
    /// Sentences on the labels that do not count, but for those of no kept answer.
    pub notes: Vec<String>,
}

impl Later {
    /// Says which labels do not count, and why.
    pub fn tell(&mut self) {
        let mut notes = Vec::new();
        if self.mismatched_labels > 0 {
            let do_name = ["names an entity that its request was", "name entities that their requests were"];
            notes.push(format!(
                "{} not about, so {} not count (request {}): send the entity of the request, or its request_id alone.",
                counted_with(self.mismatched_labels, "label", do_name),
                if self.mismatched_labels == 1 { "it does" } else { "they do" },
                self.mismatched.join(", ")
            ));
        }
        if self.unfit_labels > 0 {
            let are = [
                "is of another task than the model's and does",
                "are of another task than the model's and do",
            ];
            notes.push(format!("{} not count.", counted_with(self.unfit_labels, "label", are)));
        }
        if let Some(why) = &self.not_joined {
            notes.push(format!("Labels of ingested months do not count: {why}."));
        }
        if !self.other_keys.is_empty() {
            notes.push(format!(
                "The log has entities that another key hashed (fingerprint {}): labels of months are not found for them, and an \
                 entity that two keys hashed counts twice. Set STREAMFLOW_LOG_KEY to the key that was used.",
                self.other_keys.join(" and ")
            ));
        }
        if self.ambiguous_labels > 0 {
            let do_name = ["names a request", "name requests"];
            notes.push(format!(
                "{} with several answers and none of its entities, so it is not known whom they are of; send the entity too.",
                counted_with(self.ambiguous_labels, "label", do_name)
            ));
        }
        self.notes = notes;
    }
}

/// The versions that answered, each read once.
pub struct Versions<'a> {
    /// Reads a version by its number and makes its reference; none where it is gone.
    pub read: &'a mut dyn FnMut(&str) -> anyhow::Result<Option<Known>>,
    known: HashMap<String, Option<Known>>,
}

/// A version and the rows that it was validated on.
pub struct Known {
    pub version: Version,
    pub reference: Option<Reference>,
    /// The [`hash`] of each entity that it learned from, as the log has it; none where that is not known.
    pub trained: Option<HashSet<u64>>,
    /// What has learned the size of a regression's errors, or why nothing has.
    errors: OnceCell<Result<ErrorLearner, String>>,
}

impl Known {
    pub fn new(version: Version, reference: Option<Reference>, trained: Option<HashSet<u64>>) -> Self {
        Self { version, reference, trained, errors: OnceCell::new() }
    }
}

impl<'a> Versions<'a> {
    pub fn new(read: &'a mut dyn FnMut(&str) -> anyhow::Result<Option<Known>>) -> Self {
        Self { read, known: HashMap::new() }
    }

    fn find(&mut self, version: &str) -> anyhow::Result<Option<&Known>> {
        if !self.known.contains_key(version) {
            let read = (self.read)(version)?;
            self.known.insert(version.to_owned(), read);
        }
        Ok(self.known.get(version).and_then(Option::as_ref))
    }
}

impl Unit {
    fn of(self, time_us: i64) -> String {
        let time = jiff::Timestamp::from_microsecond(time_us).unwrap_or_default();
        let form = match self {
            Self::Hour => "%Y-%m-%dT%H",
            Self::Day => "%Y-%m-%d",
            Self::Month => "%Y-%m",
        };
        time.strftime(form).to_string()
    }

    /// Rows of a version and a period whose features are held, so that all periods together stay within a bounded memory.
    fn sample_rows(self) -> usize {
        match self {
            Self::Hour => 1_000,
            Self::Day => 10_000,
            Self::Month => 50_000,
        }
    }
}

impl PeriodPerformance {
    /// A sentence where labels say worse than the scores of the same answers suggest. Labels that say better are no
    /// contradiction: scores may be careful.
    fn contradiction(&self, metric: Metric) -> Option<String> {
        let realised = self.realised.get(&metric)?;
        let (value, interval) = (realised.value?, realised.interval?);
        let estimated = self.estimated_labelled.as_ref()?;
        let estimate = estimated.value?;
        // What is learned of errors is less sure than what is counted of scores.
        let (low, high) = match (metric, estimated.band) {
            (Metric::RocAuc, _) | (_, None) => (estimate, estimate),
            (_, Some(band)) => (band.low, band.high),
        };
        let is_worse = match metric.about().better {
            Better::Higher => interval.high < low,
            Better::Lower => interval.low > high,
            Better::Neither => false,
        };
        is_worse.then(|| {
            format!(
                "The labels say {} {} (95 % {} to {}), where the scores of the same answers alone suggested {}: the relation of \
                 features and label is another than in training, which no estimate sees.",
                metric.name(),
                significant(value),
                significant(interval.low),
                significant(interval.high),
                significant(estimate)
            )
        })
    }
}

#[cfg(test)]
mod tests;
