//! The history as Markdown: for a pull request, a chat message or a flow's artifact.

use std::fmt::Write as _;

use super::{ColumnHistory, History};
use crate::format::{count, percent};
use crate::markdown::{cell, target};

impl History {
    /// The headline, a row per month and a row per column that drifted in any.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = format!(
            "## Drift: {} against {}\n\n**{}** (threshold {} of the columns that count).\n\n| {} | Rows | Drifted | Share | Decision | Target |\n|---|--:|--:|--:|---|---|\n",
            cell(&self.span()),
            cell(&self.reference.name),
            self.headline(),
            percent(self.drift_share_threshold),
            self.unit_heading(),
        );
        for month in &self.months {
            let _ = writeln!(
                text,
                "| {} | {} | {} of {} | {} | {} | {} |",
                cell(&month.current.name),
                month.current.rows,
                month.drifted_columns,
                month.judged_columns(),
                percent(month.drift_share),
                cell(month.decision.as_str()),
                month.target_drift.as_ref().map_or_else(|| "–".to_owned(), target),
            );
        }
        if self.columns.iter().any(|column| column.drifted_months() > 0) {
            text += "\n| Column | Drifted in | Farthest |\n|---|---|---|\n";
            self.columns.iter().filter(|column| column.drifted_months() > 0).for_each(|column| {
                self.row(&mut text, column);
            });
        }
        text
    }

    fn row(&self, text: &mut String, column: &ColumnHistory) {
        let farthest = column.peak().map_or_else(String::new, |(i, month)| {
            format!("{}: {}", self.months[i].current.name, super::panels::words(month))
        });
        let _ = writeln!(
            text,
            "| {} | {} of {} | {} |",
            cell(&column.name),
            column.drifted_months(),
            count(column.tested_months() as u64, self.unit()),
            cell(&farthest)
        );
    }
}
