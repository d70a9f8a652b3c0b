//! A month as a version of the model saw it: its scores, and the rows that may judge it.

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use rayon::prelude::*;
use streamflow_dataset::{Error, Period, PointInTime, Snapshots};
use streamflow_model::{Features, Model, TrainedEntities, is_validation};
use streamflow_performance::Validated;

use super::judged::Judged;
use crate::drift::TrainingTable;

/// A version of the model and the month it learned from.
pub struct Version {
    pub number: i64,
    pub as_of: Period,
    pub model: Model,
    pub learning: Learning,
}

/// What is known of the rows that a version was trained on.
#[derive(Debug, Clone)]
pub enum Learning {
    /// It was trained here: a share of the entities was held out.
    Split { seed: u64, validation_share: f64 },
    /// It was trained here on all months until this one; the month of the version judged it.
    Time { seed: u64, until: Period },
    /// It was trained elsewhere.
    Elsewhere(Elsewhere),
}

/// What is known of a training elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Elsewhere {
    /// The last date of its data, where somebody has said it.
    pub until: Option<Period>,
    /// Its entities, where somebody has listed them.
    pub entities: Option<Arc<TrainedEntities>>,
    /// The month that judged it at import on rows that it was not trained on, and what it came to there.
    pub judged: Option<(Period, Validated)>,
}

impl Version {
    /// The seed of what is drawn to judge it.
    pub fn seed(&self) -> u64 {
        match self.learning {
            Learning::Split { seed, .. } | Learning::Time { seed, .. } => seed,
            Learning::Elsewhere(_) => 0,
        }
    }

    /// The newest month that it learned from, as far as that is known.
    pub fn trained_on(&self) -> Period {
        match self.learning {
            Learning::Time { until, .. } => until,
            Learning::Split { .. } | Learning::Elsewhere(_) => self.as_of,
        }
    }

    /// The month whose held-out or unseen rows judged it; none of an import that no row is known to be new to.
    pub fn judged_on(&self) -> Option<Period> {
        match &self.learning {
            Learning::Split { .. } | Learning::Time { .. } => Some(self.as_of),
            Learning::Elsewhere(elsewhere) => elsewhere.judged.map(|(month, _)| month),
        }
    }

    /// Whether it was trained elsewhere and may know the rows of this month, of which none can be told apart.
    pub fn may_know(&self, month: Period) -> bool {
        match &self.learning {
            Learning::Split { .. } | Learning::Time { .. } => false,
            Learning::Elsewhere(Elsewhere { entities: Some(_), .. }) => false,
            Learning::Elsewhere(Elsewhere { until, .. }) => until.is_none_or(|until| month <= until),
        }
    }
}

/// The rows of a month that a version was not trained on, with its scores.
pub struct Scored {
    pub judged: Judged,
    /// The entity of each row.
    pub entities: Vec<String>,
    /// What the version was given, of all rows of the month.
    pub features: Features,
    /// The place in `features` of each row.
    pub places: Vec<usize>,
    /// Rows of the month that the version was trained on, and that are left out.
    pub trained_on: usize,
}

/// Reads the table of a month that was ingested on exactly that date.
pub fn month(snapshots: &Snapshots, as_of: Period) -> anyhow::Result<TrainingTable> {
    let frame = snapshots.point_in_time(as_of, PointInTime { labels: true, exact: true })?;
    let spec = snapshots.spec();
    TrainingTable::new(frame, &spec.entity, &spec.label)
}

/// Which entities a version was trained on.
pub enum TrainedOn {
    /// Those that were in its month with a label.
    Known(HashSet<String>),
    /// The month is gone; those that the split would have left to train on.
    Split { seed: u64, validation_share: f64 },
    /// All of the months until this one, and none of a later month.
    Until(Period),
    /// Nobody can say it of single entities: see [`Version::may_know`].
    Elsewhere,
    /// Those that somebody has listed.
    Listed(Arc<TrainedEntities>),
}

impl TrainedOn {
    /// True for a row of a month whose entity the version was trained on, or may have been where that can no longer be known.
    pub fn contains(&self, month: Period, entity: &str) -> bool {
        match self {
            TrainedOn::Until(until) => month <= *until,
            TrainedOn::Known(known) => known.contains(entity),
            TrainedOn::Split { seed, validation_share } => !is_validation(*seed, entity, *validation_share),
            TrainedOn::Elsewhere => false,
            TrainedOn::Listed(listed) => listed.contains(entity),
        }
    }
}

/// The table that judged a version first, where its month is still there, and the entities it was trained on.
pub fn learned(
    snapshots: &Snapshots,
    version: &Version,
) -> anyhow::Result<(TrainedOn, Option<TrainingTable>)> {
    let judged_on = version.judged_on().map(|period| (period, month(snapshots, period)));
    let table = match judged_on {
        None => None,
        Some((_, Ok(table))) => Some(table),
        Some((_, Err(error))) if matches!(error.downcast_ref(), Some(Error::NoSnapshot { .. })) => None,
        Some((period, Err(error))) => return Err(error.context(format!("cannot read {period}"))),
    };
    let (seed, validation_share) = match &version.learning {
        Learning::Split { seed, validation_share } => (*seed, *validation_share),
        Learning::Time { until, .. } => return Ok((TrainedOn::Until(*until), table)),
        Learning::Elsewhere(elsewhere) => {
            let listed = elsewhere.entities.clone();
            return Ok((listed.map_or(TrainedOn::Elsewhere, TrainedOn::Listed), table));
        }
    };
    let trained_on = table.as_ref().map_or(TrainedOn::Split { seed, validation_share }, |table| {
        let is_known = |row: &usize| {
            table.labels.is_known(*row) && !is_validation(seed, &table.entities[*row], validation_share)
        };
        let known = (0..table.entities.len()).into_par_iter().filter(is_known);
        TrainedOn::Known(known.map(|row| table.entities[row].clone()).collect())
    });
    Ok((trained_on, table))
}

impl Scored {
    /// Scores a month with a version and leaves out the entities that it was trained on.
    ///
    /// # Errors
    /// A month whose rows the version was trained on, all of them. A feature that the month lacks, or has in another type than the version learned.
    pub fn new(
        (month, table): (Period, TrainingTable),
        version: &Version,
        trained: &TrainedOn,
    ) -> anyhow::Result<Self> {
        if let TrainedOn::Until(until) = trained
            && month <= *until
        {
            bail!(
                "version {} was trained on all rows of the months until {until}; expected a later month, which may judge it",
                version.number
            );
        }
        let model = &version.model;
        let TrainingTable { features, labels, entities } = table;
        let total = entities.len();
        let places: Vec<usize> =
            (0..total).into_par_iter().filter(|&row| !trained.contains(month, &entities[row])).collect();
        let answers = model
            .predict_rows(&features, &places)
            .with_context(|| format!("version {} cannot score this month", version.number))?
            .answers;
        let judged = Judged::new(labels.select(&places), answers, model.classes(), model.threshold())?;
        let entities = places.iter().map(|&row| entities[row].clone()).collect();
        Ok(Self { judged, entities, features, trained_on: total - places.len(), places })
    }
}
