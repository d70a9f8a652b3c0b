//! How right answers were, by labels that came after them: answers and labels are joined by request, or by entity and
//! time, and measured by the period and the version that answered.
//!
//! A period is *pending* without labels, *partial* with some and *final* with all. Labels that come early are not a sample
//! of those that come: where the scores of labelled answers are not like those of the others, that is said.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use streamflow_model::{Answers, Labels, Task};
use streamflow_performance::{EstimatedValue, MeasuredValue, Metric, Rows, significant};
use streamflow_stats::{Sample, ks_2samp};
use utoipa::ToSchema;

use super::estimate;
use super::evaluation::Reference;
use super::judged::Judged;
use super::realised::Realised;
use super::scored::Version;
use crate::predictions::Logged;
use crate::store::labels::Label;

/// Least distance between the scores of labelled and other answers that is told, where it is significant.
const UNLIKE: f64 = 0.1;
const SIGNIFICANT: f64 = 0.05;

/// What is said of a regression whose answers lack labels: its errors are learned from the features.
const NO_ESTIMATE: &str = "No estimate is made for answers of a regression without labels, since kept answers are read without \
     their features here; `streamflow evaluate` estimates the error of a month.";

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
    pub labelled: usize,
    /// `pending`, `partial` or `final`.
    pub state: &'static str,
    /// The metric that decides.
    pub metric: &'static str,
    /// What the labels say; none without labels.
    pub realised: BTreeMap<Metric, MeasuredValue>,
    /// What the scores alone suggest of the deciding metric; an estimate, and blind to a changed relation of features and
    /// label.
    pub estimated: Option<EstimatedValue>,
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
}

/// The answers of one version in one period.
#[derive(Default)]
struct Group {
    scores: Vec<f64>,
    /// NaN where there is no label.
    labels: Vec<f64>,
}

/// Joins answers, one after another, with labels.
pub struct Join {
    unit: Unit,
    labels: Vec<Label>,
    /// Labels by their request, and by their entity where they name a time.
    of_request: HashMap<String, Vec<usize>>,
    of_entity: HashMap<String, Vec<usize>>,
    /// For each label the answers that it may be of: their times and places.
    found: Vec<Vec<(i64, Place)>>,
    groups: BTreeMap<(String, String), Group>,
}

type Place = ((String, String), usize);

impl Join {
    /// A join with these labels.
    pub fn new(unit: Unit, labels: Vec<Label>) -> Self {
        let (mut of_request, mut of_entity) = (HashMap::new(), HashMap::new());
        for (place, label) in labels.iter().enumerate() {
            let (map, key): (&mut HashMap<String, Vec<usize>>, _) = if label.request_id.is_empty() {
                (&mut of_entity, &label.entity)
            } else {
                (&mut of_request, &label.request_id)
            };
            map.entry(key.clone()).or_default().push(place);
        }
        let found = vec![Vec::new(); labels.len()];
        Self { unit, labels, of_request, of_entity, found, groups: BTreeMap::new() }
    }

    /// Takes an answer.
    pub fn add(&mut self, row: &Logged) {
        let key = (self.unit.of(row.time_us), row.shape.version.clone());
        let group = self.groups.entry(key.clone()).or_default();
        let place = (key, group.scores.len());
        group.scores.push(row.score);
        group.labels.push(f64::NAN);
        let entity = row.entity.as_deref().unwrap_or_default();
        let of_request = row.request_id.as_deref().and_then(|id| self.of_request.get(id));
        for &label in of_request.into_iter().flatten() {
            let named = &self.labels[label].entity;
            if named.is_empty() || named == entity {
                self.found[label].push((row.time_us, place.clone()));
            }
        }
        for &label in self.of_entity.get(entity).into_iter().flatten() {
            // The newest answer up to the label's time.
            if row.time_us <= self.labels[label].time_us {
                let newest = self.found[label].first().is_none_or(|(time, _)| *time <= row.time_us);
                if newest {
                    self.found[label] = vec![(row.time_us, place.clone())];
                }
            }
        }
    }

    /// Gives the labels to their answers and measures.
    ///
    /// # Errors
    /// Scores that the metrics do not take.
    pub fn measure(mut self, version_of: &mut Versions<'_>) -> anyhow::Result<Later> {
        let mut later = Later::default();
        for (label, found) in self.labels.iter().zip(&self.found) {
            match &found[..] {
                [] => later.unknown_labels += 1,
                [(_, (key, row))] => {
                    if let Some(group) = self.groups.get_mut(key) {
                        group.labels[*row] = label.value;
                    }
                }
                _ => later.ambiguous_labels += 1,
            }
        }
        for ((period, version), group) in self.groups {
            let task = version_of.task;
            let known = version_of.find(&version)?;
            later.periods.push(group.measure(period, version, task, known)?);
        }
        Ok(later)
    }
}

