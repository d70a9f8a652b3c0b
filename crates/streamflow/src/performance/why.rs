//! Why performance fell: other inputs, or another relation of inputs and label.

use anyhow::Context as _;
use streamflow_model::{
    FeatureColumn, Features, Labels, MISSING, Task, TrainSettings, is_validation, split_position, train,
};
use streamflow_performance::{Decomposition, DecompositionSettings, LabelledPeriod};

use super::judged::{Judged, loss_words};
use super::scored::Scored;

/// Rows of a month beyond which a part of its entities answers for all.
const ROWS_MAX: f64 = 10_000.0;
/// Classifiers that tell the months apart; each is asked about the rows that it did not see.
const CLASSIFIERS: u64 = 2;
/// Share of the entities that each classifier does not see.
const HELD_OUT: f64 = 0.5;

/// The labelled rows of a month.
struct Side<'a> {
    scored: &'a Scored,
    /// Places among the rows of `scored`.
    rows: Vec<usize>,
    losses: Vec<f64>,
    /// Whether each is positive; false of a task without a positive class.
    labels: Vec<bool>,
}

impl<'a> Side<'a> {
    fn new(scored: &'a Scored, seed: u64) -> Self {
        let all = scored.judged.losses();
        let share = ROWS_MAX / all.len().max(1) as f64;
        let is_chosen =
            |row: &usize| !all[*row].is_nan() && split_position(!seed, &scored.entities[*row]) < share;
        let rows: Vec<usize> = (0..all.len()).filter(is_chosen).collect();
        let is_positive = |row: &usize| match &scored.judged {
            Judged::Binary(rows) => rows.labels()[*row] == Some(true),
            Judged::Multiclass(_) | Judged::Regression(_) => false,
        };
        let labels = rows.iter().map(is_positive).collect();
        Self { losses: rows.iter().map(|&row| all[row]).collect(), labels, scored, rows }
    }

    fn period<'b>(&'b self, current_probability: &'b [f64]) -> LabelledPeriod<'b> {
        LabelledPeriod { losses: &self.losses, current_probability, labels: &self.labels }
    }

    fn entities(&self) -> impl Iterator<Item = &'a str> {
        let scored = self.scored;
        self.rows.iter().map(move |&row| scored.entities[row].as_str())
    }
}

/// Splits the change of the mean loss from the rows a version was validated on to those of a month.
///
/// # Errors
/// Months whose features differ in kind; too few rows to tell the months apart.
pub fn decompose(reference: &Scored, current: &Scored, seed: u64) -> anyhow::Result<Decomposition> {
    let sides = [Side::new(reference, seed), Side::new(current, seed)];
    let features = stacked(&sides)?;
    let entities: Vec<&str> = sides[0].entities().chain(sides[1].entities()).collect();
    let before = sides[0].rows.len();
    let is_current = Labels::Binary((0..entities.len()).map(|row| Some(row >= before)).collect());
    let probabilities = probabilities(&features, &is_current, &entities, seed)?;
    let settings = DecompositionSettings {
        loss: loss_words(current.judged.task()).to_owned(),
        seed,
        ..DecompositionSettings::default()
    };
    let (old, new) = probabilities.split_at(before);
    let mut found = settings.decompose(&sides[0].period(old), &sides[1].period(new))?;
    if current.judged.task() != Task::Binary {
        (found.reference_base_rate, found.current_base_rate, found.base_rate_change) = (None, None, None);
    }
    Ok(found)
}

/// For each row the probability of being current, by classifiers that did not see its entity; NaN where each saw it.
fn probabilities(
    features: &Features,
    is_current: &Labels,
    entities: &[&str],
    seed: u64,
) -> anyhow::Result<Vec<f64>> {
    let (mut sums, mut counts) = (vec![0.0; entities.len()], vec![0_u32; entities.len()]);
    for number in 1..=CLASSIFIERS {
        // Not the version's own seed: by that one all of these entities are held out.
        let seed = seed.wrapping_add(number);
        let settings = small(seed);
        let trained = train(features, is_current, entities, &settings)
            .context("cannot tell the inputs of the two months apart")?;
        let predictions = trained.model.predict(features)?;
        let found = predictions.probabilities();
        for (row, entity) in entities.iter().enumerate() {
            if is_validation(seed, entity, HELD_OUT) {
                sums[row] += found[row];
                counts[row] += 1;
            }
        }
    }
    let mean = |(sum, count): (f64, u32)| if count == 0 { f64::NAN } else { sum / f64::from(count) };
    Ok(sums.into_iter().zip(counts).map(mean).collect())
}

