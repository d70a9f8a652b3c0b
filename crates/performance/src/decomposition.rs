//! Why performance changed: other inputs, or another relation of inputs and label.

use serde::{Deserialize, Serialize};
use streamflow_stats::{Random, sum};

use crate::bootstrap::percentile_intervals;
use crate::error::{self, Error};
use crate::interval::Interval;

/// Labelled rows of one period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelledPeriod<'a> {
    /// Loss of each row, NaN where there is none: log loss, or 1 for a wrong prediction and 0 for a right one. 1 − AUC is
    /// no mean over rows and has no such parts.
    pub losses: &'a [f64],
    /// P(current | x): the probability by the row's inputs alone that it is of the current period, from a classifier that
    /// did not see the row; NaN where there is none.
    pub current_probability: &'a [f64],
    /// The label of each row.
    pub labels: &'a [bool],
}

/// How a change is decomposed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecompositionSettings {
    /// What the loss is called in the sentence.
    pub loss: String,
    /// Share of current rows that the classifier was trained with; `None` for the share among the rows given.
    pub current_share: Option<f64>,
    /// Seed of the intervals.
    pub seed: u64,
}

impl Default for DecompositionSettings {
    fn default() -> Self {
        Self { loss: "log loss".to_owned(), current_share: None, seed: 0 }
    }
}

/// A change with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// How much.
    pub value: f64,
    /// Its percentile bootstrap interval.
    pub interval: Option<Interval>,
}

/// The three parts of a change of the mean loss; they sum to it. P and Q are the inputs of the reference and of the
/// current period, S those that both have, and R the mean loss of a row with these inputs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Parts {
    /// Inputs that moved among those the reference has: `E_S[R_P] − E_P[R_P]`.
    pub frequent_inputs: Change,
    /// Another relation of inputs and label where both periods have rows: `E_S[R_Q] − E_S[R_P]`.
    pub relation: Change,
    /// Inputs that the reference hardly has: `E_Q[R_Q] − E_S[R_Q]`.
    pub new_inputs: Change,
    /// Effective rows of the reference on the shared inputs, (Σw)²/Σw².
    pub shared_reference_rows: f64,
    /// Effective rows of the current period on the shared inputs.
    pub shared_current_rows: f64,
}

/// Why the mean loss changed from the reference to the current period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decomposition {
    /// Rows of the reference that were used.
    pub reference_rows: usize,
    /// Current rows that were used.
    pub current_rows: usize,
    /// Rows of both that lack a loss or a probability.
    pub left_out: usize,
    /// Mean loss of the reference; `None` without rows.
    pub reference_loss: Option<f64>,
    /// Mean loss of the current period; `None` without rows.
    pub current_loss: Option<f64>,
    /// Its change; `None` without rows on both sides.
    pub change: Option<Change>,
    /// What the change consists of; `None` when the periods hardly share inputs.
    pub parts: Option<Parts>,
    /// Share of positive rows in the reference.
    pub reference_base_rate: Option<f64>,
    /// Share of positive rows in the current period.
    pub current_base_rate: Option<f64>,
    /// Its change: another base rate shows in the relation, or in the inputs when these explain it.
    pub base_rate_change: Option<Change>,
    /// All of it in a sentence.
    pub sentence: String,
}

/// Effective shared rows below which no part is told from another.
const LEAST_SHARED_ROWS: f64 = 30.0;

/// Rows that are resampled one by one; more are resampled in so many groups of every so many-th row.
const RESAMPLED_GROUPS: usize = 4_096;