/// The versions that answered, each read once.
pub struct Versions<'a> {
    pub task: Task,
    /// Reads a version by its number and makes its reference; none where it is gone.
    pub read: &'a mut dyn FnMut(&str) -> anyhow::Result<Option<Known>>,
    known: HashMap<String, Option<Known>>,
}

/// A version and the rows that it was validated on.
pub struct Known {
    pub version: Version,
    pub reference: Option<Reference>,
}

impl<'a> Versions<'a> {
    pub fn new(task: Task, read: &'a mut dyn FnMut(&str) -> anyhow::Result<Option<Known>>) -> Self {
        Self { task, read, known: HashMap::new() }
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
}

impl Group {
    fn measure(
        self,
        period: String,
        version: String,
        task: Task,
        known: Option<&Known>,
    ) -> anyhow::Result<PeriodPerformance> {
        let (rows, labelled) =
            (self.scores.len(), self.labels.iter().filter(|label| !label.is_nan()).count());
        let metric = task.metric();
        let threshold = known.map_or(0.5, |known| known.version.model.threshold());
        let judged = judged(task, &self, threshold)?;
        let seed = known.map_or(0, |known| known.version.seed());
        let realised = Realised::new(&judged, None, seed)?.map(|found| found.measured.metrics);
        let estimated = match (&judged, known.and_then(|known| known.reference.as_ref())) {
            (Judged::Binary(rows), Some(reference)) => estimate_of(reference, rows, seed)?,
            _ => None,
        };
        let state = match labelled {
            0 => "pending",
            some if some < rows => "partial",
            _ => "final",
        };
        let mut found = PeriodPerformance {
            period,
            version,
            rows,
            labelled,
            state,
            metric: metric.name(),
            realised: realised.unwrap_or_default(),
            estimated,
            notes: Vec::new(),
        };
        if task == Task::Regression && labelled < rows {
            found.notes.push(NO_ESTIMATE.to_owned());
        }
        found.notes.extend(unlike(&self)?);
        found.notes.extend(found.contradiction(metric));
        Ok(found)
    }
}

fn judged(task: Task, group: &Group, threshold: f64) -> anyhow::Result<Judged> {
    let (labels, answers) = match task {
        Task::Binary => {
            let label = |label: &f64| (!label.is_nan()).then_some(*label == 1.0);
            let labels = Labels::Binary(group.labels.iter().map(label).collect());
            (labels, Answers::Probability(group.scores.clone()))
        }
        _ => (Labels::Regression(group.labels.clone()), Answers::Value(group.scores.clone())),
    };
    Judged::new(labels, answers, &[], threshold)
}

fn estimate_of(reference: &Reference, rows: &Rows, seed: u64) -> anyhow::Result<Option<EstimatedValue>> {
    let Judged::Binary(validated) = &reference.scored.judged else { return Ok(None) };
    let found = estimate::of_scores(validated, &reference.folds, rows, seed)?;
    Ok(found.and_then(|found| found.estimated.metrics.get(&Metric::RocAuc).cloned()))
}

/// A sentence where the labelled answers are not like the others by their scores.
fn unlike(group: &Group) -> anyhow::Result<Option<String>> {
    let (labelled, others): (Vec<_>, Vec<_>) =
        group.scores.iter().zip(&group.labels).partition(|(_, label)| !label.is_nan());
    if labelled.is_empty() || others.is_empty() {
        return Ok(None);
    }
    let sample = |rows: Vec<(&f64, &f64)>| Sample::new(rows.into_iter().map(|(score, _)| *score).collect());
    let found = ks_2samp(&sample(labelled)?, &sample(others)?)?;
    let is_unlike = found.p_value < SIGNIFICANT && found.statistic > UNLIKE;
    Ok(is_unlike.then(|| {
        format!(
            "The labelled answers are not like the others: their scores differ by {:.2} (Kolmogorov–Smirnov), so what the \
             labels say is not what all of them will say.",
            found.statistic
        )
    }))
}

impl PeriodPerformance {
    /// A sentence where labels say otherwise than scores suggest.
    fn contradiction(&self, metric: Metric) -> Option<String> {
        let realised = self.realised.get(&metric)?;
        let (value, interval) = (realised.value?, realised.interval?);
        let estimate = self.estimated.as_ref()?.value?;
        let outside = estimate < interval.low || estimate > interval.high;
        outside.then(|| {
            format!(
                "The labels say {} {} (95 % {} to {}), where the scores alone suggested {}: the relation of features and \
                 label is another than in training, which no estimate sees.",
                metric.name(),
                significant(value),
                significant(interval.low),
                significant(interval.high),
                significant(estimate)
            )
        })
    }

    /// `pending`, `partial 12 %` or `final`.
    pub fn state_words(&self) -> String {
        match self.state {
            "partial" => format!("partial {:.0} %", 100.0 * self.labelled as f64 / self.rows as f64),
            other => other.to_owned(),
        }
    }
}
