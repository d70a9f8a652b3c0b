//! Every number of a history, as tables.

use std::fmt::Write as _;

use super::html::name;
use super::{ColumnHistory, ColumnMonth, History, Month};
use crate::format::{grouped, number, p_value, percent, points};
use crate::html::escape;
use crate::report::{Decision, Status};

/// A row for the reference and one per month.
pub(super) fn months(history: &History) -> String {
    let (unit, heading) = (history.unit(), history.unit_heading());
    let mut html = format!(
        r#"<section aria-labelledby="months"><h2 id="months">{heading}s</h2><div class="scroll" role="region" aria-label="Table of {unit}s" tabindex="0"><table class="plain counts"><thead><tr><th scope="col">{heading}</th><th scope="col">Rows</th><th scope="col">Drifted columns</th><th scope="col">Share</th><th scope="col">Decision</th><th scope="col">Positive rate</th><th scope="col">Difference, points (95 % interval)</th></tr></thead><tbody>"#,
    );
    let rate = history.months.iter().find_map(|month| month.target_drift.as_ref());
    let _ = write!(
        html,
        r#"<tr><th scope="row">{}<small>reference</small></th><td>{}</td><td>–</td><td>–</td><td>–</td><td>{}</td><td>–</td></tr>"#,
        name(&history.reference.name),
        grouped(history.reference.rows as i64),
        rate.map_or_else(|| "–".to_owned(), |target| percent(target.reference_rate)),
    );
    history.months.iter().for_each(|month| row(&mut html, month));
    html + "</tbody></table></div></section>"
}

fn row(html: &mut String, month: &Month) {
    let decision = match month.decision {
        Decision::NoAction => r#"<span class="chip calm">No action</span>"#,
        Decision::RetrainingTriggered => r#"<span class="chip alarm">▲ Retraining</span>"#,
    };
    let (rate, change) = month.target_drift.as_ref().map_or_else(
        || ("–".to_owned(), "–".to_owned()),
        |target| {
            let interval = &target.change_interval;
            let change = points(target.current_rate - target.reference_rate);
            (
                percent(target.current_rate),
                format!("{change} ({} to {})", points(interval.low), points(interval.high)),
            )
        },
    );
    let _ = write!(
        html,
        r#"<tr><th scope="row">{}</th><td>{}</td><td>{} of {}</td><td>{}</td><td>{decision}</td><td>{rate}</td><td>{change}</td></tr>"#,
        name(&month.current.name),
        grouped(month.current.rows as i64),
        grouped(month.drifted_columns as i64),
        grouped(month.judged_columns() as i64),
        percent(month.drift_share),
    );
}

/// A row per column and a cell per month.
pub(super) fn columns(history: &History) -> String {
    if history.columns.is_empty() {
        return String::new();
    }
    let unit = history.unit();
    let mut html = format!(
        r#"<section class="broad" aria-labelledby="numbers"><h2 id="numbers">Every column in every {unit}</h2><p class="key">Effect size, below it the p-value (adjusted over the {unit}, where the profile does so). ▲ drifted.</p><div class="scroll" role="region" aria-label="Table of columns by {unit}" tabindex="0"><table class="plain cells"><thead><tr><th scope="col" data-key="name">Column</th><th scope="col">Threshold</th>"#,
    );
    for month in &history.months {
        let _ = write!(html, r#"<th scope="col" data-key="cell">{}</th>"#, name(&month.current.name));
    }
    html += "</tr></thead><tbody>";
    for (place, column) in history.columns.iter().enumerate() {
        let column_name = escape(&column.name);
        let _ = write!(
            html,
            r#"<tr id="column-{place}" data-name="{column_name}" data-type="{kind}" data-drifted="{}"><th scope="row"><bdi>{column_name}</bdi><small>{kind}</small></th><td>{}</td>"#,
            u8::from(column.drifted_months() > 0),
            threshold(column),
            kind = column.column_type.as_str(),
        );
        cells(&mut html, column);
        html += "</tr>";
    }
    html + "</tbody></table></div></section>"
}

/// The threshold, or from where to where it goes.
fn threshold(column: &ColumnHistory) -> String {
    let of =
        |month: &ColumnMonth| month.effect_size.as_ref().map(|effect| effect.threshold).or(month.threshold);
    let thresholds = || column.months.iter().flatten().filter_map(of);
    let (low, high) = (thresholds().fold(f64::MAX, f64::min), thresholds().fold(f64::MIN, f64::max));
    match thresholds().next() {
        None => "–".to_owned(),
        Some(_) if low >= high => number(low),
        Some(_) => format!("{} to {}", number(low), number(high)),
    }
}

fn cells(html: &mut String, column: &ColumnHistory) {
    let untested: Vec<Option<String>> = column.months.iter().map(|month| untested(month.as_ref())).collect();
    let all_alike = untested.windows(2).all(|pair| pair[0] == pair[1]);
    // Once for all months, where none was tested for the same reason.
    if let (true, Some(Some(words))) = (all_alike, untested.first()) {
        let _ = write!(html, r#"<td class="mute all" colspan="{}">{words}</td>"#, untested.len());
        return;
    }
    for (month, untested) in column.months.iter().zip(untested) {
        match (month, untested) {
            (Some(month), None) => cell(html, month),
            (_, words) => *html += &format!(r#"<td class="mute">{}</td>"#, words.unwrap_or_default()),
        }
    }
}

/// Why there is no number.
fn untested(month: Option<&ColumnMonth>) -> Option<String> {
    let Some(month) = month else { return Some("absent".to_owned()) };
    let word = match month.status {
        Status::Tested => return None,
        Status::Ignored => "left out",
        Status::NotComputable if month.drifted => "▲ cannot be tested any more",
        Status::NotComputable => "not computable",
    };
    Some(format!("{word}<small>{}</small>", month.reason.as_deref().map_or_else(String::new, escape)))
}

fn cell(html: &mut String, month: &ColumnMonth) {
    let class = if month.drifted { r#" class="hit""# } else { "" };
    let sign = if month.drifted { "▲ " } else { "" };
    let size = match &month.effect_size {
        Some(effect) => effect.value.map_or_else(|| "not finite".to_owned(), number),
        None => "–".to_owned(),
    };
    let p = month.adjusted_p_value.or(month.p_value);
    let p = p.map_or_else(String::new, |p| format!("<small>p {}</small>", p_value(p)));
    let missing =
        month.missing.as_ref().filter(|missing| missing.drifted).map_or_else(String::new, |missing| {
            let [from, to] = [missing.reference_share, missing.current_share].map(percent);
            format!("<small>missing {from} → {to}</small>")
        });
    // What the column is sorted by. A size that is not finite is larger than any other.
    let order = month.effect_size.as_ref().map_or_else(String::new, |effect| {
        effect.value.map_or_else(|| "Infinity".to_owned(), |value| value.to_string())
    });
    let _ = write!(html, r#"<td{class} data-value="{order}">{sign}{size}{p}{missing}</td>"#);
}
