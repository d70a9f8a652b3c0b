//! The answers of one version in one period, and what their labels say.

use std::collections::HashMap;

use streamflow_model::{Answers, Labels, MISSING, Task};
use streamflow_performance::{EstimatedValue, Metric};

use super::counted::counted;
use super::difference;
use super::hour::Answer;
use super::sample::Sample;
use super::{Known, PeriodPerformance};
use crate::performance::estimate::{self, ErrorLearner};
use crate::performance::evaluation::Reference;
use crate::performance::judged::Judged;
use crate::performance::realised::Realised;
use crate::performance::scored::Learning;
use crate::predictions::Logged;
use crate::store::labels::Truth;
use crate::terminal::counted_with;

/// The label of a month.
#[derive(Clone, Copy)]
struct OfMonth {
    /// Since when the month has it.
    at_us: i64,
    /// Whether it is that of the entity of the same name, whose features came with the request.
    is_assumed: bool,
}

/// The answers of one version in one period.
pub struct Group {
    task: Task,
    scores: Vec<f64>,
    times_us: Vec<i64>,
    /// The hash of whom an answer is about; 0 where it names nobody.
    entities: Vec<u64>,
    /// The classes that the version knows, and those that labels name beside them.
    classes: Vec<String>,
    known_classes: usize,
    /// Of several classes, for each row; empty where the log has none.
    probabilities: Vec<Box<[f64]>>,
    /// The number, or the place of the class; NaN where there is no label.
    labels: Vec<f64>,
    /// The rows whose label is that of their month.
    by_month: HashMap<usize, OfMonth>,
    /// The rows with features that came with the request.
    has_sent: Vec<bool>,
    /// The snapshots, and of which each row is.
    snapshots: Vec<String>,
    of_snapshot: Vec<u16>,
    sample: Sample,
}

impl Group {
    /// `most` rows have their features held.
    pub fn new(task: Task, most: usize) -> Self {
        Self {
            task,
            scores: Vec::new(),
            times_us: Vec::new(),
            entities: Vec::new(),
            classes: Vec::new(),
            known_classes: 0,
            probabilities: Vec::new(),
            labels: Vec::new(),
            by_month: HashMap::new(),
            has_sent: Vec::new(),
            snapshots: Vec::new(),
            of_snapshot: Vec::new(),
            sample: Sample::new(most),
        }
    }

