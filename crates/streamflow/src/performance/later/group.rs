//! The answers of one version in one period, and what their labels say.

use std::collections::{BTreeMap, HashMap};

use streamflow_model::{Answers, Labels, MISSING, Task};
use streamflow_performance::{EstimatedValue, Metric};

use super::hour::Answer;
use super::sample::Sample;
use super::{Known, PeriodPerformance};
use crate::performance::estimate::{self, ErrorLearner};
use crate::performance::evaluation::Reference;
use crate::performance::judged::Judged;
use crate::performance::realised::Realised;
use crate::performance::scored::{Learning, Version};
use crate::predictions::Logged;
use crate::store::labels::Truth;
use crate::terminal::counted_with;

/// The answers of one version in one period.
pub struct Group {
    task: Task,
    scores: Vec<f64>,
    /// The classes that the version knows, and those that labels name beside them.
    classes: Vec<String>,
    known_classes: usize,
    /// Of several classes, for each row; empty where the log has none.
    probabilities: Vec<Box<[f64]>>,
    /// The number, or the place of the class; NaN where there is no label.
    labels: Vec<f64>,
    /// The rows whose label is that of their month, and since when it has it.
    by_month: HashMap<usize, i64>,
    /// How many rows have their features from which snapshot.
    snapshots: BTreeMap<String, usize>,
    sample: Sample,
}

impl Group {
    /// `most` rows have their features held.
    pub fn new(task: Task, most: usize) -> Self {
        Self {
            task,
            scores: Vec::new(),
            classes: Vec::new(),
            known_classes: 0,
            probabilities: Vec::new(),
            labels: Vec::new(),
            by_month: HashMap::new(),
            snapshots: BTreeMap::new(),
            sample: Sample::new(most),
        }
    }

    /// Takes an answer; its place.
    pub fn add(&mut self, row: &Answer<'_>) -> usize {
        let place = self.scores.len();
        self.scores.push(row.score);
        self.labels.push(f64::NAN);
        match self.snapshots.get_mut(&row.shape.as_of) {
            Some(rows) => *rows += 1,
            None => drop(self.snapshots.insert(row.shape.as_of.clone(), 1)),
        }
        if self.task == Task::Multiclass {
            if self.classes.is_empty() {
                self.classes.clone_from(&row.shape.classes);
                self.known_classes = self.classes.len();
            }
            self.probabilities.push(row.probabilities.into());
        }
        place
    }

    /// Holds the features of an answer, where it is one of those chosen.
    pub fn keep_features(&mut self, place: usize, row: &Logged) {
        self.sample.add(place, row);
    }

    /// Holds the features of a sample, as far as its answers are here.
    pub fn absorb(&mut self, sample: &Sample, place_of: impl Fn(usize) -> Option<usize>) {
        self.sample.absorb(sample, place_of);
    }

    /// Gives a row the label of its month; one of another task is none.
    pub fn label_by_month(&mut self, row: usize, truth: &Truth, at_us: i64) {
        if let Some(label) = self.value_of(truth) {
            self.labels[row] = label;
            self.by_month.insert(row, at_us);
        }
    }

    /// Gives a row a label that was sent, where that of the month is not newer. Whether it is one of the task.
    pub fn label(&mut self, row: usize, truth: &Truth, at_us: i64) -> bool {
        let Some(label) = self.value_of(truth) else { return false };
        if self.by_month.get(&row).is_none_or(|of_month| *of_month <= at_us) {
            self.by_month.remove(&row);
            self.labels[row] = label;
        }
        true
    }

    fn value_of(&mut self, truth: &Truth) -> Option<f64> {
        match (self.task, truth) {
            (Task::Binary, Truth::Number(number)) => (*number == 0.0 || *number == 1.0).then_some(*number),
            (Task::Regression, Truth::Number(number)) => Some(*number).filter(|number| number.is_finite()),
            (Task::Multiclass, Truth::Class(class)) => {
                let place = self.classes.iter().position(|known| known == class).unwrap_or_else(|| {
                    self.classes.push(class.clone());
                    self.classes.len() - 1
                });
                Some(place as f64)
            }
            _ => None,
        }
    }

    /// Measures what there is.
    ///
    /// # Errors
    /// Scores that the metrics do not take.
    pub fn measure(
        self,
        period: String,
        version: String,
        known: Option<&Known>,
    ) -> anyhow::Result<PeriodPerformance> {
        let (rows, labelled) =
            (self.scores.len(), self.labels.iter().filter(|label| !label.is_nan()).count());
        let metric = self.task.metric();
        let mut notes = Vec::new();
        let threshold = known.map_or(0.5, |known| known.version.model.threshold());
        notes.extend(known.and_then(|known| self.learned(&known.version)));
        let judged = self.judged(threshold, &mut notes)?;
        let seed = known.map_or(0, |known| known.version.seed());
        let realised = Realised::new(&judged, None, seed)?.map(|found| found.measured.metrics);
        let estimated = match (&judged, known) {
            (Judged::Binary(_) | Judged::Multiclass(_), Some(known)) => {
                of_scores(known, &judged, metric, seed)?
            }
            (Judged::Regression(_), Some(known)) => self.of_errors(known, seed, &mut notes),
            _ => None,
        };
        let state = match labelled {
            0 => "pending",
            some if some < rows => "partial",
            _ => "final",
        };
        let differences = self.sample.differences(&self.scores, &self.labels)?;
        notes.extend(super::sample::words(&differences, labelled, rows, self.sample.held()));
        let mut found = PeriodPerformance {
            period,
            version,
            rows,
            labelled,
            from_ingest: self.by_month.len(),
            state,
            state_words: super::state_words(state, labelled, rows),
            metric: metric.name(),
            realised: realised.unwrap_or_default(),
            estimated,
            differences,
            notes,
        };
        found.notes.extend(found.contradiction(metric));
        Ok(found)
    }