impl DecompositionSettings {
    /// Decomposes the change of the mean loss by a distribution S of inputs that both periods have, of density ∝ pq/(p +
    /// q): rows of the reference are weighted with q/(p + q), current ones with p/(p + q), where q/p = π/(1 − π) · (1 −
    /// α)/α for the probability π of being current and the share α of current rows in the classifier's training.
    ///
    /// The weights are in [0, 1], so no row can outweigh the others by much. Intervals resample the rows of each period
    /// 1,000 times (above 4,096 rows in groups); they take the probabilities as given, and are too narrow by what the
    /// classifier errs. Parts are shown when both periods have at least 30 effective rows on S. O(n).
    ///
    /// Source: T. Cai, H. Namkoong and S. Yadlowsky, "Diagnosing Model Performance Under Distribution Shift" (2023),
    /// arXiv:2303.02011, doi:10.1287/opre.2023.0217.
    ///
    /// # Errors
    /// [`Error::Unaligned`], [`Error::NotAProbability`], [`Error::NotFinite`] for an infinite loss, [`Error::Setting`] for
    /// a share that is not inside (0, 1).
    pub fn decompose(
        &self,
        reference: &LabelledPeriod,
        current: &LabelledPeriod,
    ) -> Result<Decomposition, Error> {
        let rows = [usable(reference)?, usable(current)?];
        let share = self.share(&rows)?;
        let sides = [Side::new(reference, &rows[0], share, false), Side::new(current, &rows[1], share, true)];
        let found = Quantities::of(&sides.each_ref().map(|side| side.total));
        let intervals = percentile_intervals(self.seed, |random| {
            let drawn = sides.each_ref().map(|side| side.resample(random));
            Quantities::of(&drawn).values()
        });
        let [change, frequent, relation, new, base_rate] = std::array::from_fn(|place| {
            found.values()[place].map(|value| Change { value, interval: intervals[place] })
        });
        let shared = sides.each_ref().map(Side::effective_rows);
        let enough = shared.iter().all(|rows| *rows >= LEAST_SHARED_ROWS);
        let parts =
            frequent.zip(relation).zip(new).filter(|_| enough).map(|((frequent, relation), new)| Parts {
                frequent_inputs: frequent,
                relation,
                new_inputs: new,
                shared_reference_rows: shared[0],
                shared_current_rows: shared[1],
            });
        let mut decomposition = Decomposition {
            reference_rows: rows[0].len(),
            current_rows: rows[1].len(),
            left_out: reference.losses.len() + current.losses.len() - rows[0].len() - rows[1].len(),
            reference_loss: found.losses[0],
            current_loss: found.losses[1],
            change,
            parts,
            reference_base_rate: found.base_rates[0],
            current_base_rate: found.base_rates[1],
            base_rate_change: base_rate,
            sentence: String::new(),
        };
        decomposition.sentence = decomposition.to_sentence(&self.loss);
        Ok(decomposition)
    }

    /// The share of current rows that the probabilities assume.
    fn share(&self, rows: &[Vec<usize>; 2]) -> Result<f64, Error> {
        let (reference, current) = (rows[0].len() as f64, rows[1].len() as f64);
        match self.current_share {
            Some(share) if share > 0.0 && share < 1.0 => Ok(share),
            Some(value) => {
                Err(Error::Setting { name: "current_share", value, expected: "a number between 0 and 1" })
            }
            None if reference > 0.0 && current > 0.0 => Ok(current / (reference + current)),
            None => Ok(0.5),
        }
    }
}

/// The rows with loss and probability.
fn usable(period: &LabelledPeriod) -> Result<Vec<usize>, Error> {
    let losses = ("the losses", period.losses.len());
    error::aligned(("the probabilities of being current", period.current_probability.len()), losses)?;
    error::aligned(("the labels", period.labels.len()), losses)?;
    error::probabilities("probability of being current", period.current_probability)?;
    if let Some(row) = period.losses.iter().position(|loss| loss.is_infinite()) {
        return Err(Error::NotFinite { what: "loss", row, value: period.losses[row] });
    }
    let known = |row: &usize| !period.losses[*row].is_nan() && !period.current_probability[*row].is_nan();
    Ok((0..period.losses.len()).filter(known).collect())
}

/// Sums over rows: how many, of losses, of weights, of weighted losses, of positive labels.
type Sums = [f64; 5];

fn add(sums: &mut Sums, more: &Sums) {
    sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}

/// The rows of one period, in groups.
struct Side {
    groups: Vec<Sums>,
    total: Sums,
    squared_weights: f64,
}

impl Side {
    fn new(period: &LabelledPeriod, rows: &[usize], current_share: f64, is_current: bool) -> Self {
        let weight = |probability: f64| {
            let (current, reference) =
                (probability / current_share, (1.0 - probability) / (1.0 - current_share));
            (if is_current { reference } else { current }) / (current + reference)
        };
        let of_row = |&row: &usize| {
            let (loss, weight) = (period.losses[row], weight(period.current_probability[row]));
            [1.0, loss, weight, weight * loss, f64::from(u8::from(period.labels[row]))]
        };
        let mut groups = vec![Sums::default(); rows.len().min(RESAMPLED_GROUPS)];
        for (place, row) in rows.iter().enumerate() {
            let group = place % groups.len();
            add(&mut groups[group], &of_row(row));
        }
        let total = std::array::from_fn(|place| sum(rows.iter().map(|row| of_row(row)[place])));
        let squared_weights = rows.iter().map(|row| of_row(row)[2].powi(2)).sum();
        Self { groups, total, squared_weights }
    }

