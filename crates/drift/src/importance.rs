//! Drift beside what the model uses: a drifted column that no answer depends on is another matter than one that all do.

use serde::{Deserialize, Serialize};

use crate::format::percent;
use crate::report::{Report, Status};

/// The share of drifted columns with every column weighted by what it contributes to the model's answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightedDrift {
    /// The model whose answers they are.
    pub model: String,
    /// What the drifted columns contribute, as a share of what all columns with a verdict contribute; decides nothing.
    pub drift_share: f64,
    /// The columns that the model takes, the one that contributes most first.
    pub columns: Vec<ColumnImportance>,
}

/// What a column contributes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnImportance {
    /// The column.
    pub column: String,
    /// Its share of what all columns with a verdict contribute.
    pub share: f64,
    /// Whether it has drifted.
    pub drifted: bool,
}

impl Report {
    /// Adds the drift weighted by what columns contribute: mean sizes of contributions to the answers of `model`, in any
    /// unit, by the name of the column. Nothing is added where no column with a verdict contributes anything.
    pub fn weigh(&mut self, model: &str, contributions: &[(String, f64)]) {
        let judged = |name: &str| {
            let counts = |column: &str| self.untested_drifted().any(|found| found.column == column);
            self.column(name).filter(|column| column.status == Status::Tested || counts(&column.name))
        };
        let found = contributions.iter().filter(|(_, size)| size.is_finite() && *size >= 0.0);
        let found: Vec<_> = found.filter_map(|(name, size)| Some((judged(name)?, *size))).collect();
        let total: f64 = found.iter().map(|(_, size)| size).sum();
        if total <= 0.0 {
            return;
        }
        let mut columns: Vec<ColumnImportance> = found
            .into_iter()
            .map(|(column, size)| ColumnImportance {
                column: column.name.clone(),
                share: size / total,
                drifted: column.drifted,
            })
            .collect();
        columns.sort_by(|a, b| b.share.total_cmp(&a.share).then_with(|| a.column.cmp(&b.column)));
        let drift_share = columns.iter().filter(|column| column.drifted).map(|column| column.share).sum();
        self.weighted = Some(WeightedDrift { model: model.to_owned(), drift_share, columns });
    }
}

impl WeightedDrift {
    /// What it says, in a sentence.
    pub(crate) fn sentence(&self) -> String {
        let drifted: Vec<&ColumnImportance> = self.columns.iter().filter(|column| column.drifted).collect();
        if drifted.is_empty() {
            return format!("No column that {} uses drifted.", self.model);
        }
        let most: Vec<String> = drifted
            .iter()
            .take(3)
            .map(|column| format!("{} {}", column.column, percent(column.share)))
            .collect();
        format!(
            "What drifted is {} of what columns contribute to the answers of {} ({}).",
            percent(self.drift_share),
            self.model,
            most.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use crate::{Column, DriftSettings, compare};

    #[test]
    fn drifted_columns_weigh_what_they_contribute() {
        let numbers = |shift: f64| (0..600).map(|i| f64::from(i % 97) + shift).collect::<Vec<f64>>();
        let of = |name: &str, shift| Column::float(name, numbers(shift));
        let reference = [of("a", 0.0), of("b", 0.0), of("c", 0.0)];
        let current = [of("a", 50.0), of("b", 0.0), of("c", 0.0)];
        let mut report = compare(&reference, &current, &DriftSettings::default()).unwrap();
        assert!(report.column("a").unwrap().drifted && !report.column("b").unwrap().drifted);
        report.weigh("churn version 3", &[]);
        report.weigh("churn version 3", &[("a".to_owned(), 0.0), ("gone".to_owned(), 5.0)]);
        assert_eq!(report.weighted, None);
        let contributions = [("b", 3.0), ("a", 1.0), ("gone", 9.0), ("c", f64::NAN)];
        let contributions = contributions.map(|(name, size)| (name.to_owned(), size));
        report.weigh("churn version 3", &contributions);
        let weighted = report.weighted.clone().unwrap();
        assert_eq!(weighted.drift_share, 0.25);
        assert_eq!(
            weighted.columns.iter().map(|c| (c.column.as_str(), c.share)).collect::<Vec<_>>(),
            [("b", 0.75), ("a", 0.25)]
        );
        let sentence =
            "What drifted is 25 % of what columns contribute to the answers of churn version 3 (a 25 %).";
        assert_eq!(weighted.sentence(), sentence);
        assert!(report.to_html().contains(sentence) && report.to_markdown().contains(sentence));
        assert_eq!(crate::Report::from_json(&report.to_json()).unwrap(), report);
    }
}