/// A model of few trees: months are told apart coarsely or not at all, and the monitoring of a month waits for it.
fn small(seed: u64) -> TrainSettings {
    TrainSettings {
        seed,
        validation_share: HELD_OUT,
        folds: 2,
        selection_rows: 2_000,
        learning_rate: 0.3,
        max_depths: vec![3],
        max_rounds: 40,
        early_stopping_rounds: 5,
        max_bins: 32,
        ..TrainSettings::default()
    }
}

/// The features of both months, one below the other.
fn stacked(sides: &[Side<'_>; 2]) -> anyhow::Result<Features> {
    let [reference, current] = sides;
    let mut columns = Vec::new();
    for (name, above) in reference.scored.features.names().iter().zip(reference.scored.features.columns()) {
        let below = current.scored.features.column(name);
        let below = below.with_context(|| format!("the month lacks the feature {name}"))?;
        let places = |side: &Side| side.rows.iter().map(|&row| side.scored.places[row]).collect::<Vec<_>>();
        let column = stack((above, &places(reference)), (below, &places(current)));
        columns.push((name.clone(), column.with_context(|| format!("feature {name} changed its kind"))?));
    }
    Ok(Features::new(columns)?)
}

/// Rows of two columns, one below the other; none where they differ in kind.
fn stack(above: (&FeatureColumn, &[usize]), below: (&FeatureColumn, &[usize])) -> Option<FeatureColumn> {
    let numbers = |values: &[f64], rows: &[usize]| rows.iter().map(|&row| values[row]).collect::<Vec<_>>();
    match (above.0, below.0) {
        (FeatureColumn::Numerical(first), FeatureColumn::Numerical(second)) => {
            let mut values = numbers(first, above.1);
            values.extend(numbers(second, below.1));
            Some(FeatureColumn::Numerical(values))
        }
        (
            FeatureColumn::Categorical { codes: first, levels },
            FeatureColumn::Categorical { codes: second, levels: others },
        ) => {
            let mut levels = levels.clone();
            let renamed: Vec<u32> = others
                .iter()
                .map(|level| {
                    levels.iter().position(|known| known == level).unwrap_or_else(|| {
                        levels.push(level.clone());
                        levels.len() - 1
                    }) as u32
                })
                .collect();
            let mut codes: Vec<u32> = above.1.iter().map(|&row| first[row]).collect();
            codes.extend(below.1.iter().map(|&row| match second[row] {
                MISSING => MISSING,
                code => renamed[code as usize],
            }));
            Some(FeatureColumn::Categorical { codes, levels })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_both_months_are_one_list() {
        let text = |codes: &[u32], levels: &[&str]| FeatureColumn::Categorical {
            codes: codes.to_vec(),
            levels: levels.iter().map(|&level| level.to_owned()).collect(),
        };
        let stacked = stack(
            (&text(&[0, 1, MISSING], &["a", "b"]), &[0, 1, 2]),
            (&text(&[0, 1, MISSING], &["c", "a"]), &[0, 1, 2]),
        );
        assert_eq!(stacked, Some(text(&[0, 1, MISSING, 2, 0, MISSING], &["a", "b", "c"])));
        let numbers = FeatureColumn::Numerical(vec![1.0, 2.0]);
        assert_eq!(stack((&numbers, &[1]), (&numbers, &[0])), Some(FeatureColumn::Numerical(vec![2.0, 1.0])));
        assert_eq!(stack((&numbers, &[0]), (&text(&[0], &["a"]), &[0])), None);
    }
}