    fn resample(&self, random: &mut Random) -> Sums {
        let mut sums = Sums::default();
        for _ in 0..self.groups.len() {
            add(&mut sums, &self.groups[random.below(self.groups.len() as u64) as usize]);
        }
        sums
    }

    fn effective_rows(&self) -> f64 {
        if self.squared_weights > 0.0 { self.total[2].powi(2) / self.squared_weights } else { 0.0 }
    }
}

/// What is read from the sums of both periods.
struct Quantities {
    losses: [Option<f64>; 2],
    shared_losses: [Option<f64>; 2],
    base_rates: [Option<f64>; 2],
}

impl Quantities {
    fn of(sums: &[Sums; 2]) -> Self {
        let ratio = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
        Self {
            losses: sums.map(|sums| ratio(sums[1], sums[0])),
            shared_losses: sums.map(|sums| ratio(sums[3], sums[2])),
            base_rates: sums.map(|sums| ratio(sums[4], sums[0])),
        }
    }

    /// The change, its three parts and the change of the base rate.
    fn values(&self) -> [Option<f64>; 5] {
        let change = |from: Option<f64>, to: Option<f64>| Some(to? - from?);
        let ([reference, current], [of_reference, of_current]) = (self.losses, self.shared_losses);
        [
            change(reference, current),
            change(reference, of_reference),
            change(of_reference, of_current),
            change(of_current, current),
            change(self.base_rates[0], self.base_rates[1]),
        ]
    }
}

impl Change {
    /// Tells whether the interval leaves 0 out.
    #[must_use]
    pub fn is_significant(&self) -> bool {
        self.interval.is_some_and(|interval| !interval.contains(0.0))
    }
}

