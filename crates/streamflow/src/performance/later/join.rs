//! Answers and labels, put together.

use std::collections::{BTreeMap, HashMap, HashSet};

use streamflow_model::Task;

use super::group::Group;
use super::hour::{Answer, Hour, hash};
use super::{Later, Unit, Versions};
use crate::predictions::Logged;
use crate::store::labels::{Taken, Truth};

/// Requests that are named where their labels are of no use.
const MOST_NAMED: usize = 5;

/// The labels of an ingested month.
pub struct MonthLabels {
    /// Since when the month has them, in microseconds since 1970; 0 where nobody knows.
    pub at_us: i64,
    /// By the [`hash`] of the entity as the log has it.
    pub truths: HashMap<u64, Truth>,
}

/// Reads the labels of a month by its date; none where it was not ingested.
pub type ReadMonth<'a> = dyn FnMut(&str) -> anyhow::Result<Option<MonthLabels>> + 'a;

/// Joins answers, one after another, with labels.
///
/// The label of an ingested month is that of every answer about the entity that was made from this month; a label that was
/// sent is that of one answer. Where an answer has both, the newer counts.
pub struct Join<'a> {
    unit: Unit,
    task: Task,
    labels: Vec<Taken>,
    /// Labels by their request, and by their entity where they name a time.
    of_request: HashMap<u64, Vec<usize>>,
    of_entity: HashMap<u64, Vec<usize>>,
    /// For each label the answers that it may be of: their times and places.
    found: Vec<Vec<(i64, Place)>>,
    /// The labels whose request had an answer about another entity.
    of_another: HashSet<usize>,
    read_month: &'a mut ReadMonth<'a>,
    months: HashMap<String, Option<MonthLabels>>,
    groups: BTreeMap<(String, String), Group>,
    unfit: usize,
}

/// Period and version, and the row among their answers.
pub type Place = ((String, String), usize);

impl<'a> Join<'a> {
    /// A join with labels that were sent, and those of months.
    pub fn new(unit: Unit, task: Task, labels: Vec<Taken>, read_month: &'a mut ReadMonth<'a>) -> Self {
        let (mut of_request, mut of_entity) = (HashMap::new(), HashMap::new());
        for (place, Taken { label, .. }) in labels.iter().enumerate() {
            let (map, key): (&mut HashMap<u64, Vec<usize>>, _) = if label.request_id.is_empty() {
                (&mut of_entity, &label.entity)
            } else {
                (&mut of_request, &label.request_id)
            };
            map.entry(hash(key)).or_default().push(place);
        }
        let (found, of_another) = (vec![Vec::new(); labels.len()], HashSet::new());
        let (months, groups, unfit) = (HashMap::new(), BTreeMap::new(), 0);
        Self {
            unit,
            task,
            labels,
            of_request,
            of_entity,
            found,
            of_another,
            read_month,
            months,
            groups,
            unfit,
        }
    }

    /// Takes an answer with its features, which say in what labelled answers differ from others.
    ///
    /// # Errors
    /// As [`Join::add_answer`].
    pub fn add(&mut self, row: &Logged) -> anyhow::Result<()> {
        let (key, place) = self.add_answer(&row.into())?;
        if let Some(group) = self.groups.get_mut(&key) {
            group.keep_features(place, row);
        }
        Ok(())
    }

    /// Takes the answers of an hour whose times are wanted, with the features that the hour holds.
    ///
    /// # Errors
    /// As [`Join::add_answer`].
    pub fn add_hour(&mut self, hour: &Hour, is_wanted: impl Fn(i64) -> bool) -> anyhow::Result<()> {
        let mut places = Vec::with_capacity(hour.rows());
        for answer in hour.answers() {
            let taken = if is_wanted(answer.time_us) { Some(self.add_answer(&answer)?.1) } else { None };
            places.push(taken);
        }
        // No period ends within an hour.
        let period = self.unit.of(hour.start_us());
        for (shape, sample) in hour.samples() {
            if let Some(group) = self.groups.get_mut(&(period.clone(), shape.version.clone())) {
                group.absorb(sample, |row| places.get(row).copied().flatten());
            }
        }
        Ok(())
    }

    /// Takes an answer; where it stands.
    ///
    /// # Errors
    /// Labels of a month that cannot be read.
    pub fn add_answer(&mut self, answer: &Answer<'_>) -> anyhow::Result<Place> {
        let Answer { shape, time_us, .. } = *answer;
        let key = (self.unit.of(time_us), shape.version.clone());
        let (task, most) = (self.task, self.unit.sample_rows());
        let group = self.groups.entry(key.clone()).or_insert_with(|| Group::new(task, most));
        let row_place = group.add(answer);
        if !self.months.contains_key(&shape.as_of) {
            let read = (self.read_month)(&shape.as_of)?;
            self.months.insert(shape.as_of.clone(), read);
        }
        if let Some(month) = self.months.get(&shape.as_of).and_then(Option::as_ref)
            && let Some(truth) = answer.entity.and_then(|entity| month.truths.get(&entity))
        {
            group.label_by_month(row_place, truth, month.at_us);
        }
        let place = (key, row_place);
        let of_request = answer.request.and_then(|request| self.of_request.get(&request));
        for &label in of_request.into_iter().flatten() {
            let named = &self.labels[label].label.entity;
            if named.is_empty() {
                self.found[label].push((time_us, place.clone()));
            } else if Some(hash(named)) == answer.entity {
                // Of a request that was sent again, or a batch with an entity twice, the newest answer.
                keep_newest(&mut self.found[label], time_us, &place);
            } else {
                self.of_another.insert(label);
            }
        }
        let of_entity = answer.entity.and_then(|entity| self.of_entity.get(&entity));
        for &label in of_entity.into_iter().flatten() {
            // The newest answer up to the label's time.
            if time_us <= self.labels[label].label.time_us {
                keep_newest(&mut self.found[label], time_us, &place);
            }
        }
        Ok(place)
    }

    /// Gives the labels to their answers and measures.
    ///
    /// # Errors
    /// Scores that the metrics do not take.
    pub fn measure(mut self, version_of: &mut Versions<'_>) -> anyhow::Result<Later> {
        let mut later = Later::default();
        for (number, (taken, found)) in self.labels.iter().zip(&self.found).enumerate() {
            match &found[..] {
                [] if self.of_another.contains(&number) => {
                    later.mismatched_labels += 1;
                    if later.mismatched.len() < MOST_NAMED {
                        later.mismatched.push(taken.label.request_id.clone());
                    }
                }
                [] => later.unknown_labels += 1,
                [(_, (key, row))] => {
                    let group = self.groups.get_mut(key);
                    let fits = group.is_none_or(|group| group.label(*row, &taken.label.truth, taken.at_us));
                    self.unfit += usize::from(!fits);
                }
                _ => later.ambiguous_labels += 1,
            }
        }
        later.unfit_labels = self.unfit;
        for ((period, version), group) in self.groups {
            let known = version_of.find(&version)?;
            later.periods.push(group.measure(period, version, known)?);
        }
        Ok(later)
    }
}

/// Puts an answer in the place of an older one, or one of the same time.
fn keep_newest(found: &mut Vec<(i64, Place)>, time_us: i64, place: &Place) {
    if found.first().is_none_or(|(time, _)| *time <= time_us) {
        *found = vec![(time_us, place.clone())];
    }
}