    /// A sentence where answers are about rows that the version learned from.
    fn learned(&self, version: &Version) -> Option<String> {
        let learned = matches!(version.learning, Learning::Split { .. });
        let as_of = version.as_of.to_string();
        let rows = self.snapshots.get(&as_of).filter(|_| learned)?;
        Some(format!(
            "{rows} of the answers were made from {as_of}, where the version learned from most of the entities: it looks \
             better on them than on others, which `streamflow evaluate --as-of {as_of}` leaves out."
        ))
    }

    fn judged(&self, threshold: f64, notes: &mut Vec<String>) -> anyhow::Result<Judged> {
        match self.task {
            Task::Binary => {
                let label = |label: &f64| (!label.is_nan()).then_some(*label == 1.0);
                let labels = Labels::Binary(self.labels.iter().map(label).collect());
                Judged::new(labels, Answers::Probability(self.scores.clone()), &[], threshold)
            }
            Task::Regression => {
                let labels = Labels::Regression(self.labels.clone());
                Judged::new(labels, Answers::Value(self.scores.clone()), &[], threshold)
            }
            Task::Multiclass => self.judged_classes(threshold, notes),
        }
    }

    fn judged_classes(&self, threshold: f64, notes: &mut Vec<String>) -> anyhow::Result<Judged> {
        let known = self.known_classes;
        let is_whole = |row: &&usize| known > 0 && self.probabilities[**row].len() == known;
        let all: Vec<usize> = (0..self.scores.len()).collect();
        let rows: Vec<usize> = all.iter().filter(is_whole).copied().collect();
        if rows.len() < all.len() {
            let without = counted_with(all.len() - rows.len(), "answer", ["was", "were"]);
            notes.push(format!(
                "Not measured: {without} kept without the probabilities of the classes, by an earlier release."
            ));
        }
        if self.classes.len() > known && known > 0 {
            notes.push(format!(
                "Labels name classes that the version does not know ({}): it is always wrong about them.",
                self.classes[known..].join(", ")
            ));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the place of a class")]
        let code = |row: &usize| match self.labels[*row] {
            label if label.is_nan() => MISSING,
            label => label as u32,
        };
        let labels =
            Labels::Multiclass { codes: rows.iter().map(code).collect(), classes: self.classes.clone() };
        let probabilities = rows.iter().map(|row| self.probabilities[*row].to_vec()).collect();
        Judged::new(labels, Answers::Probabilities(probabilities), &self.classes[..known], threshold)
    }

    /// The estimate of a regression, on the rows whose features are held.
    fn of_errors(&self, known: &Known, seed: u64, notes: &mut Vec<String>) -> Option<EstimatedValue> {
        let reference = known.reference.as_ref()?;
        let Judged::Regression(numbers) = &reference.scored.judged else { return None };
        let learned = known.errors.get_or_init(|| {
            ErrorLearner::new(&reference.scored, numbers, seed).map_err(|error| format!("{error:#}"))
        });
        let estimate = learned.as_ref().map_err(Clone::clone).and_then(|learner| {
            let (features, predictions) = self.sample.features(&self.scores);
            learner.estimate(features, &predictions).map_err(|error| format!("{error:#}"))
        });
        match estimate {
            Ok(found) => found.estimated.metrics.get(&self.task.metric()).cloned(),
            Err(error) => {
                notes.push(format!("No estimate is made: {error}."));
                None
            }
        }
    }
}

/// The estimate of the deciding metric of a classifier.
fn of_scores(
    known: &Known,
    judged: &Judged,
    metric: Metric,
    seed: u64,
) -> anyhow::Result<Option<EstimatedValue>> {
    let Some(Reference { scored, folds }) = &known.reference else { return Ok(None) };
    let found = match (&scored.judged, judged) {
        (Judged::Binary(validated), Judged::Binary(rows)) => {
            estimate::of_scores(validated, folds, rows, seed)?
        }
        (Judged::Multiclass(validated), Judged::Multiclass(classes)) => {
            estimate::of_classes((validated, folds), classes, seed)?
        }
        _ => return Ok(None),
    };
    Ok(found.and_then(|found| found.estimated.metrics.get(&metric).cloned()))
}