impl Decomposition {
    fn to_sentence(&self, loss: &str) -> String {
        let (Some(from), Some(to), Some(change)) = (self.reference_loss, self.current_loss, self.change)
        else {
            let empty = if self.reference_rows == 0 { "The reference" } else { "The current period" };
            return format!("{empty} has no rows with a loss, so no change of the {loss} is known.");
        };
        if !change.is_significant() {
            return format!("The mean {loss} did not change significantly, from {from:.3} to {to:.3}.");
        }
        let verb = if change.value > 0.0 { "rose" } else { "fell" };
        let found = format!("The mean {loss} {verb} from {from:.3} to {to:.3}");
        let Some(parts) = &self.parts else {
            return format!(
                "{found}, but the two periods hardly share inputs, so no cause can be told from another."
            );
        };
        let causes = [
            (parts.relation, "a changed relation of inputs and label"),
            (parts.frequent_inputs, "inputs that moved among those of the reference"),
            (parts.new_inputs, "inputs that the reference hardly has"),
        ];
        let helped =
            causes.iter().filter(|(part, _)| part.value * change.value > 0.0 && part.is_significant());
        let main = helped.max_by(|a, b| a.0.value.abs().total_cmp(&b.0.value.abs()));
        let listed: Vec<String> =
            causes.iter().map(|(part, cause)| format!("{:+.3} by {cause}", part.value)).collect();
        let main = match main {
            Some((_, cause)) => format!("mainly by {cause}"),
            None => "by no cause that stands out".to_owned(),
        };
        format!("{found}, {main} ({}).", listed.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Table {
        losses: Vec<f64>,
        probabilities: Vec<f64>,
        labels: Vec<bool>,
    }

    impl Table {
        fn period(&self) -> LabelledPeriod<'_> {
            LabelledPeriod {
                losses: &self.losses,
                current_probability: &self.probabilities,
                labels: &self.labels,
            }
        }
    }

    /// Rows with a binary input that is 1 in `share` of them, and a loss that depends on it, less noise.
    /// `others` is the share of 1 in the other period; probabilities are those of the ideal classifier.
    fn table(rows: u32, (share, others): (f64, f64), losses: [f64; 2], is_current: bool) -> Table {
        let noise = |row: u32| f64::from(row.wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24) - 0.5;
        let x: Vec<usize> =
            (0..rows).map(|row| usize::from((f64::from(row) + 0.5) / f64::from(rows) < share)).collect();
        let (current, reference) = if is_current { (share, others) } else { (others, share) };
        let probability = |x: usize| {
            if x == 1 {
                current / (current + reference)
            } else {
                (1.0 - current) / (2.0 - current - reference)
            }
        };
        Table {
            losses: (0..rows).zip(&x).map(|(row, &x)| losses[x] + 0.2 * noise(row)).collect(),
            probabilities: x.iter().map(|&x| probability(x)).collect(),
            labels: x.iter().map(|&x| x == 1).collect(),
        }
    }

    fn decompose(reference: &Table, current: &Table) -> Decomposition {
        DecompositionSettings::default().decompose(&reference.period(), &current.period()).unwrap()
    }

    fn parts(found: &Decomposition) -> [f64; 3] {
        let parts = found.parts.unwrap();
        [parts.frequent_inputs.value, parts.relation.value, parts.new_inputs.value]
    }

    #[test]
    fn planted_causes_are_told_apart() {
        let check = |current: Table, reference: Table, expected: [f64; 3], words: &str| {
            let found = decompose(&reference, &current);
            let change = found.change.unwrap();
            for (found, expected) in parts(&found).into_iter().zip(expected) {
                assert!((found - expected).abs() < 0.01, "{found} instead of {expected}");
            }
            assert!((parts(&found).iter().sum::<f64>() - change.value).abs() < 1e-12, "{found:?}");
            assert!(change.interval.unwrap().contains(change.value), "{found:?}");
            assert!(found.sentence.contains(words), "{}", found.sentence);
        };
        let same = [0.4, 0.8];
        // Nothing changed.
        check(
            table(4000, (0.3, 0.3), same, true),
            table(3000, (0.3, 0.3), same, false),
            [0.0, 0.0, 0.0],
            "did not change significantly",
        );
        // The relation alone: +0.2 everywhere.
        check(
            table(4000, (0.3, 0.3), [0.6, 1.0], true),
            table(4000, (0.3, 0.3), same, false),
            [0.0, 0.2, 0.0],
            "mainly by a changed relation of inputs and label",
        );
        // Inputs alone: E_S of x is p₁q₁/(p₁+q₁) : p₀q₀/(p₀+q₀) = .225 : .21875 at shares .3 and .9; losses differ by .4.
        let shared = (0.27 / 1.2) / (0.27 / 1.2 + 0.07 / 0.8);
        check(
            table(4000, (0.9, 0.3), same, true),
            table(4000, (0.3, 0.9), same, false),
            [0.4 * (shared - 0.3), 0.0, 0.4 * (0.9 - shared)],
            "mainly by inputs that moved among those of the reference",
        );
    }

    #[test]
    fn periods_that_share_nothing_have_no_parts() {
        let mut reference = table(1000, (0.5, 0.5), [0.4, 0.4], false);
        let mut current = table(1000, (0.5, 0.5), [0.8, 0.8], true);
        reference.probabilities.fill(0.0);
        current.probabilities.fill(1.0);
        let found = decompose(&reference, &current);
        assert_eq!(found.parts, None);
        assert!(found.sentence.contains("hardly share inputs"), "{}", found.sentence);
    }

    #[test]
    fn base_rates_are_reported_beside() {
        let found = decompose(
            &table(2000, (0.3, 0.5), [0.4, 0.4], false),
            &table(2000, (0.5, 0.3), [0.4, 0.4], true),
        );
        assert_eq!((found.reference_base_rate, found.current_base_rate), (Some(0.3), Some(0.5)));
        let change = found.base_rate_change.unwrap();
        assert!((change.value - 0.2).abs() < 1e-12 && change.is_significant(), "{change:?}");
    }

    #[test]
    fn rows_without_loss_are_left_out_and_empty_sides_said() {
        let mut reference = table(10, (0.5, 0.5), [0.4, 0.4], false);
        reference.losses[3] = f64::NAN;
        let none = Table { losses: vec![], probabilities: vec![], labels: vec![] };
        let found = decompose(&reference, &none);
        assert_eq!((found.reference_rows, found.current_rows, found.left_out), (9, 0, 1));
        assert_eq!((found.change, found.parts, found.current_loss), (None, None, None));
        assert!(found.sentence.starts_with("The current period has no rows"), "{}", found.sentence);
        assert!(decompose(&none, &reference).sentence.starts_with("The reference has no rows"));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let good = table(4, (0.5, 0.5), [0.4, 0.4], false);
        let settings = DecompositionSettings { current_share: Some(1.0), ..DecompositionSettings::default() };
        assert!(settings.decompose(&good.period(), &good.period()).is_err());
        let check = |change: fn(&mut Table), message: &str| {
            let mut bad = table(4, (0.5, 0.5), [0.4, 0.4], false);
            change(&mut bad);
            let error =
                DecompositionSettings::default().decompose(&good.period(), &bad.period()).unwrap_err();
            assert!(error.to_string().starts_with(message), "{error}");
        };
        check(|bad| bad.probabilities[1] = -0.1, "row 1 has the probability of being current -0.1");
        check(|bad| bad.losses[2] = f64::INFINITY, "row 2 has the loss inf");
        check(|bad| bad.labels.truncate(1), "the labels have 1 rows and the losses have 4");
    }
}
