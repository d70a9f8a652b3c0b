//! The report as one HTML file: no network, no fonts, readable without JavaScript.
//!
//! Names and categories are untrusted: every string from the data goes through [`escape`], and a policy in the page
//! forbids loading anything.

mod chart;
mod overview;
mod table;

use std::fmt::Write as _;

pub use chart::{Size, framed};
pub(crate) use table::measure;

use crate::report::{Report, Status};
use crate::settings::RuleSet;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// What a report's page says beside drift.
#[derive(Debug, Clone, Default)]
pub struct Addition {
    /// Why retraining is due whatever the columns say, in a sentence; none where it is not.
    pub retraining: Option<String>,
    /// A `<section>`, which is HTML.
    pub section: String,
    /// The style of the section.
    pub style: String,
}

impl Report {
    /// The report as a self-contained HTML page.
    #[must_use]
    pub fn to_html(&self) -> String {
        self.to_html_with(&Addition::default())
    }

    /// The page with what was found beside drift.
    #[must_use]
    pub fn to_html_with(&self, addition: &Addition) -> String {
        let title = format!("Drift: {} against {}", self.current.name, self.reference.name);
        let main = [
            overview::changes(self),
            addition.section.clone(),
            overview::datasets(self),
            table::columns(self),
            untested(self),
            reading(self.profile),
        ];
        page(&title, &addition.style, &overview::verdict(self, addition), &main.concat())
    }
}

/// A self-contained page in the style of the report; `style` comes on top of it, `header` and `main` are HTML.
#[must_use]
pub fn page(title: &str, style: &str, header: &str, main: &str) -> String {
    format!(
        r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none';style-src 'unsafe-inline';script-src 'unsafe-inline';base-uri 'none';form-action 'none'">
<title>{title}</title><style>{STYLE}{style}</style></head>
<body><div class="page"><header>{header}</header><main>
{main}</main></div>
<script>{SCRIPT}</script></body></html>
"#,
        title = escape(title),
    )
}

/// Text that cannot leave its place in HTML, be it content or a quoted attribute.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Not allowed in HTML; a parser would make something of its own of it.
            c if c.is_control() && !matches!(c, '\n' | '\t') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// The fragment that names a column: its place, as names may hold anything.
fn anchor(place: usize) -> String {
    format!("column-{place}")
}

/// Columns without a verdict, those that should have had one first.
fn untested(report: &Report) -> String {
    let mut rows = String::new();
    for status in [Status::NotComputable, Status::Ignored] {
        let columns = report.columns.iter().enumerate();
        for (place, column) in columns.filter(|(_, column)| column.status == status) {
            let _ = write!(
                rows,
                r#"<tr id="{}"><th scope="row"><bdi>{}</bdi></th><td>{}</td><td>{}</td></tr>"#,
                anchor(place),
                escape(&column.name),
                column.column_type.as_str(),
                escape(
                    &std::iter::once(&column.explanation)
                        .chain(&column.notes)
                        .map(String::as_str)
                        .collect::<Vec<_>>()
                        .join("; ")
                ),
            );
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    format!(
        r#"<section aria-labelledby="untested"><h2 id="untested">Not tested</h2><table class="plain"><thead class="sr"><tr><th scope="col">Column</th><th scope="col">Type</th><th scope="col">Reason</th></tr></thead><tbody>{rows}</tbody></table></section>"#
    )
}

/// What the verdicts of a profile mean.
pub(crate) fn reading(profile: RuleSet) -> String {
    let text = match profile {
        RuleSet::Calibrated => {
            "<p>A column has drifted when the difference is both significant and large: its p-value, adjusted over all tests of the report (Benjamini–Hochberg), is at most 0.05, and its effect size is at or over the threshold. A change of the missing share by 5 percentage points or more is judged in the same way.</p><p>When nothing has changed, at most one report in twenty names any column.</p>"
        }
        RuleSet::Evidently => {
            "<p>Tests, thresholds and verdicts are those of Evidently 0.7. A p-value is small when the sides differ; a distance, or the area under the ROC curve of a text classifier, is large. p-values are not adjusted for the number of columns.</p>"
        }
    };
    format!(
        r#"<section class="reading" aria-labelledby="reading"><h2 id="reading">How to read this</h2>{text}</section>"#
    )
}

#[cfg(test)]
mod tests {
    use crate::{Column, DriftSettings, compare};

    #[test]
    fn a_report_without_a_tested_column_is_a_page() {
        let empty = [Column::float("x", vec![f64::NAN])];
        let report = compare(&empty, &empty, &DriftSettings::default()).unwrap();
        let html = report.to_html();
        assert!(html.contains("No column could be tested"), "{html}");
        assert_eq!(report.nothing_tested().as_deref(), Some("x (no values in reference)"));
    }

    #[test]
    fn a_stored_report_with_an_empty_histogram_is_a_page() {
        let rows = [Column::float("x", (0..60).map(f64::from).collect())];
        let report = compare(&rows, &rows, &DriftSettings::default()).unwrap();
        let mut json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
        let edges = &mut json["columns"][0]["distribution"]["edges"];
        assert!(edges.is_array(), "{edges}");
        *edges = serde_json::json!([]);
        let report = crate::Report::from_json(&json.to_string()).unwrap();
        assert!(report.to_html().contains("<h2"));
    }

    #[test]
    fn hostile_names_stay_text() {
        let evil = "<script>alert('x')</script>\"&\u{0}\u{202e}";
        let rows =
            |shift: usize| (0..60).map(|i| Some(format!("{evil}{}", (i + shift) % 2))).collect::<Vec<_>>();
        let reference = [Column::text(evil, &rows(0)), Column::text(format!("{evil}2"), &rows(0))];
        let settings = DriftSettings {
            reference_name: evil.into(),
            current_name: evil.into(),
            ..DriftSettings::default()
        };
        let report = compare(&reference, &[Column::text(evil, &rows(1)[..10])], &settings).unwrap();
        let html = report.to_html();
        assert_eq!(html.matches("<script").count(), 1, "only the page's own script");
        assert!(!html.contains("alert('x')") && !html.contains('\u{0}'));
        assert!(html.contains("&lt;script&gt;alert(&#39;x&#39;)"));
    }
}
