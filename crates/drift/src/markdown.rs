//! The report as Markdown: for a pull request, a chat message or a flow's artifact.

use std::fmt::Write as _;

use crate::format::{number, p_value, percent, points};
use crate::html::escape;
use crate::report::{ColumnReport, Report, Status, TargetDrift};

impl Report {
    /// Verdict, decision and what drifted; stable columns are only counted.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = format!(
            "## Drift: {} against {}\n\n**{}**: {} ({}, threshold {}).\n",
            cell(&self.current.name),
            cell(&self.reference.name),
            self.decision.as_str(),
            self.headline(),
            percent(self.drift_share),
            percent(self.drift_share_threshold),
        );
        if let Some(weighted) = &self.weighted {
            let _ = writeln!(text, "\n{}", cell(&weighted.sentence()));
        }
        if let Some(target) = &self.target_drift {
            let _ = writeln!(text, "\nTarget drift {}: {}.", number(target.difference), self::target(target));
        }
        if let Some(change) = &self.target_change {
            let (difference, words) = (number(change.difference), change.words());
            let _ = writeln!(text, "\nTarget drift {difference}: {}: {words}.", cell(&change.column));
        }
        if self.drifted_columns > 0 {
            text += "\n| Column | What changed | Score | Threshold | p (adjusted) |\n|---|---|--:|--:|--:|\n";
            self.drifted().for_each(|column| row(&mut text, column));
        }
        let broken: Vec<&ColumnReport> = self
            .columns
            .iter()
            .filter(|column| column.status == Status::NotComputable && !column.drifted)
            .collect();
        if !broken.is_empty() {
            text += "\nNot computable:\n";
            for column in broken {
                let _ = writeln!(
                    text,
                    "- {}: {}",
                    cell(&column.name),
                    cell(column.reason.as_deref().unwrap_or(""))
                );
            }
        }
        text
    }
}

/// The label, its rates and the interval of their difference.
pub(crate) fn target(target: &TargetDrift) -> String {
    let interval = &target.change_interval;
    format!(
        "{} {} → {} ({} points, {} interval {} to {})",
        cell(&target.column),
        percent(target.reference_rate),
        percent(target.current_rate),
        points(target.current_rate - target.reference_rate),
        percent(interval.confidence),
        points(interval.low),
        points(interval.high),
    )
}

fn row(text: &mut String, column: &ColumnReport) {
    let by_values = column.effect_size.as_ref().is_some_and(|effect| effect.is_large());
    let (score, threshold, p) = match (&column.missing, &column.effect_size) {
        // The missing share alone made it drift: tell its numbers.
        (Some(missing), _) if missing.drifted && !by_values => {
            let change = (missing.current_share - missing.reference_share).abs();
            (Some(change), Some(missing.threshold), missing.adjusted_p_value)
        }
        (_, Some(effect)) => (effect.value, Some(effect.threshold), column.adjusted_p_value),
        (_, None) => (column.score, column.threshold, column.adjusted_p_value),
    };
    let show = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), number);
    let p = p.or(column.p_value).map_or_else(|| "–".to_owned(), p_value);
    let (name, words) = (cell(&column.name), cell(&column.explanation));
    let _ = writeln!(text, "| {name} | {words} | {} | {} | {p} |", show(score), show(threshold));
}

/// Text that neither ends its cell nor marks anything up.
pub(crate) fn cell(text: &str) -> String {
    let mut safe = String::new();
    // Quotes mean nothing outside an attribute.
    for c in escape(text).replace("&quot;", "\"").replace("&#39;", "'").chars() {
        match c {
            '\n' | '\t' => safe.push(' '),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '#' | '~' => {
                safe.push('\\');
                safe.push(c);
            }
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use crate::{Column, DriftSettings, compare};

    #[test]
    fn the_summary_names_what_drifted_and_nothing_else() {
        let column =
            |name: &str, shift: i32| Column::float(name, (0..200).map(|i| f64::from(i + shift)).collect());
        let reference = [column("a|b", 0), column("still", 0), Column::float("gone", vec![1.0; 200])];
        let report =
            compare(&reference, &[column("a|b", 58), column("still", 0)], &DriftSettings::default()).unwrap();
        let expected = "## Drift: current against reference\n\n\
            **RETRAINING\\_TRIGGERED**: 2 of 3 columns drifted, 1 of them because they cannot be tested any more (66.7 %, threshold 30 %).\n\n\
            | Column | What changed | Score | Threshold | p (adjusted) |\n|---|---|--:|--:|--:|\n\
            | a\\|b | Mean rose by 1.00 standard deviations, from 99.5 to 158 | 1 | 0.1 | <0.0001 |\n\
            | gone | Cannot be tested any more, which counts as drift: only in reference | – | – | – |\n";
        assert_eq!(report.to_markdown().replace("RETRAINING_TRIGGERED", "RETRAINING\\_TRIGGERED"), expected);
    }
}