    /// Takes an answer; its place.
    pub fn add(&mut self, row: &Answer<'_>) -> usize {
        let place = self.scores.len();
        self.scores.push(row.score);
        self.labels.push(f64::NAN);
        self.times_us.push(row.time_us);
        self.entities.push(row.entity.unwrap_or_default());
        self.has_sent.push(row.has_sent);
        let known = self.snapshots.iter().position(|known| *known == row.shape.as_of);
        let snapshot = known.unwrap_or_else(|| {
            self.snapshots.push(row.shape.as_of.clone());
            self.snapshots.len() - 1
        });
        self.of_snapshot.push(u16::try_from(snapshot).unwrap_or(u16::MAX));
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
            self.by_month.insert(row, OfMonth { at_us, is_assumed: self.has_sent[row] });
        }
    }

    /// Gives a row a label that was sent, where that of the month is not newer. Whether it is one of the task.
    pub fn label(&mut self, row: usize, truth: &Truth, at_us: i64) -> bool {
        let Some(label) = self.value_of(truth) else { return false };
        if self.by_month.get(&row).is_none_or(|of_month| of_month.at_us <= at_us) {
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
        let all = Labelled { rows: self.scores.len(), labelled: self.labelled() };
        let from_ingest = self.by_month.len();
        let chosen = counted(&self.entities, &self.times_us, &self.labels);
        let mut notes = chosen.notes(all.rows);
        let one = self.select(&chosen.rows);
        let counted = Labelled { rows: one.scores.len(), labelled: one.labelled() };
        let assumed = one.by_month.values().filter(|of_month| of_month.is_assumed).count();
        notes.extend(origin(&counted, one.by_month.len(), assumed));
        notes.extend(known.and_then(|known| one.learned(known)));
        let threshold = known.map_or(0.5, |known| known.version.model.threshold());
        let judged = one.judged(threshold, &mut notes)?;
        let seed = known.map_or(0, |known| known.version.seed());
        let realised = Realised::new(&judged, None, seed)?.map(|found| found.measured.metrics);
        let estimated = one.estimate(&judged, known, &mut notes)?;
        let estimated_labelled = one.estimate_labelled(&counted, estimated.as_ref(), threshold, known)?;
        let differences = one.sample.differences(&one.scores, &one.labels)?;
        notes.extend(difference::sentence(&differences, counted.labelled, counted.rows, one.sample.held()));
        let metric = one.task.metric();
        let mut found = PeriodPerformance {
            period,
            version,
            rows: all.rows,
            labelled: all.labelled,
            entities: chosen.entities,
            unnamed: chosen.unnamed,
            counted: counted.rows,
            counted_labelled: counted.labelled,
            from_ingest,
            assumed,
            state: counted.state(assumed),
            state_words: counted.state_words(assumed),
            metric: metric.name(),
            realised: realised.unwrap_or_default(),
            estimated,
            estimated_labelled,
            differences,
            notes,
        };
        found.notes.extend(found.contradiction(metric));
        Ok(found)
    }

    fn labelled(&self) -> usize {
        self.labels.iter().filter(|label| !label.is_nan()).count()
    }

    /// Some of the rows, in their order, as a group of their own.
    fn select(&self, rows: &[usize]) -> Self {
        fn pick<T: Clone>(values: &[T], rows: &[usize]) -> Vec<T> {
            rows.iter().filter_map(|&row| values.get(row).cloned()).collect()
        }
        let mut places = vec![None; self.scores.len()];
        rows.iter().enumerate().for_each(|(place, &row)| places[row] = Some(place));
        let of_month = |(&row, label): (&usize, &OfMonth)| Some((places[row]?, *label));
        Self {
            task: self.task,
            scores: pick(&self.scores, rows),
            times_us: pick(&self.times_us, rows),
            entities: pick(&self.entities, rows),
            classes: self.classes.clone(),
            known_classes: self.known_classes,
            probabilities: pick(&self.probabilities, rows),
            labels: pick(&self.labels, rows),
            by_month: self.by_month.iter().filter_map(of_month).collect(),
            has_sent: pick(&self.has_sent, rows),
            snapshots: self.snapshots.clone(),
            of_snapshot: pick(&self.of_snapshot, rows),
            sample: self.sample.select(|row| places.get(row).copied().flatten()),
        }
    }

    /// What is estimated of the deciding metric.
    fn estimate(
        &self,
        judged: &Judged,
        known: Option<&Known>,
        notes: &mut Vec<String>,
    ) -> anyhow::Result<Option<EstimatedValue>> {
        match (judged, known) {
            (Judged::Binary(_) | Judged::Multiclass(_), Some(known)) => {
                of_scores(known, judged, self.task.metric())
            }
            (Judged::Regression(_), Some(known)) => Ok(self.of_errors(known, notes)),
            _ => Ok(None),
        }
    }

    /// The same of the rows with a label alone, which what the labels say may be held against.
    fn estimate_labelled(
        &self,
        counted: &Labelled,
        estimated: Option<&EstimatedValue>,
        threshold: f64,
        known: Option<&Known>,
    ) -> anyhow::Result<Option<EstimatedValue>> {
        if counted.labelled == counted.rows || counted.labelled == 0 {
            return Ok(estimated.filter(|_| counted.labelled > 0).cloned());
        }
        let is_labelled = |row: &usize| !self.labels[*row].is_nan();
        let labelled = self.select(&(0..self.scores.len()).filter(is_labelled).collect::<Vec<_>>());
        // What there is to say of them was said of all.
        let mut notes = Vec::new();
        let judged = labelled.judged(threshold, &mut notes)?;
        labelled.estimate(&judged, known, &mut notes)
    }

    /// A sentence where answers are about entities that the version learned from.
    fn learned(&self, known: &Known) -> Option<String> {
        let Learning::Split { .. } = known.version.learning else { return None };
        let as_of = known.version.as_of.to_string();
        let of_snapshot = self.snapshots.iter().position(|found| *found == as_of)?;
        let rows = || (0..self.scores.len()).filter(|&row| usize::from(self.of_snapshot[row]) == of_snapshot);
        let better = "it looks better on them than on others, which `streamflow evaluate --as-of";
        match &known.trained {
            Some(trained) => {
                let learned = rows().filter(|&row| trained.contains(&self.entities[row])).count();
                (learned > 0).then(|| {
                    format!(
                        "{learned} of the answers that count are about entities of {as_of} that the version learned from: \
                         {better} {as_of}` leaves out."
                    )
                })
            }
            None => Some(format!(
                "{} of the answers that count were made from {as_of}, and who of them the version learned from is not known: \
                 {better} {as_of}` leaves out.",
                rows().count()
            )),
        }
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
    fn of_errors(&self, known: &Known, notes: &mut Vec<String>) -> Option<EstimatedValue> {
        let reference = known.reference.as_ref()?;
        let Judged::Regression(numbers) = &reference.scored.judged else { return None };
        let learned = known.errors.get_or_init(|| {
            let seed = known.version.seed();
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

/// How many rows there are, and how many of them have a label.
pub(super) struct Labelled {
    pub rows: usize,
    pub labelled: usize,
}

impl Labelled {
    fn state(&self, assumed: usize) -> &'static str {
        match self.labelled {
            0 => "pending",
            some if some < self.rows => "partial",
            _ if assumed > 0 => "assumed",
            _ => "final",
        }
    }

    /// The state, with the share of a partial one.
    pub fn state_words(&self, assumed: usize) -> String {
        match self.state(assumed) {
            "partial" => format!("partial {} %", self.labelled.saturating_mul(100) / self.rows.max(1)),
            other => other.to_owned(),
        }
    }
}

/// A sentence where labels are those of months.
fn origin(counted: &Labelled, of_months: usize, assumed: usize) -> Option<String> {
    if of_months == 0 {
        return None;
    }
    let assumed = match assumed {
        0 => String::new(),
        some => format!(
            "; of {some} the features came with the request, so that they may be about another than the entity of this name: a \
             label that is sent by request_id settles it"
        ),
    };
    let sent = counted.labelled - of_months;
    Some(format!(
        "{of_months} of the labels that count are those of ingested months, {sent} {} sent{assumed}.",
        if sent == 1 { "was" } else { "were" }
    ))
}

/// The estimate of the deciding metric of a classifier.
fn of_scores(known: &Known, judged: &Judged, metric: Metric) -> anyhow::Result<Option<EstimatedValue>> {
    let Some(Reference { scored, folds }) = &known.reference else { return Ok(None) };
    let seed = known.version.seed();
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
